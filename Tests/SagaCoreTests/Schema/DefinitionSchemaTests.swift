import Foundation
import JSON
import Testing

@testable import SagaCore

/// The JSON Schema of definition files.
@Suite struct DefinitionSchemaTests {
    @Test func theCommittedFileIsWhatTheProgramPrints() throws {
        let url = ShippedDefinitionTests.folder.appending(path: "saga.schema.json")
        let isSame = try String(contentsOf: url, encoding: .utf8) == DefinitionSchema.text
        #expect(isSame, "renew the file: saga schema > sagas/saga.schema.json")
    }

    /// A key that the parser has and the schema doesn't know anything of has no description.
    @Test func everyKeyIsDescribed() {
        var missing: [String] = []
        func walk(_ schema: JSON, _ path: String) {
            for (key, value) in schema.objectValue?.members ?? [] {
                if key == "properties", schema["additionalProperties"] == false {
                    for (name, property) in value.objectValue?.members ?? [] {
                        let target = property["$ref"]?.stringValue.map { String($0.dropFirst("#/$defs/".count)) }
                        let described = property["description"] ?? target.flatMap { root["$defs"]?[$0]?["description"] }
                        if described?.stringValue?.isEmpty ?? true { missing.append("\(path).\(name)") }
                    }
                }
                walk(value, "\(path).\(key)")
            }
        }
        let root = DefinitionSchema.json
        walk(root, "")
        #expect(missing == [])
    }

    @Test func everyReferenceLeadsSomewhere() {
        var used: Set<String> = []
        func walk(_ value: JSON) {
            if let ref = value["$ref"]?.stringValue { used.insert(ref) }
            value.objectValue?.forEach { walk($0.value) }
            value.arrayValue?.forEach(walk)
        }
        let root = DefinitionSchema.json
        walk(root)
        #expect(used == Set((root["$defs"]?.objectValue?.keys ?? []).map { "#/$defs/\($0)" }))
    }

    /// What patterns say and what the parser does, over texts of all kinds.
    @Test func patternsSayWhatTheParserDoes() throws {
        let pieces = ["", "a", "Z", "7", "-", "_", ".", ":", "é", " ", "$", "!", "~", "(", "ab-9_"]
        var texts = pieces.flatMap { first in pieces.flatMap { second in pieces.map { first + second + $0 } } }
        texts += [1, 62, 63, 64, 127, 128, 129].map { String(repeating: "a", count: $0) }
        let name = try Regex(Names.namePattern)
        let error = try Regex(Names.errorNamePattern)
        let header = try Regex(Names.headerNamePattern)
        let wrong = texts.filter { text in
            text.contains(name) != Names.isName(text) || text.contains(error) != Names.isErrorName(text)
                || text.contains(header) != Names.isHeaderName(text)
        }
        #expect(wrong == [])
    }

    @Test func durationsAreThoseOfTheParser() throws {
        let schema = DefinitionSchema.json
        let form = try Regex(try #require(schema["$defs"]?["duration"]?["pattern"]?.stringValue))
        let zero = try Regex(try #require(schema["$defs"]?["longerThanZero"]?["not"]?["pattern"]?.stringValue))
        let numbers = [
            "", "0", "00", "1", "010", "1.5", "0.0", "0.05", "1.", ".5", "1.123456", "1.1234567", "-1", "1e3",
        ]
        let units = ["", "ms", "s", "m", "h", "d", "us", "S", " s", "sec"]
        let wrong = numbers.flatMap { number in units.map { number + $0 } }.filter { text in
            let span = try? TimeSpan(parsing: text)
            return text.contains(form) != (span != nil) || (span != nil && text.contains(zero) != (span == .zero))
        }
        #expect(wrong == [])
    }
}

import Foundation
import JSON
import SagaCore
import Testing

/// The definitions that the documentation shows are right.
@Suite struct DocumentedDefinitionTests {
    static let project = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "../../..")
        .standardized

    static let pages = [
        "README.md", "docs/definitions.md", "docs/recipes.md", "docs/participants.md", "docs/operations.md",
        "docs/services.md", "docs/errors.md",
    ]

    @Test(arguments: pages)
    func everyDefinitionOfAPageIsRight(_ page: String) throws {
        for block in try MarkdownBlock.all(of: Self.project.appending(path: page)) {
            guard let text = DocumentedFragment(block)?.definition else { continue }
            let parsed = DefinitionParser.parse(Array(text.utf8), file: "\(page):\(block.line)")
            #expect(parsed.findings.filter { $0.code != block.warns }.map(\.text) == [])
            #expect(parsed.definition != nil)
            if let code = block.warns { #expect(parsed.findings.contains { $0.code == code }) }
        }
    }

    /// So that a block whose comment is misspelt isn't passed over.
    @Test func everyBlockOfDefinitionsSaysWhatItIs() throws {
        let blocks = try MarkdownBlock.all(of: Self.project.appending(path: "docs/definitions.md"))
        #expect(blocks.count >= 20)
        #expect(blocks.filter { DocumentedFragment($0) == nil }.map(\.line) == [])
    }

    /// Every key of a definition is in an example of the page.
    @Test func everyKeyHasAnExample() throws {
        var used: Set<String> = []
        func walk(_ value: JSON) {
            for (key, member) in value.objectValue?.members ?? [] {
                used.insert(key)
                walk(member)
            }
            value.arrayValue?.forEach(walk)
        }
        for block in try MarkdownBlock.all(of: Self.project.appending(path: "docs/definitions.md")) {
            walk(try JSON.parse(try #require(DocumentedFragment(block)?.definition)))
        }
        var keys: Set<String> = []
        func collect(_ schema: JSON) {
            if schema["additionalProperties"] == false, schema["patternProperties"] == nil {
                keys.formUnion(schema["properties"]?.objectValue?.keys ?? [])
            }
            schema.objectValue?.forEach { collect($0.value) }
            schema.arrayValue?.forEach(collect)
        }
        collect(DefinitionSchema.json)
        #expect(keys.count > 40)
        #expect(keys.subtracting(used) == [])
    }

    /// Recipes are whole files, without as much as a warning, and the page names each.
    @Test func everyRecipePasses() throws {
        let folder = Self.project.appending(path: "docs/recipes")
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
            .filter { $0.hasSuffix(".json") }.sorted()
        #expect(names.count >= 5)
        let files = try names.map { ($0, Array(try Data(contentsOf: folder.appending(path: $0)))) }
        let checked = DefinitionSet.check(files)
        #expect(checked.findings.map(\.text) == [])
        #expect(checked.definitions.map { "\($0.definition.name).json" } == names)
        let page = try String(contentsOf: Self.project.appending(path: "docs/recipes.md"), encoding: .utf8)
        for name in names { #expect(page.contains("](recipes/\(name))")) }
    }
}

/// A block of JSON in a page of Markdown.
struct MarkdownBlock {
    /// What the comment before it says after `in:`, such as `steps[]`; nil when there is none.
    let place: String?
    /// The code of a finding that it is there to show.
    let warns: String?
    let text: String
    let line: Int

    static func all(of page: URL) throws -> [MarkdownBlock] {
        let lines = try String(contentsOf: page, encoding: .utf8).split(
            separator: "\n",
            omittingEmptySubsequences: false
        )
        var blocks: [MarkdownBlock] = []
        var index = 0
        while index < lines.count {
            defer { index += 1 }
            guard lines[index] == "```json" else { continue }
            let comment = index > 0 ? lines[index - 1].wholeMatch(of: #/<!-- in: (\S+?)(?:, warns: (\S+))? -->/#) : nil
            let body = lines[(index + 1)...].prefix { $0 != "```" }
            blocks.append(
                MarkdownBlock(
                    place: comment.map { String($0.1) },
                    warns: comment?.2.map(String.init),
                    text: body.joined(separator: "\n"),
                    line: index + 1
                )
            )
            index += body.count
        }
        return blocks
    }
}

/// A block of JSON with a definition around it.
struct DocumentedFragment {
    /// The whole definition.
    let definition: String

    /// nil for JSON that is something else.
    init?(_ block: MarkdownBlock) {
        let text = block.text
        switch block.place {
        case nil:
            guard let json = try? JSON.parse(text), json["saga"] != nil, json["steps"] != nil, json["id"] == nil else {
                return nil
            }
            definition = text
        case "top":
            definition = #"{"saga": "example", \#(text), "steps": [{"name": "example", "action": {"noop": true}}]}"#
        case "services":
            let names = (try? JSON.parse("{\(text)}"))?.objectValue?.keys ?? []
            let calls = names.map { Self.call($0) }
            definition = #"{"saga": "example", "services": {\#(text)}, "steps": [\#(calls.joined(separator: ", "))]}"#
        case "steps[]": definition = Self.whole(steps: text)
        case "step":
            let action = text.contains(#""action""#) ? "" : #", "action": {"noop": true}"#
            definition = Self.whole(steps: #"{"name": "example", \#(text)\#(action)}"#)
        case "action":
            let kind = ["http", "pass", "noop"].contains { text.hasPrefix("\"\($0)\"") }
            let call = kind ? "" : #", "http": {"service": "example", "path": "/"}"#
            definition = Self.whole(
                steps: #"{"name": "example", "action": {\#(text)\#(call)}, "compensation": "none"}"#
            )
        case "body":
            definition = Self.whole(
                steps: #"{"name": "example", "compensation": "none", "#
                    + #""action": {"http": {"service": "example", "path": "/", "body": \#(text)}}}"#
            )
        default: return nil
        }
    }

    private static func call(_ service: String) -> String {
        #"{"name": "call_\#(service)", "action": {"http": {"service": "\#(service)", "method": "GET", "path": "/"}}}"#
    }

    /// Steps with the services that they call and, before them, the steps that they wait for.
    private static func whole(steps: String) -> String {
        let elements = (try? JSON.parse("[\(steps)]"))?.arrayValue ?? []
        var services: [String] = []
        var waited: [String] = []
        for element in elements {
            for side in ["action", "compensation"] {
                if let service = element[side]?["http"]?["service"]?.stringValue, !services.contains(service) {
                    services.append(service)
                }
            }
            waited += (element["after"]?.arrayValue ?? []).compactMap(\.stringValue)
        }
        let stated = elements.compactMap { $0["name"]?.stringValue }
        let before = waited.filter { !stated.contains($0) }
            .map { #"{"name": "\#($0)", "after": [], "action": {"noop": true}}, "# }
        let urls = services.map { #""\#($0)": {"url": "http://\#($0)"}"# }
        return #"{"saga": "example", "services": {\#(urls.joined(separator: ", "))}, "#
            + #""steps": [\#(before.joined())\#(steps)]}"#
    }
}

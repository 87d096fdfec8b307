import CEL
import Foundation
import JSON
import Testing

/// One case of the language's conformance tests.
struct ConformanceCase: Sendable, CustomTestStringConvertible {
    /// `FILE/SECTION/NAME`; from the second case of one name on with `#2` and so on.
    private(set) var id: String
    let expression: String
    let bindings: [(name: String, value: JSON)]
    /// The typed value; nil when an error is expected.
    let expected: JSON?

    var testDescription: String { id }

    static let files = [
        "basic", "comparisons", "conversions", "fields", "fp_math", "integer_math", "lists", "logic", "macros",
        "macros2", "parse", "plumbing", "string", "string_ext", "timestamps",
    ]

    static func resource(_ name: String) throws -> JSON {
        let folder = "Resources/cel-spec"
        let url = try #require(Bundle.module.url(forResource: name, withExtension: "json", subdirectory: folder))
        return try JSON.parse([UInt8](Data(contentsOf: url)))
    }

    static func all() throws -> [ConformanceCase] {
        var seen: [String: Int] = [:]
        return try files.flatMap { file in
            try #require(resource(file).arrayValue).map { json in
                var one = try ConformanceCase(json, file: file)
                let count = seen[one.id, default: 0] + 1
                seen[one.id] = count
                if count > 1 { one.id += "#\(count)" }
                return one
            }
        }
    }

    private init(_ json: JSON, file: String) throws {
        let section = try #require(json["section"]?.stringValue)
        let name = try #require(json["name"]?.stringValue)
        id = "\(file)/\(section)/\(name)"
        expression = try #require(json["expr"]?.stringValue)
        bindings = json["bindings"]?.objectValue.map { $0.map { ($0.key, $0.value) } } ?? []
        expected = json["value"]
        if expected == nil { try #require(json["error"] == true) }
    }

    /// Nil when the case passes, else what came out.
    func failure(in environment: CELEnvironment) throws -> String? {
        var environment = environment
        var activation = CELActivation()
        for (name, value) in bindings {
            environment.variables[name] = .dyn
            activation[name] = try TypedValue.value(value)
        }
        let result: CELValue
        do {
            let program = try CELProgram(compiling: expression, in: environment)
            result = try program.evaluate(activation)
        } catch {
            return expected == nil ? nil : "\(error)"
        }
        guard let expected else { return "no error but \(result)" }
        return try TypedValue.matches(expected, result) ? nil : "\(result)"
    }
}

/// The typed values of the conformance files.
enum TypedValue {
    static func value(_ json: JSON) throws -> CELValue {
        let text = json["value"]?.stringValue ?? ""
        switch json["type"]?.stringValue {
        case "null": return .null
        case "bool": return .bool(json["value"] == true)
        case "int": return .int(try #require(Int64(text)))
        case "uint": return .uint(try #require(UInt64(text)))
        case "double": return .double(try #require(Double(text)))
        case "string": return .string(text)
        case "bytes": return .bytes(try bytes(json))
        case "type": return .type(text)
        case "duration":
            let seconds = try #require(json["seconds"]?.stringValue.flatMap { Int64($0) })
            let nanoseconds = try #require(json["nanos"]?.int64Value)
            return .duration(CELDuration(nanoseconds: seconds * 1_000_000_000 + nanoseconds))
        case "list":
            return .list(try #require(json["value"]?.arrayValue).map(value))
        case "map":
            var entries: [(CELValue, CELValue)] = []
            for pair in try #require(json["value"]?.arrayValue) {
                entries.append((try value(#require(pair[0])), try value(#require(pair[1]))))
            }
            return .map(try #require(CELMap(entries)))
        default:
            throw UnknownType(json: json)
        }
    }

    struct UnknownType: Error {
        let json: JSON
    }

    private static func bytes(_ json: JSON) throws -> [UInt8] {
        let digits = Array(try #require(json["hex"]?.stringValue))
        return try stride(from: 0, to: digits.count, by: 2).map {
            try #require(UInt8(String(digits[$0...$0 + 1]), radix: 16))
        }
    }

    /// Whether a result is exactly what is expected, its type included.
    static func matches(_ expected: JSON, _ result: CELValue) throws -> Bool {
        switch (try value(expected), result) {
        case (.null, .null): true
        case (.bool(let a), .bool(let b)): a == b
        case (.int(let a), .int(let b)): a == b
        case (.uint(let a), .uint(let b)): a == b
        case (.double(let a), .double(let b)):
            a.isNaN && b.isNaN || a == b && a.sign == b.sign
        case (.string(let a), .string(let b)): Array(a.utf8) == Array(b.utf8)
        case (.bytes(let a), .bytes(let b)): a == b
        case (.type(let a), .type(let b)): a == b
        case (.duration(let a), .duration(let b)): a == b
        case (.list, .list(let b)):
            try zip(expected["value"]?.arrayValue ?? [], b).allSatisfy { try matches($0, $1) }
                && expected["value"]?.arrayValue?.count == b.count
        case (.map(let a), .map(let b)):
            try a.count == b.count
                && (expected["value"]?.arrayValue ?? []).allSatisfy { pair in
                    guard let key = pair[0], let value = pair[1], let found = b[try self.value(key)] else {
                        return false
                    }
                    return try matches(value, found)
                }
        default: false
        }
    }
}

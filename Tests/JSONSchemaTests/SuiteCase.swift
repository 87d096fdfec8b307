import Foundation
import JSON
import Testing

@testable import JSONSchema

/// One test of the official suite.
struct SuiteCase {
    /// `FILE/GROUP/TEST`.
    let id: String
    let schema: JSON
    let instance: JSON
    let isValid: Bool

    /// What a case came to.
    enum Outcome: Equatable {
        case right
        case wrong
        case refused([String])
    }

    func outcome(_ options: JSONSchema.Options) -> Outcome {
        let (compiled, faults) = JSONSchema.compile(schema, options: options)
        guard let compiled else { return .refused(faults.map { "\($0.pointer): \($0.message)" }) }
        return compiled.violations(of: instance).isEmpty == isValid ? .right : .wrong
    }

    private static var folder: URL {
        get throws { try #require(Bundle.module.url(forResource: "Resources", withExtension: nil)) }
    }

    static func resource(_ path: String) throws -> JSON {
        try JSON.parse([UInt8](Data(contentsOf: folder.appending(path: path))))
    }

    /// The cases of a folder of the suite, without those of folders within it.
    static func all(in path: String) throws -> [SuiteCase] {
        var cases: [SuiteCase] = []
        for file in try files(in: path).filter({ !$0.contains("/") }) {
            let groups = try resource("json-schema-test-suite/\(path)/\(file)").arrayValue ?? []
            for group in groups {
                for test in group["tests"]?.arrayValue ?? [] {
                    let names = [group, test].map { $0["description"]?.stringValue ?? "" }
                    cases.append(
                        SuiteCase(
                            id: "\(file.dropLast(5))/\(names[0])/\(names[1])",
                            schema: try #require(group["schema"]),
                            instance: try #require(test["data"]),
                            isValid: try #require(test["valid"]) == true
                        )
                    )
                }
            }
        }
        return cases
    }

    /// The suite's remote schemas by the URIs that the cases give them.
    static func remotes() throws -> [(uri: String, schema: JSON)] {
        try files(in: "remotes").map {
            ("http://localhost:1234/\($0)", try resource("json-schema-test-suite/remotes/\($0)"))
        }
    }

    private static func files(in path: String) throws -> [String] {
        let root = try folder.appending(path: "json-schema-test-suite/\(path)").path
        return (try FileManager.default.subpathsOfDirectory(atPath: root)).filter { $0.hasSuffix(".json") }.sorted()
    }
}

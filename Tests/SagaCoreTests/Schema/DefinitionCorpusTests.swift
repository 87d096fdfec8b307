import Foundation
import JSON
import SagaCore
import Testing

/// Validator and JSON Schema agree over a corpus of files.
@Suite struct DefinitionCorpusTests {
    @Test func thereAreAtLeast150() throws {
        let counts = try DefinitionCorpus.Folder.allCases.map { try DefinitionCorpus.names($0).count }
        #expect(counts.reduce(0, +) >= 150)
        #expect(counts.allSatisfy { $0 >= 20 })
    }

    @Test func everyGoodFileHasNoErrors() throws {
        for name in try DefinitionCorpus.names(.good) {
            let parsed = DefinitionParser.parse(try DefinitionCorpus.bytes(.good, name), file: name)
            #expect(parsed.findings.filter { $0.severity == .error }.map(\.text) == [])
            #expect(parsed.definition != nil)
        }
    }

    @Test(arguments: [DefinitionCorpus.Folder.shape, .meaning, .input])
    func everyFaultIsFoundByItsCode(_ folder: DefinitionCorpus.Folder) throws {
        let expected = try JSON.parse(String(decoding: DefinitionCorpus.bytes(folder, "expected.json"), as: UTF8.self))
        var found: [(String, JSON)] = []
        for name in try DefinitionCorpus.names(folder) {
            let parsed = DefinitionParser.parse(try DefinitionCorpus.bytes(folder, name), file: name)
            let code = parsed.findings.first { $0.severity == .error }?.code
            found.append((name, code.map { .string($0) } ?? .null))
            #expect(parsed.definition == nil, "\(name)")
        }
        for (name, code) in found { #expect(expected[name] == code, "\(name)") }
        #expect(expected.objectValue?.keys.sorted() == found.map(\.0))
    }

    /// By PyPI's `jsonschema`; the schema itself against its metaschema too.
    @Test func theSchemaSaysTheSame() throws {
        let shipped = [
            ShippedDefinitionTests.folder, DocumentedDefinitionTests.project.appending(path: "docs/recipes"),
        ]
        let folders = DefinitionCorpus.Folder.allCases.map { DefinitionCorpus.url.appending(path: $0.rawValue) }
        let schema = ShippedDefinitionTests.folder.appending(path: "saga.schema.json").path
        let run = try Python.run(Self.script, arguments: [schema] + (folders + shipped).map(\.path))
        #expect(run == Python.Run(status: 0, output: "", error: ""))
    }

    /// Prints every file about which the schema is of another mind than its folder's name.
    private static let script = """
        import json, os, sys
        from jsonschema import Draft202012Validator
        with open(sys.argv[1]) as file: schema = json.load(file)
        Draft202012Validator.check_schema(schema)
        validator = Draft202012Validator(schema)
        for folder in sys.argv[2:]:
            kind = os.path.basename(folder)
            for name in sorted(os.listdir(folder)):
                if name in ("expected.json", "tests") or name.endswith(".schema.json"): continue
                with open(os.path.join(folder, name), encoding="utf-8") as file: document = json.load(file)
                fault = next(validator.iter_errors(document), None)
                isFaulty = kind in ("shape", "input")
                if isFaulty and fault is None: print(f"{kind}/{name}: valid by the schema")
                if not isFaulty and fault is not None: print(f"{kind}/{name}: {fault.json_path}: {fault.message}")
        """
}

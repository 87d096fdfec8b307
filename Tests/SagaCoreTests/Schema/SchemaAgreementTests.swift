import Foundation
import JSON
import SagaCore
import Testing

/// Validator and schema agree on shapes: an editor never underlines what is right, and sees what is wrong.
@Suite struct SchemaAgreementTests {
    /// Faults of shape; of the others a schema knows nothing.
    private static let shapeCodes: Set<String> = [
        "wrong-kind", "unknown-key", "missing-key", "conflicting-keys", "invalid-name", "invalid-value",
        "invalid-duration", "out-of-range", "no-steps", "invalid-path", "invalid-url", "invalid-header",
        "pivot-compensation", "empty-expression",
    ]

    /// Changes every good file of the corpus at every place in many ways.
    ///
    /// Those that the validator still accepts must be valid by the schema, those that it refuses for their shape (each
    /// seventh, to be quick) must not; PyPI's `jsonschema` decides.
    @Test func changedFilesAreJudgedAlike() throws {
        var accepted: Set<String> = []
        var refused: Set<String> = []
        for name in try DefinitionCorpus.names(.good) where name != "most-steps.json" {
            let whole = try JSON.parse(String(decoding: DefinitionCorpus.bytes(.good, name), as: UTF8.self))
            for changed in mutations(of: whole, at: []) {
                let parsed = DefinitionParser.parse(changed.serialized())
                let codes = parsed.findings.filter { $0.severity == .error }.map(\.code)
                if codes.isEmpty { accepted.insert(changed.text) }
                if !Self.shapeCodes.isDisjoint(with: codes) { refused.insert(changed.text) }
            }
        }
        #expect(accepted.count > 2_000)
        #expect(refused.count > 15_000)
        let sample = refused.sorted().enumerated().filter { $0.offset.isMultiple(of: 7) }.map {
            "invalid\t\($0.element)"
        }
        let file = URL(fileURLWithPath: NSTemporaryDirectory() + "saga-changed-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: file) }
        try (accepted.sorted().map { "valid\t\($0)" } + sample).joined(separator: "\n")
            .write(to: file, atomically: true, encoding: .utf8)
        let schema = ShippedDefinitionTests.folder.appending(path: "saga.schema.json").path
        #expect(
            try Python.run(Self.script, arguments: [schema, file.path]) == Python.Run(status: 0, output: "", error: "")
        )
    }

    private static let script = """
        import json, sys
        from jsonschema import Draft202012Validator
        with open(sys.argv[1]) as file: validator = Draft202012Validator(json.load(file))
        with open(sys.argv[2], encoding="utf-8") as file:
            for line in file:
                expected, text = line.rstrip("\\n").split("\\t")
                if validator.is_valid(json.loads(text)) != (expected == "valid"): print(f"not {expected}: {text}")
        """

    private static let values: [JSON] = [
        nil, true, false, 0, 1, -1, 1.5, 101, "", "x", "a b", "10s", "/x", [], ["x"], [:],
    ]

    /// The value with one place of it replaced, removed, or given a member more.
    private func mutations(of value: JSON, at path: [String]) -> [JSON] {
        // The input's schema has a validator of its own.
        if path == ["input"] { return [true, false, [:]] }
        var changed = Self.values
        for (key, member) in value.objectValue?.members ?? [] {
            func with(_ new: JSON?) -> JSON {
                .object(
                    JSONObject(
                        (value.objectValue?.members ?? []).compactMap { other in
                            other.key == key ? new.map { (key, $0) } : (other.key, other.value)
                        }
                    )
                )
            }
            changed.append(with(nil))
            changed += mutations(of: member, at: path + [key]).map(with)
        }
        if let members = value.objectValue?.members {
            for key in ["zzz", "x-y", "timeout", "description", "outcomes", "after"] where value[key] == nil {
                for new in Self.values.suffix(7) {
                    changed.append(.object(JSONObject(members.map { ($0.key, $0.value) } + [(key, new)])))
                }
            }
        }
        for (index, element) in (value.arrayValue ?? []).enumerated() {
            changed += mutations(of: element, at: path + ["\(index)"]).map { new in
                .array((value.arrayValue ?? []).enumerated().map { $0.offset == index ? new : $0.element })
            }
        }
        return changed
    }
}

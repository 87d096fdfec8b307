import JSON
import JSONSchema
import Testing

@Suite struct FuzzTests {
    /// SplitMix64 (public domain, Sebastiano Vigna): the same seed gives the same run.
    private struct Random {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var z = state
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            return z ^ (z >> 31)
        }

        mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(max(bound, 1))) }
        mutating func pick<Element>(_ elements: [Element]) -> Element { elements[below(elements.count)] }

        mutating func value(_ depth: Int) -> JSON {
            switch below(depth > 0 ? 8 : 5) {
            case 0: return .null
            case 1: return .bool(below(2) == 0)
            case 2:
                return .number(
                    JSONNumber(literal: pick(["0", "-0.0", "1", "1.0", "2.5", "1e2", "100", "1e400"])) ?? JSONNumber(0))
            case 3, 4: return .string(pick(["", "a", "b", "ab", "é", "2026-01-01", "a@b.c"]))
            case 5, 6:
                return .object(JSONObject((0..<below(4)).map { _ in (pick(["a", "b", "c"]), value(depth - 1)) }))
            default: return .array((0..<below(4)).map { _ in value(depth - 1) })
            }
        }

        mutating func schema(_ depth: Int) -> JSON {
            if below(8) == 0 { return .bool(below(4) > 0) }
            var object = JSONObject()
            for _ in 0..<(1 + below(3)) {
                let keyword = pick(depth > 0 ? FuzzTests.keywords : FuzzTests.leaves)
                object[keyword] = argument(of: keyword, depth - 1)
            }
            return .object(object)
        }

        private mutating func schemas(_ depth: Int) -> JSON { .array((0..<(1 + below(3))).map { _ in schema(depth) }) }

        private mutating func argument(of keyword: String, _ depth: Int) -> JSON {
            switch keyword {
            case "type": .string(pick(["string", "number", "integer", "boolean", "object", "array", "null"]))
            case "const": value(2)
            case "enum": .array((0..<below(4)).map { _ in value(1) })
            case "minimum", "maximum", "exclusiveMinimum": .number(JSONNumber(below(4)))
            case "multipleOf": .number(JSONNumber(1 + below(3)))
            case "minLength", "maxItems", "minItems", "minProperties", "maxProperties", "minContains", "maxContains":
                .number(JSONNumber(below(3)))
            case "uniqueItems": .bool(below(2) == 0)
            case "pattern": .string(pick(["^a", "b$", #"^\w*$"#]))
            case "required": .array([.string(pick(["a", "b"]))])
            case "format": .string(pick(["date", "email"]))
            case "$ref": .string(pick(["#/$defs/x", "#/$defs/y"]))
            case "properties", "dependentSchemas": .object(JSONObject([("a", schema(depth)), ("b", schema(depth))]))
            case "patternProperties": .object(JSONObject([("[bc]", schema(depth))]))
            case "allOf", "anyOf", "oneOf", "prefixItems": schemas(depth)
            default: schema(depth)
            }
        }
    }

    private static let leaves = [
        "type", "const", "enum", "minimum", "maximum", "exclusiveMinimum", "multipleOf", "minLength", "maxItems",
        "minItems", "minProperties", "maxProperties", "uniqueItems", "pattern", "required", "format", "$ref",
    ]
    private static let keywords =
        leaves + [
            "properties", "dependentSchemas", "patternProperties", "allOf", "anyOf", "oneOf", "prefixItems", "items",
            "additionalProperties", "contains", "minContains", "maxContains", "propertyNames", "not", "if", "then",
            "else", "unevaluatedItems", "unevaluatedProperties",
        ]

    /// A schema's negation and double negation answer accordingly, and so do what it is wrapped in.
    @Test func answersAreConsistent() throws {
        var random = Random(state: 20_261_121)
        var (valid, invalid, endless) = (0, 0, 0)
        for _ in 0..<1_500 {
            let definitions: JSON = ["x": random.schema(1), "y": random.schema(1)]
            let inner = random.schema(3)
            func check(_ schema: JSON) -> JSONSchema? {
                JSONSchema.compile(["$defs": definitions, "allOf": [schema]]).schema
            }
            guard let plain = check(inner), let negated = check(["not": inner]),
                let twice = check(["not": ["not": inner]]),
                let tracked = check(["anyOf": [false, inner], "unevaluatedProperties": true, "unevaluatedItems": true])
            else {
                endless += 1
                continue
            }
            for _ in 0..<8 {
                let instance = random.value(3)
                let found = plain.violations(of: instance)
                #expect(found == plain.violations(of: instance))
                #expect(negated.violations(of: instance).isEmpty != found.isEmpty, "\(inner) \(instance)")
                #expect(twice.violations(of: instance).isEmpty == found.isEmpty, "\(inner) \(instance)")
                #expect(tracked.violations(of: instance).isEmpty == found.isEmpty, "\(inner) \(instance)")
                for one in found { #expect(instance[one.pointer] != nil, "\(one) in \(instance)") }
                if found.isEmpty { valid += 1 } else { invalid += 1 }
            }
        }
        #expect(valid > 1_000 && invalid > 1_000 && endless < 1_000)
    }

    /// Schemas of the official suite with pieces exchanged: whatever comes of it, nothing traps or runs away.
    @Test func exchangedPiecesHarmNothing() throws {
        var random = Random(state: 4)
        let cases = try SuiteCase.all(in: "draft2020-12")
        var compiled = 0
        for _ in 0..<3_000 {
            let (one, other) = (random.pick(cases), random.pick(cases))
            var bytes = one.schema.serialized()
            let piece = other.schema.serialized()
            for _ in 0...random.below(3) {
                let at = random.below(bytes.count)
                switch random.below(3) {
                case 0: bytes[at] = UInt8(random.below(256))
                case 1: bytes.insert(contentsOf: piece[random.below(piece.count)...].prefix(random.below(20)), at: at)
                default: bytes.removeSubrange(at..<min(at + 1 + random.below(6), bytes.count))
                }
                if bytes.isEmpty { bytes = [0x7B, 0x7D] }
            }
            let mutated = (try? JSON.parse(bytes)) ?? exchanging(one.schema, other.schema, &random)
            let options = JSONSchema.Options(unknownKeywords: .annotations, limits: .init(steps: 20_000))
            guard let schema = JSONSchema.compile(mutated, options: options).schema else { continue }
            compiled += 1
            for instance in [one.instance, other.instance] { _ = schema.violations(of: instance) }
        }
        #expect(compiled > 300)
    }

    /// One member's value replaced by that of another schema.
    private func exchanging(_ schema: JSON, _ other: JSON, _ random: inout Random) -> JSON {
        guard var object = schema.objectValue, let values = other.objectValue?.values, !values.isEmpty,
            !object.isEmpty
        else { return other }
        object[random.pick(object.keys)] = random.pick(values)
        return .object(object)
    }
}

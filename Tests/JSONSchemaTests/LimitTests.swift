import JSON
import JSONSchema
import Testing

@Suite struct LimitTests {
    private func nested(_ open: String, _ close: String, _ count: Int, _ core: String = "1") -> String {
        String(repeating: open, count: count) + core + String(repeating: close, count: count)
    }

    @Test func violationsAreCut() throws {
        let options = JSONSchema.Options(limits: .init(violations: 3))
        let found = try compiled(#"{"items": {"type": "string"}}"#, options).violations(of: [1, 2, 3, 4])
        #expect(found.map(\.keyword) == ["type", "type", "limit"])
        #expect(found.last?.message == "has more violations than are told here")
        let all = try compiled(#"{"items": {"type": "string"}}"#).violations(
            of: .array(.init(repeating: 1, count: 500)))
        #expect(all.count == 100)
    }

    @Test func stepsAreCut() throws {
        let options = JSONSchema.Options(limits: .init(steps: 20))
        let schema = try compiled(#"{"items": {"type": "integer"}}"#, options)
        #expect(schema.violations(of: [1, 2]) == [])
        let found = schema.violations(of: .array(.init(repeating: 1, count: 20)))
        #expect(found.map(\.message) == ["takes more than 20 steps to check"])
        #expect(found.map(\.keyword) == ["limit"])
    }

    /// A check that was given up is never taken for a schema that doesn't fit.
    @Test(arguments: ["not", "if", "contains", "oneOf"])
    func givingUpIsNoAnswer(keyword: String) throws {
        let inner = #"{"items": {"items": {"type": "integer"}}}"#
        let schema =
            switch keyword {
            case "if": "{\"if\": \(inner), \"else\": true}"
            case "contains": "{\"contains\": \(inner), \"minContains\": 0}"
            case "oneOf": "{\"oneOf\": [\(inner), true]}"
            default: "{\"not\": \(inner)}"
            }
        let options = JSONSchema.Options(limits: .init(steps: 50))
        let rows = JSON.array(.init(repeating: .array(.init(repeating: 1, count: 30)), count: 10))
        #expect(try compiled(schema, options).violations(of: rows).map(\.keyword) == ["limit"])
    }

    /// Every level doubles the work.
    @Test func explodingReferencesEnd() throws {
        var definitions = (0..<40).map { level in
            "\"d\(level)\": {\"allOf\": [{\"$ref\": \"#/$defs/d\(level + 1)\"}, {\"$ref\": \"#/$defs/d\(level + 1)\"}]}"
        }
        definitions.append(#""d40": {"type": "integer"}"#)
        let text = "{\"$ref\": \"#/$defs/d0\", \"$defs\": {\(definitions.joined(separator: ", "))}}"
        let found = try compiled(text, .init(limits: .init(steps: 100_000))).violations(of: 1)
        #expect(found.map(\.message) == ["takes more than 100000 steps to check"])
    }

    @Test func deepInstancesAreCheckedOrRefused() throws {
        let schema = try compiled(##"{"type": ["array", "integer"], "items": {"allOf": [{"$ref": "#"}]}}"##)
        let limits = JSONLimits(maximumDepth: 1_024)
        #expect(try schema.violations(of: .parse(nested("[", "]", 128), limits: limits)) == [])
        #expect(try schema.violations(of: .parse(nested("[", "]", 1_000), limits: limits)).map(\.keyword) == ["limit"])
        var deep = JSON.number(JSONNumber(1))
        for _ in 0..<3_000 { deep = .array([deep]) }
        #expect(schema.violations(of: deep).map(\.message) == ["nests too deep to be checked"])
        #expect(try compiled(#"{"uniqueItems": true, "const": 1}"#).violations(of: deep).map(\.keyword) == ["limit"])
        for _ in 0..<2_990 { if case .array(let inner) = deep { deep = inner[0] } }
    }

    @Test func theDeepestThatIsAllowedFitsTheStack() throws {
        let limits = JSONSchema.Limits(depth: 1_024)
        let schema = try compiled(
            ##"{"items": {"anyOf": [{"$ref": "#"}]}, "unevaluatedItems": false}"##,
            .init(limits: limits)
        )
        let instance = try JSON.parse(nested("[", "]", 1_000), limits: JSONLimits(maximumDepth: 1_024))
        #expect(schema.violations(of: instance).map(\.keyword) == ["limit"])
    }

    @Test func deepSchemasAreRefused() throws {
        var schema: JSON = true
        for _ in 0..<5_000 { schema = ["not": schema] }
        #expect(JSONSchema.compile(schema).faults.map(\.message) == ["the schema nests more than 256 levels deep"])
        for _ in 0..<4_990 { schema = schema["not"] ?? true }
    }

    @Test func patternsAndFaultsAreCut() throws {
        let patterns = (0...200).map { "{\"pattern\": \"^\($0)$\"}" }.joined(separator: ", ")
        #expect(
            try faults("{\"anyOf\": [\(patterns)]}") == ["/anyOf/200/pattern: the schema has more than 200 patterns"])
        let unknown = (0..<1_000).map { "\"colour\($0)\": 1" }.joined(separator: ", ")
        #expect(try faults("{\(unknown)}").count == 200)
    }

    @Test func fixedSchemasArePaidFor() throws {
        let all = JSON.array(.init(repeating: true, count: 100))
        let schema = try compiled("{\"allOf\": \(all)}", .init(limits: .init(steps: 50)))
        #expect(schema.violations(of: 1).map(\.keyword) == ["limit"])
    }

    @Test func longChainsOfReferencesCompile() throws {
        var definitions = (0..<5_000).map { "\"d\($0)\": {\"$ref\": \"#/$defs/d\($0 + 1)\"}" }
        definitions.append(#""d5000": true"#)
        let text = "{\"$ref\": \"#/$defs/d0\", \"$defs\": {\(definitions.joined(separator: ", "))}}"
        #expect(try compiled(text).violations(of: 1).map(\.keyword) == ["limit"])
    }

    @Test func largeListsAreQuick() throws {
        let unique = JSON.array((0..<100_000).map { ["id": .number(JSONNumber($0))] })
        #expect(try compiled(#"{"uniqueItems": true}"#).violations(of: unique) == [])
        let values = (0..<10_000).map { String($0) }.joined(separator: ",")
        let schema = try compiled("{\"items\": {\"enum\": [\(values)]}}")
        #expect(schema.violations(of: .array((0..<10_000).map { .number(JSONNumber($0)) })) == [])
    }

    @Test(arguments: [
        (#"{"multipleOf": 1e-999999999}"#, "1e999999999", true), (#"{"multipleOf": 1e999999999}"#, "1", false),
        (#"{"multipleOf": 3}"#, "3e999999999", true), (#"{"multipleOf": 3}"#, "1e999999999", false),
        (#"{"multipleOf": 0.01}"#, "19.99", true), (#"{"multipleOf": 0.0001}"#, "0.0075", true),
        (#"{"type": "integer"}"#, "1e999999999", true), (#"{"type": "integer"}"#, "1e-999999999", false),
        (#"{"type": "integer"}"#, "1.0", true), (#"{"type": "integer"}"#, "12.50e1", true),
        (#"{"maximum": 9007199254740992}"#, "9007199254740993", false), (#"{"const": 100}"#, "1.00e2", true),
        (#"{"const": 0}"#, "-0.0e5", true), (#"{"minimum": 1e99999999999999999999}"#, "1", false),
        (#"{"minLength": 1e400}"#, "\"a\"", false), (#"{"maxLength": 1e400}"#, "\"a\"", true),
    ])
    func numbersAreExact(schema: String, instance: String, isValid: Bool) throws {
        #expect(try compiled(schema).violations(of: .parse(instance)).isEmpty == isValid)
    }

    @Test func longNumbersAreExact() throws {
        let digits = String(repeating: "7", count: 400)
        #expect(try violations("{\"maximum\": \(digits)0}", digits + "0") == [])
        #expect(try violations("{\"maximum\": \(digits)0}", digits + "1").count == 1)
        #expect(try violations("{\"exclusiveMinimum\": -\(digits)}", "-" + digits + ".1").count == 1)
        #expect(try violations(#"{"multipleOf": 7}"#, digits) == [])
        #expect(try violations(#"{"multipleOf": 7}"#, digits + "1").count == 1)
    }

    /// Comparing costs what the smaller of the two has.
    @Test func constantsAreComparedWithinTheSteps() throws {
        let list = JSON.array(.init(repeating: 1, count: 2_000))
        let equal = "{\"allOf\": [\(Array(repeating: "{\"const\": \(list)}", count: 9).joined(separator: ", "))]}"
        #expect(try compiled(equal, .init(limits: .init(steps: 30_000))).violations(of: list) == [])
        #expect(
            try compiled(equal, .init(limits: .init(steps: 10_000))).violations(of: list).map(\.keyword) == ["limit"])
        let other = "{\"items\": {\"not\": {\"const\": \(list)}}}"
        #expect(try compiled(other, .init(limits: .init(steps: 20_000))).violations(of: list) == [])
    }

    @Test func longNamesArePaidFor() throws {
        let name = String(repeating: "x", count: 64_000)
        let objects = JSON.array(.init(repeating: .object(JSONObject((0..<20).map { ("k\($0)", 1) })), count: 50))
        let options = JSONSchema.Options(limits: .init(steps: 10_000))
        for schema in [
            "{\"items\": {\"not\": {\"required\": [\"\(name)\"]}}}",
            "{\"items\": {\"dependentRequired\": {\"\(name)\": [\"a\"]}}}",
            "{\"items\": {\"dependentSchemas\": {\"\(name)\": false}}}",
        ] {
            #expect(try compiled(schema, options).violations(of: objects).map(\.keyword) == ["limit"])
        }
    }

    @Test func longNumbersArePaidFor() throws {
        let number = "1" + String(repeating: "7", count: 60_000)
        let options = JSONSchema.Options(limits: .init(steps: 50_000))
        for keyword in ["\"type\": \"integer\"", "\"minimum\": 1", "\"multipleOf\": 1", "\"enum\": [1.5, \(number)]"] {
            let list = JSON.array(.init(repeating: try .parse(number), count: 6))
            #expect(try compiled("{\"items\": {\(keyword)}}", options).violations(of: list).map(\.keyword) == ["limit"])
        }
    }

    /// `unevaluatedItems` looks at all items again, on every level.
    @Test func whatIsLeftOverIsPaidFor() throws {
        var levels = (0..<100).map {
            "\"d\($0)\": {\"$ref\": \"#/$defs/d\($0 + 1)\", \"unevaluatedProperties\": false}"
        }
        levels.append(#""d100": {"additionalProperties": true}"#)
        let text = "{\"$ref\": \"#/$defs/d0\", \"$defs\": {\(levels.joined(separator: ", "))}}"
        let wide = JSON.object(JSONObject((0..<2_000).map { ("m\($0)", 1) }))
        let found = try compiled(text, .init(limits: .init(steps: 45_000))).violations(of: wide)
        #expect(found.map(\.keyword) == ["limit"])
        #expect(try compiled(text).violations(of: wide) == [])
    }

    @Test func dynamicReferencesPayForTheScopeTheySearch() throws {
        var resources = (0..<300).map { "\"r\($0)\": {\"$id\": \"r\($0)\", \"$ref\": \"r\($0 + 1)\"}" }
        resources.append(
            ##""r300": {"$id": "r300", "items": {"$dynamicRef": "#m"}, "$defs": {"m": {"$dynamicAnchor": "m"}}}"##)
        let text = "{\"$ref\": \"r0\", \"$defs\": {\(resources.joined(separator: ", "))}}"
        let schema = try compiled(text, .init(limits: .init(steps: 20_000)))
        #expect(schema.violations(of: .array(.init(repeating: 1, count: 10))) == [])
        #expect(schema.violations(of: .array(.init(repeating: 1, count: 100))).map(\.keyword) == ["limit"])
    }

    /// A pattern in an instance is read and not compiled, and one that takes long to be read is paid for.
    @Test func patternsInInstancesAreNotCompiled() throws {
        let schema = try compiled(#"{"items": {"format": "regex"}}"#, .init(limits: .init(steps: 300_000)))
        #expect(schema.violations(of: [#"(\p{L}{100}){9}"#, "(([a-z]{30}){30})"]) == [])
        #expect(schema.violations(of: ["(", "(?=a)"]).map(\.keyword) == ["format", "format"])
        let slow = JSON.string(String(repeating: #"\p{L}"#, count: 100))
        #expect(schema.violations(of: [slow]).map(\.keyword) == ["limit"])
        #expect(
            schema.violations(of: [.string(String(repeating: #"\p{L}"#, count: 1_000))]).map(\.keyword) == ["limit"])
    }

    @Test func patternsThatTakeLongToCompileAreFaults() throws {
        let pattern = #"{"pattern": "^"# + String(repeating: #"\\p{L}"#, count: 150) + "\"}"
        let found = try faults("{\"anyOf\": [\(Array(repeating: pattern, count: 30).joined(separator: ", "))]}")
        #expect(found.last == "/anyOf/10/pattern: the schema's patterns up to this one take too long to compile")
        #expect(
            try faults(#"{"pattern": ""# + String(repeating: #"\\p{L}"#, count: 201) + "\"}") == [
                "/pattern: this pattern can't be used: it has 201 classes `\\p`, more than the 200 allowed"
            ])
    }
}

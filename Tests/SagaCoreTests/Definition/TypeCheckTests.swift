import JSON
import SagaCore
import Testing

/// What is found of types, from the input's schema and from `pass` steps, and what must not be.
@Suite struct TypeCheckTests {
    private static let schema = #"""
        {"type": "object", "required": ["id", "total", "price", "customer", "items"], "properties": {
          "id": {"type": "string"}, "total": {"type": "integer"}, "price": {"type": "number"},
          "coupon": {"type": "string"}, "speed": {"enum": ["express", "standard"]}, "any": {},
          "customer": {"type": "object", "required": ["name"], "additionalProperties": false,
                       "properties": {"name": {"type": "string"}, "age": {"type": ["integer", "null"]}}},
          "items": {"type": "array", "items": {"type": "object", "required": ["sku"], "additionalProperties": false,
                    "properties": {"sku": {"type": "string"}, "gift": {"type": "boolean"}}}}}}
        """#

    /// A definition with that input, a `pass` step `sum`, a step `maybe` that may be skipped, and this as the `pass` of
    /// the step behind.
    private static func text(_ value: String, when: String = "true == true || input.total > 0") -> MarkedText {
        MarkedText(
            #"{"saga": "s", "input": \#(schema), "steps": ["#
                + #"{"name": "sum", "action": {"pass": {"cents": "${ input.total * 2 }", "who": "${ input.customer }"}}}, "#
                + #"{"name": "maybe", "when": "input.total > 1", "action": {"pass": {"cents": 1}}}, "#
                + #"{"name": "bare", "compensation": {"noop": {}}}, "#
                + #"{"name": "last", "when": "\#(when)", "action": {"pass": \#(value)}}]}"#
        )
    }

    @Test(arguments: [
        ("invalid-expression", #""${ input.id ▸< 1 }""#),
        ("invalid-expression", #""${ input.total ▸+ 'x' }""#),
        ("invalid-expression", #""${ input.items.map(i, i.sku ▸- 1) }""#),
        ("invalid-expression", #""${ steps.sum.output.cents ▸+ 'x' }""#),
        ("invalid-expression", #""${ steps.sum.output ▸+ 1 }""#),
        ("invalid-expression", #""${ steps.bare.output.▸x }""#),
        ("invalid-expression", #""${ saga.id ▸> 1 }""#),
        ("unknown-member", #""${ input.customer.▸nmae }""#),
        ("unknown-member", #""${ has(input.customer.▸nmae) }""#),
        ("unknown-member", #""${ input.items.map(i, i.▸quantity) }""#),
        ("unknown-member", #""${ steps.sum.output.▸cent }""#),
        ("unknown-member", #""${ steps.sum.output.who.▸nmae }""#),
        ("unknown-input", #""${ input.▸ttl }""#),
        ("unknown-input unknown-input", #"["${ has(input.▸cupon) }", "${ input[▸'x y'] }"]"#),
        ("may-be-missing", #""${ input.▸coupon + input.coupon }""#),
        ("may-be-missing", #"["${ input.▸coupon }", "${ input.coupon }", "${ has(input.coupon) }"]"#),
        ("may-be-missing", #""${ has(input.coupon) ? input.▸speed : '' }""#),
        ("may-be-missing", #""${ steps.sum.output.who.▸age }""#),
        ("never-equal", #""${ input.id ▸== 1 }""#),
        ("never-equal", #""${ input.total ▸!= '1' }""#),
        ("never-equal", #""${ input.id ▸== null }""#),
        ("never-equal", #""${ 1 ▸in ['a', 'b'] }""#),
        ("never-equal", #""${ has(input.speed) && input.speed == ▸'fast' }""#),
        ("never-equal", #""${ steps.sum.status == ▸'suceeded' }""#),
        ("never-equal", #""${ steps.sum.status in ['succeeded', ▸'done'] }""#),
        // Had it failed, nothing would come after it.
        ("never-equal", #""${ steps.sum.status == ▸'failed' }""#),
        ("never-equal", #""${ steps.sum.output.cents ▸== 'x' }""#),
    ])
    func found(_ codes: String, _ value: String) {
        let text = Self.text(value)
        #expect(text.found == text.expected(codes))
    }

    @Test(arguments: [
        "${ input.price + 1 }", "${ input.price > 1.5 && input.total < 1.5 }", "${ input.price == 5 }",
        "${ 'id ' + input.id }", "${ input.any.a.b + 1 }", "${ has(input.any) && input.any == 'x' }",
        "${ has(input.coupon) ? input.coupon : 'none' }", "${ 'coupon' in input ? input.coupon : 'none' }",
        "${ has(input.customer.age) && input.customer.age == null }",
        "${ has(input.customer.age) ? input.customer.age + 1 : 0 }",
        "${ input.items.filter(i, has(i.gift) && i.gift).map(i, i.sku) }", "${ input.items.map(i, i.gift) }",
        "${ size(input.items) == 0 ? [] : input.items }", "${ steps.sum.output.cents > 1 }",
        "${ steps.sum.output.who.name }", "${ steps.maybe.output == null ? 0 : steps.maybe.output.cents }",
        "${ steps.maybe.output != 'x' }", "${ steps.bare.output == null }", "${ steps.sum.status == 'skipped' }",
        "${ steps['sum'].output['cents'] }", "${ steps.sum.error == null }", "${ saga.key == null }",
        "${ input.total == 1u }", "${ dyn(input.id) == 1 }", "${ input }",
    ])
    func silent(_ value: String) {
        // The one member that is read without asking is named, so that the others are seen to be silent.
        let missing = value.contains("input.any.a") ? ["may-be-missing"] : []
        let parsed = DefinitionParser.parse(Self.text("\"\(value)\"").bytes)
        #expect(parsed.findings.map(\.code) == missing)
        #expect(parsed.definition != nil)
    }

    @Test(arguments: [
        ("invalid-expression", "▸input.id"), ("invalid-expression", "${ ▸input.total }"),
        ("invalid-expression", "▸'a' + 'b'"), ("invalid-expression", "▸input.items.map(i, true)"),
        ("may-be-missing", "input.▸coupon == 'x'"),
        ("", "input.total > 1"), ("", "has(input.coupon)"), ("may-be-missing", "input.▸any"),
        ("", "steps.sum.output.cents == 2"),
    ])
    func conditions(_ codes: String, _ when: String) {
        let text = Self.text("1", when: when)
        #expect(text.found == text.expected(codes))
    }

    @Test(arguments: [
        ("has(input.coupon)", ""), ("has(input.coupon) && input.total > 1", ""), ("'coupon' in input", ""),
        ("has(input.speed)", "may-be-missing"),
    ])
    func whatWhenAsksForIsThere(_ when: String, _ code: String) {
        let findings = DefinitionParser.parse(Self.text(#""${ input.coupon }""#, when: when).bytes).findings
        #expect(findings.map(\.code).joined(separator: " ") == code)
    }

    /// With other variables than the schema's nothing is known, so nothing is said.
    @Test(arguments: ["", #""input": true, "#, #""input": {}, "#, #""input": {"properties": {"a": {}}}, "#])
    func withoutTypesNothingIsSaid(_ input: String) {
        let text = #"{"saga": "s", \#(input)"steps": [{"name": "a", "action": {"pass": "${ input.a.b + input.c }"}}]}"#
        #expect(DefinitionParser.parse(Array(text.utf8)).findings == [])
    }

    @Test func messages() {
        let text = #"""
            {"saga": "s", "input": {"type": "object", "properties": {"id": {"type": "string"}, "a b": {}}},
             "steps": [{"name": "a", "action": {"pass": [
               "${ input.id == 1 }", "${ input.ids }", "${ input['a b'] }", "${ 1 in ['a'] }", "${ input.nothing }"]}},
              {"name": "b", "when": "'a' + 'b'", "action": {"pass": "${ steps.a.status == 'finished' }"}},
              {"name": "c", "action": {"pass": {"k": "${ saga.id < 1 }"}}}]}
            """#
        #expect(
            DefinitionParser.parse(Array(text.utf8)).findings.map(\.text) == [
                "3:14: warning: `input.id` may be missing, and then the expression fails; "
                    + "put `id` into the schema's `required`, or ask has(input.id) first",
                "3:17: warning: '==' compares string and int, which are never equal: it is always false; "
                    + "a text in quotes is a string, true, false and a number without them are not",
                "3:36: warning: the input's schema states no `ids` in `input`; did you mean `id`?",
                #"3:54: warning: `input["a b"]` may be missing, and then the expression fails; "#
                    + #"put `a b` into the schema's `required`, or ask has(input["a b"]) first"#,
                "3:71: warning: 'in' looks for int in list(string), where it never is",
                "3:94: warning: the input's schema states no `nothing` in `input`; state it under `properties`",
                "4:26: error: `when` must be true, false or null, not string",
                "4:79: warning: this is never `finished`; there is `succeeded` or `skipped`",
                "5:54: error: '<' can't be applied to string and int; "
                    + "string(…) converts a value to text, int(…) and double(…) a text to a number",
            ]
        )
    }

    /// What an older program accepted stays readable, whatever this one would say of it.
    @Test func aStoredSchemaThatCannotBeEnforcedIsToldOf() {
        let text = #"{"saga": "s", "input": {"pattern": "(?=a)"}, "steps": [{"name": "a", "action": {"noop": {}}}]}"#
        let stored = DefinitionParser.parse(Array(text.utf8), checks: .stored)
        #expect(stored.definition != nil)
        #expect(stored.definition?.inputSchema?.json == nil)
        #expect(stored.findings.map(\.code) == ["invalid-schema"])
        #expect(stored.findings.map(\.severity) == [.warning])
    }

    @Test func storedDefinitionsAreReadWithoutTypes() {
        let text = Self.text(#"["${ input.customer.nmae }", "${ input.id < 1 }", "${ input.ttl }"]"#, when: "'a' + 'b'")
        let stored = DefinitionParser.parse(text.bytes, checks: .stored)
        #expect(stored.findings == [])
        #expect(stored.definition?.steps.map(\.name) == ["sum", "maybe", "bare", "last"])
        #expect(DefinitionParser.parse(text.bytes).definition == nil)
        let broken = MarkedText(#"{"saga": "s", "steps": [{"name": "a", "action": {"pass": "${ ▸ipnut.a }"}}]}"#)
        #expect(
            DefinitionParser.parse(broken.bytes, checks: .stored).findings.map { "\($0.line):\($0.column) \($0.code)" }
                == broken.expected("invalid-expression")
        )
    }

    /// An unknown keyword, which is an error in a file, doesn't switch the rest of a registered schema off.
    @Test func aStoredSchemaIsEnforcedAsFarAsItCanBe() throws {
        let text = #"""
            {"saga": "s", "input": {"requird": ["b"], "required": ["a"], "properties": {"a": {"format": "colour"}}},
             "steps": [{"name": "one", "action": {"noop": {}}, "compensation": "none"}]}
            """#
        #expect(DefinitionParser.parse(Array(text.utf8)).definition == nil)
        let stored = try #require(DefinitionParser.parse(Array(text.utf8), checks: .stored).definition)
        let schema = try #require(stored.inputSchema)
        #expect(schema.faults(of: try RawJSON(validating: "{}")) == ["the input has no `a`"])
        #expect(schema.faults(of: try RawJSON(validating: #"{"a": "x"}"#)) == [])
    }

    /// Expressions are compiled to the same programs either way: what a saga does must not hang on how it was read.
    @Test func bothReadingsAreOneDefinition() throws {
        for file in try ShippedDefinitionTests.files() {
            let all = DefinitionParser.parse(file.bytes)
            let stored = DefinitionParser.parse(file.bytes, checks: .stored)
            let definition = try #require(all.definition)
            #expect(stored.definition.map(facts) == facts(definition))
            #expect(stored.definition?.digest == definition.digest)
        }
    }
}

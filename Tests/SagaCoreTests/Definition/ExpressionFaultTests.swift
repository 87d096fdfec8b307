import SagaCore
import Testing

/// Every fault of expressions and of what they read is found, by its code, at its place.
@Suite struct ExpressionFaultTests {
    @Test(arguments: [
        ("unterminated-expression", #""a ▸${ input.x""#),
        ("unterminated-expression", #""▸${ 'abc }""#),
        ("empty-expression", #""${▸}""#),
        ("empty-expression", #""x ${▸  }""#),
        ("invalid-expression", #""${ input. ▸}""#),
        ("invalid-expression", #""${ ▸inptu.x }""#),
        ("invalid-expression", #""${ input.x + ▸sizze(input.y) }""#),
        ("invalid-expression", #""\u00e9\n\t ${ \"\\n\" + ▸nope }""#),
        ("invalid-environment", #""${ ▸env:HOME }""#),
        ("expression-in-name", #"{"${ input.x }": ▸1}"#),
        ("invalid-expression invalid-expression", #"["${ ▸a }", {"k": "${ ▸b }"}]"#),
        ("", #""$${ not one }""#),
        ("", #""${ {'a': '}'}.a + \"}\" + r'\\' + '''}'''}""#),
    ])
    func templates(_ codes: String, _ body: String) {
        let text = MarkedText(definitionText(body: body))
        #expect(text.found == text.expected(codes))
    }

    @Test(arguments: [
        ("invalid-expression", #"▸"${ input.a } ${ input.b }""#),
        ("invalid-expression", #"▸"yes ${ input.a }""#),
        ("invalid-expression", #""${ ▸yes }""#),
        ("invalid-expression", #""▸yes""#),
        ("wrong-kind", "▸true"),
        ("", #""input.total > 100""#),
        ("", #""${ input.total > 100 }""#),
    ])
    func conditions(_ codes: String, _ when: String) {
        let text = MarkedText(#"{"saga": "s", "steps": [{"name": "a", "when": \#(when), "action": {"noop": {}}}]}"#)
        #expect(text.found == text.expected(codes))
    }

    /// Three steps in a diamond without its end: `b` and `c` come after `a`, side by side.
    private static func definition(action: String, compensation: String, output: String) -> MarkedText {
        MarkedText(
            #"{"saga": "s", "steps": [{"name": "a", "action": {"noop": {}}}, {"name": "b", "action": {"pass": \#(action)}, "#
                + #""compensation": {"pass": \#(compensation)}}, {"name": "c", "after": ["a"], "action": {"noop": {}}}, "#
                + #"{"name": "d-e", "action": {"noop": {}}}], "output": \#(output)}"#
        )
    }

    @Test(arguments: [
        ("", #""${ steps.a.output.x + steps['a'].status }""#),
        ("unknown-step", #""${ steps.▸aa.output }""#),
        ("unknown-member", #""${ steps.a.▸outptu }""#),
        ("unknown-step", #""${ has(steps.▸z.output) }""#),
        ("step-not-before", #""${ steps.▸b.output }""#),
        ("step-not-before", #""${ steps.▸c.output }""#),
        ("dynamic-step", #""${ ▸steps[input.name].output }""#),
        ("dynamic-step", #""${ size(▸steps) }""#),
        ("failure-out-of-scope", #""${ ▸failure.step }""#),
        ("unknown-member", #""${ saga.▸nmae }""#),
        ("", #""${ [saga.id, saga.key, saga.name] }""#),
        ("", #""${ [1].map(steps, steps) }""#),
        ("unknown-step step-not-before", #"["${ steps.▸x.output }", "${ steps[▸'d-e'].output }"]"#),
    ])
    func actionsRead(_ codes: String, _ value: String) {
        let text = Self.definition(action: value, compensation: "1", output: "1")
        #expect(text.found == text.expected(codes))
    }

    @Test(arguments: [
        ("", #""${ steps.b.output.x + steps.a.output.x }""#),
        ("", #""${ [failure.step, failure.error, failure.message] }""#),
        ("unknown-member", #""${ failure.▸code }""#),
        ("step-not-before", #""${ steps.▸c.output }""#),
    ])
    func compensationsRead(_ codes: String, _ value: String) {
        let text = Self.definition(action: "1", compensation: value, output: "1")
        #expect(text.found == text.expected(codes))
    }

    @Test(arguments: [
        (
            "",
            #"{"all": ["${ steps.a.output }", "${ steps.b }", "${ steps['d-e'].error }"], "f": "${ failure.error }"}"#
        ),
        ("unknown-step", #""${ steps.▸f }""#),
    ])
    func outputReads(_ codes: String, _ value: String) {
        let text = Self.definition(action: "1", compensation: "1", output: value)
        #expect(text.found == text.expected(codes))
    }
}

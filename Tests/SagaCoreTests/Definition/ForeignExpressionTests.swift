import SagaCore
import Testing

/// Texts that look like references of other languages: nothing replaces them, which shows only at the participant.
@Suite struct ForeignExpressionTests {
    @Test(arguments: [
        ("$.orderId", "${ input.orderId }"), ("$.a.b", "${ input.a.b }"), ("{{ input.orderId }}", "${ input.orderId }"),
        ("{{steps.a.output.id}}", "${ steps.a.output.id }"), ("order {input.orderId} of", "${ input.orderId }"),
        ("$input.orderId", "${ input.orderId }"), ("$ { saga.id }", "${ saga.id }"),
        ("steps.a.output", "${ steps.a.output }"), ("steps.a.output.id", "${ steps.a.output.id }"),
        ("saga.key", "${ saga.key }"), ("${ input.a } {{ input.b }}", "${ input.b }"),
    ])
    func warned(_ text: String, _ meant: String) {
        let text = definition(text)
        #expect(
            DefinitionParser.parse(Array(text.utf8)).findings.map { "\($0.code): \($0.hint ?? "")" }
                == ["not-an-expression: did you mean `\(meant)`?"])
    }

    @Test(arguments: [
        "${ input.orderId }", "$${ input.orderId }", "input.json", "{{name}}, {{#items}}x{{/items}}", "costs $5.00",
        "mutation($id: ID!) { book(id: $id) { id } }", "{}", "{", "}{", "$", "$.", "$..a", "steps", "steps.txt",
        "saga.md",
        "${ '{{ input.a }}' }", "a.b", "{ inputs.a }", "{input.}", "",
    ])
    func silent(_ text: String) {
        #expect(DefinitionParser.parse(Array(definition(text).utf8)).findings == [])
    }

    /// It can be used all the same, and in a path and a header too.
    @Test func textsOfCalls() {
        let text = MarkedText(
            #"{"saga": "s", "services": {"x": {"url": "http://x"}}, "steps": [{"name": "a", "compensation": {"http": "#
                + #"{"service": "x", "path": "/", "query": {"id": ▸"$.id"}, "headers": {"X": ▸"{{ input.x }}"}}}}, "#
                + #"{"name": "b", "action": {"noop": {}}}]}"#
        )
        #expect(text.found == text.expected("not-an-expression not-an-expression"))
        #expect(DefinitionParser.parse(text.bytes).definition != nil)
    }

    private func definition(_ text: String) -> String {
        #"{"saga": "s", "steps": [{"name": "a", "action": {"noop": {}}}, "#
            + #"{"name": "b", "action": {"pass": {"k": "\#(text)"}}}]}"#
    }
}

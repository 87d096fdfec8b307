import SagaCore
import Testing

/// Reads of outputs that may not be there, where that does harm, and everywhere that it must not be said.
@Suite struct NullCheckTests {
    /// `a` may be skipped, `b` reads, `c` has another condition, `output` reads too.
    private static func forward(_ value: String, when: String? = nil, output: String = "1") -> MarkedText {
        let when = when.map { #""when": "\#($0)", "# } ?? ""
        return MarkedText(
            #"{"saga": "s", "services": {"x": {"url": "http://x"}}, "steps": ["#
                + #"{"name": "a", "when": "input.n > 1", "action": {"noop": {}}}, "#
                + #"{"name": "always", "when": "true || input.n > 0", "action": {"noop": {}}}, "#
                + #"{"name": "b", \#(when)"action": {"http": {"service": "x", "method": "GET", "path": "/", \#(value)}}}], "#
                + #""output": \#(output)}"#
        )
    }

    @Test(arguments: [
        ("may-be-skipped", #""body": "${ steps.▸a.output.id }""#),
        ("may-be-skipped", #""body": {"x": ["${ steps[▸'a'].output[0] }"]}"#),
        ("may-be-skipped", #""body": "${ steps.▸a.output + 1 }""#),
        ("may-be-skipped", #""body": "${ has(steps.▸a.output.id) ? 1 : 2 }""#),
        ("may-be-skipped", #""headers": {"X": "${ steps.▸a.output }"}"#),
        ("may-be-skipped", #""query": {"x": "${ steps.▸a.output.id }"}"#),
        ("may-be-skipped", #""body": "${ [steps.▸a.output.id, steps.a.output.n] }""#),
        ("may-be-skipped", #""body": "${ steps.always.status == 'succeeded' ? steps.▸a.output.id : 0 }""#),
        ("", #""body": "${ steps.a.output }""#),
        ("", #""body": {"a": "${ [steps.a.output, steps.a.status] }"}"#),
        ("", #""body": "${ steps.a.status == 'succeeded' ? steps.a.output.id : 0 }""#),
        ("", #""body": "${ steps.a.output == null ? 0 : steps.a.output.id }""#),
        ("", #""headers": {"X": "${ steps.a.output != null ? steps.a.output.id : 0 }"}"#),
        ("", #""headers": {"X": "${ steps.a.status }"}"#),
    ])
    func skipped(_ codes: String, _ value: String) {
        let text = Self.forward(value)
        #expect(text.found == text.expected(codes))
    }

    @Test(arguments: [
        ("input.n > 1", ""), ("  input.n  > 1 ", ""), ("${ input.n > 1 }", ""), ("input.m && input.n > 1", ""),
        ("steps.a.status == 'succeeded'", ""), ("steps.a.output != null", ""), ("input.n > 2", "may-be-skipped"),
        ("input.m || input.n > 1", "may-be-skipped"), ("steps.always.status == 'succeeded'", "may-be-skipped"),
    ])
    func whenOfTheReader(_ when: String, _ code: String) {
        let findings = DefinitionParser.parse(Self.forward(#""body": "${ steps.a.output.id }""#, when: when).bytes)
            .findings
        #expect(findings.map(\.code).joined(separator: " ") == code)
    }

    /// Of two branches exactly one runs, and the expression chooses by what decided between them.
    @Test(arguments: [
        ("input.card ? steps.a.output.id : steps.b.output.id", ""),
        ("!input.card ? steps.b.output.id : steps.a.output.id", ""),
        ("steps.a.output != null ? steps.a.output.id : steps.b.output.id", ""),
        ("steps.b.status == 'skipped' ? steps.a.output.id : steps.b.output.id", ""),
        ("input.cash ? steps.a.output.id : steps.b.output.id", "may-be-skipped may-be-skipped"),
        ("steps.a.output.id + steps.b.output.id", "may-be-skipped may-be-skipped"),
    ])
    func branches(_ expression: String, _ codes: String) {
        let text = #"""
            {"saga": "s", "steps": [{"name": "a", "when": "input.card", "action": {"noop": {}}},
              {"name": "b", "when": "!(input.card)", "action": {"noop": {}}},
              {"name": "c", "action": {"pass": "${ \#(expression) }"}}]}
            """#
        let findings = DefinitionParser.parse(Array(text.utf8)).findings
        #expect(findings.map(\.code).joined(separator: " ") == codes)
    }

    /// In `!a && b` the `!` is only for `a`: both steps may be skipped.
    @Test func oppositesAreOppositesAsAWhole() {
        let text = #"""
            {"saga": "s", "steps": [{"name": "a", "when": "input.x && input.y", "action": {"noop": {}}},
              {"name": "b", "when": "!input.x && input.y", "action": {"noop": {}}},
              {"name": "c", "action": {"pass": "${ steps.a.output != null ? 1 : steps.b.output.id }"}}]}
            """#
        #expect(DefinitionParser.parse(Array(text.utf8)).findings.map(\.code) == ["may-be-skipped"])
    }

    @Test(arguments: [
        ("may-be-skipped", #""${ steps.▸a.output.id }""#), ("", #""${ steps.a.output }""#),
        ("", #""${ steps.a.status == 'skipped' ? null : steps.a.output.id }""#), ("", #""${ steps.b.output.id }""#),
    ])
    func output(_ codes: String, _ output: String) {
        let text = Self.forward(#""body": 1"#, output: output)
        #expect(text.found == text.expected(codes))
    }

    /// A constant `when` skips always or never.
    @Test func aStepThatAlwaysRunsIsNotSkipped() {
        let text = MarkedText(
            #"{"saga": "s", "steps": [{"name": "a", "when": ▸"1 < 2", "action": {"noop": {}}}, "#
                + #"{"name": "b", "action": {"pass": "${ steps.a.output.id }"}}]}"#
        )
        #expect(text.found == text.expected("no-effect"))
    }

    // MARK: Compensations

    /// `a` may be skipped; the compensation of `b` is this one.
    private static func back(_ http: String, more: String = "", action: String? = nil) -> MarkedText {
        let action = action ?? #"{"http": {"service": "x", "path": "/"}}"#
        return MarkedText(
            #"{"saga": "s", "services": {"x": {"url": "http://x"}}, "steps": ["#
                + #"{"name": "first", "action": {"noop": {}}}, "#
                + #"{"name": "a", "when": "input.n > 1", "action": {"noop": {}}}, "#
                + #"{"name": "b", \#(more)"action": \#(action), "#
                + #""compensation": {"http": {"service": "x", \#(http)}}}, {"name": "end", "action": {"noop": {}}}]}"#
        )
    }

    @Test(arguments: [
        ("may-be-null", #""path": "/x/${ steps.▸b.output.id }""#),
        ("may-be-null", #""path": "/", "query": {"id": "${ steps.▸b.output.id }"}"#),
        ("may-be-null", #""path": "/", "headers": {"X": "${ steps.▸b.output }"}"#),
        ("may-be-null", #""path": "/", "body": {"n": "${ steps.▸b.output.n + 1 }"}"#),
        ("may-be-null", #""path": "/", "body": "${ steps.▸b.output.lines.map(l, l.id) }""#),
        ("may-be-null", #""path": "/x/${ steps.▸b.output.id }", "query": {"id": "${ steps.b.output.id }"}"#),
        ("may-be-null", #""path": "/x/${ steps.▸a.output.id }""#),
        // While it is undone, a step's own status is that of its compensation.
        ("may-be-null", #""path": "/x/${ steps.b.status == 'succeeded' ? steps.▸b.output.id : 'none' }""#),
        ("", #""path": "/", "body": {"id": "${ steps.b.output.id }", "of": ["${ steps.a.output.id }"]}"#),
        ("", #""path": "/", "body": "refund of ${ steps.b.output.id }""#),
        ("", #""path": "/", "body": "${ {'id': steps.b.output.id} }""#),
        ("", #""path": "/", "body": "${ failure.error == 'x' ? steps.b.output.id : null }""#),
        ("", #""path": "/x/${ steps.b.output != null ? steps.b.output.id : 'none' }""#),
        ("", #""path": "/x/${ steps.b.output.id == null ? 'none' : steps.b.output.id }""#),
        ("", #""path": "/x/${ has(steps.b.output.id) ? steps.b.output.id : 'none' }""#),
        ("", #""path": "/x/${ steps.a.status == 'skipped' ? 'none' : steps.a.output.id }""#),
        ("", #""path": "/x/${ steps.first.output.id }""#),
    ])
    func compensations(_ codes: String, _ http: String) {
        let text = Self.back(http)
        #expect(text.found == text.expected(codes))
    }

    @Test(arguments: [
        (#""compensateWhen": "uncertain", "#, nil, "may be in doubt"),
        (#""compensateWhen": "attempted", "#, nil, "may be in doubt or have failed"),
        (#""compensateWhen": "succeeded", "#, nil, nil),
        ("", #"{"pass": {"id": "${ input.id }"}}"#, nil),
    ])
    func onlyStepsThatMayHaveNoOutput(_ more: String, _ action: String?, _ reason: String?) {
        let text = Self.back(#""path": "/x/${ steps.b.output.id }""#, more: more, action: action)
        let messages = reason.map { ["may be null: the step `b` \($0), and then has no output"] } ?? []
        #expect(DefinitionParser.parse(text.bytes).findings.map(\.message) == messages)
    }

    @Test func messages() {
        let text = #"""
            {"saga": "s", "services": {"x": {"url": "http://x"}}, "steps": [
              {"name": "book-car", "when": "input.car", "action": {"noop": {}}},
              {"name": "b", "action": {"http": {"service": "x", "path": "/${ steps['book-car'].output }"}},
               "compensation": {"http": {"service": "x", "path": "/${ steps.b.output.id }"}}}],
             "output": "${ steps['book-car'].output.id }"}
            """#
        #expect(
            DefinitionParser.parse(Array(text.utf8)).findings.map(\.text) == [
                "3:72: warning: the step `book-car` may be skipped; its output is then null, and so is this text; "
                    + #"ask first: steps["book-car"].status == 'succeeded' ? … : …; or give this step the same `when`"#,
                "4:65: warning: may be null: the step `b` may be in doubt, and then has no output; "
                    + "ask first: steps.b.output != null ? … : …; as a plain member of the `body` null may be sent, "
                    + "the participant then goes by Saga-Compensates",
                "5:22: warning: the step `book-car` may be skipped; its output is then null, and this fails; "
                    + #"ask first: steps["book-car"].status == 'succeeded' ? … : …"#,
            ]
        )
    }
}

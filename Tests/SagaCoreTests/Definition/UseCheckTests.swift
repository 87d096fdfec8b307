import SagaCore
import Testing

/// What a definition states in vain, and what only looks as if it were.
@Suite struct UseCheckTests {
    @Test(arguments: [
        BadDefinition("no-effect", steps: #"{"name": "a", "when": ▸"true", "action": {"noop": {}}}"#),
        BadDefinition("no-effect", steps: #"{"name": "a", "when": ▸"${ 1 + 1 == 2 }", "action": {"noop": {}}}"#),
        BadDefinition("never-runs", steps: #"{"name": "a", "when": ▸"false", "action": {"noop": {}}}"#),
        BadDefinition("never-runs", steps: #"{"name": "a", "when": ▸"null", "action": {"noop": {}}}"#),
        // One finding is enough: what never runs needs no undo.
        BadDefinition(
            "never-runs",
            steps: #"{"name": "a", "when": ▸"1 > 2", "action": {"noop": {}}, "compensation": {"noop": {}}}, "#
                + #"{"name": "b", "action": {"noop": {}}}"#
        ),
        BadDefinition("", steps: #"{"name": "a", "when": "input.x == 1", "action": {"noop": {}}}"#),
        BadDefinition("", steps: #"{"name": "a", "when": "1 / 0 == 1", "action": {"noop": {}}}"#),
    ])
    func when(_ bad: BadDefinition) {
        let text = MarkedText(bad.text)
        #expect(text.found == text.expected(bad.codes))
    }

    private static let undo = #""compensation": {"noop": {}}"#

    @Test(arguments: [
        BadDefinition(
            "compensation-never-runs",
            steps: #"{"name": "a", "pivot": true, "action": {"noop": {}}}, "#
                + #"{"name": "b", "action": {"noop": {}}, ▸\#(undo)}"#
        ),
        // The step makes no call and completes the saga, and a completed saga can still be wanted back.
        BadDefinition("", steps: #"{"name": "a", \#(undo)}"#),
        BadDefinition(
            "", steps: #"{"name": "a", "action": {"noop": {}}}, {"name": "b", "action": {"pass": 1}, \#(undo)}"#
        ),
        BadDefinition(
            "",
            steps: #"{"name": "a", "pivot": true, "action": {"noop": {}}}, "#
                + #"{"name": "b", "action": {"noop": {}}, "compensation": "none"}"#
        ),
        // A later step may fail.
        BadDefinition("", steps: #"{"name": "a", \#(undo)}, {"name": "b", "action": {"noop": {}}}"#),
        // So may one beside it.
        BadDefinition("", steps: #"{"name": "a", \#(undo)}, {"name": "b", "after": [], "action": {"noop": {}}}"#),
        // A cancel may overtake the call.
        BadDefinition("", steps: #"{"name": "a", "action": {"noop": {}}, "compensateWhen": "succeeded", \#(undo)}"#),
    ])
    func compensations(_ bad: BadDefinition) {
        let text = MarkedText(bad.text)
        #expect(text.found == text.expected(bad.codes))
    }

    @Test func services() {
        let text = MarkedText(
            #"{"saga": "s", "services": {"a": {"url": "http://a"}, ▸"b": {"url": "http://b"}, "c": {"url": "http://c"}}, "#
                + #""steps": [{"name": "a", "action": {"http": {"service": "a", "path": "/"}}, "#
                + #""compensation": {"http": {"service": "c", "path": "/"}}}, "#
                + #"{"name": "z", "action": {"http": {"url": "http://z/", "method": "GET"}}}]}"#
        )
        #expect(text.found == text.expected("unused-service"))
    }

    /// While there are errors, what seems unused may only be misspelt elsewhere.
    @Test func errorsComeFirst() {
        let text = #"""
            {"saga": "s", "services": {"payment": {"url": "http://pay"}}, "steps": [
              {"name": "a", "action": {"http": {"service": "paymnt", "method": "GET", "path": "/"}}}]}
            """#
        #expect(DefinitionParser.parse(Array(text.utf8)).findings.map(\.code) == ["unknown-service"])
    }
}

import SagaCore
import Testing

/// Every fault of steps, their order and their operations is found, by its code, at its place.
@Suite struct StepFaultTests {
    private static let a = #"{"name": "a", "action": {"noop": {}}}"#

    @Test(arguments: [
        BadDefinition("missing-key", steps: #"▸{"action": {"noop": {}}}"#),
        BadDefinition("invalid-name", step: #""action": {"noop": {}}}, {"name": ▸"a b", "action": {"noop": {}}"#),
        BadDefinition("duplicate-step", steps: #"\#(a), {"name": ▸"a", "action": {"noop": {}}}"#),
        BadDefinition("unknown-key", step: #""action": {"noop": {}}, ▸"afters": []"#),
        BadDefinition("empty-step", steps: #"{"name": ▸"a"}"#),
        BadDefinition("wrong-kind", step: #""action": {"noop": {}}, "after": ▸"b""#),
        BadDefinition("unknown-step", steps: #"\#(a), {"name": "b", "after": [▸"c"], "action": {"noop": {}}}"#),
        BadDefinition("after-itself", step: #""action": {"noop": {}}, "after": [▸"a"]"#),
        BadDefinition(
            "duplicate-after wrong-kind",
            steps: #"\#(a), {"name": "b", "after": ["a", ▸"a", ▸1], "action": {"noop": {}}}"#
        ),
        BadDefinition("wrong-kind", step: #""action": {"noop": {}}, "pivot": ▸"yes""#),
        BadDefinition("wrong-kind", step: #""action": ▸"noop""#),
        BadDefinition("invalid-value", step: #""action": {"noop": {}}, "compensation": ▸"None""#),
        BadDefinition("invalid-value", step: #""action": {"noop": {}}, "compensateWhen": ▸"done""#),
        BadDefinition("missing-key", step: #""action": ▸{"timeout": "1s"}"#),
        BadDefinition("unknown-key", step: #""action": {▸"sql": "select 1"}"#),
        BadDefinition("conflicting-keys", step: #""action": {"noop": {}, ▸"pass": 1}"#),
        BadDefinition("conflicting-keys", step: #""action": {"noop": {}, ▸"outcomes": {"409": "done"}}"#),
        BadDefinition("unknown-key", step: #""action": {"noop": {▸"a": 1}}"#),
        BadDefinition("wrong-kind", step: #""action": {"noop": ▸7}"#),
        BadDefinition("no-effect", step: #""action": {"pass": 1, ▸"timeout": "1s"}"#),
    ])
    func steps(_ bad: BadDefinition) {
        let text = MarkedText(bad.text)
        #expect(text.found == text.expected(bad.codes))
    }

    @Test(arguments: [
        BadDefinition(
            "cycle",
            steps: #"{"name": "a", "after": [▸"c"], "action": {"noop": {}}}, {"name": "b", "action": {"noop": {}}}, "#
                + #"{"name": "c", "action": {"noop": {}}}"#
        ),
        BadDefinition(
            "cycle cycle",
            steps: #"{"name": "a", "after": [▸"b"], "action": {"noop": {}}}, {"name": "b", "action": {"noop": {}}}, "#
                + #"{"name": "c", "after": ["a", ▸"d"], "action": {"noop": {}}}, {"name": "d", "action": {"noop": {}}}"#
        ),
        BadDefinition(
            "second-pivot",
            steps:
                #"{"name": "a", "pivot": true, "action": {"noop": {}}}, {"name": "b", ▸"pivot": true, "action": {"noop": {}}}"#
        ),
        BadDefinition(
            "second-pivot",
            steps: #"{"name": "a", "pivot": true, "action": {"noop": {}}}, "#
                + #"{"name": "b", "action": {"http": {"service": "pay", "path": "/"}}}, "#
                + #"{"name": "c", "after": [], ▸"pivot": true, "action": {"noop": {}}}"#
        ),
        BadDefinition(
            "pivot-order",
            steps:
                #"{"name": ▸"a", "action": {"noop": {}}}, {"name": "b", "after": [], "pivot": true, "action": {"noop": {}}}, "#
                + #"{"name": "c", "action": {"noop": {}}}"#
        ),
        BadDefinition(
            "pivot-compensation",
            step: #""pivot": true, "action": {"noop": {}}, ▸"compensation": {"noop": {}}"#
        ),
    ])
    func order(_ bad: BadDefinition) {
        let text = MarkedText(bad.text)
        #expect(text.found == text.expected(bad.codes))
    }

    @Test(arguments: [
        BadDefinition(
            "missing-compensation",
            steps: #"{"name": ▸"a", "action": {"http": {"service": "pay", "path": "/"}}}"#
        ),
        BadDefinition(
            "missing-compensation",
            steps: #"{"name": ▸"a", "action": {"http": {"service": "pay", "path": "/", "method": "DELETE"}}}"#
        ),
        BadDefinition(
            "",
            steps: #"{"name": "a", "action": {"http": {"service": "pay", "path": "/", "method": "GET"}}}"#
        ),
        BadDefinition(
            "",
            steps: #"{"name": "a", "action": {"http": {"service": "pay", "path": "/", "method": "HEAD"}}}"#
        ),
        BadDefinition("", step: #""action": {"pass": null}"#),
        BadDefinition("", step: #""pivot": true, "action": {"http": {"service": "pay", "path": "/"}}"#),
        BadDefinition(
            "",
            step: #""pivot": true, "action": {"http": {"service": "pay", "path": "/"}}, "compensation": "none""#
        ),
        BadDefinition(
            "missing-compensation",
            steps: #"{"name": ▸"a", "action": {"http": {"service": "pay", "path": "/"}}}, "#
                + #"{"name": "b", "pivot": true, "action": {"http": {"service": "pay", "path": "/"}}}, "#
                + #"{"name": "c", "action": {"http": {"service": "pay", "path": "/"}}}"#
        ),
    ])
    func undo(_ bad: BadDefinition) {
        let text = MarkedText(bad.text)
        #expect(text.found == text.expected(bad.codes))
    }

    @Test func wholeCycleIsNamed() {
        let steps = [("a", "d"), ("b", "a"), ("c", "b"), ("d", "c")]
            .map { #"{"name": "\#($0)", "after": ["\#($1)"], "action": {"noop": {}}}"# }
        let text = #"{"saga": "s", "steps": [\#(steps.joined(separator: ", "))]}"#
        #expect(
            DefinitionParser.parse(Array(text.utf8)).findings.map(\.message)
                == ["these steps wait for each other: `a` after `d` after `c` after `b` after `a`"]
        )
    }

    @Test func atMost256Steps() {
        func text(_ count: Int) -> [UInt8] {
            let steps = (0..<count).map { #"{"name": "s\#($0)", "action": {"noop": {}}}"# }
            return Array("{\"saga\": \"s\", \"steps\": [\n\(steps.joined(separator: ",\n"))]}".utf8)
        }
        #expect(DefinitionParser.parse(text(256)).definition?.steps.count == 256)
        let findings = DefinitionParser.parse(text(257)).findings
        #expect(findings.map { "\($0.line):\($0.column) \($0.code)" } == ["258:1 too-many-steps"])
    }
}

import SagaCore
import Testing

/// One mistake is one finding: what only follows from it isn't told.
@Suite struct SingleFaultTests {
    private static let call = #"{"http": {"service": "x", "path": "/"}}"#

    /// A saga of a step `a`, the pivot `p` and a step `z` behind it, with some members replaced.
    private static func saga(_ a: String? = nil, p: String? = nil, z: String? = nil, steps: String = #""steps""#)
        -> MarkedText
    {
        let a = a ?? #""name": "a", "action": \#(call), "compensation": \#(call)"#
        let p = p ?? #""name": "p", "pivot": true, "action": \#(call)"#
        let z = z ?? #""name": "z", "action": {"noop": {}}"#
        return MarkedText(
            #"{"saga": "s", "services": {"x": {"url": "http://x"}}, \#(steps): [{\#(a)}, {\#(p)}, {\#(z)}], "#
                + #""output": "${ steps.p.output }"}"#
        )
    }

    @Test func isValid() { #expect(Self.saga().found.isEmpty) }

    @Test(arguments: [
        #""name": "a", "action": \#(call), ▸"compensations": \#(call)"#,
        #""name": "a", "action": \#(call), ▸"rollback": \#(call)"#,
        #""name": "a", "action": \#(call), ▸"undo": "none""#,
        #"▸"nmae": "a", "action": \#(call), "compensation": \#(call)"#,
        #""name": "a", ▸"acton": \#(call), "compensation": \#(call)"#,
        #""name": "a", "action": {▸"htpp": {"service": "x", "path": "/"}}, "compensation": \#(call)"#,
        #""name": "a", "action": {▸"sql": "SELECT 1"}, "compensation": \#(call)"#,
        #""name": "a", "action": {"http": {▸"Service": "x", "path": "/"}}, "compensation": \#(call)"#,
        #""name": "a", "action": {"http": {"service": "x", ▸"route": "/"}}, "compensation": \#(call)"#,
    ])
    func misspeltKeysAreNotMissingToo(_ a: String) {
        let text = Self.saga(a)
        #expect(text.found == text.expected("unknown-key"))
    }

    @Test(arguments: [#"▸"step""#, #"▸"states""#])
    func misspeltSteps(_ steps: String) {
        let text = Self.saga(steps: steps)
        #expect(text.found == text.expected("unknown-key"))
    }

    @Test func stepsThatAreNoList() {
        let text = MarkedText(
            #"{"saga": "s", "steps": ▸{"a": {"action": {"noop": {}}}}, "output": "${ steps.a.output }"}"#)
        #expect(text.found == text.expected("wrong-kind"))
    }

    /// What is under a misspelt key is read all the same: its own faults are told in the same run.
    @Test func faultsUnderMisspeltKeys() {
        let text = Self.saga(
            #""name": "a", "action": \#(Self.call), ▸"compensations": {"http": {"service": ▸"y", "path": "/"}}"#)
        #expect(text.found == text.expected("unknown-key unknown-service"))
    }

    @Test(arguments: [#"▸"p""#, "▸7", "[▸7]", "▸null"])
    func faultyAfter(_ after: String) {
        let text = Self.saga(
            z:
                #""name": "z", "after": \#(after), "action": {"http": {"service": "x", "path": "/${ steps.p.output.n }"}}"#
        )
        #expect(text.found == text.expected("wrong-kind"))
    }

    @Test func pivotAsText() {
        let text = Self.saga(
            p: #""name": "p", "pivot": ▸"true", "action": \#(Self.call)"#, z: #""name": "z", "action": \#(Self.call)"#)
        #expect(text.found == text.expected("wrong-kind"))
    }

    @Test func stepBesideThePivot() {
        let text = Self.saga(z: #""name": ▸"z", "after": ["a"], "action": \#(Self.call)"#)
        #expect(text.found == text.expected("pivot-order"))
    }

    @Test func faultyNameThatOthersName() {
        let text = MarkedText(
            #"{"saga": "s", "steps": [{"name": ▸"book it", "action": {"noop": {}}}, "#
                + #"{"name": "b", "after": ["book it"], "action": {"pass": "${ steps['book it'].output }"}}]}"#
        )
        #expect(text.found == text.expected("invalid-name"))
    }

    @Test(arguments: [
        (#""dependsOn": []"#, "did you mean `after`?"), (#""if": "true""#, "did you mean `when`?"),
        (#""timeout": "1s""#, "it stands in `action` or `compensation`"),
        (#""retries": 3"#, "its keys are name, after, when, action, compensation, compensateWhen, pivot, description"),
    ])
    func wordsOfOthers(_ member: String, _ hint: String) {
        let text = #"{"saga": "s", "steps": [{"name": "a", \#(member), "action": {"noop": {}}}]}"#
        #expect(DefinitionParser.parse(Array(text.utf8)).findings.map(\.hint) == [hint])
    }

    @Test(arguments: ["null", "false", "[]"])
    func compensationsOfAnotherKind(_ value: String) {
        let text = #"{"saga": "s", "steps": [{"name": "a", "action": {"noop": {}}, "compensation": \#(value)}]}"#
        #expect(
            DefinitionParser.parse(Array(text.utf8)).findings.map(\.hint)
                == [#"write "none" when the step needs no undo"#])
    }
}

import JSON
import SagaCore
import SagaSimulation
import Testing

/// What a run of one definition looks like to another that wants something else of it.
@Suite struct RunChecksTests {
    private func compensated() throws -> SimulationResult {
        let script = SimulationScript(rules: [.init(.init("c"), reply: .status(422, error: "No"))])
        return try SimulatedRun(Samples.list(["a", "b", "c"]), input: .null, script: script).run()
    }

    private func definition(_ steps: String) throws -> Definition {
        try Samples.definition(#"{"saga": "sample", "services": {"s": {"url": "http://s"}}, "steps": [\#(steps)]}"#)
    }

    private func step(_ name: String, _ more: String = "", undo: String = #"{"http": {"service": "s", "path": "/"}}"#)
        -> String
    {
        #"{"name": "\#(name)", \#(more) "action": {"http": {"service": "s", "path": "/"}}, "compensation": \#(undo)}"#
    }

    @Test func aRunThatKeepsToAll() throws {
        #expect(try RunChecks(compensated(), definition: Samples.list(["a", "b", "c"])).problems == [])
    }

    @Test func theOrderOfUndoing() throws {
        let other = try definition(
            [step("a", #""after": ["b"],"#), step("b", #""after": [],"#), step("c", #""after": ["a"],"#)]
                .joined(separator: ", "))
        #expect(
            try RunChecks(compensated(), definition: other).problems == ["b is undone before a, which came after it"])
    }

    @Test func undoingPastThePivot() throws {
        let pivot = #"{"name": "b", "pivot": true, "action": {"http": {"service": "s", "path": "/"}}}"#
        let other = try definition([step("a"), pivot, step("c", undo: "\"none\"")].joined(separator: ", "))
        let problems = try RunChecks(compensated(), definition: other).problems
        #expect(
            problems == ["a is undone past the point of no return", "b is undone past the point of no return"])
    }

    @Test func effectsOfTheCompletedAndEndsThatNeverCome() throws {
        let reading = try definition(
            #"{"name": "a", "action": {"http": {"service": "s", "path": "/", "method": "GET"}}}"#)
        let result = try SimulatedRun(reading, input: .null).run()
        #expect(
            try RunChecks(result, definition: definition(step("a"))).problems == [
                "a has no effect, though the saga is completed"
            ])
        let paused = try SimulatedRun(
            Samples.list(["a", "b"]), input: .null,
            script: SimulationScript(rules: [.init(.init("a"), delay: .seconds(1))]),
            signals: [.init(at: .milliseconds(500), .pause)]
        ).run()
        #expect(
            try RunChecks(paused, definition: Samples.list(["a", "b"])).problems == [
                "the saga waits for ever as running"
            ])
    }
}

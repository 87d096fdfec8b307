import JSON
import Testing

@testable import SagaCore
@testable import SagaSimulation

/// Each check fires on a run that only it has something to say of: what a run of one definition looks like to another
/// that wants something else of it, or a run that was altered.
@Suite struct RunChecksTests {
    private let sample = Result { try Samples.list(["a", "b", "c"]) }

    /// a and b are done and undone, c refuses.
    private func compensated() throws -> SimulationResult {
        let script = SimulationScript(rules: [.init(.init("c"), reply: .status(422, error: "No"))])
        return try SimulatedRun(sample.get(), input: .null, script: script).run()
    }

    private func completed() throws -> SimulationResult { try SimulatedRun(sample.get(), input: .null).run() }

    private func stuck() throws -> SimulationResult {
        let script = SimulationScript(rules: [
            .init(.init("b"), reply: .status(422, error: "No")),
            .init(.init("a", .compensation), reply: .status(422, error: "No")),
        ])
        return try SimulatedRun(sample.get(), input: .null, script: script).run()
    }

    /// The problems of a run that was altered, and that has none as it was.
    private func problems(
        _ result: SimulationResult, _ alter: (inout SimulationResult) throws -> Void
    ) throws -> [String] {
        #expect(try RunChecks(result, definition: sample.get()).problems == [])
        var altered = result
        try alter(&altered)
        return try RunChecks(altered, definition: sample.get()).problems
    }

    private func definition(_ steps: String) throws -> Definition {
        try Samples.definition(#"{"saga": "sample", "services": {"s": {"url": "http://s"}}, "steps": [\#(steps)]}"#)
    }

    private func step(_ name: String, _ more: String = "", undo: String = #"{"http": {"service": "s", "path": "/"}}"#)
        -> String
    {
        #"{"name": "\#(name)", \#(more) "action": {"http": {"service": "s", "path": "/"}}, "compensation": \#(undo)}"#
    }

    // MARK: The end

    @Test func whatNeverEnds() throws {
        let paused = try SimulatedRun(
            sample.get(), input: .null, script: SimulationScript(rules: [.init(.init("a"), delay: .seconds(1))]),
            signals: [.init(at: .milliseconds(500), .pause)]
        ).run()
        #expect(try RunChecks(paused, definition: sample.get()).problems == ["the saga waits for ever as running"])
        #expect(try problems(completed()) { $0.ending = .horizon } == ["the saga comes to no end"])
    }

    @Test func stuckWithoutAWord() throws {
        #expect(
            try problems(stuck()) { $0.state.stuckOn = nil } == ["the saga is stuck, and doesn't say on what"])
    }

    /// Whose answer was lost has no output, and its undo needs it.
    @Test func stuckOnAnExpression() throws {
        let definition = try definition(
            step("b", undo: #"{"http": {"service": "s", "path": "/", "body": "${ steps.b.output.n + 1 }"}}"#))
        let lost = try SimulatedRun(
            definition, input: .null, script: SimulationScript(rules: [.init(.init("b"), reply: .lost)])
        ).run()
        #expect(
            RunChecks(lost, definition: definition).problems
                == ["the saga is stuck on an expression of b"])
    }

    // MARK: Effects

    @Test func anEffectIsLeft() throws {
        let completed = try completed()
        #expect(
            try problems(compensated()) { $0.books.standing = [completed.books.standing[1]] }
                == ["b still has its effect, though the saga is compensated"])
    }

    /// Who says that nothing is to be called keeps the effect; past a pivot nobody has to say so.
    @Test func whatNoCallUndoesMayStay() throws {
        let refusal = SimulationScript(rules: [.init(.init("b"), reply: .status(422, error: "No"))])
        let kept = try definition("\(step("a", undo: #"{"noop": {}}"#)), \(step("b"))")
        #expect(
            try RunChecks(SimulatedRun(kept, input: .null, script: refusal).run(), definition: kept).problems == [])
    }

    @Test func anEffectIsMissing() throws {
        #expect(
            try problems(completed()) { $0.books.standing.removeFirst() }
                == ["a has no effect, though the saga is completed"])
        let reading = try definition(
            #"{"name": "a", "action": {"http": {"service": "s", "path": "/", "method": "GET"}}}"#)
        let result = try SimulatedRun(reading, input: .null).run()
        #expect(RunChecks(result, definition: reading).problems == [])
        #expect(
            try RunChecks(result, definition: definition(step("a"))).problems == [
                "a has no effect, though the saga is completed"
            ])
    }

    @Test func anEffectComesAfterItsUndo() throws {
        #expect(
            try problems(compensated()) { $0.books.entries.swapAt(1, 2) } == ["the effect of b comes after its undo"])
    }

    @Test func anEffectComesTwice() throws {
        #expect(
            try problems(completed()) { $0.books.entries.append($0.books.entries[1]) }
                == ["b is done twice under one key"])
        #expect(
            try problems(compensated()) { $0.books.entries.append($0.books.entries[3]) }
                == ["a is undone twice under one key"])
    }

    // MARK: Undoing

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

    @Test func aCallAfterItsUndo() throws {
        #expect(
            try problems(compensated()) { result in
                let call = result.calls.remove(at: 0)
                result.calls.append(call)
            } == ["a is called after its undo"])
    }

    // MARK: Calls and keys

    @Test func aKeyChanges() throws {
        let lost = try SimulatedRun(
            sample.get(), input: .null,
            script: SimulationScript(rules: [.init(.init("b"), attempt: 1, reply: .lost)])
        ).run()
        #expect(try problems(lost) { $0.calls[2].call = renamed($0.calls[2].call) } == ["the key of b changes"])
    }

    @Test func anUndoNamesAnotherKey() throws {
        #expect(
            try problems(compensated()) { $0.calls[4].call = renamed($0.calls[4].call) }
                == ["a:compensation names a key that a never had"])
    }

    @Test func aPatchedInputsKeyMayChange() throws {
        #expect(
            try problems(completed()) { result in
                var again = result.calls[1]
                again.call = renamed(again.call, attempt: 2, keyRevision: 2)
                result.calls.append(again)
            } == ["attempt 2 of b goes out before it is recorded"])
    }

    /// The call of another saga.
    private func renamed(_ call: Call, attempt: Int? = nil, keyRevision: Int = 1) -> Call {
        Call(
            saga: SagaID(high: 1, low: 2), sagaName: call.sagaName, stepName: call.stepName, operation: call.operation,
            attempt: attempt ?? call.attempt, timeout: call.timeout, request: call.request, keyRevision: keyRevision)
    }

    @Test func aCallThatIsNotRecorded() throws {
        #expect(
            try problems(completed()) { $0.calls[1].at = $0.calls[1].at + TimeSpan(microseconds: -1) }
                == ["attempt 1 of b goes out before it is recorded"])
        #expect(
            try problems(completed()) { $0.calls.append($0.calls[1]) } == ["attempt 1 of b goes out twice"])
    }

    @Test func aCallAfterTheEnd() throws {
        #expect(
            try problems(completed()) { $0.calls[2].at = $0.calls[2].at + TimeSpan(microseconds: 1) }
                == ["attempt 1 of c goes out after the end"])
    }

    // MARK: Events

    @Test func eventsWithAHole() throws {
        #expect(
            try problems(completed()) { result in
                // What is left out has no call.
                result.events.removeLast()
                let last = result.events.removeLast()
                result.events.append(
                    StoredEvent(sequence: 9, cause: nil, type: last.type, at: last.at, data: last.data))
            } == ["event 7 is missing"])
    }

    @Test func anEventThatCantBeRead() throws {
        #expect(
            try problems(completed()) { result in
                let event = result.events[2]
                result.events[2] = StoredEvent(
                    sequence: 3, cause: nil, type: event.type, at: event.at, data: Array("[]".utf8))
            } == ["event 3 can't be read"])
    }

    @Test func anEventAfterTheEnd() throws {
        #expect(
            try problems(completed()) { result in
                let event = result.events[2]
                result.events.append(
                    StoredEvent(
                        sequence: result.events.count + 1, cause: nil, type: event.type, at: event.at,
                        data: event.data))
            } == ["StepSucceeded comes after SagaCompleted"])
    }

    @Test func theRowSaysOtherwise() throws {
        #expect(
            try problems(completed()) { $0.status = .running } == ["the saga's row says running, its events completed"])
    }
}

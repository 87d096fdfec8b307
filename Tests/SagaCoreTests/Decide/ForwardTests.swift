import JSON
import SagaCore
import Testing

@Suite struct ForwardTests {
    @Test func aPlainListRunsInOrderAndCompletes() {
        var saga = Specification(definition([step("a"), step("b")]))
        #expect(saga.state.status == .pending)
        saga.when(.takenUp(ownCalls: []), then: ["begin a #1"], calls: ["a #1"])
        #expect(saga.state.status == .running)
        saga.when(.done(0, output: "{\"x\": 0.10}"), then: ["done a #1", "begin b #1"], calls: ["b #1"])
        saga.when(.done(1), then: ["done b #1", "completed"])
        #expect(saga.state.status == .completed)
        #expect(saga.state.steps[0].output == json("{\"x\": 0.10}"))
        #expect(saga.history.map(\.sequence) == [1, 2, 3, 4, 5, 6])
        #expect(saga.history.map(\.cause) == [nil, 1, 2, 3, 4, 5])
    }

    @Test func parallelStepsBeginTogetherAndTheJoinWaitsForAll() {
        var saga = Specification(
            definition([step("a", after: []), step("b", after: []), step("c", after: ["a", "b"])]))
        saga.when(.proceed, then: ["begin a #1", "begin b #1"], calls: ["a #1", "b #1"])
        saga.when(.done(1), then: ["done b #1"])
        saga.when(.done(0), then: ["done a #1", "begin c #1"], calls: ["c #1"])
        saga.when(.done(2), then: ["done c #1", "completed"])
    }

    @Test func aStepWithoutACallSucceedsAtOnceWithAttemptNought() {
        var saga = Specification(definition([step("a", action: .pass(.constant(["x": 1]))), step("b", action: nil)]))
        saga.when(.proceed, then: ["done a #0", "done b #0", "completed"])
        #expect(saga.state.steps[0].output == json("{\"x\":1}"))
        #expect(saga.state.steps[0].outcome == .done)
        #expect(saga.state.steps[0].action.attempts == 0)
    }

    @Test func whatFailsIsTriedAgainWithGrowingDelaysAndThenFailsForGood() {
        var saga = Specification(definition([step("a")]))
        saga.when(.proceed, then: ["begin a #1"], calls: ["a #1"])
        saga.when(.failed(0), at: 10, then: ["failed a #1 Busy, next 00:11.000Z"])
        #expect(saga.state.status(ofStep: 0) == .backoff)
        #expect(saga.state.nextDue(in: saga.definition) == at(11))
        saga.when(.proceed, at: 10.999, then: [])
        saga.when(.proceed, at: 11, then: ["begin a #2"], calls: ["a #2"])
        saga.when(.failed(0, .action, 2), at: 12, then: ["failed a #2 Busy, next 00:14.000Z"])
        saga.when(.proceed, at: 14, then: ["begin a #3"], calls: ["a #3"])
        saga.when(
            .failed(0, .action, 3), at: 15,
            then: ["failed for good a #3 Busy", "turn: a Busy", "compensated"])
        #expect(saga.state.status(ofStep: 0) == .failed)
        #expect(saga.state.failure == SagaFailure(step: 0, error: "Busy", message: "no"))
    }

    @Test func retryAfterHoldsTheNextAttemptBack() {
        var saga = Specification(definition([step("a")]))
        saga.when(.proceed, then: ["begin a #1"], calls: ["a #1"])
        saga.when(
            .failed(0, .action, 1, "Saga.HTTP.429", retryAfter: .seconds(20)), at: 1,
            then: ["failed a #1 Saga.HTTP.429, next 00:21.000Z"])
    }

    @Test func errorNamesDecideWhatIsTriedAgain() {
        var never = Specification(definition([step("a", retry: noJitter(nonRetryable: ["Busy"]))]))
        never.when(.proceed, then: ["begin a #1"], calls: ["a #1"])
        never.when(.failed(0), then: ["failed for good a #1 Busy", "turn: a Busy", "compensated"])
        var still = Specification(definition([step("a", retry: noJitter(retryable: ["No"]))]))
        still.when(.proceed, then: ["begin a #1"], calls: ["a #1"])
        still.when(.refused(0), then: ["failed a #1 No, next 00:01.000Z"])
        var both = Specification(definition([step("a", retry: noJitter(nonRetryable: ["No"], retryable: ["No"]))]))
        both.when(.proceed, then: ["begin a #1"], calls: ["a #1"])
        both.when(.refused(0), then: ["failed for good a #1 No", "turn: a No", "compensated"])
    }

    @Test func withoutALimitItIsTriedForever() {
        var saga = Specification(definition([step("a", retry: noJitter(attempts: 0))]))
        var now = 0.0
        for attempt in 1...50 {
            saga.when(.proceed, at: now, then: ["begin a #\(attempt)"], calls: ["a #\(attempt)"])
            let decision = decide(saga.state, .failed(0, .action, attempt), now: at(now), definition: saga.definition)
            #expect(decision.events.count == 1)
            saga.when(.failed(0, .action, attempt), then: decision.events.map { saga.words($0.event) })
            now = Double(saga.state.nextDue(in: saga.definition)!.microseconds) / 1e6
        }
        #expect(saga.state.steps[0].action.attempts == 50)
    }

    @Test func anAnswerToAnotherAttemptOrAfterTheEndChangesNothing() {
        var saga = Specification(definition([step("a")]))
        saga.when(.done(0), then: [])
        saga.when(.proceed, then: ["begin a #1"], calls: ["a #1"])
        saga.when(.done(0, 2), then: [])
        saga.when(.undone(0), then: [])
        saga.when(.done(7), then: [])
        saga.when(.done(0), then: ["done a #1", "completed"])
        saga.when(.done(0), then: [])
        saga.when(.takenUp(ownCalls: []), then: [])
    }

    @Test func aLostDaemonsCallIsUnknownAndTriedAgain() {
        var saga = Specification(definition([step("a")]))
        saga.when(.proceed, then: ["begin a #1"], calls: ["a #1"])
        saga.when(.takenUp(ownCalls: [OperationReference(step: 0, side: .action)]), at: 4, then: [])
        saga.when(
            .takenUp(ownCalls: []), at: 5, then: ["unknown a #1 Saga.DaemonLost, next 00:06.000Z"])
        #expect(saga.state.steps[0].outcome == .unknown)
        saga.when(.proceed, at: 6, then: ["begin a #2"], calls: ["a #2"])
        saga.when(.done(0, 2), at: 7, then: ["done a #2", "completed"])
        #expect(saga.state.steps[0].outcome == .done)
    }

    @Test func whilePausedNothingBegins() {
        var saga = Specification(definition([step("a"), step("b")]))
        saga.when(.proceed, then: ["begin a #1"], calls: ["a #1"])
        saga.command(.pause, then: ["paused"])
        saga.when(.done(0), then: ["done a #1"])
        #expect(saga.state.nextDue(in: saga.definition) == nil)
        saga.command(.resume, then: ["resumed", "begin b #1"], calls: ["b #1"])
        saga.when(.done(1), then: ["done b #1", "completed"])
    }

    @Test func aDaemonThatDrainsRecordsAndBeginsNothing() {
        let saga = Specification(definition([step("a"), step("b")]))
        let begun = decide(saga.state, .proceed, now: at(0), definition: saga.definition)
        let drained = decide(begun.state, .done(0), now: at(1), definition: saga.definition, beginsOperations: false)
        #expect(drained.events.map { saga.words($0.event) } == ["done a #1"])
        #expect(drained.calls.isEmpty)
        let resumed = decide(drained.state, .takenUp(ownCalls: []), now: at(2), definition: saga.definition)
        #expect(resumed.calls.map { saga.words($0) } == ["b #1"])
    }

    @Test func anInputThatBreaksTheSchemaEndsThePendingSaga() throws {
        let schema = try #require(
            InputSchema(try JSON.parse(#"{"required": ["a", "b"], "properties": {"c": {"type": "string"}}}"#)))
        var saga = Specification(definition([step("a")], inputSchema: schema), input: #"{"b": 1, "c": 2}"#)
        saga.when(.takenUp(ownCalls: []), then: ["turn: – Saga.InvalidInput", "compensated"])
        #expect(saga.state.failure?.message == "the input has no `a`; /c must be a string, not a number")
        #expect(saga.state.status(ofStep: 0) == .pending)
    }

    @Test func anInputThatFitsTheSchemaRuns() throws {
        let schema = try #require(InputSchema(try JSON.parse(#"{"required": ["a"]}"#)))
        var saga = Specification(definition([step("a")], inputSchema: schema), input: #"{"a": null}"#)
        saga.when(.takenUp(ownCalls: []), then: ["begin a #1"], calls: ["a #1"])
        saga.when(.done(0), then: ["done a #1", "completed"])
    }

    @Test func aCancelThatCameFirstIsWhatASagaWithABrokenInputFailedOn() throws {
        let schema = try #require(InputSchema(.bool(false)))
        var saga = Specification(definition([step("a")], inputSchema: schema))
        saga.command(.cancel, then: ["cancel requested", "turn: – Saga.Cancelled", "compensated"])
    }

    @Test func aBrokenInputIsRefusedAlsoWhilePaused() throws {
        let schema = try #require(InputSchema(.bool(false)))
        var saga = Specification(definition([step("a")], inputSchema: schema))
        saga.command(.pause, then: ["paused", "turn: – Saga.InvalidInput", "compensated"])
    }

    /// The input may be of a megabyte, and a name in it nearly so: no more of it gets into the event than helps.
    @Test func aRefusalIsShortHoweverLongTheInputsNames() throws {
        let schema = try #require(
            InputSchema(try JSON.parse(#"{"additionalProperties": {"items": {"type": "string"}}}"#)))
        let name = String(repeating: "x", count: 100_000)
        let items = Array(repeating: "1", count: 500).joined(separator: ",")
        var saga = Specification(
            definition([step("a")], inputSchema: schema), input: "{\"\(name)\": [\(items)]}")
        saga.when(.takenUp(ownCalls: []), then: ["turn: – Saga.InvalidInput", "compensated"])
        let faults = try #require(saga.state.failure?.message.split(separator: "; "))
        #expect(faults.count == 100)
        let place = "/" + String(repeating: "x", count: 99) + "…" + String(repeating: "x", count: 98) + "/0"
        #expect(faults.first.map { String($0) } == place + " must be a string, not a number")
        #expect(faults.last == "the input has more violations than are told here")
    }
}

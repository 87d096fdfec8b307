import SagaCore
import Testing

@Suite struct BackTests {
    /// a and b done, c refused.
    private func refusedAtTheThird(
        _ policy: CompensationFailurePolicy = .halt, _ steps: [TestStep]? = nil
    ) -> Specification {
        var saga = Specification(definition(steps ?? [step("a"), step("b"), step("c")], onCompensationFailure: policy))
        saga.when(.proceed, then: ["begin a #1"], calls: ["a #1"])
        saga.when(.done(0), then: ["done a #1", "begin b #1"], calls: ["b #1"])
        saga.when(.done(1), then: ["done b #1", "begin c #1"], calls: ["c #1"])
        return saga
    }

    @Test func whatWasDoneIsUndoneInReverseAndWhatFailedIsNot() {
        var saga = refusedAtTheThird()
        saga.when(
            .refused(2), then: ["failed for good c #1 No", "turn: c No", "begin undo b #1"], calls: ["undo b #1"])
        #expect(saga.state.status == .compensating)
        #expect(saga.state.compensationStatus(ofStep: 0, in: saga.definition) == .pending)
        saga.when(.undone(1), then: ["done undo b #1", "begin undo a #1"], calls: ["undo a #1"])
        saga.when(.undone(0), then: ["done undo a #1", "compensated"])
        #expect(saga.state.status == .compensated)
        #expect((0...2).map { saga.state.status(ofStep: $0) } == [.compensated, .compensated, .failed])
    }

    /// Nothing begins while paused, but a saga that has nothing to undo needs no resume to end.
    @Test func aPausedSagaWithNothingToUndoEndsOnceItsLostCallMustHaveEnded() {
        var saga = Specification(definition([step("a", compensateWhen: .succeeded)]))
        saga.when(.proceed, then: ["begin a #1"], calls: ["a #1"])
        saga.command(.pause, then: ["paused"])
        saga.command(.cancel, then: ["cancel requested", "turn: – Saga.Cancelled"])
        saga.when(.takenUp(ownCalls: []), at: 5, then: ["unknown for good a #1 Saga.DaemonLost"])
        #expect(saga.state.nextDue(in: saga.definition) == at(30))
        saga.when(.proceed, at: 29, then: [])
        saga.when(.proceed, at: 30, then: ["compensated"])
    }

    @Test func anUnknownOutcomeIsUndoneToo() {
        var saga = refusedAtTheThird()
        saga.when(
            .lost(2, isRetryable: false),
            then: ["unknown for good c #1 Saga.Timeout", "turn: c Saga.Timeout", "begin undo c #1"],
            calls: ["undo c #1"])
        saga.when(.undone(2), then: ["done undo c #1", "begin undo b #1"], calls: ["undo b #1"])
    }

    @Test func anOutcomeOnceUnknownStaysSoWhenALaterAttemptFails() {
        var saga = Specification(definition([step("a")]))
        saga.when(.proceed, then: ["begin a #1"], calls: ["a #1"])
        saga.when(.lost(0), at: 1, then: ["unknown a #1 Saga.Timeout, next 00:02.000Z"])
        saga.when(.proceed, at: 2, then: ["begin a #2"], calls: ["a #2"])
        saga.when(
            .refused(0, .action, 2), at: 3, then: ["failed for good a #2 No", "turn: a No", "begin undo a #1"],
            calls: ["undo a #1"])
        #expect(saga.state.steps[0].outcome == .unknown)
    }

    @Test(arguments: [
        (CompensateWhen.succeeded, Outcome.done, true), (.succeeded, .unknown, false), (.succeeded, .failed, false),
        (.uncertain, .done, true), (.uncertain, .unknown, true), (.uncertain, .failed, false),
        (.attempted, .done, true), (.attempted, .unknown, true), (.attempted, .failed, true),
    ])
    func compensateWhenDecidesByTheOutcome(when: CompensateWhen, outcome: Outcome, isUndone: Bool) {
        var saga = Specification(definition([step("a", compensateWhen: when), step("b")]))
        saga.when(.proceed, then: ["begin a #1"], calls: ["a #1"])
        switch outcome {
        case .done:
            saga.when(.done(0), then: ["done a #1", "begin b #1"], calls: ["b #1"])
            saga.when(
                .refused(1), then: ["failed for good b #1 No", "turn: b No", "begin undo a #1"], calls: ["undo a #1"])
        case .unknown, .failed:
            let input: SagaInput = outcome == .unknown ? .lost(0, isRetryable: false) : .refused(0)
            let error = outcome == .unknown ? "Saga.Timeout" : "No"
            saga.when(
                input,
                then: ["\(outcome.rawValue) for good a #1 \(error)", "turn: a \(error)"]
                    + (isUndone ? ["begin undo a #1"] : ["compensated"]), calls: isUndone ? ["undo a #1"] : [])
            if !isUndone, outcome == .unknown { #expect(saga.state.status(ofStep: 0) == .inDoubt) }
        }
    }

    @Test func callsInFlightAreWaitedForAndTheirAnswersAreNotRetried() {
        var saga = Specification(definition([step("a", after: []), step("b", after: []), step("c", after: [])]))
        saga.when(.proceed, then: ["begin a #1", "begin b #1", "begin c #1"], calls: ["a #1", "b #1", "c #1"])
        saga.when(.refused(0), then: ["failed for good a #1 No", "turn: a No"])
        saga.when(.lost(1), then: ["unknown for good b #1 Saga.Timeout"])
        saga.when(
            .done(2), then: ["done c #1", "begin undo c #1", "begin undo b #1"], calls: ["undo c #1", "undo b #1"])
        saga.when(.undone(1), then: ["done undo b #1"])
        saga.when(.undone(2), then: ["done undo c #1", "compensated"])
    }

    @Test func aStepInBackoffBeginsNothingMoreAndKeepsItsOutcome() {
        var saga = Specification(definition([step("a", after: []), step("b", after: [])]))
        saga.when(.proceed, then: ["begin a #1", "begin b #1"], calls: ["a #1", "b #1"])
        saga.when(.lost(0), at: 1, then: ["unknown a #1 Saga.Timeout, next 00:02.000Z"])
        saga.when(
            .refused(1), at: 1.5, then: ["failed for good b #1 No", "turn: b No", "begin undo a #1"],
            calls: ["undo a #1"])
        saga.when(.proceed, at: 3, then: [])
        saga.when(.undone(0), at: 4, then: ["done undo a #1", "compensated"])
    }

    @Test func noCompensationBeginsBeforeALostCallMustHaveEnded() {
        var saga = Specification(definition([step("a", timeout: .seconds(30), retry: noJitter(attempts: 1))]))
        saga.when(.proceed, at: 10, then: ["begin a #1"], calls: ["a #1"])
        saga.when(
            .takenUp(ownCalls: []), at: 20,
            then: ["unknown for good a #1 Saga.DaemonLost", "turn: a Saga.DaemonLost"])
        #expect(saga.state.nextDue(in: saga.definition) == at(40))
        saga.when(.proceed, at: 39.9, then: [])
        saga.when(.proceed, at: 40, then: ["begin undo a #1"], calls: ["undo a #1"])
    }

    @Test func theOrderHoldsThroughStepsThatAreNotUndone() {
        // a ← b (no compensation) ← c, and d beside: c before a although b between them is not undone.
        var saga = Specification(
            definition([
                step("a", after: []), step("b", after: ["a"], compensation: false), step("c", after: ["b"]),
                step("d", after: []), step("e", after: ["c", "d"]),
            ]))
        saga.when(.proceed, then: ["begin a #1", "begin d #1"], calls: ["a #1", "d #1"])
        saga.when(.done(0), then: ["done a #1", "begin b #1"], calls: ["b #1"])
        saga.when(.done(3), then: ["done d #1"])
        saga.when(.done(1), then: ["done b #1", "begin c #1"], calls: ["c #1"])
        saga.when(.done(2), then: ["done c #1", "begin e #1"], calls: ["e #1"])
        saga.when(
            .refused(4), then: ["failed for good e #1 No", "turn: e No", "begin undo d #1", "begin undo c #1"],
            calls: ["undo d #1", "undo c #1"])
        saga.when(.undone(3), then: ["done undo d #1"])
        saga.when(.undone(2), then: ["done undo c #1", "begin undo a #1"], calls: ["undo a #1"])
        saga.when(.undone(0), then: ["done undo a #1", "compensated"])
    }

    @Test func aCompensationIsTriedAgainByItsOwnPolicy() {
        var saga = refusedAtTheThird()
        saga.when(
            .refused(2), then: ["failed for good c #1 No", "turn: c No", "begin undo b #1"], calls: ["undo b #1"])
        saga.when(.failed(1, .compensation), at: 5, then: ["failed undo b #1 Busy, next 00:06.000Z"])
        #expect(saga.state.compensationStatus(ofStep: 1, in: saga.definition) == .backoff)
        #expect(saga.state.status(ofStep: 1) == .compensating)
        saga.when(.proceed, at: 6, then: ["begin undo b #2"], calls: ["undo b #2"])
        saga.when(.undone(1, 2), then: ["done undo b #2", "begin undo a #1"], calls: ["undo a #1"])
    }

    @Test func aCompensationThatFailsForGoodHaltsAndIsTakenUpAgainByAPerson() {
        var saga = refusedAtTheThird()
        saga.when(
            .refused(2), then: ["failed for good c #1 No", "turn: c No", "begin undo b #1"], calls: ["undo b #1"])
        saga.when(
            .refused(1, .compensation), at: 5, then: ["failed for good undo b #1 No", "stuck: b No"])
        #expect(saga.state.status == .stuck)
        #expect(saga.state.nextDue(in: saga.definition) == nil)
        #expect(saga.state.status(ofStep: 1) == .compensationFailed)
        saga.when(.proceed, at: 6, then: [])
        saga.command(.retry, at: 7, then: ["retried", "begin undo b #2"], calls: ["undo b #2"])
        #expect(saga.state.status == .compensating)
        saga.when(.undone(1, 2), then: ["done undo b #2", "begin undo a #1"], calls: ["undo a #1"])
        saga.when(.undone(0), then: ["done undo a #1", "compensated"])
    }

    @Test func continueUndoesTheOthersAndThenIsStuck() {
        var saga = refusedAtTheThird(.continue)
        saga.when(
            .refused(2), then: ["failed for good c #1 No", "turn: c No", "begin undo b #1"], calls: ["undo b #1"])
        saga.when(
            .refused(1, .compensation), then: ["failed for good undo b #1 No", "begin undo a #1"], calls: ["undo a #1"])
        saga.when(.undone(0), then: ["done undo a #1", "stuck: b No"])
        saga.command(.resolve(step: "b", .undone, output: nil), then: ["undo b resolved undone", "compensated"])
    }

    @Test func underHaltThoseInFlightFinishAndNoneBegins() {
        var saga = Specification(
            definition([
                step("z", after: []), step("a", after: ["z"]), step("b", after: ["z"]), step("c", after: ["a", "b"]),
            ]))
        saga.when(.proceed, then: ["begin z #1"], calls: ["z #1"])
        saga.when(.done(0), then: ["done z #1", "begin a #1", "begin b #1"], calls: ["a #1", "b #1"])
        saga.when(.done(1), then: ["done a #1"])
        saga.when(.done(2), then: ["done b #1", "begin c #1"], calls: ["c #1"])
        saga.when(
            .refused(3), then: ["failed for good c #1 No", "turn: c No", "begin undo b #1", "begin undo a #1"],
            calls: ["undo b #1", "undo a #1"])
        saga.when(.refused(2, .compensation), then: ["failed for good undo b #1 No"])
        saga.when(.undone(1), then: ["done undo a #1", "stuck: b No"])
    }

    @Test func whilePausedNoCompensationBegins() {
        var saga = refusedAtTheThird()
        saga.command(.pause, then: ["paused"])
        saga.when(.refused(2), then: ["failed for good c #1 No", "turn: c No"])
        #expect(saga.state.nextDue(in: saga.definition) == nil)
        saga.command(.resume, then: ["resumed", "begin undo b #1"], calls: ["undo b #1"])
    }

    @Test func aStepWithoutACallIsCompensatedAsDone() {
        var saga = Specification(definition([step("a", action: nil), step("b")]))
        saga.when(.proceed, then: ["done a #0", "begin b #1"], calls: ["b #1"])
        saga.when(
            .refused(1), then: ["failed for good b #1 No", "turn: b No", "begin undo a #1"], calls: ["undo a #1"])
    }

    @Test func aCompensationWithoutACallSucceedsAtOnce() {
        var saga = Specification(definition([step("a", compensationKind: .pass(.constant(.null))), step("b")]))
        saga.when(.proceed, then: ["begin a #1"], calls: ["a #1"])
        saga.when(.done(0), then: ["done a #1", "begin b #1"], calls: ["b #1"])
        saga.when(.refused(1), then: ["failed for good b #1 No", "turn: b No", "done undo a #0", "compensated"])
    }
}

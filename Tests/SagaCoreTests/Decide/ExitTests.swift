import SagaCore
import Testing

/// Cancel, deadline, pivot and what a person does: no exit skips compensation but `terminate`.
@Suite struct ExitTests {
    @Test func cancelBeforeAnyStepCompensatesNothing() {
        var saga = Specification(definition([step("a")]))
        saga.command(.cancel, then: ["cancel requested", "turn: – Saga.Cancelled", "compensated"])
        #expect(saga.state.failure == SagaFailure(step: nil, error: "Saga.Cancelled", message: "test"))
    }

    @Test func cancelWaitsForTheCallInFlightAndThenUndoes() {
        var saga = Specification(definition([step("a"), step("b")]))
        saga.when(.proceed, then: ["begin a #1"], calls: ["a #1"])
        saga.command(.cancel, then: ["cancel requested", "turn: – Saga.Cancelled"])
        saga.when(.done(0), then: ["done a #1", "begin undo a #1"], calls: ["undo a #1"])
        saga.when(.undone(0), then: ["done undo a #1", "compensated"])
        #expect(saga.state.status(ofStep: 1) == .pending)
    }

    @Test func theDeadlineTurnsTheSagaRoundAlsoInBackoff() {
        var saga = Specification(definition([step("a", retry: noJitter(attempts: 9))], deadline: .seconds(10)))
        saga.when(.proceed, then: ["begin a #1"], calls: ["a #1"])
        #expect(saga.state.nextDue(in: saga.definition) == at(10))
        saga.when(.failed(0, retryAfter: .seconds(60)), at: 5, then: ["failed a #1 Busy, next 01:05.000Z"])
        #expect(saga.state.nextDue(in: saga.definition) == at(10))
        saga.when(.proceed, at: 10, then: ["turn: – Saga.DeadlineExceeded", "compensated"])
    }

    /// A saga that waited in its row: the undo that being taken up begins isn't a call that somebody has lost.
    @Test func whatIsBegunWhenASagaIsTakenUpAfterItsDeadlineIsNotLost() {
        var saga = Specification(
            definition([step("a"), step("b", retry: noJitter(attempts: 9))], deadline: .seconds(10)))
        saga.when(.proceed, then: ["begin a #1"], calls: ["a #1"])
        saga.when(.done(0), at: 1, then: ["done a #1", "begin b #1"], calls: ["b #1"])
        saga.when(.failed(1, retryAfter: .seconds(60)), at: 5, then: ["failed b #1 Busy, next 01:05.000Z"])
        saga.when(
            .takenUp(ownCalls: []), at: 10, then: ["turn: – Saga.DeadlineExceeded", "begin undo a #1"],
            calls: ["undo a #1"])
        saga.when(.undone(0), at: 11, then: ["done undo a #1", "compensated"])
    }

    @Test func theDeadlineCountsWhilePendingAndWhilePaused() {
        var late = Specification(definition([step("a")], deadline: .seconds(10)))
        late.when(.takenUp(ownCalls: []), at: 11, then: ["turn: – Saga.DeadlineExceeded", "compensated"])
        var paused = Specification(definition([step("a"), step("b")], deadline: .seconds(10)))
        paused.when(.proceed, then: ["begin a #1"], calls: ["a #1"])
        paused.command(.pause, then: ["paused"])
        paused.when(.done(0), at: 3, then: ["done a #1"])
        #expect(paused.state.nextDue(in: paused.definition) == at(10))
        paused.when(.proceed, at: 10, then: ["turn: – Saga.DeadlineExceeded"])
        paused.command(.resume, at: 20, then: ["resumed", "begin undo a #1"], calls: ["undo a #1"])
        paused.when(.undone(0), at: 21, then: ["done undo a #1", "compensated"])
    }

    @Test func terminateEndsAsItStandsAndLeavesTheCallInDoubt() {
        var saga = Specification(definition([step("a"), step("b")]))
        saga.when(.proceed, then: ["begin a #1"], calls: ["a #1"])
        saga.when(.done(0), then: ["done a #1", "begin b #1"], calls: ["b #1"])
        saga.command(.terminate, then: ["terminated"])
        #expect(saga.state.status == .terminated)
        #expect((0...1).map { saga.state.status(ofStep: $0) } == [.succeeded, .inDoubt])
        saga.when(.done(1), then: [])
        #expect(saga.result(of: .cancel) == .refused("the saga has ended: terminated"))
    }

    // MARK: The pivot

    private func atThePivot(deadline: TimeSpan? = nil) -> Specification {
        var saga = Specification(
            definition(
                [
                    step("a"), step("p", retry: noJitter(attempts: 2), compensation: false, pivot: true),
                    step("z", compensation: false),
                ],
                deadline: deadline))
        saga.when(.proceed, then: ["begin a #1"], calls: ["a #1"])
        saga.when(.done(0), then: ["done a #1", "begin p #1"], calls: ["p #1"])
        return saga
    }

    @Test func aPivotThatFailedTurnsTheSagaRound() {
        var saga = atThePivot()
        saga.when(
            .refused(1), then: ["failed for good p #1 No", "turn: p No", "begin undo a #1"], calls: ["undo a #1"])
    }

    @Test func onceThePivotIsDoneTheSagaOnlyGoesForward() {
        var saga = atThePivot(deadline: .seconds(10))
        saga.when(.done(1), at: 1, then: ["done p #1", "begin z #1"], calls: ["z #1"])
        #expect(saga.result(of: .cancel) == .refused("the saga is past its pivot p and can only go forward"))
        #expect(saga.state.nextDue(in: saga.definition) == nil)
        saga.when(.proceed, at: 11, then: [])
        saga.when(.refused(2), at: 12, then: ["failed for good z #1 No", "stuck: z No"])
        saga.command(.retry, at: 13, then: ["retried", "begin z #2"], calls: ["z #2"])
        saga.when(.done(2, 2), at: 14, then: ["done z #2", "completed"])
    }

    @Test func cancelAndDeadlineWaitForAPivotInFlight() {
        var done = atThePivot(deadline: .seconds(10))
        done.command(.cancel, at: 1, then: ["cancel requested"])
        done.when(.proceed, at: 20, then: [])
        done.when(.done(1), at: 21, then: ["done p #1", "begin z #1"], calls: ["z #1"])
        var failed = atThePivot()
        failed.command(.cancel, at: 1, then: ["cancel requested"])
        failed.when(
            .failed(1), at: 2,
            then: ["failed p #1 Busy, next 00:03.000Z", "turn: – Saga.Cancelled", "begin undo a #1"],
            calls: ["undo a #1"])
    }

    @Test func aPivotInDoubtIsTriedAgainBeforeACancelAndThenIsStuck() {
        var saga = atThePivot()
        saga.command(.cancel, at: 1, then: ["cancel requested"])
        saga.when(.lost(1), at: 2, then: ["unknown p #1 Saga.Timeout, next 00:03.000Z"])
        saga.when(.proceed, at: 3, then: ["begin p #2"], calls: ["p #2"])
        saga.when(.lost(1, .action, 2), at: 4, then: ["unknown for good p #2 Saga.Timeout", "stuck: p Saga.Timeout"])
        #expect(saga.state.status(ofStep: 1) == .inDoubt)
        var retried = saga
        retried.command(.retry, at: 5, then: ["retried", "begin p #3"], calls: ["p #3"])
        var done = saga
        done.command(
            .resolve(step: "p", .done, output: json("7")), at: 5, then: ["p resolved done", "begin z #1"],
            calls: ["z #1"])
        #expect(done.state.steps[1].output == json("7"))
        #expect(done.state.steps[1].outcome == .done)
        saga.command(
            .resolve(step: "p", .undone, output: nil), at: 5,
            then: ["p resolved undone", "turn: p Saga.Timeout", "begin undo a #1"], calls: ["undo a #1"])
        #expect(saga.state.steps[1].outcome == .failed)
    }

    @Test func afterThePivotOtherBranchesGoOnBeforeTheSagaIsStuck() {
        var saga = Specification(
            definition([
                step("p", after: [], compensation: false, pivot: true), step("x", after: ["p"], compensation: false),
                step("y", after: ["p"], compensation: false), step("y2", after: ["y"], compensation: false),
            ]))
        saga.when(.proceed, then: ["begin p #1"], calls: ["p #1"])
        saga.when(.done(0), then: ["done p #1", "begin x #1", "begin y #1"], calls: ["x #1", "y #1"])
        saga.when(.refused(1), then: ["failed for good x #1 No"])
        saga.when(.done(2), then: ["done y #1", "begin y2 #1"], calls: ["y2 #1"])
        saga.when(.done(3), then: ["done y2 #1", "stuck: x No"])
        saga.command(
            .resolve(step: "x", .undone, output: nil), then: ["x resolved undone", "begin x #2"], calls: ["x #2"])
        saga.when(.refused(1, .action, 2), then: ["failed for good x #2 No", "stuck: x No"])
        saga.command(.resolve(step: "x", .done, output: nil), then: ["x resolved done", "completed"])
    }

    // MARK: What a person can't do

    @Test func commandsThatDoNotFitAreRefusedWithTheReason() {
        var saga = Specification(definition([step("a"), step("b")]))
        saga.when(.proceed, then: ["begin a #1"], calls: ["a #1"])
        #expect(saga.result(of: .retry) == .refused("only a stuck saga can be retried, this one is running"))
        #expect(saga.result(of: .resume) == .alreadySo("the saga isn't paused"))
        #expect(
            saga.result(of: .resolve(step: "q", .done, output: nil)) == .refused("test has no step q; it has a, b"))
        #expect(
            saga.result(of: .resolve(step: "a", .done, output: nil))
                == .refused("step a is running: only a step in doubt or one that the saga is stuck on can be resolved"))
        saga.command(.cancel, then: ["cancel requested", "turn: – Saga.Cancelled"])
        #expect(saga.result(of: .cancel) == .alreadySo("the saga is being compensated already"))
    }

    @Test func aPersonsWordOnACompensationInDoubt() {
        var saga = Specification(definition([step("a"), step("b")]))
        saga.when(.proceed, then: ["begin a #1"], calls: ["a #1"])
        saga.when(.done(0), then: ["done a #1", "begin b #1"], calls: ["b #1"])
        saga.when(
            .refused(1), then: ["failed for good b #1 No", "turn: b No", "begin undo a #1"], calls: ["undo a #1"])
        saga.when(
            .lost(0, .compensation, isRetryable: false),
            then: ["unknown for good undo a #1 Saga.Timeout", "stuck: a Saga.Timeout"])
        #expect(
            saga.result(of: .resolve(step: "a", .undone, output: json("1")))
                == .refused("an output belongs to an action that is done, not to a compensation"))
        var again = saga
        again.command(
            .resolve(step: "a", .done, output: nil), then: ["undo a resolved done", "begin undo a #2"],
            calls: ["undo a #2"])
        saga.command(.resolve(step: "a", .undone, output: nil), then: ["undo a resolved undone", "compensated"])
        #expect(saga.state.status(ofStep: 0) == .compensated)
    }

    @Test func aStepInDoubtThatIsNotUndoneCanBeStatedDoneAndIsThenUndone() {
        var saga = Specification(
            definition([step("z"), step("a", compensateWhen: .succeeded)]))
        saga.when(.proceed, then: ["begin z #1"], calls: ["z #1"])
        saga.when(.done(0), then: ["done z #1", "begin a #1"], calls: ["a #1"])
        saga.when(
            .lost(1, isRetryable: false),
            then: ["unknown for good a #1 Saga.Timeout", "turn: a Saga.Timeout", "begin undo z #1"],
            calls: ["undo z #1"])
        saga.when(.refused(0, .compensation), then: ["failed for good undo z #1 No", "stuck: z No"])
        saga.command(.resolve(step: "a", .done, output: nil), then: ["a resolved done", "stuck: z No"])
        #expect(saga.state.mustBeUndone(step: 1, in: saga.definition))
    }

    @Test func aCallLostWhileACancelWaitedIsNotTriedAgain() {
        var saga = Specification(definition([step("a"), step("b")]))
        saga.when(.proceed, then: ["begin a #1"], calls: ["a #1"])
        saga.when(.done(0), then: ["done a #1", "begin b #1"], calls: ["b #1"])
        let act = Event.Act(actor: "ann", reason: "test")
        let request = RecordedEvent(
            sequence: saga.state.sequence + 1, cause: nil, at: at(1), event: .cancelRequested(act))
        var state = saga.state
        state.evolve(request, definition: saga.definition)
        let taken = decide(state, .takenUp(ownCalls: []), now: at(40), definition: saga.definition)
        #expect(
            taken.events.map { saga.words($0.event) } == [
                "turn: – Saga.Cancelled", "unknown for good b #1 Saga.DaemonLost", "begin undo b #1",
            ])
    }
}

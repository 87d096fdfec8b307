import JSON
import SagaCore
import Testing

/// A completed saga that a person wants undone.
@Suite struct CompensateTests {
    private func completed(_ steps: [TestStep], deadline: TimeSpan? = nil) -> Specification {
        var saga = Specification(definition(steps, deadline: deadline))
        saga.when(.proceed, then: ["begin a #1"], calls: ["a #1"])
        saga.when(.done(0), at: 1, then: ["done a #1", "begin b #1"], calls: ["b #1"])
        saga.when(.done(1), at: 2, then: ["done b #1", "completed"])
        return saga
    }

    @Test func itIsUndoneInReverse() {
        var saga = completed([step("a"), step("b")])
        saga.command(
            .compensate, at: 600_000, then: ["compensation requested", "turn: – Saga.Cancelled", "begin undo b #1"],
            calls: ["undo b #1"])
        #expect(saga.state.status == .compensating)
        #expect(saga.state.failure == SagaFailure(step: nil, error: "Saga.Cancelled", message: "test"))
        #expect(saga.history.suffix(3).map(\.cause) == [nil, 7, 8])
        saga.when(.undone(1), then: ["done undo b #1", "begin undo a #1"], calls: ["undo a #1"])
        saga.when(.undone(0), at: 600_001, then: ["done undo a #1", "compensated"])
        #expect(saga.state.endedAt == at(600_001))
        #expect(saga.result(of: .compensate) == .alreadySo("the saga was compensated already"))
    }

    @Test func betweenTheWishAndTheTurnItIsNeitherCompletedNorIdle() {
        let saga = completed([step("a"), step("b")])
        #expect(saga.state.endedAt == at(2))
        #expect(saga.state.output == .null)
        var state = saga.state
        let act = Event.Act(actor: "ann", reason: nil)
        state.evolve(
            RecordedEvent(sequence: 7, cause: nil, at: at(9), event: .compensationRequested(act)),
            definition: saga.definition)
        #expect(state.status == .compensating)
        #expect(state.endedAt == nil)
        #expect(state.output == nil)
        #expect(state.failure == nil)
        #expect(state.nextDue(in: saga.definition) == at(0))
        #expect(state.result(of: .compensate, by: act, in: saga.definition) == already)
        #expect(state.result(of: .cancel, by: act, in: saga.definition) == already)
        let decision = decide(state, .takenUp(ownCalls: []), now: at(10), definition: saga.definition)
        #expect(
            decision.events.map(\.event).first
                == .sagaCompensating(
                    SagaFailure(step: nil, error: "Saga.Cancelled", message: "cancelled by ann")))
    }

    private let already = CommandResult.alreadySo("the saga is being compensated already")

    @Test func theDeadlineMeansNothing() {
        var saga = completed([step("a"), step("b")], deadline: .seconds(5))
        saga.command(
            .compensate, at: 100, then: ["compensation requested", "turn: – Saga.Cancelled", "begin undo b #1"],
            calls: ["undo b #1"])
        saga.when(.lost(1, .compensation), at: 110, then: ["unknown undo b #1 Saga.Timeout, next 01:51.000Z"])
    }

    @Test func nothingToUndoEndsAtOnce() {
        var saga = completed([step("a", compensation: false), step("b", compensation: false)])
        saga.command(.compensate, then: ["compensation requested", "turn: – Saga.Cancelled", "compensated"])
        #expect(saga.state.status == .compensated)
    }

    @Test func anUndoThatFailsForGoodIsStuckAndAPersonHelps() {
        var saga = completed([step("a"), step("b")])
        saga.command(
            .compensate, then: ["compensation requested", "turn: – Saga.Cancelled", "begin undo b #1"],
            calls: ["undo b #1"])
        saga.when(.refused(1, .compensation), then: ["failed for good undo b #1 No", "stuck: b No"])
        #expect(saga.result(of: .compensate) == already)
        saga.command(
            .resolve(step: "b", .undone, output: nil), then: ["undo b resolved undone", "begin undo a #1"],
            calls: ["undo a #1"])
        saga.command(.terminate, then: ["terminated"])
        #expect(
            saga.result(of: .compensate)
                == .refused("the saga has ended: terminated; only a completed one can be compensated"))
    }

    /// Paused while its last call was out, it completed paused: it turns round, and begins when it is resumed.
    @Test func aPausedOneTurnsAndWaits() {
        var saga = Specification(definition([step("a")]))
        saga.when(.proceed, then: ["begin a #1"], calls: ["a #1"])
        saga.command(.pause, then: ["paused"])
        saga.when(.done(0), then: ["done a #1", "completed"])
        saga.command(.compensate, then: ["compensation requested", "turn: – Saga.Cancelled"])
        #expect(saga.state.nextDue(in: saga.definition) == nil)
        saga.command(.resume, then: ["resumed", "begin undo a #1"], calls: ["undo a #1"])
    }

    /// A cancel that came too late to stop the saga isn't why it is undone now.
    @Test func theReasonIsThatOfTheWish() {
        var saga = Specification(definition([step("a")]))
        saga.when(.proceed, then: ["begin a #1"], calls: ["a #1"])
        saga.command(.pause, then: ["paused"])
        saga.when(.done(0), then: ["done a #1", "completed"])
        var state = saga.state
        state.evolve(
            RecordedEvent(
                sequence: 6, cause: nil, at: at(1), event: .compensationRequested(.init(actor: "bob", reason: "late"))),
            definition: saga.definition)
        let decision = decide(state, .proceed, now: at(1), definition: saga.definition)
        #expect(decision.state.failure?.message == "late")
    }

    @Test func whatHasNotCompletedIsRefusedWithWhatFits() {
        var saga = Specification(definition([step("a"), step("b")]))
        #expect(
            saga.result(of: .compensate)
                == .refused("the saga is pending, not completed: saga cancel stops it and undoes what it did"))
        saga.when(.proceed, then: ["begin a #1"], calls: ["a #1"])
        #expect(
            saga.result(of: .compensate)
                == .refused("the saga is running, not completed: saga cancel stops it and undoes what it did"))
        saga.when(.done(0), then: ["done a #1", "begin b #1"], calls: ["b #1"])
        saga.when(
            .refused(1), then: ["failed for good b #1 No", "turn: b No", "begin undo a #1"], calls: ["undo a #1"])
        #expect(
            saga.result(of: .compensate)
                == .refused("the saga is being compensated already, without having completed"))
        var stuck = saga
        stuck.when(.refused(0, .compensation), then: ["failed for good undo a #1 No", "stuck: a No"])
        #expect(
            stuck.result(of: .compensate)
                == .refused("the saga is stuck, not completed: saga status shows what can be done"))
        saga.when(.undone(0), then: ["done undo a #1", "compensated"])
        #expect(
            saga.result(of: .compensate)
                == .refused("the saga has ended: compensated; only a completed one can be compensated"))
    }

    @Test func pastThePivotItIsRefused() {
        let saga = completed([step("a"), step("b", compensation: false, pivot: true)])
        #expect(
            saga.result(of: .compensate) == .refused("the saga is past its pivot b and can't be undone"))
    }
}

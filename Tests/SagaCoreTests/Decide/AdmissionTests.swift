import JSON
import SagaCore
import Testing

/// What a saga does when whoever guards its services is asked first.
@Suite struct AdmissionTests {
    private static let open = Admission.deferred(until: at(30), reason: "open")
    private static let no = Admission.refused(
        .init(error: EngineError.circuitOpen, message: "open", isRetryable: true))

    private func calling(_ steps: TestStep...) -> Definition { definition(steps) }

    private func http(_ name: String, after: [String]? = nil, pivot: Bool = false, attempts: Int = 3) -> TestStep {
        step(
            name, after: after, retry: noJitter(attempts: attempts), pivot: pivot, action: call(body: "x"),
            compensationKind: call(body: "x"))
    }

    @Test func nothingIsRecordedWhileItWaitsForMoments() {
        var saga = Specification(calling(http("a")))
        saga.when(.takenUp(ownCalls: []), admitting: [.wait], then: [], asking: ["a after 0"])
        #expect(saga.state.status == .pending)
        #expect(saga.state.status(ofStep: 0) == .pending)
        saga.when(.proceed, at: 1, admitting: [.admitted], then: ["begin a #1"], calls: ["a #1"], asking: ["a after 0"])
    }

    @Test func aDeferralIsRecordedOnceAndSpendsNoAttempt() {
        var saga = Specification(calling(http("a")))
        saga.when(
            .proceed, admitting: [Self.open], then: ["defer a until 00:30.000Z"], asking: ["a after 0", "a after 0"])
        #expect(saga.state.status == .running)
        #expect(saga.state.status(ofStep: 0) == .deferred)
        #expect(saga.state.steps[0].action.attempts == 0)
        #expect(saga.state.nextDue(in: saga.definition) == at(30))
        #expect(
            saga.state.nextDue(in: saga.definition, except: [OperationReference(step: 0, side: .action)]) == nil)
        // Asked again before and after its time, it isn't told the same again.
        saga.when(.proceed, at: 10, admitting: [Self.open], then: [], asking: ["a after 0"])
        saga.when(.proceed, at: 31, admitting: [Self.open], then: [], asking: ["a after 0"])
        // The wait goes on until another time.
        saga.when(
            .proceed, at: 40, admitting: [.deferred(until: at(60), reason: "open")],
            then: ["defer a until 01:00.000Z"], asking: ["a after 0", "a after 0"])
        #expect(saga.state.steps[0].action.deferredSince == at(0))
        // The service may recover sooner than it said.
        saga.when(
            .proceed, at: 45, admitting: [.admitted], then: ["begin a #1"], calls: ["a #1"], asking: ["a after 0"])
        #expect(saga.state.steps[0].action.deferredSince == nil)
        saga.when(.done(0), at: 46, admitting: [], then: ["done a #1", "completed"])
    }

    @Test func withoutAGuardADeferralHoldsUntilItsTime() {
        var saga = Specification(calling(http("a")))
        saga.when(
            .proceed, admitting: [Self.open], then: ["defer a until 00:30.000Z"], asking: ["a after 0", "a after 0"])
        saga.when(.proceed, at: 29.999, then: [])
        saga.when(.proceed, at: 30, then: ["begin a #1"], calls: ["a #1"])
    }

    @Test func theTimeIsRoundedUpSoThatItIsNeverTooEarly() {
        var saga = Specification(calling(http("a")))
        saga.when(
            .proceed, admitting: [.deferred(until: Instant(microseconds: 1_000_001), reason: "r")],
            then: ["defer a until 00:01.001Z"], asking: ["a after 0", "a after 0"])
    }

    @Test func aRefusalSpendsAnAttemptWithoutACall() {
        var saga = Specification(calling(http("a")))
        saga.when(
            .proceed, admitting: [Self.no],
            then: ["begin a #1", "failed a #1 Saga.CircuitOpen, next 00:01.000Z"], asking: ["a after 0"])
        #expect(saga.state.steps[0].outcome == .failed)
        saga.when(
            .proceed, at: 1, admitting: [.admitted], then: ["begin a #2"], calls: ["a #2"], asking: ["a after 1"])
        saga.when(.failed(0, .action, 2), at: 2, admitting: [], then: ["failed a #2 Busy, next 00:04.000Z"])
        saga.when(
            .proceed, at: 4, admitting: [Self.no],
            then: [
                "begin a #3", "failed for good a #3 Saga.CircuitOpen", "turn: a Saga.CircuitOpen", "compensated",
            ], asking: ["a after 2"])
    }

    /// With neither a limit nor a delay it would go on for ever at one moment.
    @Test func aRefusalIsNeverFollowedByAnotherAtTheSameMoment() {
        let retry = RetryPolicy(maximumAttempts: 0, initialInterval: .zero, jitter: .none)
        var saga = Specification(
            definition([step("a", retry: retry, action: call(body: "x"))]))
        saga.when(
            .proceed, admitting: [Self.no],
            then: ["begin a #1", "failed a #1 Saga.CircuitOpen, next 00:00.100Z"], asking: ["a after 0"])
        saga.when(.proceed, at: 0.099, admitting: [Self.no], then: [])
    }

    @Test func anExpressionThatFailsAfterItsAdmissionMakesNoCall() {
        var saga = Specification(
            definition([step("a", action: call(body: "${ input.missing }"))]), input: "{}")
        saga.when(
            .proceed, admitting: [.admitted],
            then: [
                "failed for good a #0 Saga.Expression", "turn: a Saga.Expression", "compensated",
            ], asking: ["a after 0"])
    }

    @Test func parallelStepsAreAskedForEachByItself() {
        var saga = Specification(calling(http("a", after: []), http("b", after: []), http("c", after: ["a", "b"])))
        saga.when(
            .proceed, admitting: [.wait, .admitted, .wait], then: ["begin b #1"], calls: ["b #1"],
            asking: ["a after 0", "b after 0", "a after 0"])
        saga.when(.done(1), at: 1, admitting: [.wait], then: ["done b #1"], asking: ["a after 0"])
        saga.when(
            .proceed, at: 2, admitting: [.admitted], then: ["begin a #1"], calls: ["a #1"], asking: ["a after 0"])
    }

    @Test func whatIsNoCallOutIsntAskedFor() {
        var saga = Specification(definition([step("a"), step("b", action: .pass(.constant(1)))]))
        saga.when(.proceed, admitting: [], then: ["begin a #1"], calls: ["a #1"])
        saga.when(.done(0), admitting: [], then: ["done a #1", "done b #0", "completed"])
    }

    @Test func aCompensationWaitsTooAndHoldsWhatComesAfterIt() {
        var saga = Specification(calling(http("a"), http("b"), step("c", compensation: false)))
        saga.when(.proceed, then: ["begin a #1"], calls: ["a #1"])
        saga.when(.done(0), then: ["done a #1", "begin b #1"], calls: ["b #1"])
        saga.when(.done(1), then: ["done b #1", "begin c #1"], calls: ["c #1"])
        saga.when(
            .refused(2), at: 5, admitting: [Self.open],
            then: ["failed for good c #1 No", "turn: c No", "defer undo b until 00:30.000Z"],
            asking: ["undo b after 0", "undo b after 0"])
        #expect(saga.state.nextDue(in: saga.definition) == at(30))
        saga.when(.proceed, at: 6, admitting: [.wait], then: [], asking: ["undo b after 0"])
        saga.when(
            .proceed, at: 30, admitting: [.admitted], then: ["begin undo b #1"], calls: ["undo b #1"],
            asking: ["undo b after 0"])
        saga.when(
            .undone(1), at: 31, admitting: [Self.no],
            then: [
                "done undo b #1", "begin undo a #1", "failed undo a #1 Saga.CircuitOpen, next 00:32.000Z",
            ], asking: ["undo a after 0"])
    }

    @Test func aDeferredActionBeginsNoMoreOnceTheSagaHasTurned() {
        var saga = Specification(calling(http("a"), http("b")))
        saga.when(.proceed, then: ["begin a #1"], calls: ["a #1"])
        saga.when(
            .done(0), admitting: [Self.open], then: ["done a #1", "defer b until 00:30.000Z"],
            asking: ["b after 0", "b after 0"])
        saga.command(
            .cancel, at: 3, then: ["cancel requested", "turn: – Saga.Cancelled", "begin undo a #1"],
            calls: ["undo a #1"])
        saga.when(.undone(0), at: 31, admitting: [], then: ["done undo a #1", "compensated"])
        #expect(saga.state.steps[1].outcome == nil)
    }

    @Test func pausedNothingIsAskedFor() {
        var saga = Specification(calling(http("a")))
        saga.when(
            .proceed, admitting: [Self.open], then: ["defer a until 00:30.000Z"], asking: ["a after 0", "a after 0"])
        saga.command(.pause, at: 1, then: ["paused"])
        saga.when(.proceed, at: 40, admitting: [], then: [])
        #expect(saga.state.nextDue(in: saga.definition) == nil)
    }

    @Test func aPivotThatIsDeferredIsNotOpenYet() {
        var saga = Specification(calling(http("a"), http("p", pivot: true)))
        saga.when(.proceed, then: ["begin a #1"], calls: ["a #1"])
        saga.when(
            .done(0), admitting: [Self.open], then: ["done a #1", "defer p until 00:30.000Z"],
            asking: ["p after 0", "p after 0"])
        saga.command(
            .cancel, at: 3, then: ["cancel requested", "turn: – Saga.Cancelled", "begin undo a #1"],
            calls: ["undo a #1"])
    }

    /// An attempt of unknown outcome may have passed the point of no return.
    @Test func aPivotInDoubtThatIsDeferredHoldsTheCancelBack() {
        var saga = Specification(calling(http("p", pivot: true)))
        saga.when(.proceed, then: ["begin p #1"], calls: ["p #1"])
        saga.when(.lost(0), at: 1, admitting: [], then: ["unknown p #1 Saga.Timeout, next 00:02.000Z"])
        saga.when(
            .proceed, at: 2, admitting: [Self.open], then: ["defer p until 00:30.000Z"],
            asking: ["p after 1", "p after 1"])
        saga.command(.cancel, at: 3, then: ["cancel requested"])
        // Refused for good, its outcome stays unknown.
        saga.when(
            .proceed, at: 30, admitting: [Self.no],
            then: ["begin p #2", "failed p #2 Saga.CircuitOpen, next 00:32.000Z"], asking: ["p after 1"])
        #expect(saga.state.steps[0].outcome == .unknown)
    }
}

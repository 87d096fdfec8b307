import JSON
import SagaCore
import Testing

@testable import SagaSimulation

private let act = Event.Act(actor: "op", reason: nil)
private let s0 = OperationReference(step: 0, side: .action)
private let s1 = OperationReference(step: 1, side: .action)
private let undo0 = OperationReference(step: 0, side: .compensation)
private let undo1 = OperationReference(step: 1, side: .compensation)

private func at(_ milliseconds: Int64) -> Instant { Instant(microseconds: milliseconds * 1_000) }

private func lost(_ attempt: Int) -> Event.AttemptFailure {
    .init(attempt: attempt, outcome: .unknown, error: EngineError.daemonLost, message: "")
}

/// The checks of single decisions find what they are there for, in histories that no sound engine writes.
@Suite struct FleetDecisionChecksTests {
    private static let text = #"""
        {"saga": "d", "services": {"a": {"url": "http://a"}}, "deadline": "10s", "steps": [
          {"name": "s0", "action": {"http": {"service": "a", "path": "/do"}, "retry": {"maximumAttempts": 2}},
           "compensation": {"http": {"service": "a", "path": "/undo"}}},
          {"name": "s1", "action": {"noop": {}}, "compensation": {"noop": {}}}]}
        """#

    /// What is wrong of a history whose events follow one another by a millisecond, from the start on.
    private func problems(_ events: [Event], writtenAt delay: Int64 = 0) throws -> [String] {
        let definition = try #require(DefinitionParser.parse(Array(Self.text.utf8), file: "d.json").definition)
        let all = [Event.sagaStarted(input: .null)] + events
        let history = all.enumerated().map { index, event in
            FleetLedger.Written(
                event: RecordedEvent(sequence: index + 1, cause: nil, at: at(Int64(index)), event: event),
                by: index == 0 ? nil : 1, at: at(Int64(index) + delay))
        }
        let id = SagaID(high: 1, low: 1)
        let start = try #require(
            SagaState(folding: history.prefix(1).map(\.event), id: id, key: nil, definition: definition))
        return FleetDecisionChecks(history, from: start, sent: [], definition: definition, isHalting: true).problems
    }

    @Test func aSoundHistoryHasNothingWrong() throws {
        let sound: [Event] = [
            .started(s0, attempt: 1), .attemptFailed(s0, lost(1), next: at(3)), .started(s0, attempt: 2),
            .failed(s0, lost(2)), .sagaCompensating(.init(step: 0, error: "E", message: "")),
            .started(undo0, attempt: 1),
        ]
        #expect(try problems(sound) == [])
    }

    @Test func aDateThatIsYetToComeIsFound() throws {
        #expect(try problems([.started(s0, attempt: 1)], writtenAt: -1) == ["event 2 is dated after it was written"])
    }

    struct Unsound: Sendable, CustomTestStringConvertible {
        let events: [Event]
        let problem: String

        init(_ problem: String, _ events: [Event]) {
            self.events = events
            self.problem = problem
        }

        var testDescription: String { problem }
    }

    private static let turned = Event.sagaCompensating(.init(step: 0, error: "E", message: ""))
    private static let unsound = [
        Unsound("event 2 begins attempt 2 after 0", [.started(s0, attempt: 2)]),
        Unsound("event 3 begins an operation while the saga is paused", [.paused(act), .started(s0, attempt: 1)]),
        Unsound(
            "event 4 begins an attempt before its time",
            [.started(s0, attempt: 1), .attemptFailed(s0, lost(1), next: at(9)), .started(s0, attempt: 2)]),
        Unsound(
            "event 6 begins one attempt more than 2",
            [
                .started(s0, attempt: 1), .attemptFailed(s0, lost(1), next: at(2)), .started(s0, attempt: 2),
                .attemptFailed(s0, lost(2), next: at(4)), .started(s0, attempt: 3),
            ]),
        Unsound("event 2 begins a step before those that it comes after have ended", [.started(s1, attempt: 1)]),
        Unsound(
            "event 3 goes forward after the cancel or the deadline", [.cancelRequested(act), .started(s0, attempt: 1)]),
        Unsound("event 3 goes forward though the saga has turned round", [turned, .started(s0, attempt: 1)]),
        Unsound(
            "event 3 tells of a success that its participant didn't",
            [.started(s0, attempt: 1), .succeeded(s0, attempt: 1, output: .null)]),
        Unsound("event 3 gives up after 1 attempts of 2", [.started(s0, attempt: 1), .failed(s0, lost(1))]),
        Unsound(
            "event 4 tries again though the saga has turned round",
            [.started(s0, attempt: 1), turned, .attemptFailed(s0, lost(1), next: at(9))]),
        Unsound(
            "event 6 undoes though another undoing has failed",
            [
                .succeeded(s0, attempt: 0, output: .null), .succeeded(s1, attempt: 0, output: .null), turned,
                .failed(undo1, .init(attempt: 0, outcome: .failed, error: EngineError.expression, message: "")),
                .started(undo0, attempt: 1),
            ]),
        Unsound("event 2 completes it with steps left", [.sagaCompleted(output: .null, failure: nil)]),
        Unsound(
            "event 6 ends it without s0 undone",
            [
                .started(s0, attempt: 1), .attemptFailed(s0, lost(1), next: at(2)), .cancelRequested(act), turned,
                .sagaCompensated,
            ]),
    ]

    @Test(arguments: unsound) func whatIsUnsoundIsFound(_ unsound: Unsound) throws {
        #expect(try problems(unsound.events) == [unsound.problem])
    }
}

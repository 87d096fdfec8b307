import JSON
import SagaCore
import Testing

/// An operation that is tried again without limit doesn't make a history that nobody can load.
@Suite struct HistoryLimitTests {
    private let forEver = noJitter(attempts: 0)

    /// Lets every call fail, each at its time, until nothing more is begun.
    private func failEverything(
        _ definition: Definition, first: [SagaInput] = [], after history: [RecordedEvent]? = nil
    ) -> [RecordedEvent] {
        var history =
            history ?? [
                RecordedEvent(
                    sequence: 1, cause: nil, at: at(0), event: .sagaStarted(input: RawJSON(unchecked: Array("1".utf8))))
            ]
        guard var state = SagaState(folding: history, id: sagaID, key: nil, definition: definition) else { return [] }
        var inputs = first + [.proceed]
        var now = history.last?.at ?? at(0)
        while !inputs.isEmpty {
            let input = inputs.removeFirst()
            if let due = state.nextDue(in: definition) { now = max(now, due) }
            let decision = decide(state, input, now: now, definition: definition)
            state = decision.state
            history += decision.events
            for (operation, attempt) in state.callsInFlight where inputs.isEmpty {
                let refusal = Answer.Refusal(error: "Busy", message: "busy", isRetryable: true)
                inputs.append(.answered(operation, attempt: attempt, .failed(refusal)))
            }
            if inputs.isEmpty, state.nextDue(in: definition) != nil { inputs.append(.proceed) }
        }
        #expect(state == SagaState(folding: history, id: sagaID, key: nil, definition: definition))
        return history
    }

    private func last(_ count: Int, of history: [RecordedEvent]) -> [String] {
        history.suffix(count).map { "\($0.sequence) \($0.event.type)" }
    }

    @Test func anActionThatCanBeUndoneTurnsTheSagaRoundWithRoomLeft() {
        let history = failEverything(definition([step("a", retry: forEver)]))
        #expect(
            last(4, of: history)
                == ["9000 stepStarted", "9001 stepFailed", "9002 sagaCompensating", "9003 sagaCompensated"])
        guard case .failed(_, let failure)? = history.dropLast(2).last?.event else {
            Issue.record("no failure")
            return
        }
        #expect(failure.error == "Busy")
        #expect(failure.message == "busy; not tried again: the saga's history has 9000 events")
    }

    @Test func aCompensationAndAnActionPastThePivotWaitForAPerson() {
        let undone = failEverything(
            definition([step("a", compensationRetry: forEver), step("b", retry: noJitter(attempts: 1))]),
            first: [.proceed, .answered(OperationReference(step: 0, side: .action), attempt: 1, .done(output: .null))])
        #expect(
            last(3, of: undone) == ["10001 compensationStarted", "10002 compensationFailed", "10003 sagaStuck"])
        let forward = failEverything(
            definition([step("p", compensation: false, pivot: true), step("c", retry: forEver, compensation: false)]),
            first: [.proceed, .answered(OperationReference(step: 0, side: .action), attempt: 1, .done(output: .null))])
        #expect(last(3, of: forward) == ["10000 stepStarted", "10001 stepFailed", "10002 sagaStuck"])
    }

    @Test func aPersonsRetryIsRecordedAndTriesOnce() {
        let definition = definition([
            step("p", compensation: false, pivot: true), step("c", retry: forEver, compensation: false),
        ])
        let stuck = failEverything(
            definition,
            first: [.proceed, .answered(OperationReference(step: 0, side: .action), attempt: 1, .done(output: .null))])
        let retried = RecordedEvent(
            sequence: stuck.count + 1, cause: nil, at: stuck.last?.at ?? at(0),
            event: .retried(Event.Act(actor: "ann", reason: nil)))
        let again = failEverything(definition, after: stuck + [retried])
        #expect(
            last(4, of: again)
                == ["10003 sagaRetried", "10004 stepStarted", "10005 stepFailed", "10006 sagaStuck"])
    }

    @Test func aWaitForTheServiceIsNotToldAnyMore() {
        let definition = definition([step("a", retry: forEver, action: call(body: "x"))])
        var state = SagaState(
            folding: [
                RecordedEvent(
                    sequence: 1, cause: nil, at: at(0), event: .sagaStarted(input: RawJSON(unchecked: Array("1".utf8))))
            ], id: sagaID, key: nil, definition: definition)!
        var events = 1
        for second in 0..<20_000 {
            let until = at(Double(second + 1))
            let decision = decide(state, .proceed, now: at(Double(second)), definition: definition) { _, _, _ in
                .deferred(until: until, reason: "breaker open")
            }
            events += decision.events.count
            state = decision.state
        }
        #expect(events == 9_000)
        let admitted = decide(state, .proceed, now: at(20_001), definition: definition) { _, _, _ in .admitted }
        #expect(admitted.calls.count == 1)
    }
}

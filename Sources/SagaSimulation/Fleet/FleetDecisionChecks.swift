import SagaCore

/// What must be so of every decision that a fleet took on one saga: an operation begins when it may, is tried again as
/// its policy says and not otherwise, and ends as its participant said.
///
/// What a definition and persons ask for is reckoned here anew, by no more of the core than the fold of the events
/// before.
struct FleetDecisionChecks {
    private struct Attempt: Hashable {
        let operation: OperationReference
        let number: Int
    }

    /// What is known of an operation by its events alone.
    private struct Tally {
        var begun = 0
        /// Since a person gave it a fresh budget.
        var spent = 0
        var notBefore: Instant?
    }

    private let definition: Definition
    private let isHalting: Bool
    private let history: [FleetLedger.Written]
    private let answers: [Attempt: Answer]
    private var tallies: [OperationReference: Tally] = [:]
    private var state: SagaState
    private(set) var problems: [String] = []

    /// - Parameters:
    ///   - start: the state after the saga's first event.
    ///   - sent: its calls.
    ///   - isHalting: whether a failed undoing stops the others, by the file.
    init(
        _ history: [FleetLedger.Written], from start: SagaState, sent: some Sequence<FleetLedger.Sent>,
        definition: Definition, isHalting: Bool
    ) {
        self.history = history
        self.isHalting = isHalting
        self.definition = definition
        state = start
        var answers: [Attempt: Answer] = [:]
        for call in sent {
            answers[Attempt(operation: call.call.operation, number: call.call.attempt)] = call.answer
        }
        self.answers = answers
        for written in history.dropFirst() { take(written) }
    }

    private mutating func take(_ written: FleetLedger.Written) {
        let recorded = written.event
        func note(_ problem: String?) { if let problem { problems.append("event \(recorded.sequence) \(problem)") } }
        if written.by != nil, recorded.at > written.at { note("is dated after it was written") }
        switch recorded.event {
        case .started(let operation, let attempt):
            note(beginning(operation, attempt, at: recorded.at))
            tallies[operation, default: Tally()].begun += 1
            tallies[operation, default: Tally()].spent += 1
        case .succeeded(let operation, let attempt, _): note(success(operation, attempt))
        case .attemptFailed(let operation, let failure, let next):
            note(failing(operation, failure) ?? tryingAgain(operation, failure, next, at: recorded.at))
            tallies[operation, default: Tally()].notBefore = next
        case .failed(let operation, let failure):
            note(failing(operation, failure) ?? givingUp(operation, failure, at: recorded.at))
        case .retried: for operation in operations where state[operation].phase == .failed { refresh(operation) }
        case .stepResolved(let operation, _, _, _): refresh(operation)
        case .sagaCompleted where !state.steps.allSatisfy(\.isEnded): note("completes it with steps left")
        case .sagaCompensated: note(compensated)
        default: break
        }
        state.evolve(recorded, definition: definition)
        if case .stepResolved(let operation, .done, _, _) = recorded.event, operation.side == .action,
            state[operation].phase != .succeeded
        {
            note("says that it was done, which isn't taken")
        }
    }

    private var operations: [OperationReference] {
        definition.steps.indices.flatMap { step in
            OperationSide.allCases.map { OperationReference(step: step, side: $0) }
        }
    }

    private mutating func refresh(_ operation: OperationReference) {
        tallies[operation, default: Tally()].spent = 0
        tallies[operation, default: Tally()].notBefore = nil
    }

    // MARK: Beginning

    private func beginning(_ operation: OperationReference, _ attempt: Int, at now: Instant) -> String? {
        let tally = tallies[operation] ?? Tally()
        if attempt != tally.begun + 1 { return "begins attempt \(attempt) after \(tally.begun)" }
        if state.isPaused { return "begins an operation while the saga is paused" }
        if let notBefore = tally.notBefore, now < notBefore { return "begins an attempt before its time" }
        if let most = policy(operation)?.maximumAttempts, most > 0, tally.spent >= most {
            return "begins one attempt more than \(most)"
        }
        switch operation.side {
        case .action: return beginningAction(operation.step, at: now)
        case .compensation:
            let isHalted =
                isHalting
                && state.steps.contains { $0.compensation.phase == .failed }
            return isHalted ? "undoes though another undoing has failed" : nil
        }
    }

    private func beginningAction(_ step: Int, at now: Instant) -> String? {
        if state.turnedBackBy != nil { return "goes forward though the saga has turned round" }
        if !definition.graph.predecessors[step].allSatisfy({ state.steps[$0].isEnded }) {
            return "begins a step before those that it comes after have ended"
        }
        return isStopped(at: now) ? "goes forward after the cancel or the deadline" : nil
    }

    /// Whether a cancel or the deadline turns the saga round, for all that the pivot says.
    private func isStopped(at now: Instant) -> Bool {
        if let pivot = definition.pivot {
            let action = state.steps[pivot].action
            if action.phase == .succeeded || action.isRunning || action.outcome == .unknown { return false }
        }
        return state.cancelRequest != nil || definition.deadline.map { state.startedAt + $0 <= now } ?? false
    }

    // MARK: Ending

    private func success(_ operation: OperationReference, _ attempt: Int) -> String? {
        guard attempt > 0, isCall(operation) else { return nil }
        if case .done = answer(operation, attempt) { return nil }
        return "tells of a success that its participant didn't"
    }

    private func failing(_ operation: OperationReference, _ failure: Event.AttemptFailure) -> String? {
        guard failure.error != EngineError.daemonLost, failure.error != EngineError.expression,
            let answer = answer(operation, failure.attempt)
        else { return nil }
        switch answer {
        case .failed(let refusal) where refusal.error == failure.error && failure.outcome == .failed: return nil
        case .unknown(let refusal) where refusal.error == failure.error && failure.outcome == .unknown: return nil
        default: return "tells of a failure that its participant didn't: \(failure.error)"
        }
    }

    private func tryingAgain(
        _ operation: OperationReference, _ failure: Event.AttemptFailure, _ next: Instant, at now: Instant
    ) -> String? {
        if operation.side == .action, state.turnedBackBy != nil {
            return "tries again though the saga has turned round"
        }
        if next < now { return "tries again before now" }
        guard let refusal = refusal(operation, failure.attempt), failure.error != EngineError.daemonLost else {
            return nil
        }
        if !refusal.isRetryable { return "tries again what isn't to be tried again: \(failure.error)" }
        if let wait = refusal.retryAfter, next < now + wait { return "tries again before its participant wants it" }
        return nil
    }

    /// An operation that may be tried again isn't given up.
    private func givingUp(_ operation: OperationReference, _ failure: Event.AttemptFailure, at now: Instant) -> String?
    {
        guard let policy = policy(operation), failure.error != EngineError.expression,
            failure.error == EngineError.daemonLost || refusal(operation, failure.attempt)?.isRetryable == true,
            policy.maximumAttempts == 0 || (tallies[operation]?.spent ?? 0) < policy.maximumAttempts,
            state.sequence < HistoryLimit.eventsBeforePivot
        else { return nil }
        if operation.side == .action, state.turnedBackBy != nil || isAskedToStop(at: now) { return nil }
        return "gives up after \(tallies[operation]?.spent ?? 0) attempts of \(policy.maximumAttempts)"
    }

    private func isAskedToStop(at now: Instant) -> Bool {
        state.cancelRequest != nil || definition.deadline.map { state.startedAt + $0 <= now } ?? false
    }

    private var compensated: String? {
        if !state.callsInFlight.isEmpty { return "ends it while a call is out" }
        for (index, step) in definition.steps.enumerated() where step.compensation != nil && !step.isPivot {
            let outcome = state.steps[index].outcome
            let isDue =
                switch step.compensateWhen {
                case .succeeded: outcome == .done
                case .uncertain: outcome == .done || outcome == .unknown
                case .attempted: outcome == .done || state.steps[index].action.attempts > 0
                }
            if isDue, !state.steps[index].isSkipped, state.steps[index].compensation.phase != .succeeded {
                return "ends it without \(step.name) undone"
            }
        }
        return nil
    }

    // MARK: What is known

    private func policy(_ operation: OperationReference) -> RetryPolicy? { definition.operation(operation)?.retry }

    private func isCall(_ operation: OperationReference) -> Bool {
        if case .http? = definition.operation(operation)?.kind { true } else { false }
    }

    private func answer(_ operation: OperationReference, _ attempt: Int) -> Answer? {
        answers[Attempt(operation: operation, number: attempt)]
    }

    private func refusal(_ operation: OperationReference, _ attempt: Int) -> Answer.Refusal? {
        switch answer(operation, attempt) {
        case .failed(let refusal), .unknown(let refusal): refusal
        case .done, nil: nil
        }
    }
}

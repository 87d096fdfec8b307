import CEL
import JSON

/// Decides what follows when `input` comes to a saga at `now`.
///
/// Total: whatever the state and the input, there is an answer; an input that doesn't fit (an answer to an
/// attempt that isn't in flight, anything after the end) decides nothing.
///
/// - Parameters:
///   - beginsOperations: false for a daemon that drains: answers are recorded, nothing new begins.
///   - admit: asked before a call is decided on; nil admits all. A call that was admitted and isn't among the
///     decision's (its expression failed) was never made.
public func decide(
    _ state: SagaState, _ input: SagaInput, now: Instant, definition: Definition, beginsOperations: Bool = true,
    admit: Admit? = nil
) -> Decision {
    var decider = Decider(
        state: state, now: now, definition: definition, beginsOperations: beginsOperations, admit: admit)
    decider.take(input)
    return Decision(events: decider.events, calls: decider.calls, state: decider.state)
}

/// The work of one decision: events are applied as they are decided, so that what follows sees them.
struct Decider {
    private(set) var state: SagaState
    private(set) var events: [RecordedEvent] = []
    private(set) var calls: [Call] = []
    let now: Instant
    let definition: Definition
    /// Between two refusals at least: a breaker tells nothing new sooner.
    private static let refusalDelay = TimeSpan.milliseconds(100)
    private let beginsOperations: Bool
    private let admit: Admit?

    init(state: SagaState, now: Instant, definition: Definition, beginsOperations: Bool, admit: Admit? = nil) {
        self.beginsOperations = beginsOperations
        self.admit = admit
        self.state = state
        self.now = now
        self.definition = definition
    }

    mutating func take(_ input: SagaInput) {
        guard !state.status.isEnded, state.steps.count == definition.steps.count else { return }
        switch input {
        case .proceed: break
        case .takenUp(let ownCalls):
            // A cancel or a deadline that nobody has acted on yet comes before what is found lost only now; what it begins
            // isn't lost.
            let lost = state.callsInFlight.filter { !ownCalls.contains($0.operation) }
            if isStopped { settle() }
            lose(lost)
        case .answered(let operation, let attempt, let answer):
            guard case .running(attempt, _) = state[operation].phase else { return }
            record(answer, of: operation, attempt: attempt)
        }
        settle()
    }

    /// Does everything that is due, until nothing more follows.
    private mutating func settle() {
        while true {
            let before = events.count
            switch state.status {
            case .pending, .running: goForward()
            case .compensating: goBack()
            case .stuck, .completed, .compensated, .terminated: return
            }
            if events.count == before { return }
        }
    }

    mutating func emit(_ event: Event, cause: Int? = nil) {
        let recorded = RecordedEvent(
            sequence: state.sequence + 1, cause: cause ?? events.last?.sequence ?? causeFromOutside, at: now,
            event: event)
        state.evolve(recorded, definition: definition)
        events.append(recorded)
    }

    /// What the first event of a decision follows from unless it says so: the last that was recorded.
    private var causeFromOutside: Int? { state.sequence > 0 ? state.sequence : nil }

    var mayBegin: Bool { beginsOperations && !state.isPaused }

    // MARK: Answers

    private mutating func lose(_ calls: [(operation: OperationReference, attempt: Int)]) {
        for (operation, attempt) in calls {
            let refusal = Answer.Refusal(
                error: EngineError.daemonLost, message: "the daemon that made the call was lost or stopped",
                isRetryable: true)
            record(.unknown(refusal), of: operation, attempt: attempt)
        }
    }

    private mutating func record(_ answer: Answer, of operation: OperationReference, attempt: Int) {
        let cause = state[operation].lastSequence
        switch answer {
        case .done(let output): emit(.succeeded(operation, attempt: attempt, output: output), cause: cause)
        case .failed(let refusal): record(refusal, .failed, of: operation, attempt: attempt, cause: cause)
        case .unknown(let refusal): record(refusal, .unknown, of: operation, attempt: attempt, cause: cause)
        }
    }

    private mutating func record(
        _ refusal: Answer.Refusal, _ outcome: Outcome, of operation: OperationReference, attempt: Int, cause: Int?
    ) {
        let failure = Event.AttemptFailure(
            attempt: attempt, outcome: outcome, error: refusal.error, message: refusal.message)
        guard let policy = retryPolicy(of: operation), mayTryAgain(operation, after: refusal, policy: policy) else {
            return emit(.failed(operation, failure), cause: cause)
        }
        guard state.sequence < historyLimit(for: operation) else {
            let last = Event.AttemptFailure(
                attempt: attempt, outcome: outcome, error: refusal.error,
                message: refusal.message + "; not tried again: the saga's history has \(state.sequence) events")
            return emit(.failed(operation, last), cause: cause)
        }
        let failures = max(1, attempt - state[operation].attemptsBeforeBudget)
        let fraction = jitterFraction(
            saga: state.id, step: operation.step, isCompensation: operation.side == .compensation, attempt: attempt)
        let delay = max(policy.delay(afterFailures: failures, fraction: fraction), refusal.retryAfter ?? .zero)
        emit(.attemptFailed(operation, failure, next: (now + delay).roundedUpToMilliseconds), cause: cause)
    }

    private func mayTryAgain(_ operation: OperationReference, after refusal: Answer.Refusal, policy: RetryPolicy)
        -> Bool
    {
        // Once the saga has turned round, an action's answer is recorded and never retried.
        if operation.side == .action, state.turnedBackBy != nil { return false }
        // Nor when it is about to: the cancel or the deadline came while nobody ran the saga.
        if operation.side == .action, operation.step != definition.pivot, isStopped { return false }
        if policy.nonRetryableErrors.contains(refusal.error) { return false }
        guard refusal.isRetryable || policy.retryableErrors.contains(refusal.error) else { return false }
        guard policy.maximumAttempts > 0 else { return true }
        return state[operation].attempts - state[operation].attemptsBeforeBudget < policy.maximumAttempts
    }

    private func historyLimit(for operation: OperationReference) -> Int {
        let mayTurnBack = operation.side == .action && !state.isPastPivot(in: definition)
        return mayTurnBack ? HistoryLimit.eventsBeforePivot : HistoryLimit.events
    }

    /// Whether a cancel or the deadline stops the saga's way forward.
    var isStopped: Bool {
        if state.isPastPivot(in: definition) || state.pivotIsOpen(in: definition) { return false }
        return state.cancelRequest != nil || definition.deadline.map { state.startedAt + $0 <= now } ?? false
    }

    private func retryPolicy(of reference: OperationReference) -> RetryPolicy? {
        operation(reference)?.retry
    }

    func operation(_ reference: OperationReference) -> Operation? { definition.operation(reference) }

    // MARK: Beginning an operation

    /// Begins the next attempt, or fails the operation for good when an expression does.
    mutating func begin(_ reference: OperationReference) {
        guard let operation = operation(reference) else {
            return emit(.succeeded(reference, attempt: 0, output: .null))
        }
        let cause = state[reference].lastSequence
        let scope = ExpressionScope(state: state, definition: definition, operation: reference)
        do throws(CELError) {
            switch operation.kind {
            case .pass(let template):
                emit(
                    .succeeded(
                        reference, attempt: 0, output: try template.evaluateRaw(scope.activation, limits: .output)),
                    cause: cause)
            case .noop: begin(reference, operation, request: .noop, cause: cause)
            case .http(let http):
                guard isAdmitted(reference, http, cause: cause) else { return }
                let request = try http.rendered(scope.activation, operation: operation, services: definition.services)
                begin(reference, operation, request: .http(request), cause: cause)
            }
        } catch {
            failExpression(reference, error)
        }
    }

    /// Whether the service takes a call now; if not, what comes of it is recorded.
    private mutating func isAdmitted(_ reference: OperationReference, _ http: HTTPOperation, cause: Int?) -> Bool {
        guard let admit, definition.services.indices.contains(http.service) else { return true }
        let attempts = state[reference].attempts
        switch admit(reference, definition.services[http.service], attempts) {
        case .admitted: return true
        case .wait: return false
        case .deferred(let until, let reason):
            // One that waits already isn't told again and again.
            if case .deferred(let known) = state[reference].phase, known > now || until <= known { return false }
            guard state.sequence < historyLimit(for: reference) else { return false }
            emit(.deferred(reference, until: until.roundedUpToMilliseconds, reason: reason), cause: cause)
            return false
        case .refused(let refusal):
            emit(.started(reference, attempt: attempts + 1), cause: cause)
            // Without any delay it would be refused again and again at this very moment.
            let delayed = Answer.Refusal(
                error: refusal.error, message: refusal.message, isRetryable: refusal.isRetryable,
                retryAfter: max(refusal.retryAfter ?? .zero, Self.refusalDelay), health: refusal.health)
            record(.failed(delayed), of: reference, attempt: attempts + 1)
            return false
        }
    }

    private mutating func begin(
        _ reference: OperationReference, _ operation: Operation, request: Call.Request, cause: Int?
    ) {
        let attempt = state[reference].attempts + 1
        emit(.started(reference, attempt: attempt), cause: cause)
        calls.append(
            Call(
                saga: state.id, sagaName: definition.name, stepName: definition.steps[reference.step].name,
                operation: reference, attempt: attempt, timeout: operation.timeout, request: request,
                keyRevision: state[reference].keyRevision,
                actionKeyRevision: state.steps[reference.step].action.keyRevision))
    }

    mutating func failExpression(_ reference: OperationReference, _ error: CELError) {
        let failure = Event.AttemptFailure(
            attempt: state[reference].attempts, outcome: .failed, error: EngineError.expression,
            message: error.message)
        emit(.failed(reference, failure))
    }

    /// Whether an operation that isn't running, succeeded or failed may begin now.
    func isDue(_ operation: OperationState) -> Bool {
        switch operation.phase {
        case .idle: true
        case .waiting(let until): until <= now
        // Whoever admits knows best: the service may have recovered sooner, or not yet.
        case .deferred(let until): admit != nil || until <= now
        case .running, .succeeded, .failed: false
        }
    }
}

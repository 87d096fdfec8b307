import JSON

/// What happened to a saga. Its state is the fold of these over its definition, and nothing else.
public enum Event: Sendable, Hashable {
    case sagaStarted(input: RawJSON)
    /// An attempt was decided on: `StepStarted` or `CompensationStarted`.
    case started(OperationReference, attempt: Int)
    /// An attempt was done; attempt 0 for an operation without a call.
    case succeeded(OperationReference, attempt: Int, output: RawJSON)
    /// An attempt wasn't done and another follows at `next`.
    case attemptFailed(OperationReference, AttemptFailure, next: Instant)
    /// The operation failed for good.
    case failed(OperationReference, AttemptFailure)
    case stepSkipped(step: Int)
    /// The service takes no call before `until`; no attempt is spent.
    case deferred(OperationReference, until: Instant, reason: String)
    /// The saga turns round.
    case sagaCompensating(SagaFailure)
    /// All steps ended; `failure` tells why there is no output although the definition states one.
    case sagaCompleted(output: RawJSON, failure: SagaFailure?)
    case sagaCompensated
    /// The saga needs a person.
    case sagaStuck(SagaFailure)
    case cancelRequested(Act)
    case paused(Act)
    case resumed(Act)
    /// A person stated what is true of an operation.
    case stepResolved(OperationReference, Resolution, output: RawJSON?, Act)
    /// What failed for good is taken up again, with the input changed by `patch` (RFC 7396) if there is one.
    case retried(Act, patch: RawJSON? = nil)
    case terminated(Act)
    /// A person wants a completed saga undone.
    case compensationRequested(Act)

    /// One attempt that wasn't done.
    public struct AttemptFailure: Sendable, Hashable {
        public let attempt: Int
        /// `failed` or `unknown`.
        public let outcome: Outcome
        public let error: String
        public let message: String

        public init(attempt: Int, outcome: Outcome, error: String, message: String) {
            self.attempt = attempt
            self.outcome = outcome
            self.error = error
            self.message = message
        }
    }

    /// Who did something from outside, and why.
    public struct Act: Sendable, Hashable {
        public let actor: String
        public let reason: String?

        public init(actor: String, reason: String?) {
            self.actor = actor
            self.reason = reason
        }
    }

    /// What a person states of an operation.
    public enum Resolution: String, Sendable, Hashable, CaseIterable {
        /// The action's effect stands.
        case done
        /// There is no effect.
        case undone
    }
}

/// What a saga failed on: the step (nil for cancel, deadline and a refused input) and its error.
public struct SagaFailure: Sendable, Hashable {
    /// The index of the step.
    public let step: Int?
    public let error: String
    public let message: String

    public init(step: Int?, error: String, message: String) {
        self.step = step
        self.error = error
        self.message = message
    }
}

/// An event at its place in a saga's history.
public struct RecordedEvent: Sendable, Hashable {
    /// 1, 2, 3 … within the saga.
    public let sequence: Int
    /// The sequence of the event that led to this one; nil for what came from outside.
    public let cause: Int?
    /// When it was decided, by the database's clock.
    public let at: Instant
    public let event: Event

    public init(sequence: Int, cause: Int?, at: Instant, event: Event) {
        self.sequence = sequence
        self.cause = cause
        self.at = at
        self.event = event
    }
}

/// The kinds of event as the database stores them and users see them.
public enum EventType: Int16, Sendable, CaseIterable {
    case sagaStarted = 1
    case stepStarted
    case stepSucceeded
    case stepAttemptFailed
    case stepFailed
    case stepSkipped
    case stepDeferred
    case compensationDeferred
    case sagaCompensating
    case compensationStarted
    case compensationSucceeded
    case compensationAttemptFailed
    case compensationFailed
    case sagaCompleted
    case sagaCompensated
    case sagaStuck
    case sagaCancelRequested
    case sagaPaused
    case sagaResumed
    case stepResolved
    case sagaRetried
    case sagaTerminated
    case sagaCompensationRequested

    /// The name that users see, such as `StepSucceeded`.
    public var name: String {
        let text = String(describing: self)
        return text.prefix(1).uppercased() + text.dropFirst()
    }
}

extension Event {
    /// The kind of this event.
    public var type: EventType {
        switch self {
        case .sagaStarted: .sagaStarted
        case .started(let operation, _): operation.side == .action ? .stepStarted : .compensationStarted
        case .succeeded(let operation, _, _): operation.side == .action ? .stepSucceeded : .compensationSucceeded
        case .attemptFailed(let operation, _, _):
            operation.side == .action ? .stepAttemptFailed : .compensationAttemptFailed
        case .failed(let operation, _): operation.side == .action ? .stepFailed : .compensationFailed
        case .stepSkipped: .stepSkipped
        case .deferred(let operation, _, _): operation.side == .action ? .stepDeferred : .compensationDeferred
        case .sagaCompensating: .sagaCompensating
        case .sagaCompleted: .sagaCompleted
        case .sagaCompensated: .sagaCompensated
        case .sagaStuck: .sagaStuck
        case .cancelRequested: .sagaCancelRequested
        case .paused: .sagaPaused
        case .resumed: .sagaResumed
        case .stepResolved: .stepResolved
        case .retried: .sagaRetried
        case .terminated: .sagaTerminated
        case .compensationRequested: .sagaCompensationRequested
        }
    }
}

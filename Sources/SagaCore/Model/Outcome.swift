import JSON

/// What is known of an attempt, or of all of a step's attempts, once ended.
public enum Outcome: String, Sendable, Hashable, CaseIterable {
    case done
    /// The participant said no, or was certainly never reached.
    case failed
    /// It may have happened.
    case unknown
}

/// Which of a step's two operations is meant.
public enum OperationSide: String, Sendable, Hashable, CaseIterable {
    case action
    case compensation
}

/// One operation of one step of a saga.
public struct OperationReference: Sendable, Hashable {
    /// The index of the step in its definition.
    public let step: Int
    public let side: OperationSide

    public init(step: Int, side: OperationSide) {
        self.step = step
        self.side = side
    }
}

/// How one attempt ended, as whoever made the call reports it.
public enum Answer: Sendable, Hashable {
    /// A null output stands for an empty answer.
    case done(output: RawJSON)
    case failed(Refusal)
    case unknown(Refusal)

    /// What is known of an attempt that wasn't done.
    public struct Refusal: Sendable, Hashable {
        /// `[A-Za-z0-9._:-]{1,128}`; `Saga.` is reserved for the engine's own.
        public let error: String
        public let message: String
        /// Whether this kind of answer is tried again unless the retry policy names the error.
        public let isRetryable: Bool
        /// No further attempt before this long from now.
        public let retryAfter: TimeSpan?
        /// What it says of the participant's health where that isn't the outcome's rule: unknown is a failure, and
        /// whoever certainly says no is healthy.
        public let health: CallVerdict?

        public init(
            error: String, message: String, isRetryable: Bool, retryAfter: TimeSpan? = nil, health: CallVerdict? = nil
        ) {
            self.health = health
            self.error = error
            self.message = message
            self.isRetryable = isRetryable
            self.retryAfter = retryAfter
        }
    }
}

extension Answer {
    /// What the call says of the participant's health.
    public var verdict: CallVerdict {
        switch self {
        case .done: .success
        case .failed(let refusal): refusal.health ?? .success
        case .unknown(let refusal): refusal.health ?? .failure
        }
    }

    /// How long the participant asked for quiet; nil when it didn't.
    public var retryAfter: TimeSpan? {
        switch self {
        case .done: nil
        case .failed(let refusal), .unknown(let refusal): refusal.retryAfter
        }
    }
}

/// The names of the engine's own errors.
public enum EngineError {
    public static let connectFailed = "Saga.ConnectFailed"
    public static let timeout = "Saga.Timeout"
    public static let connectionLost = "Saga.ConnectionLost"
    public static let daemonLost = "Saga.DaemonLost"
    public static let badResponse = "Saga.BadResponse"
    public static let circuitOpen = "Saga.CircuitOpen"
    public static let expression = "Saga.Expression"
    public static let cancelled = "Saga.Cancelled"
    public static let deadlineExceeded = "Saga.DeadlineExceeded"
    public static let invalidInput = "Saga.InvalidInput"
    public static let unreadable = "Saga.Unreadable"

    /// The error of an HTTP status whose body names none.
    public static func http(_ status: Int) -> String { "Saga.HTTP.\(status)" }
}

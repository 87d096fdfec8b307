/// How often and after which delays an operation is tried again.
public struct RetryPolicy: Sendable, Hashable {
    /// How a delay is spread, so that callers that failed together don't come back together.
    public enum Jitter: String, Sendable, CaseIterable {
        case none
        /// Uniform between 0 and the delay.
        case full
        /// Half fixed, half uniform.
        case equal
    }

    /// Counts the first call; 0 is no limit.
    public var maximumAttempts: Int
    public var initialInterval: TimeSpan
    public var backoffCoefficient: Double
    public var maximumInterval: TimeSpan
    public var jitter: Jitter
    /// Error names that are tried again though their kind of answer isn't.
    public var retryableErrors: [String]
    /// Error names that are not tried again though their kind of answer is. They win over `retryableErrors`.
    public var nonRetryableErrors: [String]

    public init(
        maximumAttempts: Int = 5, initialInterval: TimeSpan = .seconds(1), backoffCoefficient: Double = 2,
        maximumInterval: TimeSpan? = nil, jitter: Jitter = .full, retryableErrors: [String] = [],
        nonRetryableErrors: [String] = []
    ) {
        self.maximumAttempts = maximumAttempts
        self.initialInterval = initialInterval
        self.backoffCoefficient = backoffCoefficient
        self.maximumInterval = maximumInterval ?? TimeSpan.scaled(initialInterval.microseconds, 100)
        self.jitter = jitter
        self.retryableErrors = retryableErrors
        self.nonRetryableErrors = nonRetryableErrors
    }

    /// What actions have unless they say otherwise.
    public static let action = RetryPolicy()

    /// What compensations, and steps after the pivot, have unless they say otherwise.
    public static let compensation = RetryPolicy(maximumAttempts: 12, maximumInterval: .minutes(5))

    /// The delay after the `failures`th failed attempt (from 1), before jitter:
    /// `initialInterval × backoffCoefficient^(failures − 1)`, at most `maximumInterval`.
    ///
    /// Total: no attempt number overflows.
    public func delay(afterFailures failures: Int) -> TimeSpan {
        let ceiling = maximumInterval.microseconds
        guard failures > 1, initialInterval.microseconds > 0 else {
            return TimeSpan(microseconds: max(0, min(initialInterval.microseconds, ceiling)))
        }
        let exponent = Double(min(failures - 1, 1_000_000))
        let raw = Double(initialInterval.microseconds) * power(max(1, backoffCoefficient), exponent)
        guard raw.isFinite, raw < Double(ceiling) else { return TimeSpan(microseconds: max(0, ceiling)) }
        return TimeSpan(microseconds: Int64(raw))
    }

    /// The delay spread by `jitter` with `fraction`, a number from 0 up to but not including 1.
    public func delay(afterFailures failures: Int, fraction: Double) -> TimeSpan {
        let whole = delay(afterFailures: failures)
        switch jitter {
        case .none: return whole
        case .full: return TimeSpan(microseconds: share(of: whole.microseconds, fraction))
        case .equal:
            let half = whole.microseconds / 2
            return TimeSpan(microseconds: whole.microseconds - half + share(of: half, fraction))
        }
    }

    /// A part of `whole`, never more than it although a double can't hold every number of this size.
    private func share(of whole: Int64, _ fraction: Double) -> Int64 {
        let part = Double(whole) * min(max(fraction, 0), 1)
        return part < Double(whole) ? Int64(part) : whole
    }

    /// `base^exponent` by repeated squaring for whole exponents; infinity when it is out of range.
    private func power(_ base: Double, _ exponent: Double) -> Double {
        var result = 1.0
        var factor = base
        var rest = Int(exponent)
        while rest > 0 {
            if rest & 1 == 1 { result *= factor }
            rest >>= 1
            if rest > 0 { factor *= factor }
            if result.isInfinite { return result }
        }
        return result
    }
}

/// The fraction by which a delay is spread: a hash of saga, step, operation and attempt, so that the same
/// saga always waits as long and the core needs no randomness.
public func jitterFraction(saga: SagaID, step: Int, isCompensation: Bool, attempt: Int) -> Double {
    var hash = saga.high ^ (saga.low &* 0x9E37_79B9_7F4A_7C15)
    hash ^= UInt64(truncatingIfNeeded: step) &* 0xBF58_476D_1CE4_E5B9
    hash ^= UInt64(truncatingIfNeeded: attempt) &* 0x94D0_49BB_1331_11EB
    if isCompensation { hash ^= 0xD6E8_FEB8_6659_FD93 }
    // The finaliser of SplitMix64 (Steele, Lea, Flood 2014).
    hash = (hash ^ (hash >> 30)) &* 0xBF58_476D_1CE4_E5B9
    hash = (hash ^ (hash >> 27)) &* 0x94D0_49BB_1331_11EB
    hash ^= hash >> 31
    return Double(hash >> 11) * 0x1p-53
}

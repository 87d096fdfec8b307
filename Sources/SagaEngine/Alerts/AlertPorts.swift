import SagaCore

/// Where alerts wait until somebody has taken them: written with what they tell of, one transaction with it.
public protocol AlertStore: Sendable {
    /// Claims up to `limit` alerts that are due, each for one post; after `leaseLength` another daemon may claim them.
    func claimAlerts(limit: Int, leaseLength: TimeSpan) async throws(StoreError) -> [DueAlert]

    /// Deletes an alert: it was taken, or never will be.
    func remove(_ alert: DueAlert) async throws(StoreError)

    /// Makes an alert due again in `delay`, unless its lease is over and another daemon has claimed it.
    func postpone(_ alert: DueAlert, by delay: TimeSpan) async throws(StoreError)

    /// Deletes the alerts that have waited for longer than `age`.
    func dropAlerts(olderThan age: TimeSpan) async throws(StoreError) -> DroppedAlerts
}

/// Who posts an alert.
public protocol AlertSender: Sendable {
    /// Posts one CloudEvents document, bounded in time; a cancelled task ends it at once.
    func send(_ event: [UInt8]) async -> AlertAnswer
}

/// An alert that was claimed.
public struct DueAlert: Sendable, Hashable {
    /// Its number in its database.
    public let number: Int64
    /// Which post of it this is, from 1; it also names the claim.
    public let attempt: Int
    /// The CloudEvents document.
    public let event: [UInt8]

    public init(number: Int64, attempt: Int, event: [UInt8]) {
        self.number = number
        self.attempt = attempt
        self.event = event
    }
}

/// What came of a post.
public enum AlertAnswer: Sendable, Hashable {
    /// The receiver has it.
    case taken
    /// The receiver says that it is gone for good.
    case gone
    /// Perhaps later; the reason is for the log and names no URL.
    case failed(String)
}

/// How many alerts were given up.
public struct DroppedAlerts: Sendable, Hashable {
    public let count: Int
    /// Those of them that were posted at least once.
    public let attempted: Int

    public init(count: Int, attempted: Int) {
        self.count = count
        self.attempted = attempted
    }
}

import SagaCore

/// Where sagas lie by the day of their start, and whole days can be dropped.
public protocol RetentionStore: Sendable {
    /// Whether this daemon's role may make and drop partitions: only the tables' owner may.
    func mayChangePartitions() async throws(StoreError) -> Bool

    /// Makes the partitions that are missing from today to `days` ahead; returns how many it made.
    ///
    /// What others hold at this moment is left for the next call.
    func ensurePartitions(days: Int) async throws(StoreError) -> Int

    /// The partitions in which no saga was started less than `age` ago, the oldest first.
    func agedPartitions(_ age: TimeSpan) async throws(StoreError) -> [AgedPartition]

    /// Drops a partition with everything in it, if every saga in it has ended longer than `age` ago.
    func drop(_ partition: AgedPartition, endedBefore age: TimeSpan) async throws(StoreError) -> PartitionDrop

    /// Deletes what happened to breakers longer than `age` ago, but for the last event of each; returns how much.
    func dropBreakerEvents(olderThan age: TimeSpan) async throws(StoreError) -> Int
}

/// A partition that is old enough to be dropped.
public struct AgedPartition: Sendable, Hashable {
    /// A saga that pins a partition: it hasn't ended, or not long enough ago.
    public struct Pin: Sendable, Hashable {
        public let saga: SagaID
        public let status: SagaStatus
        /// nil while it hasn't ended.
        public let endedAt: Instant?

        public init(saga: SagaID, status: SagaStatus, endedAt: Instant?) {
            self.saga = saga
            self.status = status
            self.endedAt = endedAt
        }
    }

    /// The day as `20261121`, or `first` for all before there were days, or `default` for what no day's takes.
    public let name: String
    public let sagas: Int
    /// Those that keep it from being dropped.
    public let pinning: Int
    /// Those of them that haven't ended.
    public let unended: Int
    /// On the server's disk, with indexes.
    public let bytes: Int64
    /// The oldest that pins it; one that hasn't ended if there is any.
    public let oldest: Pin?

    public init(name: String, sagas: Int, pinning: Int, unended: Int, bytes: Int64, oldest: Pin?) {
        self.name = name
        self.sagas = sagas
        self.pinning = pinning
        self.unended = unended
        self.bytes = bytes
        self.oldest = oldest
    }

    /// The day as `2026-11-21`; else the name.
    public var day: String {
        guard name.utf8.count == 8, name.utf8.allSatisfy({ (48...57).contains($0) }) else { return name }
        return "\(name.prefix(4))-\(name.dropFirst(4).prefix(2))-\(name.suffix(2))"
    }
}

/// What came of dropping a partition.
public enum PartitionDrop: Sendable, Hashable {
    /// It is gone, with so many sagas.
    case dropped(sagas: Int)
    /// A saga in it pins it, or somebody else has dropped it.
    case kept
    /// Somebody reads or writes for too long to be waited for; another time.
    case busy
}

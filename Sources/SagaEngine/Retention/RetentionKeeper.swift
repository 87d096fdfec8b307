import Logging
import SagaCore

/// Sees to it that there is a partition for every day, and drops those whose sagas have ended long enough ago.
///
/// It stands beside the engine and shares nothing with it. Any number of daemons may run it: the store lets one at a
/// time change partitions. One whose role may not says so once, and leaves them to others.
public actor RetentionKeeper {
    /// How far ahead there are partitions, should no daemon be there for a while.
    public static let daysAhead = 7
    /// How often one partition is tried that others hold, and the pause between.
    static let tries = 20
    static let pause = Duration.seconds(1)

    private let store: any RetentionStore
    private let age: TimeSpan?
    private let clock: any Clock<Duration>
    private let logger: Logger
    /// Whether it was said that this daemon's role may not do any of it.
    private var hasToldOfRights = false

    /// - Parameter age: for how long ended sagas are kept; nil for good.
    public init(store: any RetentionStore, age: TimeSpan?, clock: any Clock<Duration>, logger: Logger) {
        self.store = store
        self.age = age
        self.clock = clock
        self.logger = logger
    }

    /// Looks at once and then every hour, until the task is cancelled.
    public func run() async {
        while !Task.isCancelled {
            await runOnce()
            try? await clock.sleep(for: .seconds(3_600))
        }
    }

    /// Makes the partitions that are missing and drops what is old enough.
    public func runOnce() async {
        do throws(StoreError) {
            guard try await store.mayChangePartitions() else { return tellOfRights() }
            hasToldOfRights = false
            _ = try await store.ensurePartitions(days: Self.daysAhead)
            guard let age else { return }
            for partition in try await store.agedPartitions(age) {
                if Task.isCancelled { return }
                guard partition.pinning == 0 else {
                    tell(partition)
                    continue
                }
                switch try await drop(partition, age) {
                case .dropped(let sagas):
                    logger.info(
                        "dropped a day's ended sagas", metadata: ["day": "\(partition.day)", "sagas": "\(sagas)"])
                case .busy:
                    logger.info(
                        "a day's ended sagas aren't dropped yet: somebody reads for long",
                        metadata: ["day": "\(partition.day)"])
                case .kept: break
                }
            }
            _ = try await store.dropBreakerEvents(olderThan: age)
        } catch {
            if Task.isCancelled { return }
            logger.warning("retention waits for the database", metadata: ["reason": "\(error)"])
        }
    }

    /// Drops one partition; what others hold is tried again for a while.
    public func drop(_ partition: AgedPartition, _ age: TimeSpan) async throws(StoreError) -> PartitionDrop {
        for attempt in 1...Self.tries {
            let outcome = try await store.drop(partition, endedBefore: age)
            guard outcome == .busy, attempt < Self.tries, !Task.isCancelled else { return outcome }
            try? await clock.sleep(for: Self.pause)
        }
        return .busy
    }

    private func tellOfRights() {
        guard !hasToldOfRights else { return }
        hasToldOfRights = true
        if age == nil {
            logger.notice(
                """
                no partitions are made ahead: this daemon's role doesn't own saga's tables; run one daemon, or \
                SELECT saga.ensure_partitions() every day, as their owner
                """)
        } else {
            logger.warning(
                """
                nothing is dropped and no partitions are made ahead: this daemon's role doesn't own saga's tables; run \
                one daemon with --retain, or saga migrate and saga prune every day, as their owner
                """)
        }
    }

    private func tell(_ partition: AgedPartition) {
        var metadata: Logger.Metadata = [
            "day": "\(partition.day)", "sagas": "\(partition.sagas)", "pinning": "\(partition.pinning)",
        ]
        if let oldest = partition.oldest {
            metadata["saga"] = "\(oldest.saga)"
            metadata["status"] = "\(oldest.status.name)"
        }
        logger.info("a day's ended sagas are kept: some haven't ended long enough ago", metadata: metadata)
    }
}

import Logging
import SagaCore
import SagaEngine
import Synchronization
import Testing

/// What a round drops, what it leaves, and what it tells.
@Suite struct RetentionKeeperTests {
    /// Drops what it is told to, once nobody holds it any more.
    private actor Days: RetentionStore {
        private let partitions: [AgedPartition]
        private var busy: Int
        private let failure: StoreError?
        private var rights: [Bool]
        private(set) var notes: [String] = []

        /// - Parameter rights: whether it may change partitions, at each round; then always.
        init(_ partitions: [AgedPartition], busy: Int = 0, failure: StoreError? = nil, rights: [Bool] = []) {
            self.rights = rights
            self.partitions = partitions
            self.busy = busy
            self.failure = failure
        }

        func mayChangePartitions() throws(StoreError) -> Bool {
            if let failure { throw failure }
            return rights.isEmpty ? true : rights.removeFirst()
        }

        func ensurePartitions(days: Int) -> Int {
            notes.append("ensure \(days)")
            return 0
        }

        func agedPartitions(_ age: TimeSpan) -> [AgedPartition] {
            notes.append("look \(age.written)")
            return partitions
        }

        func drop(_ partition: AgedPartition, endedBefore age: TimeSpan) -> PartitionDrop {
            notes.append("drop \(partition.name) \(age.written)")
            busy -= 1
            return busy >= 0 ? .busy : .dropped(sagas: partition.sagas)
        }

        func dropBreakerEvents(olderThan age: TimeSpan) -> Int {
            notes.append("drop breakers' \(age.written)")
            return 0
        }
    }

    /// A clock on which every sleep is over at once.
    private struct Instantly: Clock {
        let minimumResolution = Duration.zero
        var now: ContinuousClock.Instant { ContinuousClock.now }
        func sleep(until deadline: ContinuousClock.Instant, tolerance: Duration?) {}
    }

    private struct Lines: LogHandler {
        let lines: @Sendable (String) -> Void
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.trace

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let more = (event.metadata ?? [:]).sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }.joined()
            lines("\(event.level) \(event.message)\(more)")
        }
    }

    private static let pinned = AgedPartition(
        name: "20200102", sagas: 9, pinning: 2, unended: 1, bytes: 1,
        oldest: .init(saga: SagaID(high: 1, low: 2), status: .stuck, endedAt: nil))
    private static let ended = AgedPartition(
        name: "20200101", sagas: 7, pinning: 0, unended: 0, bytes: 1, oldest: nil)

    private func round(_ days: Days, age: TimeSpan?, rounds: Int = 1) async -> [String] {
        let box = Box()
        let logger = Logger(label: "test") { _ in Lines { box.append($0) } }
        let keeper = RetentionKeeper(store: days, age: age, clock: Instantly(), logger: logger)
        for _ in 0..<rounds { await keeper.runOnce() }
        return box.all
    }

    private final class Box: Sendable {
        private let lines = Mutex<[String]>([])
        func append(_ line: String) { lines.withLock { $0.append(line) } }
        var all: [String] { lines.withLock { $0 } }
    }

    @Test func withoutAnAgeOnlyTheDaysAheadAreMade() async {
        let days = Days([Self.ended])
        #expect(await round(days, age: nil) == [])
        #expect(await days.notes == ["ensure 7"])
    }

    @Test func whatHasEndedGoesAndWhatPinsIsNamed() async {
        let days = Days([Self.ended, Self.pinned])
        #expect(
            await round(days, age: .minutes(43_200)) == [
                "info dropped a day's ended sagas day=2020-01-01 sagas=7",
                "info a day's ended sagas are kept: some haven't ended long enough ago day=2020-01-02 pinning=2 "
                    + "saga=00000000-0000-0001-0000-000000000002 sagas=9 status=stuck",
            ])
        #expect(
            await days.notes == ["ensure 7", "look 30d", "drop 20200101 30d", "drop breakers' 30d"])
    }

    @Test(arguments: [
        (19, "info dropped a day's ended sagas day=2020-01-01 sagas=7"),
        (20, "info a day's ended sagas aren't dropped yet: somebody reads for long day=2020-01-01"),
    ])
    func whatOthersHoldIsTriedAgain(_ busy: Int, _ line: String) async {
        let days = Days([Self.ended], busy: busy)
        #expect(await round(days, age: .minutes(43_200)) == [line])
        #expect(await days.notes.count { $0.hasPrefix("drop 2") } == 20)
    }

    @Test func anAbsentDatabaseIsNoEnd() async {
        #expect(
            await round(Days([], failure: .unavailable("no connection")), age: nil)
                == ["warning retention waits for the database reason=no connection"])
    }

    /// A role that may run sagas needn't own the tables: it is told once what to do, and no more.
    @Test(
        arguments: [
            (
                nil,
                "notice no partitions are made ahead: this daemon's role doesn't own saga's tables; run one daemon, or "
                    + "SELECT saga.ensure_partitions() every day, as their owner"
            ),
            (
                .minutes(43_200),
                "warning nothing is dropped and no partitions are made ahead: this daemon's role doesn't own saga's tables; "
                    + "run one daemon with --retain, or saga migrate and saga prune every day, as their owner"
            ),
        ] as [(TimeSpan?, String)])
    func whoMayNotIsToldOnce(_ age: TimeSpan?, _ line: String) async {
        let days = Days([Self.pinned], rights: [false, false, false])
        #expect(await round(days, age: age, rounds: 3) == [line])
        #expect(await days.notes == [])
    }

    /// Once it may it does, and when it may no more that is news.
    @Test func rightsComeAndGo() async {
        let days = Days([], rights: [false, true, false])
        #expect(await round(days, age: nil, rounds: 4).count == 2)
        #expect(await days.notes == ["ensure 7", "ensure 7"])
    }
}

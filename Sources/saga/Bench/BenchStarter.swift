import JSON
import PostgresClient
import SagaCore
import SagaPostgres
import Synchronization

/// Starts a run's sagas on all its connections.
struct BenchStarter: Sendable {
    let settings: BenchSettings
    let database: BenchDatabase
    let ledger: BenchLedger
    /// When starts are due; nil as fast as the database takes them.
    let schedule: BenchSchedule?

    /// Starts in one round trip, each in its own transaction: what keeps a connection from waiting for the network.
    private static let pipelined = 16

    /// Returns when all are started.
    ///
    /// - Throws: the first `PostgresError`, `CancellationError`.
    func run() async throws {
        let input = settings.input
        let remaining = Remaining(settings.sagas)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<settings.connections {
                group.addTask {
                    if let schedule {
                        try await startWhenDue(schedule, input)
                    } else {
                        try await startAtOnce(remaining, input)
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    private func startAtOnce(_ remaining: Remaining, _ input: RawJSON) async throws {
        let together = settings.batch > 1
        while case let count = remaining.take(together ? settings.batch : Self.pipelined), count > 0 {
            try Task.checkCancellation()
            let ids =
                together
                ? try await database.startTogether(BenchSettings.saga, input: input, count: count)
                : try await database.start(BenchSettings.saga, input: input, count: count)
            ledger.add(ids, first: nil)
        }
    }

    private func startWhenDue(_ schedule: BenchSchedule, _ input: RawJSON) async throws {
        while let (numbers, due) = schedule.take() {
            try await Task.sleep(until: due, tolerance: .zero, clock: .continuous)
            let ids = try await database.start(BenchSettings.saga, input: input, count: numbers.count)
            ledger.add(ids, first: numbers.lowerBound)
        }
    }

    /// The starts that no connection has taken yet.
    private final class Remaining: Sendable {
        private let count: Mutex<Int>

        init(_ count: Int) { self.count = Mutex(count) }

        func take(_ most: Int) -> Int {
            count.withLock { count in
                let taken = min(most, count)
                count -= taken
                return taken
            }
        }
    }
}

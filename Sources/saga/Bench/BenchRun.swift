import Glibc
import PostgresClient
import SagaCore
import SagaDatabase
import SagaPostgres

/// One run of `saga bench`.
struct BenchRun: Sendable {
    let settings: BenchSettings
    /// Whether sagas that aren't the bench's may be in the database.
    let acceptsOthers: Bool
    let options: DatabaseOptions
    let ledger = BenchLedger()

    /// Measures, with a daemon of its own where none is alive.
    ///
    /// - Throws: what `CommandFailure` knows to tell; also when a saga didn't end as it should.
    func run() async throws -> BenchFigures {
        let definition = try settings.definition()
        let interruption = Interruption { [settings, ledger] in
            Self.interrupted(started: ledger.count, of: settings.sagas)
        }
        defer { interruption.end() }
        do {
            return try await withPool { pool in
                let database = BenchDatabase(pool: pool)
                try await refuseOthers(in: database)
                if try await hasLiveDaemon(database) { return try await measure(definition, pool, nil) }
                return try await withDaemon { daemon in
                    try await daemon.wait { try await hasLiveDaemon(database) }
                    return try await measure(definition, pool, daemon)
                }
            }
        } catch EmbeddedClusterError.notRunning(let home) where acceptsOthers || !Self.hasCluster(home) {
            return try await withNewCluster(definition)
        }
    }

    /// Lets a daemon of its own make and start the embedded cluster.
    ///
    /// One that was stopped may hold sagas that the daemon would go on with before anybody could look.
    private func withNewCluster(_ definition: Definition) async throws -> BenchFigures {
        try await withDaemon { daemon in
            var figures: BenchFigures?
            try await daemon.wait {
                do {
                    figures = try await withPool { pool in
                        // A server that is starting up refuses connections for a while.
                        try await daemon.wait { (try? await hasLiveDaemon(BenchDatabase(pool: pool))) ?? false }
                        return try await measure(definition, pool, daemon)
                    }
                    return true
                } catch EmbeddedClusterError.notRunning {
                    return false
                }
            }
            guard let figures else { throw CommandFailure("the embedded cluster doesn't run") }
            return figures
        }
    }

    private func withPool(_ body: (PostgresPool) async throws -> BenchFigures) async throws -> BenchFigures {
        // One more follows the ends.
        try await options.withDatabase(maximumConnections: settings.connections + 1, body)
    }

    private func withDaemon(_ body: (BenchDaemon) async throws -> BenchFigures) async throws -> BenchFigures {
        let daemon = try BenchDaemon(database: options.database)
        do {
            let figures = try await body(daemon)
            await daemon.stop()
            return figures
        } catch {
            // Stopping goes on when this task is cancelled.
            await Task { await daemon.stop(after: error) }.value
            throw error
        }
    }

    // MARK: Before

    private func hasLiveDaemon(_ database: BenchDatabase) async throws -> Bool {
        guard try await database.hasSchema() else { return false }
        return try await !database.liveDaemons().isEmpty
    }

    private func refuseOthers(in database: BenchDatabase) async throws {
        guard !acceptsOthers, try await database.hasSchema() else { return }
        let advice = "The bench's own sagas stay in the database as well. Give it a database of its own, or --yes"
        if let other = try await database.otherSaga(than: BenchSettings.saga) {
            throw CommandFailure(
                "the database has other sagas, such as those of \(other), which would compete with the bench's. \(advice)"
            )
        }
        if try await database.hasUnendedSaga() {
            throw CommandFailure(
                "sagas of an earlier bench haven't ended, which would compete with those of this one. \(advice)"
            )
        }
    }

    // MARK: Measuring

    private func measure(
        _ definition: Definition,
        _ pool: PostgresPool,
        _ daemon: BenchDaemon?
    ) async throws -> BenchFigures {
        let database = BenchDatabase(pool: pool)
        _ = try await DefinitionRegistry(pool: pool).apply([(definition, settings.document.bytes)], activate: true)
        let (daemons, server) = (try await database.liveDaemons(), try await database.server())
        let meters = BenchMeters(daemons: daemons, server: server)
        var schedule: BenchSchedule?
        if let rate = settings.rate {
            schedule = try await BenchSchedule(rate: rate, total: settings.sagas, database: database)
        }
        let starter = BenchStarter(settings: settings, database: database, ledger: ledger, schedule: schedule)
        let follower = BenchFollower(total: settings.sagas, database: database, ledger: ledger, daemon: daemon)

        let used = meters.read()
        let before = try await database.counters()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await starter.run() }
            group.addTask { try await follower.followToEnd() }
            try await group.waitForAll()
        }
        let after = try await database.counters()
        let results = try BenchResults(
            of: try await ends(in: database),
            settings: settings,
            due: { id in ledger.number(of: id).flatMap { schedule?.due($0) } }
        )
        return BenchFigures(
            settings: settings,
            results: results,
            begin: before.at,
            writes: after.writes - before.writes,
            wal: after.wal - before.wal,
            cpu: meters.read() - used,
            peakMemory: meters.peakMemory,
            daemons: daemons.count,
            server: server
        )
    }

    private func ends(in database: BenchDatabase) async throws -> [BenchDatabase.End] {
        var ends: [BenchDatabase.End] = []
        ends.reserveCapacity(settings.sagas)
        var place = 0
        while case let ids = ledger.ids(from: place, most: 5_000), !ids.isEmpty {
            ends += try await database.ends(of: ids)
            place += ids.count
        }
        return ends
    }

    /// Whether an embedded cluster was ever made there.
    private static func hasCluster(_ home: String) -> Bool { access("\(home)/users", F_OK) == 0 }

    private static func interrupted(started: Int, of total: Int) -> String {
        let stand =
            started == 0
            ? "nothing was started"
            : "\(started) of \(total) sagas were started; they stay in the database, and a daemon ends them"
        return (Terminal.error.isTerminal ? "\n" : "") + "interrupted: \(stand)"
    }
}

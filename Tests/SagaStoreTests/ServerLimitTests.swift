import Logging
import PostgresClient
import SagaCore
import SagaEngine
import SagaPostgres
import SagaTestKit
import Testing

/// What a server's own settings do to a daemon.
@Suite(.timeLimit(.minutes(1))) struct ServerLimitTests {
    private let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

    private func withStore(
        setting: String, _ body: (PostgresUnderTest, PostgresStore) async throws -> Void
    ) async throws {
        let main = try await PostgresUnderTest.make()
        let database = try await main.pool.query("SELECT quote_ident(current_database()), current_database()::text")
            .rows[0]
        try await main.pool.execute(script: "ALTER DATABASE \(try database.decode(0, as: String.self)) SET \(setting)")
        let name = try database.decode(1, as: String.self)
        let url = "postgresql:///\(name)?host=\(try await TestPostgres.shared.directory())&user=postgres"
        let limited = PostgresPool(PostgresConfiguration(url, applicationName: "limited"), logger: logger)
        do {
            try await body(main, PostgresStore(pool: limited))
        } catch {
            await limited.close()
            await main.close()
            throw error
        }
        await limited.close()
        await main.close()
    }

    /// Given a role with a `statement_timeout`, when a commit passes it, then it is too much at once, not a database
    /// that is away: the writer divides it.
    @Test func aCommitThatPassesTheStatementTimeoutIsBlocked() async throws {
        try await withStore(setting: "statement_timeout = 300") { main, store in
            let saga = try await main.start(key: nil)
            let lease = try await store.join(
                DaemonIdentity(host: "here", pid: 1, version: "test"), leaseLength: .seconds(10))
            _ = try await store.claim(lease, limit: 10, ownLimit: 10)
            let append = Append(
                saga: saga, events: [], row: Append.RowChange(status: .running, hold: .keep))
            try await main.pool.withConnection { connection in
                _ = try await connection.query("BEGIN")
                _ = try await connection.query("SELECT FROM saga.state FOR UPDATE")
                await #expect {
                    try await store.commit([append], under: lease)
                } throws: { error in
                    guard case StoreError.blocked(let reason) = error else { return false }
                    return reason.contains("57014")
                }
            }
            #expect(try await store.commit([append], under: lease) == [])
        }
    }

    /// Given a pool whose only connection is taken, then nobody has locked anything: the batch needn't be divided.
    @Test func aCommitThatGetsNoConnectionFindsTheDatabaseUnavailable() async throws {
        let main = try await PostgresUnderTest.make()
        let name = try await main.pool.query("SELECT current_database()::text").rows[0].decode(0, as: String.self)
        let url = "postgresql:///\(name)?host=\(try await TestPostgres.shared.directory())&user=postgres"
        let single = PostgresPool(
            PostgresConfiguration(url, applicationName: "single", maximumConnections: 1), logger: logger)
        let store = PostgresStore(pool: single, timeout: .milliseconds(50))
        let saga = try await main.start(key: nil)
        let append = Append(saga: saga, events: [], row: Append.RowChange(status: .running, hold: .keep))
        try await single.withConnection { _ in
            _ = await #expect {
                try await store.commit([append], under: Lease(daemon: 1, epoch: 1, length: .seconds(10)))
            } throws: { error in
                guard case StoreError.unavailable(let reason) = error else { return false }
                return reason.contains("no connection was free")
            }
        }
        await single.close()
        await main.close()
    }

    /// Given a server that has become read-only, then nothing is lost and everything is tried again.
    @Test func aServerThatTakesNoWritesIsUnavailable() async throws {
        try await withStore(setting: "default_transaction_read_only = on") { _, store in
            await #expect {
                try await store.join(DaemonIdentity(host: "here", pid: 1, version: "test"), leaseLength: .seconds(10))
            } throws: { error in
                guard case StoreError.unavailable(let reason) = error else { return false }
                return reason.contains("25006")
            }
        }
    }
}

import Foundation
import PostgresClient
import SagaTestKit
import Testing

/// The client behind PgBouncer in transaction mode: fewer server connections than client connections, and none of them
/// kept between transactions.
@Suite(
    .enabled(if: TestPooler.isInstalled, "pgbouncer isn't installed (apt-get install pgbouncer)"),
    .timeLimit(.minutes(1))
)
struct PgBouncerTests {
    private func withPooler(
        connections: Int = 4,
        _ body: (_ pool: PostgresPool, _ direct: PostgresPool) async throws -> Void
    ) async throws {
        let url = try await TestPostgres.shared.database()
        let (behind, process) = try await TestPooler.start(for: url, on: .shared)
        do {
            try await waitForConnections(behind)
            try await withPool(on: behind, connections: connections) { pool in
                try await withPool(on: url, connections: 1) { direct in try await body(pool, direct) }
            }
        } catch {
            await process.stop()
            throw error
        }
        await process.stop()
    }

    private func waitForConnections(_ url: String) async throws {
        while true {
            do {
                return try await withPool(on: url) { pool in _ = try await pool.query("SELECT 1") }
            } catch let error as PostgresError where error.kind == .connectFailed {
                await Task.yield()
            }
        }
    }

    @Test func requestsOfEveryKind() async throws {
        try await withPooler { pool, _ in
            try await pool.execute(script: "CREATE TABLE t (x int PRIMARY KEY)")
            let insert = PostgresStatement("INSERT INTO t VALUES ($1)", [.int4(1)])
            _ = try await pool.transaction([insert])
            let error = try await postgresError { try await pool.transaction([PostgresStatement("SELECT 1"), insert]) }
            #expect(error.kind == .server(sqlState: "23505"))
            #expect(error.statementIndex == 1)
            _ = try await pool.pipeline([PostgresStatement("BEGIN"), PostgresStatement("INSERT INTO t VALUES (2)")])
            let count: Int = try await pool.withConnection { connection in
                _ = try await connection.query("BEGIN")
                let rows = try await connection.query("SELECT count(*) FROM t").rows
                _ = try await connection.query("COMMIT")
                return try rows[0].decode(0)
            }
            #expect(count == 1)
        }
    }

    @Test func moreClientsThanServerConnections() async throws {
        try await withPooler(connections: 8) { pool, _ in
            try await pool.execute(script: "CREATE TABLE t (x int PRIMARY KEY)")
            let pids = try await withThrowingTaskGroup(of: Int32.self) { group in
                for number in 0..<400 {
                    group.addTask {
                        try await pool.transaction([
                            PostgresStatement("INSERT INTO t VALUES ($1)", [.int4(Int32(number))]),
                            PostgresStatement("SELECT pg_backend_pid()"),
                        ])[1].rows[0].decode(0)
                    }
                }
                return try await group.reduce(into: Set()) { $0.insert($1) }
            }
            #expect(pids.count <= 2)
            try await pool.expect("SELECT count(*) FROM t", 400)
        }
    }

    @Test func timeoutsAndCancellation() async throws {
        try await withPooler(connections: 1) { pool, direct in
            let error = try await postgresError {
                try await pool.query("SELECT pg_sleep(600)", timeout: .milliseconds(100))
            }
            #expect(error.kind == .timeout)
            try await pool.expect("SELECT 1", 1)
            let task = Task { try await pool.query("SELECT pg_sleep(601)") }
            try await direct.waitUntilRunning("pg_sleep(601)")
            task.cancel()
            let cancelled = try await postgresError { try await task.value }
            #expect(cancelled.kind == .cancelled)
            try await pool.expect("SELECT 2", 2)
        }
    }

    @Test func theServersConnectionIsLost() async throws {
        try await withPooler(connections: 1) { pool, direct in
            let task = Task { try await pool.transaction([PostgresStatement("SELECT pg_sleep(600)")]) }
            try await direct.waitUntilRunning("pg_sleep(600)")
            _ = try await direct.query(
                """
                SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE '%pg_sleep(600)'
                """
            )
            let error = try await postgresError { try await task.value }
            #expect(error.kind == .connectionLost)
            try await pool.expect("SELECT 1", 1)
        }
    }
}

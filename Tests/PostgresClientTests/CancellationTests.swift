import Glibc
import PostgresClient
import SagaTestKit
import Testing

@Suite(.timeLimit(.minutes(1))) struct CancellationTests {
    private func withTwoPools(_ body: (_ pool: PostgresPool, _ observer: PostgresPool) async throws -> Void)
        async throws
    {
        let url = try await TestPostgres.shared.database()
        try await withPool(on: url, connections: 1) { pool in
            try await withPool(on: url, connections: 1) { observer in
                try await body(pool, observer)
            }
        }
    }

    private func outcome(of task: Task<some Sendable, any Error>) async throws -> PostgresError {
        try await postgresError { try await task.value }
    }

    @Test func aTimeoutCancelsAtTheServerAndKeepsTheConnection() async throws {
        try await withTwoPools { pool, _ in
            let backend = try await pool.backend()
            let error = try await postgresError {
                try await pool.query("SELECT pg_sleep(600)", timeout: .milliseconds(50))
            }
            #expect(error.kind == .timeout)
            #expect(error.sqlState == "57014")
            #expect(error.message == "not done within the timeout; the server cancelled it")
            let same = try await pool.backend()
            #expect(same == backend)
        }
    }

    @Test func aTimeoutInATransactionRollsItBack() async throws {
        try await withTwoPools { pool, _ in
            try await pool.execute(script: "CREATE TABLE t (x int)")
            let backend = try await pool.backend()
            let error = try await postgresError {
                try await pool.transaction(
                    [PostgresStatement("INSERT INTO t VALUES (1)"), PostgresStatement("SELECT pg_sleep(600)")],
                    timeout: .milliseconds(50)
                )
            }
            #expect(error.kind == .timeout)
            try await pool.expect("SELECT count(*) FROM t", 0)
            try await pool.expect("SELECT pg_backend_pid()", backend)
        }
    }

    @Test func aTimeoutOfZeroSendsNothing() async throws {
        try await withTwoPools { pool, _ in
            try await pool.execute(script: "CREATE TABLE t (x int)")
            for timeout in [Duration.zero, .seconds(-5)] {
                let error = try await postgresError {
                    try await pool.query("INSERT INTO t VALUES (1)", timeout: timeout)
                }
                #expect(error.kind == .timeout)
            }
            try await pool.expect("SELECT count(*) FROM t", 0)
            _ = try await pool.query("INSERT INTO t VALUES (1)", timeout: .seconds(Int64.max))
            try await pool.expect("SELECT count(*) FROM t", 1)
        }
    }

    @Test func aScriptCanTimeOut() async throws {
        try await withTwoPools { pool, _ in
            let error = try await postgresError {
                try await pool.execute(
                    script: "CREATE TABLE t (x int); SELECT pg_sleep(600)",
                    timeout: .milliseconds(50)
                )
            }
            #expect(error.kind == .timeout)
            try await pool.expect("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'", 0)
        }
    }

    @Test func aCancelledTaskCancelsAtTheServerAndKeepsTheConnection() async throws {
        try await withTwoPools { pool, observer in
            let backend = try await pool.backend()
            let task = Task { try await pool.query("SELECT pg_sleep(600)") }
            try await observer.waitUntilRunning("pg_sleep(600)")
            task.cancel()
            let error = try await outcome(of: task)
            #expect(error.kind == .cancelled)
            #expect(error.isRetryable == false && error.isOutcomeUnknown == false)
            try await pool.expect("SELECT pg_backend_pid()", backend)
        }
    }

    @Test func aTaskCancelledBeforeSendsNothing() async throws {
        try await withTwoPools { pool, _ in
            try await pool.execute(script: "CREATE TABLE t (x int)")
            let task = Task {
                withUnsafeCurrentTask { $0?.cancel() }
                return try await pool.query("INSERT INTO t VALUES (1)")
            }
            let error = try await outcome(of: task)
            #expect(error.kind == .cancelled)
            try await pool.expect("SELECT count(*) FROM t", 0)
        }
    }

    @Test func manyCancellationsNeverStrikeTheNextStatement() async throws {
        try await withTwoPools { pool, _ in
            for round in 0..<100 {
                let task = Task { try await pool.query("SELECT pg_sleep(0.001 * $1)", [.double(Double(round % 3))]) }
                for _ in 0..<(round % 7) { await Task.yield() }
                task.cancel()
                if case .failure(let error) = await task.result {
                    let error = try #require(error as? PostgresError)
                    #expect(error.kind == .cancelled)
                }
                try await pool.expect("SELECT \(round)", round)
            }
        }
    }

    /// A backend that was stopped answers no cancel request: the outcome is unknown and the connection given up.
    @Test func anUnansweredCancelRequestGivesTheConnectionUp() async throws {
        try await withTwoPools { pool, observer in
            let backend = try await pool.backend()
            let task = Task { try await pool.query("SELECT pg_sleep(600)") }
            try await observer.waitUntilRunning("pg_sleep(600)")
            try #require(kill(backend, SIGSTOP) == 0)
            defer { kill(backend, SIGCONT) }
            task.cancel()
            let error = try await outcome(of: task)
            #expect(error.kind == .connectionLost)
            // What that means is for the caller to say: to read, it means nothing.
            #expect(error.message == "cancelled by the task, and no answer to the cancel request within 1 s")
            let next = try await pool.backend()
            #expect(next != backend)
        }
    }

    @Test func waitingForAConnectionEndsWithTheTimeoutOrTheTask() async throws {
        try await withTwoPools { pool, observer in
            try await pool.withConnection { connection in
                let error = try await postgresError { try await pool.query("SELECT 1", timeout: .milliseconds(50)) }
                #expect(error.kind == .timeout)
                #expect(error.message == "no connection was free within the timeout")
                #expect(error.nothingWasSent)
                let task = Task { try await pool.query("SELECT 1") }
                for _ in 0..<20 { await Task.yield() }
                task.cancel()
                let cancelled = try await outcome(of: task)
                #expect(cancelled.kind == .cancelled)
                #expect(try await connection.query("SELECT 1").rows.count == 1)
            }
            try await pool.expect("SELECT 1", 1)
        }
    }

    @Test func aClosedPoolRefusesAndWaitsForThoseUnderWay() async throws {
        let url = try await TestPostgres.shared.database()
        try await withPool(on: url) { observer in
            try await observer.execute(script: "CREATE TABLE t (x int)")
            let pool = PostgresPool(
                PostgresConfiguration(url, applicationName: "closing", maximumConnections: 1),
                logger: .silent
            )
            try await observer.withConnection { connection in
                _ = try await connection.query("BEGIN")
                _ = try await connection.query("LOCK TABLE t")
                async let running = pool.query("INSERT INTO t VALUES (1)")
                try await observer.waitUntilRunning("INSERT INTO t")
                let waiting = Task { try await pool.query("SELECT 1") }
                let closing = Task { await pool.close() }
                let refused = try await outcome(of: waiting)
                #expect(refused.kind == .poolClosed)
                _ = try await connection.query("COMMIT")
                #expect(try await running.affectedRows == 1)
                await closing.value
            }
            let late = try await postgresError { try await pool.transaction([PostgresStatement("SELECT 1")]) }
            #expect(late == PostgresError(.poolClosed, "the connection pool is closed"))
            await pool.close()
            try await observer.waitUntil(
                "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'closing' AND datname = current_database())"
            )
        }
    }
}

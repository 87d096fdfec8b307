import Glibc
import PostgresClient
import SagaTestKit
import Testing

@Suite(.timeLimit(.minutes(1))) struct ConnectionLossTests {
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

    @Test func killedWhileIdleIsNotNoticed() async throws {
        try await withTwoPools { pool, observer in
            let first = try await pool.backend()
            try await observer.terminate(first)
            let second = try await pool.backend()
            #expect(second != first)
            try await observer.terminate(second)
            let third = try await pool.withConnection {
                try await $0.query("SELECT pg_backend_pid()").rows[0].decode(0, as: Int32.self)
            }
            #expect(third != second)
        }
    }

    @Test func killedWhileRunning() async throws {
        try await withTwoPools { pool, observer in
            let backend = try await pool.backend()
            async let answer = pool.query("SELECT pg_sleep(600)")
            try await observer.waitUntilRunning("pg_sleep(600)")
            try await observer.terminate(backend)
            do {
                _ = try await answer
                Issue.record("the query outlived its backend")
            } catch let error as PostgresError {
                #expect(error.kind == .connectionLost)
                #expect(error.sqlState == "57P01")
                #expect(error.isOutcomeUnknown)
                #expect(error.isRetryable == false)
            }
            #expect(try await pool.backend() != backend)
        }
    }

    @Test func aServerThatTakesNoWritesIsLookedForAnew() async throws {
        let url = try await TestPostgres.shared.database()
        try await withPool(on: url, connections: 1) { pool in
            let database = try await pool.query("SELECT quote_ident(current_database())").rows[0]
                .decode(0, as: String.self)
            try await pool.execute(script: "ALTER DATABASE \(database) SET default_transaction_read_only = on")
        }
        try await withPool(on: url, connections: 1) { pool in
            let first = try await pool.backend()
            do {
                _ = try await pool.query("CREATE TABLE t (x int)")
                Issue.record("a read-only transaction wrote")
            } catch let error as PostgresError {
                #expect(error.kind == .server(sqlState: "25006"))
                #expect(error.isReadOnly)
            }
            let second = try await pool.backend()
            #expect(second != first)
            // Within a transaction of the caller's the connection stays his until he gives it back.
            try await pool.withConnection { connection in
                _ = try await connection.query("BEGIN")
                _ = try? await connection.query("CREATE TABLE t (x int)")
                #expect(connection.isInTransaction)
            }
            #expect(try await pool.backend() != second)
        }
    }

    @Test func killedInATransaction() async throws {
        try await withTwoPools { pool, observer in
            try await pool.execute(script: "CREATE TABLE t (x int)")
            let backend = try await pool.backend()
            async let answer = pool.transaction([
                PostgresStatement("INSERT INTO t VALUES (1)"), PostgresStatement("SELECT pg_sleep(600)"),
                PostgresStatement("INSERT INTO t VALUES (2)"),
            ])
            try await observer.waitUntilRunning("pg_sleep(600)")
            try await observer.terminate(backend)
            do {
                _ = try await answer
                Issue.record("the transaction outlived its backend")
            } catch let error as PostgresError {
                #expect(error.kind == .connectionLost)
                #expect(error.statementIndex == 1)
            }
            try await pool.expect("SELECT count(*) FROM t", 0)
        }
    }

    @Test func aStatementThatEndsItsOwnSession() async throws {
        try await withTwoPools { pool, _ in
            let error = try await postgresError {
                try await pool.pipeline([
                    PostgresStatement("SELECT pg_terminate_backend(pg_backend_pid())"), PostgresStatement("SELECT 1"),
                ])
            }
            #expect(error.kind == .connectionLost)
            #expect(error.sqlState == "57P01")
            try await pool.expect("SELECT 1", 1)
        }
    }

    @Test func aRefusedStatementIsTheAnswerThoughTheSessionEndsBehindIt() async throws {
        try await withTwoPools { pool, _ in
            try await pool.execute(script: "CREATE TABLE t (x int)")
            let backend = try await pool.backend()
            let error = try await postgresError {
                try await pool.transaction([
                    PostgresStatement("INSERT INTO t VALUES (1)"),
                    // The division fails before the backend looks at the signal that it has sent itself.
                    PostgresStatement("SELECT 1 / (pg_terminate_backend(pg_backend_pid())::int - 1)"),
                ])
            }
            #expect(error.kind == .server(sqlState: "22012"))
            #expect(error.statementIndex == 1)
            let next = try await pool.backend()
            #expect(next != backend)
            try await pool.expect("SELECT count(*) FROM t", 0)
        }
    }

    @Test func killedInsideWithConnection() async throws {
        try await withTwoPools { pool, observer in
            try await pool.withConnection { connection in
                let backend: Int32 = try await connection.query("SELECT pg_backend_pid()").rows[0].decode(0)
                _ = try await connection.query("BEGIN")
                try await observer.terminate(backend)
                let error = try await postgresError { try await connection.query("SELECT 1") }
                #expect(error.kind == .connectionLost)
                #expect(connection.isOpen == false)
            }
            try await pool.expect("SELECT 1", 1)
        }
    }

    @Test func serverStopsAndComesBack() async throws {
        let server = TestPostgres()
        let url = try await server.database()
        try await withPool(on: url, connections: 2) { pool in
            try await pool.execute(script: "CREATE TABLE t (x int)")
            async let running = pool.query("SELECT pg_sleep(600)")
            try await pool.waitUntilRunning("pg_sleep(600)")
            try await server.stop(mode: .immediate)
            do {
                _ = try await running
                Issue.record("the query outlived the server")
            } catch let error as PostgresError {
                #expect(error.kind == .connectionLost)
            }
            let refused = try await postgresError { try await pool.query("SELECT 1") }
            #expect(refused.kind == .connectFailed)
            #expect(refused.isRetryable)
            // Those who come while the next attempt is put off are told of its outcome, each of them.
            let again = await withTaskGroup(of: PostgresError.Kind?.self) { group in
                for _ in 0..<20 {
                    group.addTask {
                        do throws(PostgresError) {
                            _ = try await pool.query("SELECT 1")
                            return nil
                        } catch {
                            return error.kind
                        }
                    }
                }
                return await group.reduce(into: []) { $0.append($1) }
            }
            #expect(again == [PostgresError.Kind?](repeating: .connectFailed, count: 20))
            try await server.start()
            _ = try await pool.transaction([PostgresStatement("INSERT INTO t VALUES (1)")])
            try await pool.expect("SELECT count(*) FROM t", 1)
        }
        try await server.stop(mode: .fast)
    }
}

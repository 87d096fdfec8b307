import Logging
import PostgresClient
import SagaTestKit
import Testing

@Suite(.timeLimit(.minutes(1))) struct PollTests {
    private let question = PostgresStatement("SELECT count(*) FROM asked")

    private func pool() async throws -> PostgresPool {
        let configuration = PostgresConfiguration(
            try await TestPostgres.shared.database(), applicationName: "poll-test", maximumConnections: 2)
        let pool = PostgresPool(
            configuration, logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        try await pool.execute(script: "CREATE TABLE asked (at timestamptz DEFAULT clock_timestamp())")
        return pool
    }

    @Test func itAsksUntilTheAnswerComes() async throws {
        let pool = try await pool()
        async let found = pool.withConnection { connection in
            try await connection.poll(question, every: .milliseconds(1), upTo: .seconds(30)) { result in
                (try? result.rows[0].decode(0, as: Int.self)) == 1
            }
        }
        _ = try await pool.query("INSERT INTO asked DEFAULT VALUES")
        #expect(try await found)
        await pool.close()
    }

    @Test func itAsksOnceAtLeastAndEndsWithItsTime() async throws {
        let pool = try await pool()
        let insert = PostgresStatement("INSERT INTO asked DEFAULT VALUES RETURNING 1")
        let found = try await pool.withConnection { connection in
            try await connection.poll(insert, every: .milliseconds(1), upTo: .zero) { _ in false }
        }
        #expect(!found)
        #expect(try await pool.query("SELECT count(*) FROM asked").rows[0].decode(0, as: Int.self) == 1)
        await pool.close()
    }

    @Test func aCancelledTaskEndsItAndLeavesTheConnectionUsable() async throws {
        let pool = try await pool()
        let insert = PostgresStatement("INSERT INTO asked DEFAULT VALUES")
        let waiting = Task {
            try await pool.withConnection { connection in
                try await connection.poll(insert, every: .seconds(60), upTo: .seconds(600)) { _ in false }
            }
        }
        while try await pool.query("SELECT count(*) FROM asked").rows[0].decode(0, as: Int.self) == 0 {
            await Task.yield()
        }
        waiting.cancel()
        #expect(try await waiting.value == false)
        #expect(try await pool.query("SELECT count(*) FROM asked").rows[0].decode(0, as: Int.self) == 1)
        await pool.close()
    }

    @Test func anErrorIsThrown() async throws {
        let pool = try await pool()
        await #expect {
            try await pool.withConnection { connection in
                try await connection.poll(
                    PostgresStatement("SELECT 1 / 0"), every: .milliseconds(1), upTo: .seconds(1)
                ) { _ in false }
            }
        } throws: { error in
            (error as? PostgresError)?.sqlState == "22012"
        }
        await pool.close()
    }
}

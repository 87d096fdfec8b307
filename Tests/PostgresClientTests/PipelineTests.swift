import PostgresClient
import SagaTestKit
import Testing

@Suite struct PipelineTests {
    private let table =
        "CREATE TABLE item (id int CONSTRAINT item_key PRIMARY KEY, n int CONSTRAINT item_n_positive CHECK (n > 0))"

    private func insert(_ id: Int32, _ n: Int32 = 1) -> PostgresStatement {
        PostgresStatement("INSERT INTO item VALUES ($1, $2)", [.int4(id), .int4(n)])
    }

    private func ids(_ pool: PostgresPool) async throws -> [Int] {
        try await pool.query("SELECT id FROM item ORDER BY id").rows.map { try $0.decode(0) }
    }

    @Test func resultsComeInOrder() async throws {
        try await withPool { pool in
            try await pool.execute(script: table)
            let results = try await pool.pipeline([
                insert(1), PostgresStatement("SELECT id, n FROM item"), PostgresStatement("UPDATE item SET n = 2"),
                PostgresStatement("SELECT 'x' WHERE false"), PostgresStatement("DELETE FROM item RETURNING n"),
            ])
            #expect(results.map(\.affectedRows) == [1, 1, 1, 0, 1])
            #expect(results.map(\.rows.count) == [0, 1, 0, 0, 1])
            #expect(results.map(\.commandTag) == ["INSERT 0 1", "SELECT 1", "UPDATE 1", "SELECT 0", "DELETE 1"])
            #expect(try results[4].rows[0].decode("n") == 2)
        }
    }

    @Test func emptyRequestsNeedNoServer() async throws {
        try await withPool(on: "host=/nonexistent") { pool in
            let piped = try await pool.pipeline([])
            let transacted = try await pool.transaction([])
            #expect(piped.isEmpty && transacted.isEmpty)
        }
    }

    @Test func anErrorInTheMiddleUndoesThePipeline() async throws {
        try await withPool(connections: 1) { pool in
            try await pool.execute(script: table)
            let backend = try await pool.backend()
            let error = try await postgresError { try await pool.pipeline([insert(1), insert(2, -1), insert(3)]) }
            #expect(error.kind == .server(sqlState: "23514"))
            #expect(error.statementIndex == 1)
            #expect(error.constraint == "item_n_positive")
            #expect(error.schema == "public")
            #expect(error.table == "item")
            #expect(error.detail == "Failing row contains (2, -1).")
            #expect(error.description == "\(error.message) (SQLSTATE 23514, constraint item_n_positive, statement 1)")
            #expect(try await ids(pool) == [])
            #expect(try await pool.backend() == backend)
        }
    }

    @Test func aTransactionIsOneAndGivesTheInnerResults() async throws {
        try await withPool(connections: 1) { pool in
            try await pool.execute(script: table)
            let results = try await pool.transaction([
                insert(1), insert(2),
                PostgresStatement("SELECT count(*), txid_current_if_assigned() IS NOT NULL FROM item"),
            ])
            #expect(results.map(\.affectedRows) == [1, 1, 1])
            #expect(try results[2].rows[0].decode(0) == 2)
            #expect(try results[2].rows[0].decode(1) == true)
            #expect(try await ids(pool) == [1, 2])
        }
    }

    @Test func aFailedTransactionIsRolledBack() async throws {
        try await withPool(connections: 1) { pool in
            try await pool.execute(script: table)
            let backend = try await pool.backend()
            let error = try await postgresError { try await pool.transaction([insert(1), insert(1), insert(2)]) }
            #expect(error.kind == .server(sqlState: "23505"))
            #expect(error.constraint == "item_key")
            #expect(error.statementIndex == 1)
            #expect(error.isUniqueViolation)
            #expect(try await ids(pool) == [])
            #expect(try await pool.backend() == backend)
        }
    }

    @Test func anErrorAtTheCommitHasNoIndex() async throws {
        try await withPool(connections: 1) { pool in
            try await pool.execute(
                script: """
                    \(table);
                    CREATE TABLE part (item int CONSTRAINT part_item REFERENCES item DEFERRABLE INITIALLY DEFERRED);
                    """
            )
            let orphan = PostgresStatement("INSERT INTO part VALUES (9)")
            let explicit = try await postgresError { try await pool.transaction([insert(1), orphan]) }
            #expect(explicit.kind == .server(sqlState: "23503"))
            #expect(explicit.constraint == "part_item")
            #expect(explicit.statementIndex == nil)
            let implicit = try await postgresError { try await pool.pipeline([insert(1), orphan]) }
            #expect(implicit.kind == .server(sqlState: "23503"))
            #expect(implicit.statementIndex == nil)
            #expect(try await ids(pool) == [])
        }
    }

    @Test func aTransactionLeftOpenIsRolledBack() async throws {
        try await withPool(connections: 1) { pool in
            try await pool.execute(script: table)
            let backend = try await pool.backend()
            _ = try await pool.pipeline([PostgresStatement("BEGIN"), insert(1)])
            #expect(try await ids(pool) == [])
            try await pool.execute(script: "BEGIN; INSERT INTO item VALUES (2, 2)")
            #expect(try await ids(pool) == [])
            try await pool.withConnection { connection in
                _ = try await connection.query("BEGIN")
                _ = try await connection.pipeline([insert(3)])
                #expect(connection.isInTransaction)
            }
            #expect(try await ids(pool) == [])
            #expect(try await pool.backend() == backend)
        }
    }

    @Test func interactiveTransactions() async throws {
        try await withPool(connections: 1) { pool in
            try await pool.execute(script: table)
            try await pool.withConnection { connection in
                #expect(connection.isOpen)
                #expect(connection.serverVersion >= 140_000)
                #expect(await connection.parameterStatus("server_encoding") == "UTF8")
                #expect(await connection.parameterStatus("client_encoding") == "UTF8")
                #expect(await connection.parameterStatus("application_name") == "client-tests")
                _ = try await connection.query("BEGIN")
                _ = try await connection.pipeline([insert(1)])
                _ = try await connection.query("SAVEPOINT s")
                let error = try await postgresError { try await connection.query("SELECT 1/0") }
                #expect(error.kind == .server(sqlState: "22012"))
                #expect(error.statementIndex == nil)
                #expect(connection.isInTransaction)
                _ = try await connection.query("ROLLBACK TO s")
                _ = try await connection.query("COMMIT")
                #expect(connection.isInTransaction == false)
                _ = try await connection.transaction([insert(2)])
                try await connection.execute(script: "INSERT INTO item VALUES (3, 3); INSERT INTO item VALUES (4, 4)")
            }
            #expect(try await ids(pool) == [1, 2, 3, 4])
        }
    }

    @Test func theBodysErrorComesThrough() async throws {
        struct Refusal: Error {}
        try await withPool(connections: 1) { pool in
            await #expect(throws: Refusal.self) {
                try await pool.withConnection { connection in
                    _ = try await connection.query("BEGIN")
                    throw Refusal()
                }
            }
            try await pool.expect("SELECT 1", 1)
        }
    }

    @Test func scriptsStopAtTheirFirstError() async throws {
        try await withPool(connections: 1) { pool in
            let error = try await postgresError {
                try await pool.execute(
                    script: "CREATE TABLE a (x int); INSERT INTO b VALUES (1); CREATE TABLE c (x int)"
                )
            }
            #expect(error.kind == .server(sqlState: "42P01"))
            let tables: Int = try await pool.value("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
            #expect(tables == 0)
            try await pool.execute(script: "DO $$ BEGIN RAISE NOTICE 'hello'; END $$; SELECT 1; -- a comment")
            try await pool.execute(script: "")
        }
    }

    @Test(arguments: ["COPY (SELECT 1) TO STDOUT", "CREATE TABLE q (x int); COPY q FROM STDIN"])
    func copyIsRefusedAndTheConnectionReplaced(script: String) async throws {
        try await withPool(connections: 1) { pool in
            let inScript = try await postgresError { try await pool.execute(script: script) }
            #expect(inScript.kind == .connectionLost)
            try await pool.expect("SELECT 1", 1)
            let copy = String(script.split(separator: ";").last ?? "")
            if copy.contains("FROM") { try await pool.execute(script: "CREATE TABLE q (x int)") }
            let inPipeline = try await postgresError { try await pool.query(copy) }
            #expect(inPipeline.kind == .connectionLost)
            try await pool.expect("SELECT 2", 2)
        }
    }
}

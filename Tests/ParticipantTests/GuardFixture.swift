import Logging
import PostgresClient
import SagaSchema
import SagaTestKit

/// A fresh database with the guard installed, and one table for effects.
struct GuardFixture: Sendable {
    let connectionString: String
    let pool: PostgresPool

    /// Runs a test's body and closes the pool after it, whatever the outcome.
    static func run(installing: Bool = true, _ body: (GuardFixture) async throws -> Void) async throws {
        let connectionString = try await TestPostgres.shared.database()
        let pool = PostgresPool(
            PostgresConfiguration(connectionString, applicationName: "participant-tests", maximumConnections: 16),
            logger: Logger(label: "participant-tests")
        )
        do {
            if installing { try await pool.execute(script: SagaSchema.participant) }
            try await pool.execute(script: "CREATE TABLE effect (key text NOT NULL)")
            try await body(GuardFixture(connectionString: connectionString, pool: pool))
        } catch {
            await pool.close()
            throw error
        }
        await pool.close()
    }

    /// The whole of an action in one transaction: guard, effect, recorded answer.
    func act(_ key: String, status: Int32 = 201, answer: String = #"{"id":1}"#) async throws -> Decision {
        try await pool.withConnection { connection async throws in
            try await transact(connection) {
                let decision = try await begin(connection, action: key)
                if decision.kind == "run" {
                    _ = try await connection.query("INSERT INTO effect VALUES ($1)", [.text(key)])
                    try await finish(connection, key, status: status, answer: answer)
                }
                return decision
            }
        }
    }

    /// The whole of a compensation, which deletes the effect.
    func compensate(
        _ key: String,
        of action: String,
        answer: String = #"{"undone":true}"#
    ) async throws -> Decision {
        try await pool.withConnection { connection async throws in
            try await transact(connection) {
                let decision = try await begin(connection, compensation: key, of: action)
                if decision.kind == "run" {
                    _ = try await connection.query("DELETE FROM effect WHERE key = $1", [.text(action)])
                    try await finish(connection, key, status: 200, answer: answer)
                }
                return decision
            }
        }
    }

    private func transact(
        _ connection: PostgresConnection,
        _ body: () async throws -> Decision
    ) async throws -> Decision {
        do {
            _ = try await connection.query("BEGIN")
            let decision = try await body()
            _ = try await connection.query("COMMIT")
            return decision
        } catch {
            _ = try? await connection.query("ROLLBACK")
            throw error
        }
    }

    /// The keys of the effects that stand, sorted.
    func effects() async throws -> [String] {
        try await pool.query("SELECT key FROM effect ORDER BY key").rows.map { try $0.decode(0, as: String.self) }
    }

    /// Every operation as `key compensates compensated_by status`, a dash for null, in the order of the keys.
    func operations() async throws -> [String] {
        try await pool.query(
            """
            SELECT concat_ws(' ', key, coalesce(compensates, '-'), coalesce(compensated_by, '-'),
                             coalesce(status::text, '-'))
              FROM saga_participant.operation ORDER BY key COLLATE "C"
            """
        ).rows.map { try $0.decode(0, as: String.self) }
    }

    /// Returns once the server process waits for another transaction's end.
    ///
    /// - Parameter hasEnded: Says that there is nothing left to wait for.
    /// - Returns: Whether it was seen waiting.
    func waitUntilBlocked(_ serverProcess: Int32, orUntil hasEnded: () -> Bool) async throws -> Bool {
        while !hasEnded() {
            let blocked = try await pool.query(
                "SELECT cardinality(pg_blocking_pids($1)) > 0",
                [.int4(serverProcess)]
            )
            if try blocked.rows.first?.decode(0, as: Bool.self) == true { return true }
            try await Task.sleep(for: .milliseconds(5))
        }
        return false
    }

    /// The SQLSTATE and message with which a script fails; nil when it doesn't.
    func failure(of statements: [String]) async throws -> Failure? {
        do {
            _ = try await pool.transaction(statements.map { PostgresStatement($0) })
            return nil
        } catch {
            return Failure(sqlState: error.sqlState, message: error.message)
        }
    }
}

/// What the guard decided.
struct Decision: Equatable, Sendable {
    let kind: String
    let status: Int32?
    let answer: String?

    static let run = Decision(kind: "run", status: nil, answer: nil)
    static let nothing = Decision(kind: "nothing", status: 200, answer: #"{"undone" : false}"#)
    static let refused = Decision(
        kind: "refused",
        status: 409,
        answer: #"{"error" : "AlreadyCompensated", "message" : "this action was compensated before this call"}"#
    )

    static func run(_ status: Int32, _ answer: String) -> Decision {
        Decision(kind: "run", status: status, answer: answer)
    }

    static func replay(_ status: Int32, _ answer: String?) -> Decision {
        Decision(kind: "replay", status: status, answer: answer)
    }
}

struct Failure: Equatable, Sendable {
    let sqlState: String?
    let message: String
}

func serverProcess(_ connection: PostgresConnection) async throws -> Int32 {
    try await connection.query("SELECT pg_backend_pid()").rows[0].decode(0, as: Int32.self)
}

func begin(_ connection: PostgresConnection, action key: String) async throws -> Decision {
    try decision(
        try await connection.query(
            "SELECT decision, status, answer FROM saga_participant.begin_action($1)",
            [.text(key)]
        )
    )
}

func begin(_ connection: PostgresConnection, compensation key: String, of action: String) async throws -> Decision {
    try decision(
        try await connection.query(
            "SELECT decision, status, answer FROM saga_participant.begin_compensation($1, $2)",
            [.text(key), .text(action)]
        )
    )
}

func finish(_ connection: PostgresConnection, _ key: String, status: Int32, answer: String?) async throws {
    _ = try await connection.query(
        "SELECT saga_participant.finish($1, $2, $3)",
        [.text(key), .int4(status), answer.map { .json(Array($0.utf8)) } ?? .null]
    )
}

private func decision(_ result: PostgresResult) throws -> Decision {
    let row = result.rows[0]
    return Decision(
        kind: try row.decode(0, as: String.self),
        status: try row.decode(1, as: Int32?.self),
        answer: try row.decode(2, as: String?.self)
    )
}

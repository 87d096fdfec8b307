import PostgresClient

/// A service's database behind the participant's guard (`sql/participant.sql`): guard, effect and recorded answer are
/// one transaction.
struct GuardedDatabase: Sendable {
    let pool: PostgresPool

    /// Runs an action's effect once in all of its attempts.
    ///
    /// - Parameter effect: Does the effect on the connection, inside the transaction, and says how to answer. What it
    ///   throws rolls everything back, so that a later attempt is decided anew.
    /// - Returns: Its answer; of a duplicate the recorded one; 409 `AlreadyCompensated` after its compensation.
    func action(
        key: String,
        effect: (PostgresConnection) async throws -> Answer
    ) async throws -> Answer {
        try await guarded(
            key: key,
            PostgresStatement(
                "SELECT decision, status, answer FROM saga_participant.begin_action($1)",
                [.text(key)]
            )
        ) { connection in
            try await effect(connection)
        }
    }

    /// Runs a compensation's effect once, and only if what it undoes was done.
    ///
    /// - Parameter undo: As `effect` of `action`.
    /// - Returns: Its answer; of a duplicate the recorded one; 200 when there was nothing to undo.
    func compensation(
        key: String,
        compensates: String,
        undo: (PostgresConnection) async throws -> Answer
    ) async throws -> Answer {
        try await guarded(
            key: key,
            PostgresStatement(
                "SELECT decision, status, answer FROM saga_participant.begin_compensation($1, $2)",
                [.text(key), .text(compensates)]
            )
        ) { connection in
            try await undo(connection)
        }
    }

    private func guarded(
        key: String,
        _ begin: PostgresStatement,
        effect: (PostgresConnection) async throws -> Answer
    ) async throws -> Answer {
        try await pool.withConnection { connection in
            do {
                // The guard's own level, whatever the database's default is.
                let opened = try await connection.pipeline([
                    PostgresStatement("BEGIN ISOLATION LEVEL READ COMMITTED"), begin,
                ])
                guard let row = opened.last?.rows.first else {
                    throw ServiceError.unavailable("the guard gave no decision")
                }
                guard try row.decode(0, as: String.self) == "run" else {
                    _ = try await connection.query("COMMIT")
                    return Answer(
                        status: Int(try row.decode(1, as: Int32.self)),
                        body: try row.decode(2, as: [UInt8]?.self) ?? []
                    )
                }
                let answer = try await effect(connection)
                _ = try await connection.pipeline([
                    PostgresStatement(
                        "SELECT saga_participant.finish($1, $2, $3)",
                        [.text(key), .int4(Int32(answer.status)), .json(answer.body)]
                    ),
                    PostgresStatement("COMMIT"),
                ])
                return answer
            } catch {
                // At once: a refused call must not go on holding its locks. If the connection is gone, so are they.
                _ = try? await connection.query("ROLLBACK")
                throw error
            }
        }
    }
}

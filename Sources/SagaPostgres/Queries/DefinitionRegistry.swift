import PostgresClient
import SagaCore

/// The definitions that a database knows.
///
/// All calls throw `PostgresError`.
public struct DefinitionRegistry: Sendable {
    let pool: PostgresPool
    /// How long one call may take.
    let timeout: Duration

    public init(pool: PostgresPool, timeout: Duration = .seconds(30)) {
        self.pool = pool
        self.timeout = timeout
    }

    /// What registering a definition came to.
    public enum Change: String, Sendable, Hashable {
        /// This version is new, and what a start takes from now on.
        case created
        /// It was known, and which one a start takes is as before.
        case unchanged
        /// It was known, and is now again what a start takes.
        case reactivated
    }

    /// Registers definitions, all or none of them.
    ///
    /// - Parameters:
    ///   - definitions: each with the file's text as it was written.
    ///   - activate: whether a known version becomes current again; a daemon's start never does that.
    /// - Returns: what became of each, in their order.
    public func apply(
        _ definitions: [(definition: Definition, document: [UInt8])],
        activate: Bool
    ) async throws(PostgresError) -> [Change] {
        let results = try await pool.transaction(
            definitions.map { definition, document in
                PostgresStatement(
                    "SELECT saga.apply_definition($1, $2, $3, $4)",
                    [
                        .text(definition.name), .bytea(definition.digest.bytes), .json(document), .bool(activate),
                    ]
                )
            },
            timeout: timeout
        )
        var changes: [Change] = []
        for result in results {
            let text = try result.rows.first?.decode(0, as: String.self) ?? ""
            guard let change = Change(rawValue: text) else {
                throw PostgresError(
                    .decoding,
                    "saga.apply_definition said \"\(text)\", which this program doesn't know"
                )
            }
            changes.append(change)
        }
        return changes
    }

    /// The text of the version of `saga` that a start takes; nil when there is no such saga.
    public func document(of saga: String) async throws(PostgresError) -> [UInt8]? {
        let result = try await pool.query(
            """
            SELECT d.document FROM saga.current_definition c JOIN saga.definition d ON d.id = c.definition_id
            WHERE c.saga = $1
            """,
            [.text(saga)],
            timeout: timeout
        )
        return try result.rows.first?.decode(0, as: [UInt8].self)
    }

    /// The texts of all versions that a start takes, by name.
    public func documents() async throws(PostgresError) -> [[UInt8]] {
        let result = try await pool.query(
            """
            SELECT d.document FROM saga.current_definition c JOIN saga.definition d ON d.id = c.definition_id
            ORDER BY c.saga
            """,
            timeout: timeout
        )
        var documents: [[UInt8]] = []
        for row in result.rows { documents.append(try row.decode(0)) }
        return documents
    }

    /// The names of all sagas that can be started, sorted.
    public func names() async throws(PostgresError) -> [String] {
        let result = try await pool.query("SELECT saga FROM saga.current_definition ORDER BY saga", timeout: timeout)
        var names: [String] = []
        for row in result.rows { names.append(try row.decode(0)) }
        return names
    }
}

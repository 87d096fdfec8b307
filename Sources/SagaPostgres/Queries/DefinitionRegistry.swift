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

    /// Registers definitions, all or none of them, and the settings of the services that they call: those of the
    /// definition applied last hold for all that name the service. A known version that isn't applied by a person
    /// leaves them as they are.
    ///
    /// - Parameters:
    ///   - definitions: each with the file's text as it was written.
    ///   - activate: whether a known version becomes current again; a daemon's start never does that.
    /// - Returns: what became of each, in their order, and the services that had other settings before.
    public func apply(
        _ definitions: [(definition: Definition, document: [UInt8])],
        activate: Bool
    ) async throws(PostgresError) -> (changes: [Change], changedServices: [Service]) {
        let clock = try await pool.read("SELECT clock_timestamp()", timeout: timeout)
        let now = Instant(
            try clock.rows.first?.decode(0, as: PostgresTimestamp.self) ?? PostgresTimestamp(microsecondsSince1970: 0))
        // Two definitions may name one service; in a constant order no two applies wait for each other.
        let services = definitions.flatMap { applied in applied.definition.services.map { (applied.definition, $0) } }
            .sorted { ($0.1.name, $0.1.url) < ($1.1.name, $1.1.url) }
        let results = try await pool.transaction(
            definitions.map { definition, document in
                PostgresStatement(
                    "SELECT saga.apply_definition($1, $2, $3, $4)",
                    [
                        .text(definition.name), .bytea(definition.digest.bytes), .json(document), .bool(activate),
                    ]
                )
            } + services.map { entry($1, of: $0, now: now, activate: activate) },
            timeout: timeout
        )
        var changed: [Service] = []
        for ((_, service), result) in zip(services, results.dropFirst(definitions.count)) {
            if try result.rows.first?.decode(0, as: String.self) == "changed" { changed.append(service) }
        }
        return (try changes(results.prefix(definitions.count)), changed)
    }

    /// Whether this very transaction has registered the definition tells whether its settings are news.
    private func entry(_ service: Service, of definition: Definition, now: Instant, activate: Bool)
        -> PostgresStatement
    {
        PostgresStatement(
            """
            SELECT saga.apply_service($1, $2, $3, $4, $5 OR EXISTS (
                SELECT FROM saga.definition d WHERE d.digest = $6 AND d.applied_at >= now()))
            """,
            [
                .text(service.name), .text(service.url), .json(service.settings.json.bytes),
                .json(ServiceState(at: now).json.bytes), .bool(activate), .bytea(definition.digest.bytes),
            ])
    }

    private func changes(_ results: ArraySlice<PostgresResult>) throws(PostgresError) -> [Change] {
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
        let result = try await pool.read(
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
        let result = try await pool.read(
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
        let result = try await pool.read("SELECT saga FROM saga.current_definition ORDER BY saga", timeout: timeout)
        var names: [String] = []
        for row in result.rows { names.append(try row.decode(0)) }
        return names
    }
}

import Logging
import PostgresClient
import SagaPostgres
import SagaTestKit
import Synchronization

/// A migrated database of a test's own.
struct SchemaFixture: Sendable {
    let connectionString: String
    let pool: PostgresPool

    /// For tests that disturb each other no more than by being there.
    static let shared = Task { try await migrated() }

    private static let names = Atomic(1)

    /// A saga's name that no other test has.
    static func newName() -> String { "s\(names.add(1, ordering: .relaxed).oldValue)" }

    static let quiet = Logger(label: "schema-tests", factory: { _ in SwiftLogNoOpLogHandler() })

    /// A database without any schema.
    static func empty() async throws -> SchemaFixture {
        let connectionString = try await TestPostgres.shared.database()
        return SchemaFixture(connectionString: connectionString, pool: pool(connectionString))
    }

    static func migrated() async throws -> SchemaFixture {
        let fixture = try await empty()
        _ = try await fixture.migrator.migrate()
        return fixture
    }

    /// Runs a test's body in a migrated database and closes the pool after it, whatever the outcome.
    static func run(_ body: (SchemaFixture) async throws -> Void) async throws {
        try await run(in: try await migrated(), body)
    }

    static func run(in fixture: SchemaFixture, _ body: (SchemaFixture) async throws -> Void) async throws {
        do {
            try await body(fixture)
        } catch {
            await fixture.pool.close()
            throw error
        }
        await fixture.pool.close()
    }

    static func pool(_ connectionString: String) -> PostgresPool {
        PostgresPool(
            PostgresConfiguration(connectionString, applicationName: "schema-tests", maximumConnections: 8),
            logger: quiet
        )
    }

    var migrator: Migrator { Migrator(pool: pool, logger: Self.quiet) }

    // MARK: Asking

    /// Every row as text, its columns separated by `|`, SQL nulls as `-`.
    func rows(_ sql: String, _ parameters: [PostgresValue] = []) async throws -> [String] {
        try await Self.texts(try await pool.query(Self.asText(sql), parameters))
    }

    /// The one value of a query, as text.
    func value(_ sql: String, _ parameters: [PostgresValue] = []) async throws -> String {
        try await rows(sql, parameters).joined(separator: "\n")
    }

    /// What EXPLAIN says of a statement.
    func plan(_ sql: String) async throws -> String {
        try await pool.query("EXPLAIN (COSTS OFF) \(sql)").rows
            .map { try $0.decode(0, as: String.self) }.joined(separator: "\n")
    }

    static func asText(_ sql: String) -> String {
        """
        SELECT (SELECT string_agg(coalesce(f.value, '-'), '|' ORDER BY f.position)
            FROM json_each_text(row_to_json(q)) WITH ORDINALITY AS f (name, value, position)) FROM (\(sql)) q
        """
    }

    static func texts(_ result: PostgresResult) async throws -> [String] {
        try result.rows.map { try $0.decode(0, as: String.self) }
    }

    /// What a statement is refused with; nil when it isn't.
    func refusal(_ sql: String, _ parameters: [PostgresValue] = []) async throws -> Refusal? {
        do throws(PostgresError) {
            _ = try await pool.query(sql, parameters)
            return nil
        } catch {
            return Refusal(error)
        }
    }

    // MARK: Writing

    /// Makes `document` the current definition of `name`.
    func define(_ name: String, steps: String = "[]", more: String = "") async throws {
        let document = #"{"saga":"\#(name)"\#(more),"steps":\#(steps)}"#
        _ = try await pool.query(
            "SELECT saga.apply_definition($1, sha256(convert_to($2, 'UTF8')), $2::json, true)",
            [.text(name), .text(document)]
        )
    }

    func start(_ name: String, _ rest: String = "") async throws -> String {
        try await value("SELECT saga.start('\(name)'\(rest)) AS id")
    }

    /// Starts a saga and gives it a history, and the row that a daemon would have made of it.
    func saga(_ name: String, _ status: Int16, _ events: [SampleEvent]) async throws -> String {
        let id = try await start(name)
        _ = try await pool.transaction([
            PostgresStatement(
                """
                INSERT INTO saga.event (saga_id, sequence, cause, type, at, data)
                SELECT $1::text::uuid, 1 + n, n, type, now(), data::json
                FROM unnest($2::int2[], $3::text[]) WITH ORDINALITY AS e (type, data, n)
                """,
                [.text(id), .int2Array(events.map(\.type)), .textArray(events.map(\.data))]
            ),
            PostgresStatement(
                """
                UPDATE saga.state SET status = $2, ended_at = CASE WHEN $2 >= 5 THEN now() END,
                    due_at = CASE WHEN $2 < 5 THEN 'infinity'::timestamptz END
                WHERE id = $1::text::uuid
                """,
                [.text(id), .int2(status)]
            ),
        ])
        return id
    }
}

/// Why the server refused a statement.
struct Refusal: Equatable, CustomStringConvertible {
    let sqlState: String?
    let message: String
    let constraint: String?

    init(_ sqlState: String?, _ message: String, constraint: String? = nil) {
        self.sqlState = sqlState
        self.message = message
        self.constraint = constraint
    }

    init(_ error: PostgresError) {
        self.init(error.sqlState, error.message, constraint: error.constraint)
    }

    var description: String { "\(sqlState ?? "-") \(message)" + (constraint.map { " [\($0)]" } ?? "") }
}

import Glibc
import Logging
import PostgresClient
import SagaTestKit
import Testing

/// Lends a pool on a fresh database of the shared cluster and closes it.
func withPool<T: Sendable>(
    connections: Int = 4,
    _ body: (PostgresPool) async throws -> T
) async throws -> T {
    try await withPool(on: try await TestPostgres.shared.database(), connections: connections, body)
}

/// Lends a pool on the database of a connection string and closes it.
func withPool<T: Sendable>(
    on url: String,
    connections: Int = 4,
    connectTimeout: Duration = .seconds(5),
    _ body: (PostgresPool) async throws -> T
) async throws -> T {
    let configuration = PostgresConfiguration(
        url,
        applicationName: "client-tests",
        connectTimeout: connectTimeout,
        maximumConnections: connections
    )
    let pool = PostgresPool(configuration, logger: .silent)
    do {
        let value = try await body(pool)
        await pool.close()
        return value
    } catch {
        await pool.close()
        throw error
    }
}

extension Logger {
    static let silent = Logger(label: "tests", factory: { _ in SwiftLogNoOpLogHandler() })
}

extension PostgresPool {
    /// The first column of the first row.
    func value<T: PostgresDecodable>(_ sql: String, _ parameters: [PostgresValue] = []) async throws -> T {
        let rows = try await query(sql, parameters).rows
        return try #require(rows.first).decode(0)
    }

    /// Expects the first column of the first row to be a value.
    func expect<T: PostgresDecodable & Equatable>(
        _ sql: String,
        _ expected: T,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let value: T = try await value(sql)
        #expect(value == expected, sourceLocation: sourceLocation)
    }

    /// The process of the server that serves the pool's next query.
    func backend() async throws -> Int32 { try await value("SELECT pg_backend_pid()") }

    /// Asks until the answer is true.
    func waitUntil(_ sql: String, _ parameters: [PostgresValue] = []) async throws {
        while try await value(sql, parameters) == false { await Task.yield() }
    }

    /// Waits until a backend runs a statement that contains the text.
    func waitUntilRunning(_ text: String) async throws {
        try await waitUntil(
            """
            SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND state = 'active'
                           AND pid <> pg_backend_pid() AND strpos(query, $1) > 0)
            """,
            [.text(text)]
        )
    }

    /// Ends a session and waits until its process is gone.
    func terminate(_ backend: Int32) async throws {
        _ = try await query("SELECT pg_terminate_backend($1)", [.int4(backend)])
        try await waitUntil("SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1)", [.int4(backend)])
    }
}

/// The error that the body throws.
func postgresError(_ body: () async throws -> some Sendable) async throws -> PostgresError {
    try #require(await #expect(throws: PostgresError.self) { _ = try await body() })
}

extension [UInt8] {
    init(utf8 text: String) {
        self = Array(text.utf8)
    }
}

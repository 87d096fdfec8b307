import PostgresClient
import SagaCore

/// How the checks ask the database: they read, and nothing else.
struct DoctorDatabase: Sendable {
    let pool: PostgresPool
    let limits: DoctorLimits
    /// How long one question may take.
    var timeout = Duration.seconds(60)
    /// How long one may wait for somebody's lock.
    var lockTimeout: TimeSpan

    init(pool: PostgresPool, limits: DoctorLimits) {
        self.pool = pool
        self.limits = limits
        lockTimeout = limits.lock
    }

    /// Runs the statements in one transaction that sees one state of the database and can't write.
    ///
    /// - Parameter asIs: leaves the session's settings alone, for those who ask about them.
    func read(
        _ statements: [PostgresStatement], asIs: Bool = false
    ) async throws(PostgresError) -> [PostgresResult] {
        var prelude = [PostgresStatement("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")]
        if !asIs {
            prelude.append(
                PostgresStatement(
                    """
                    SELECT set_config('jit', 'off', true), set_config('lock_timeout', $1, true),
                        set_config('statement_timeout', $2, true), set_config('search_path', 'pg_catalog', true)
                    """, [Self.setting(lockTimeout), Self.setting(limits.statement)]))
        }
        return Array(try await pool.transaction(prelude + statements, timeout: timeout).dropFirst(prelude.count))
    }

    /// A time as settings have it; 0 would be none.
    private static func setting(_ span: TimeSpan) -> PostgresValue {
        .text("\(max(1, min(span.microseconds / 1_000, Int64(Int32.max))))ms")
    }

    /// Runs one statement; the rows.
    func rows(
        _ sql: String, _ parameters: [PostgresValue] = [], asIs: Bool = false
    ) async throws(PostgresError) -> [PostgresRow] {
        try await read([PostgresStatement(sql, parameters)], asIs: asIs).first?.rows ?? []
    }

    /// The first row of a statement that always has one.
    func row(_ sql: String, _ parameters: [PostgresValue] = []) async throws(PostgresError) -> PostgresRow {
        guard let row = try await rows(sql, parameters).first else {
            throw PostgresError(.decoding, "a question that always has an answer got none")
        }
        return row
    }
}

/// One thing that is looked at.
protocol DoctorCheck: Sendable {
    /// What it goes by when there is nothing to say.
    static var code: DoctorCode { get }

    /// What is wrong, or one finding that nothing is.
    func findings(in database: DoctorDatabase) async throws(PostgresError) -> [DoctorFinding]

    /// Adds what it finds; a check that takes long also what it had found when it was cut off.
    func examine(in database: DoctorDatabase, _ findings: inout [DoctorFinding]) async throws(PostgresError)
}

extension DoctorCheck {
    func examine(in database: DoctorDatabase, _ findings: inout [DoctorFinding]) async throws(PostgresError) {
        findings += try await self.findings(in: database)
    }
}

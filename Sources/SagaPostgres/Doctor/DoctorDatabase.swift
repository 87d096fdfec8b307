import PostgresClient

/// How the checks ask the database: they read, and nothing else.
struct DoctorDatabase: Sendable {
    let pool: PostgresPool
    let limits: DoctorLimits
    /// How long one question may take.
    var timeout = Duration.seconds(60)

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
                    SELECT set_config('jit', 'off', true), set_config('statement_timeout', '60s', true),
                        set_config('search_path', 'pg_catalog', true)
                    """))
        }
        return Array(try await pool.transaction(prelude + statements, timeout: timeout).dropFirst(prelude.count))
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
}

extension DoctorCheck {
    /// The findings, or why it couldn't look; a lost connection ends the whole examination.
    func run(in database: DoctorDatabase) async throws(PostgresError) -> [DoctorFinding] {
        do throws(PostgresError) {
            return try await findings(in: database)
        } catch {
            switch error.kind {
            case .server("42501"):
                return [
                    DoctorFinding(
                        Self.code, .skipped, "not checked: needs a right that this role lacks (\(error.message))",
                        advice: "ask with a role that has saga_reader and pg_monitor")
                ]
            case .server where !error.isServerUnavailable, .decoding, .timeout:
                return [DoctorFinding(Self.code, .skipped, "not checked: \(error.message)")]
            default: throw error
            }
        }
    }
}

import Logging
import PostgresClient
import SagaSchema

/// Why a database wasn't brought up to date.
public enum MigrationError: Error, Sendable, CustomStringConvertible {
    /// A later program has migrated this database; this one doesn't know what it would break.
    case newerThanProgram(database: Int, program: Int)
    /// One migration failed and left nothing behind; those before it stand. After `.connectionLost` it may have been
    /// done: migrating again finds out.
    case failed(version: Int, name: String, cause: PostgresError)
    /// The program was installed without its SQL.
    case noMigrations

    /// One line that says what to do.
    public var description: String {
        switch self {
        case .newerThanProgram(let database, let program):
            "the database's schema is version \(database), newer than this program's \(program): use a newer program"
        case .failed(let version, let name, let cause):
            "migration \(version) (\(name)) failed: \(cause)"
        case .noMigrations:
            "this installation lacks its migrations: install the program's resources beside it"
        }
    }
}

/// Brings a database's schema up to date.
///
/// Each migration runs in a transaction of its own that first takes an advisory lock and reads the version again, so
/// any number of programs may migrate at once, also through PgBouncer in transaction mode: no session is needed.
public struct Migrator: Sendable {
    /// "sagamigr": a number that nothing else in the database is likely to lock.
    private static let lock: Int64 = 0x7361_6761_6d69_6772

    private let pool: PostgresPool
    private let migrations: [Migration]
    private let logger: Logger

    /// Makes a migrator with this program's migrations.
    public init(pool: PostgresPool, logger: Logger) {
        self.init(pool: pool, migrations: SagaSchema.migrations, logger: logger)
    }

    /// For tests: `migrations` in the order of their versions.
    init(pool: PostgresPool, migrations: [Migration], logger: Logger) {
        self.pool = pool
        self.migrations = migrations
        self.logger = logger
    }

    /// The version that this program works with; 0 when it was installed without its migrations.
    public static var latestVersion: Int { SagaSchema.migrations.last?.version ?? 0 }

    /// The version of the database's schema; 0 before the first migration.
    ///
    /// - Throws: `PostgresError`.
    public func currentVersion() async throws -> Int {
        try await pool.withConnection { connection in
            try await Self.version(on: connection)
        }
    }

    /// Runs the migrations that the database lacks.
    ///
    /// - Returns: the versions before and after; equal when there was nothing to do.
    /// - Throws: `MigrationError`, or `PostgresError` when the database can't be asked.
    public func migrate() async throws -> (from: Int, to: Int) {
        guard let program = migrations.last?.version else { throw MigrationError.noMigrations }
        let before = try await currentVersion()
        if before > program { throw MigrationError.newerThanProgram(database: before, program: program) }
        for migration in migrations where migration.version > before {
            if try await run(migration, program: program) {
                logger.info(
                    "migrated the schema",
                    metadata: ["version": "\(migration.version)", "name": "\(migration.name)"]
                )
            }
        }
        await warnOfDrift()
        return (before, program)
    }

    /// Runs one migration, unless someone else did meanwhile; then returns false.
    private func run(_ migration: Migration, program: Int) async throws -> Bool {
        do {
            return try await pool.withConnection { connection in
                // What the script means may not depend on a role's or the server's settings.
                try await connection.execute(
                    script: """
                        BEGIN;
                        SET LOCAL search_path = pg_catalog;
                        SET LOCAL standard_conforming_strings = on;
                        SET LOCAL statement_timeout = 0;
                        SET LOCAL lock_timeout = 0;
                        SET LOCAL idle_in_transaction_session_timeout = 0
                        """
                )
                _ = try await connection.query("SELECT pg_advisory_xact_lock($1)", [.int8(Self.lock)])
                let version = try await Self.version(on: connection)
                if version > program { throw MigrationError.newerThanProgram(database: version, program: program) }
                if version >= migration.version { return false }
                try await connection.execute(script: migration.sql)
                _ = try await connection.pipeline([
                    PostgresStatement(
                        """
                        INSERT INTO saga.migration (version, name, checksum)
                        VALUES ($1, $2, encode(sha256(convert_to($3, 'UTF8')), 'hex'))
                        """,
                        [.int4(Int32(clamping: migration.version)), .text(migration.name), .text(migration.sql)]
                    ),
                    PostgresStatement("COMMIT"),
                ])
                return true
            }
        } catch let cause as PostgresError {
            throw MigrationError.failed(version: migration.version, name: migration.name, cause: cause)
        }
    }

    /// A schema made by other text than this program's is not refused, since it may be a comment that changed; but
    /// whoever looks for a strange failure should know.
    private func warnOfDrift() async {
        let result = try? await pool.query(
            """
            SELECT m.version FROM saga.migration m
            JOIN unnest($1::int4[], $2::text[]) AS ours (version, sql) ON ours.version = m.version
            WHERE m.checksum <> encode(sha256(convert_to(ours.sql, 'UTF8')), 'hex')
            ORDER BY m.version
            """,
            [.int4Array(migrations.map { Int32(clamping: $0.version) }), .textArray(migrations.map(\.sql))]
        )
        for row in result?.rows ?? [] {
            guard let version = try? row.decode(0, as: Int.self) else { continue }
            logger.warning(
                "the database was migrated by another text than this program's",
                metadata: ["version": "\(version)"]
            )
        }
    }

    private static func version(on connection: PostgresConnection) async throws(PostgresError) -> Int {
        // Not to_regclass: it may answer from this session's cache, and a wait for the advisory lock refreshes none.
        let table = try await connection.query(
            """
            SELECT EXISTS (
                SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                WHERE n.nspname = 'saga' AND c.relname = 'migration')
            """
        )
        guard let row = table.rows.first, try row.decode(0, as: Bool.self) else { return 0 }
        let result = try await connection.query("SELECT coalesce(max(version), 0) FROM saga.migration")
        return try result.rows.first?.decode(0, as: Int.self) ?? 0
    }
}

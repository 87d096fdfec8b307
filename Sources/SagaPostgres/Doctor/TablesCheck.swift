import JSON
import PostgresClient
import SagaCore

/// The state of the tables of the schema: dead rows, vacuum, indexes, size, age.
struct TablesCheck: DoctorCheck {
    static let code = DoctorCode.tables

    struct Table: Sendable, Hashable {
        var name: String
        /// With its indexes and what lies outside the rows.
        var bytes: Int64 = 0
        var dead: Int64 = 0
        /// How many dead rows make autovacuum begin.
        var trigger: Double = 50
        var hasAutovacuum = true
        var lastVacuum: Instant?
        /// When its first row can have come: of a day's partition the beginning of that day.
        var since: Instant?
    }

    struct Facts: Sendable, Hashable {
        var tables: [Table]
        var vacuum: DeadRows
        var invalidIndexes: [String] = []
        /// What keeps the tables whole and isn't there.
        var lost: [TableRules.Lost] = []
        /// The database's age in transactions, and in multixacts.
        var age: Int64 = 0
        var multixactAge: Int64 = 0
        var database: String
        /// The database's clock.
        var now: Instant
    }

    /// Whether the schema is of this program's version, so that what must be there is known.
    var isOurs = true

    func findings(in database: DoctorDatabase) async throws(PostgresError) -> [DoctorFinding] {
        let results = try await database.read([
            PostgresStatement(
                """
                SELECT c.relname::text, pg_total_relation_size(c.oid)::int8, coalesce(s.n_dead_tup, 0)::int8,
                    coalesce(o.threshold, current_setting('autovacuum_vacuum_threshold')::float8)
                        + coalesce(o.scale, current_setting('autovacuum_vacuum_scale_factor')::float8)
                        * greatest(c.reltuples, 0)::float8,
                    coalesce(o.enabled, true), greatest(s.last_vacuum, s.last_autovacuum),
                    CASE WHEN c.relispartition AND c.relname ~ '_[0-9]{8}$'
                        THEN to_timestamp(right(c.relname, 8) || '+00', 'YYYYMMDDTZH') END
                FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                    LEFT JOIN pg_stat_all_tables s ON s.relid = c.oid
                    LEFT JOIN LATERAL (
                        SELECT max(option_value) FILTER (WHERE option_name = 'autovacuum_vacuum_threshold')::float8,
                            max(option_value) FILTER (WHERE option_name = 'autovacuum_vacuum_scale_factor')::float8,
                            max(option_value) FILTER (WHERE option_name = 'autovacuum_enabled')::bool
                        FROM pg_options_to_table(c.reloptions)
                    ) o (threshold, scale, enabled) ON true
                WHERE n.nspname = 'saga' AND c.relkind = 'r' ORDER BY c.relname COLLATE "C"
                """),
            PostgresStatement(
                """
                SELECT i.relname::text FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
                    JOIN pg_namespace n ON n.oid = i.relnamespace
                WHERE n.nspname = 'saga' AND NOT (x.indisvalid AND x.indisready) ORDER BY i.relname COLLATE "C"
                """),
            PostgresStatement(
                """
                SELECT age(datfrozenxid)::int8, mxid_age(datminmxid)::int8, datname::text, clock_timestamp()
                FROM pg_database WHERE datname = current_database()
                """),
        ])
        guard let row = results[2].rows.first else { throw PostgresError(.decoding, "the database has no row") }
        var facts = Facts(
            tables: [], vacuum: try await DeadRows.read(database), age: try row.decode(0),
            multixactAge: try row.decode(1), database: try row.decode(2),
            now: Instant(try row.decode(3, as: PostgresTimestamp.self)))
        for row in results[0].rows {
            facts.tables.append(
                Table(
                    name: try row.decode(0), bytes: try row.decode(1), dead: try row.decode(2),
                    trigger: try row.decode(3), hasAutovacuum: try row.decode(4),
                    lastVacuum: try row.decode(5, as: PostgresTimestamp?.self).map { Instant($0) },
                    since: try row.decode(6, as: PostgresTimestamp?.self).map { Instant($0) }))
        }
        for row in results[1].rows { facts.invalidIndexes.append(try row.decode(0)) }
        if isOurs { facts.lost = try await TableRules.lost(database) }
        return Self.judge(facts, limits: database.limits)
    }

    static func judge(_ facts: Facts, limits: DoctorLimits) -> [DoctorFinding] {
        var findings: [DoctorFinding] = []
        for table in facts.tables {
            if !table.hasAutovacuum {
                findings.append(
                    DoctorFinding(
                        .tableAutovacuumOff, .warning, "autovacuum is off for saga.\(table.name)",
                        advice: "ALTER TABLE saga.\(DoctorText.identifier(table.name)) RESET (autovacuum_enabled);",
                        data: ["table": .string(table.name)]))
            }
            if let finding = facts.vacuum.finding(table, now: facts.now, limits) { findings.append(finding) }
        }
        for index in facts.invalidIndexes {
            findings.append(
                DoctorFinding(
                    .indexInvalid, .warning,
                    "the index saga.\(index) is invalid: it costs writes and serves no reading",
                    advice: "REINDEX INDEX CONCURRENTLY saga.\(DoctorText.identifier(index));",
                    data: ["index": .string(index)]))
        }
        findings += TableRules.findings(facts.lost) + wraparound(facts, limits)
        guard findings.isEmpty else { return findings }
        let bytes = facts.tables.reduce(Int64(0)) { $0.addingReportingOverflow($1.bytes).partialValue }
        return [
            DoctorFinding(
                .tables, .ok,
                "\(DoctorText.count(facts.tables.count, "table")), \(DoctorText.bytes(bytes)), vacuumed as needed",
                data: ["bytes": .object(JSONObject(facts.tables.map { ($0.name, .int($0.bytes)) }))])
        ]
    }

    private static func wraparound(_ facts: Facts, _ limits: DoctorLimits) -> [DoctorFinding] {
        [("transactions", facts.age), ("multixacts", facts.multixactAge)].compactMap { what, age in
            guard age >= limits.age else { return nil }
            return DoctorFinding(
                .wraparoundNear, age >= limits.criticalAge ? .error : .warning,
                """
                the oldest row of database \(facts.database) is \(age) \(what) old: at about 2 billion the server \
                takes no writes
                """,
                advice: "VACUUM (FREEZE); in the whole database, and end what holds vacuum back",
                data: ["age": .int(age), "of": .string(what)])
        }
    }
}

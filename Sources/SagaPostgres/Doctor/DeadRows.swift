import JSON
import PostgresClient
import SagaCore

/// Whether dead rows are removed as they should be: autovacuum comes, and nobody's snapshot keeps what it would remove.
struct DeadRows: Sendable, Hashable {
    /// Whoever looks at the oldest rows, and keeps those that died since.
    struct Holder: Sendable, Hashable {
        /// `process 7 (report, role bi)`.
        var name: String
        /// nil for a replication slot, of which the server doesn't say since when.
        var age: TimeSpan?
        /// How to have it let go.
        var advice: String
    }

    /// What autovacuum sleeps between two rounds.
    var naptime = TimeSpan.minutes(1)
    /// Since when rows may have died here: the server's start or that of its counts, the last migration.
    var since: Instant
    /// The tables that are being vacuumed now.
    var underWay: Set<String> = []
    var holder: Holder?

    static func read(_ database: DoctorDatabase) async throws(PostgresError) -> DeadRows {
        let results = try await database.read([
            PostgresStatement(
                """
                SELECT (extract(epoch FROM current_setting('autovacuum_naptime')::interval) * 1000000)::int8,
                    greatest(pg_postmaster_start_time(), (
                        SELECT d.stats_reset FROM pg_stat_database d WHERE d.datname = current_database()))
                """),
            PostgresStatement(
                """
                SELECT c.relname::text FROM pg_stat_progress_vacuum v JOIN pg_class c ON c.oid = v.relid
                WHERE v.datname = current_database() ORDER BY 1
                """),
            PostgresStatement(
                """
                SELECT kind, name, role, application, age FROM (
                    SELECT 'process', a.pid::text, coalesce(a.usename::text, ''), coalesce(a.application_name, ''),
                        (extract(epoch FROM clock_timestamp() - a.xact_start) * 1000000)::int8,
                        age(coalesce(a.backend_xmin, a.backend_xid))
                    FROM pg_stat_activity a WHERE a.pid <> pg_backend_pid() AND a.xact_start IS NOT NULL
                        AND a.backend_type IS DISTINCT FROM 'autovacuum worker'
                        AND (a.datname = current_database() OR a.datname IS NULL)
                    UNION ALL SELECT 'prepared', p.gid, p.owner::text, '',
                        (extract(epoch FROM clock_timestamp() - p.prepared) * 1000000)::int8, age(p.transaction)
                    FROM pg_prepared_xacts p WHERE p.database = current_database()
                    UNION ALL SELECT 'slot', s.slot_name::text, '', '', NULL, age(s.xmin)
                    FROM pg_replication_slots s WHERE s.xmin IS NOT NULL
                ) holders (kind, name, role, application, age, xids)
                WHERE xids IS NOT NULL ORDER BY xids DESC, age DESC NULLS LAST, name LIMIT 1
                """),
        ])
        guard let row = results[0].rows.first else { throw PostgresError(.decoding, "no naptime") }
        var dead = DeadRows(
            naptime: TimeSpan(microseconds: try row.decode(0)),
            since: Instant(try row.decode(1, as: PostgresTimestamp.self)))
        // A role that may not read the schema is asked for the tables' figures all the same.
        let migrated = try? await database.row("SELECT max(applied_at) FROM saga.migration")
        if let last = try migrated?.decode(0, as: PostgresTimestamp?.self) {
            dead.since = max(dead.since, Instant(last))
        }
        for row in results[1].rows { dead.underWay.insert(try row.decode(0)) }
        if let row = results[2].rows.first { dead.holder = try Holder(row) }
        return dead
    }

    /// What a table's dead rows mean; nil while autovacuum has only begun to be late, or does its work.
    ///
    /// - Parameter now: the database's clock.
    func finding(_ table: TablesCheck.Table, now: Instant, _ limits: DoctorLimits) -> DoctorFinding? {
        guard table.dead > limits.deadTuples, Double(table.dead) > table.trigger else { return nil }
        let (product, isTooLong) = naptime.microseconds.multipliedReportingOverflow(by: Int64(limits.naptimes))
        let patience = TimeSpan(microseconds: isTooLong ? .max : product)
        let isLate = (table.lastVacuum ?? max(since, table.since ?? since)) + patience < now
        let isHeld = holder.map { $0.age.map { $0 >= patience } ?? true } ?? false
        // A vacuum that has just been can't have left so many unless somebody still looks at them.
        guard isLate && !underWay.contains(table.name) || isHeld else { return nil }
        let last = table.lastVacuum.map { "\(DoctorText.span(now - $0)) ago" } ?? "never"
        let name = DoctorText.identifier(table.name)
        let held = holder.flatMap { holder in
            isHeld
                ? "; held back by \(holder.name)\(holder.age.map { ", open for \(DoctorText.span($0))" } ?? "")" : nil
        }
        return DoctorFinding(
            .deadTuples, .warning,
            """
            saga.\(table.name) holds \(table.dead) dead rows, and autovacuum should have come at \
            \(Int64(table.trigger)); last vacuumed: \(last)\(held ?? "")
            """,
            advice: isHeld
                ? "\(holder?.advice ?? ""); then VACUUM (VERBOSE) saga.\(name);"
                : """
                VACUUM (VERBOSE) saga.\(name); if it comes to this again, raise autovacuum_max_workers or lower \
                autovacuum_vacuum_cost_delay
                """,
            data: [
                "table": .string(table.name), "dead": .int(table.dead),
                "lastVacuum": .optional(table.lastVacuum?.text),
                "heldBy": .optional(isHeld ? holder?.name : nil),
            ])
    }
}

extension DeadRows.Holder {
    fileprivate init(_ row: PostgresRow) throws(PostgresError) {
        let (kind, id) = (try row.decode(0, as: String.self), try row.decode(1, as: String.self))
        let who = DoctorText.who(application: try row.decode(3), role: try row.decode(2))
        let literal = DoctorText.literal(id)
        age = try row.decode(4, as: Int64?.self).map { TimeSpan(microseconds: $0) }
        switch kind {
        case "process":
            name = "process \(id)\(who.isEmpty ? "" : " (\(who))")"
            advice = "SELECT pg_terminate_backend(\(id))"
        case "prepared":
            name = "the prepared transaction \(literal)"
            advice = "COMMIT PREPARED \(literal) or ROLLBACK PREPARED \(literal), as its owner says"
        default:
            name = "the replication slot \(literal)"
            advice = "have its reader catch up, or drop it"
        }
    }
}

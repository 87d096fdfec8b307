import JSON
import PostgresClient
import SagaCore

/// Somebody who keeps everybody from reading a table of the schema, or waits to and has everybody wait behind.
struct LockHolder: Sendable, Hashable {
    /// nil: a prepared transaction, whose session is gone.
    var process: Int?
    /// Of a prepared transaction.
    var prepared: String?
    var application = ""
    var role = ""
    /// As `pg_stat_activity` has it; empty where this role may not see it.
    var state = ""
    /// How long its transaction has been open; nil where this role may not see it.
    var age: TimeSpan?
    /// The beginning of its last statement.
    var query = ""
    /// The first of the tables, by name.
    var table: String
    var tables: Int
    /// Whether it has the lock; else it waits for it.
    var isGranted: Bool
    /// Whoever keeps it waiting.
    var waitsFor: Int?

    static func read(_ database: DoctorDatabase) async throws(PostgresError) -> [LockHolder] {
        var holders: [LockHolder] = []
        for row in try await database.rows(
            """
            SELECT l.pid::int8, p.gid, coalesce(a.application_name, ''), coalesce(a.usename::text, p.owner::text, ''),
                coalesce(a.state, ''),
                (extract(epoch FROM clock_timestamp() - coalesce(a.xact_start, p.prepared)) * 1000000)::int8,
                left(regexp_replace(coalesce(a.query, ''), '\\s+', ' ', 'g'), 80), l.relname, l.tables, l.granted,
                CASE WHEN NOT l.granted THEN (pg_blocking_pids(l.pid))[1] END::int8
            FROM (
                SELECT l.pid, l.virtualtransaction, min(c.relname::text COLLATE "C"), count(*), bool_or(l.granted)
                FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
                WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock'
                    AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
                    AND c.relnamespace = (SELECT n.oid FROM pg_namespace n WHERE n.nspname = 'saga')
                    AND c.relkind IN ('r', 'p') AND l.pid IS DISTINCT FROM pg_backend_pid()
                GROUP BY l.pid, l.virtualtransaction
            ) l (pid, virtualtransaction, relname, tables, granted)
                LEFT JOIN pg_stat_activity a ON a.pid = l.pid
                LEFT JOIN pg_prepared_xacts p ON l.pid IS NULL AND l.virtualtransaction LIKE '%/' || p.transaction
            ORDER BY l.granted DESC, a.xact_start, l.pid LIMIT 5
            """)
        {
            holders.append(
                LockHolder(
                    process: try row.decode(0), prepared: try row.decode(1), application: try row.decode(2),
                    role: try row.decode(3), state: try row.decode(4),
                    age: try row.decode(5, as: Int64?.self).map { TimeSpan(microseconds: $0) },
                    query: try row.decode(6), table: try row.decode(7), tables: try row.decode(8),
                    isGranted: try row.decode(9), waitsFor: try row.decode(10)))
        }
        return holders
    }

    /// `process 7`.
    var name: String {
        if let process { return "process \(process)" }
        return prepared.map { "the prepared transaction \(DoctorText.literal($0))" } ?? "an unknown transaction"
    }

    var finding: DoctorFinding {
        let who = DoctorText.who(application: application, role: role)
        let others = tables > 1 ? " and \(DoctorText.count(tables - 1, "other table"))" : ""
        let what = isGranted ? "holds" : "waits to hold"
        let told = process != nil && !query.isEmpty && query != "<insufficient privilege>"
        var text = "\(name)\(who.isEmpty ? "" : " (\(who))") \(what) saga.\(table)\(others) locked against all others"
        if let age { text += ", its transaction open for \(DoctorText.span(age))" }
        if !state.isEmpty { text += ", \(state)" }
        if let waitsFor { text += ", kept waiting by process \(waitsFor)" }
        if told { text += ": \(query)" }
        return DoctorFinding(
            .lockedOut, .error, text, advice: advice,
            data: [
                "pid": process.map { .int($0) } ?? .null, "prepared": .optional(prepared),
                "application": .string(application), "role": .string(role), "state": .string(state),
                "ageMs": age.map { .int($0.microseconds / 1_000) } ?? .null, "query": .string(told ? query : ""),
                "table": .string(table), "tables": .int(tables), "granted": .bool(isGranted),
                "waitsFor": waitsFor.map { .int($0) } ?? .null,
            ])
    }

    private var advice: String {
        if let prepared { return DoctorText.endingPrepared(prepared) }
        guard let process = isGranted ? process : waitsFor ?? process else { return "see pg_locks" }
        return "let it come to its end, or end it: SELECT pg_terminate_backend(\(process));"
    }
}

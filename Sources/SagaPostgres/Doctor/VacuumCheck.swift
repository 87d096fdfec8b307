import JSON
import PostgresClient
import SagaCore

/// Who keeps dead rows from being removed: open transactions, prepared ones, replication slots.
///
/// Saga's rows are rewritten all the time: with a snapshot of an hour every change of that hour stays.
struct VacuumCheck: DoctorCheck {
    static let code = DoctorCode.vacuum

    struct Transaction: Sendable, Hashable {
        var process: Int
        var role: String
        var application: String
        /// As `pg_stat_activity` has it, such as `idle in transaction`.
        var state: String
        var age: TimeSpan
    }

    struct Prepared: Sendable, Hashable {
        var name: String
        var owner: String
        var age: TimeSpan
    }

    struct Slot: Sendable, Hashable {
        var name: String
        var isActive: Bool
        /// WAL that is kept for it, in bytes; nil when nothing is.
        var retained: Int64?
    }

    /// A standby that tells what its queries still look at.
    struct Feedback: Sendable, Hashable {
        /// The slot's name, or without one the standby's.
        var name: String
        /// In transactions.
        var age: Int64
    }

    struct Facts: Sendable, Hashable {
        var transactions: [Transaction] = []
        /// Sessions in this database whose transactions this role may not see.
        var hidden = 0
        var prepared: [Prepared] = []
        var slots: [Slot] = []
        var feedback: [Feedback] = []
        /// Who asked.
        var role = ""
    }

    func findings(in database: DoctorDatabase) async throws(PostgresError) -> [DoctorFinding] {
        let results = try await database.read([
            PostgresStatement(
                """
                SELECT a.pid::int8, coalesce(a.usename::text, ''), coalesce(a.application_name, ''),
                    coalesce(a.state, ''), (extract(epoch FROM clock_timestamp() - a.xact_start) * 1000000)::int8
                FROM pg_stat_activity a
                WHERE a.pid <> pg_backend_pid() AND a.xact_start < clock_timestamp() - $1 * interval '1 microsecond'
                    AND (a.datname = current_database() OR a.backend_xmin IS NOT NULL AND a.datname IS NULL)
                    AND coalesce(a.backend_type, '') <> 'autovacuum worker'
                ORDER BY a.xact_start, a.pid LIMIT 20
                """, [.double(Double(database.limits.transaction.microseconds))]),
            PostgresStatement(
                """
                SELECT count(*) FILTER (WHERE NOT pg_has_role(a.usesysid, 'USAGE')
                    AND NOT pg_has_role('pg_read_all_stats', 'USAGE')), current_user::text
                FROM pg_stat_activity a WHERE a.datname = current_database() AND a.usesysid IS NOT NULL
                """),
            PostgresStatement(
                """
                SELECT gid, owner::text, (extract(epoch FROM clock_timestamp() - prepared) * 1000000)::int8
                FROM pg_prepared_xacts WHERE database = current_database()
                    AND prepared < clock_timestamp() - $1 * interval '1 microsecond'
                ORDER BY prepared, gid LIMIT 20
                """, [.double(Double(database.limits.transaction.microseconds))]),
            PostgresStatement(
                """
                SELECT slot_name::text, active, pg_wal_lsn_diff(
                    CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END,
                    restart_lsn)::int8
                FROM pg_replication_slots WHERE NOT temporary ORDER BY slot_name
                """),
            PostgresStatement(
                """
                SELECT name, age::int8 FROM (
                    SELECT slot_name::text, age(xmin) FROM pg_replication_slots WHERE xmin IS NOT NULL
                    UNION ALL SELECT application_name, age(backend_xmin) FROM pg_stat_replication
                    WHERE backend_xmin IS NOT NULL) standbys (name, age)
                ORDER BY name COLLATE "C"
                """),
        ])
        var facts = Facts()
        for row in results[0].rows {
            facts.transactions.append(
                Transaction(
                    process: try row.decode(0), role: try row.decode(1), application: try row.decode(2),
                    state: try row.decode(3), age: TimeSpan(microseconds: try row.decode(4))))
        }
        if let row = results[1].rows.first {
            facts.hidden = try row.decode(0)
            facts.role = try row.decode(1)
        }
        for row in results[2].rows {
            facts.prepared.append(
                Prepared(
                    name: try row.decode(0), owner: try row.decode(1),
                    age: TimeSpan(microseconds: try row.decode(2))))
        }
        for row in results[3].rows {
            facts.slots.append(
                Slot(name: try row.decode(0), isActive: try row.decode(1), retained: try row.decode(2)))
        }
        for row in results[4].rows {
            facts.feedback.append(Feedback(name: try row.decode(0), age: try row.decode(1)))
        }
        return Self.judge(facts, limits: database.limits)
    }

    static func judge(_ facts: Facts, limits: DoctorLimits) -> [DoctorFinding] {
        var findings: [DoctorFinding] = []
        for transaction in facts.transactions {
            let who = DoctorText.who(application: transaction.application, role: transaction.role)
            findings.append(
                DoctorFinding(
                    .transactionOld, .warning,
                    """
                    process \(transaction.process) (\(who)) has had a transaction open for \
                    \(DoctorText.span(transaction.age)), \(transaction.state): no row that died since is removed
                    """,
                    advice: "SELECT pg_terminate_backend(\(transaction.process));",
                    data: [
                        "pid": .int(transaction.process), "role": .string(transaction.role),
                        "application": .string(transaction.application), "state": .string(transaction.state),
                        "ageMs": .int(transaction.age.microseconds / 1_000),
                    ]))
        }
        for prepared in facts.prepared {
            let name = DoctorText.literal(prepared.name)
            findings.append(
                DoctorFinding(
                    .preparedTransactionOld, .warning,
                    """
                    the prepared transaction \(name) of role \(prepared.owner) has been open for \
                    \(DoctorText.span(prepared.age)): no row that died since is removed
                    """,
                    advice: DoctorText.endingPrepared(prepared.name),
                    data: [
                        "gid": .string(prepared.name), "owner": .string(prepared.owner),
                        "ageMs": .int(prepared.age.microseconds / 1_000),
                    ]))
        }
        findings += facts.slots.compactMap { finding(of: $0, limits) }
        for standby in facts.feedback where standby.age >= limits.feedbackAge {
            findings.append(
                DoctorFinding(
                    .standbyHoldsVacuum, .warning,
                    """
                    a query on the standby \(standby.name) is \(standby.age) transactions old: no row that died since \
                    is removed here
                    """,
                    advice: "end it there (pg_stat_activity on the standby), or set hot_standby_feedback = off there",
                    data: ["standby": .string(standby.name), "age": .int(standby.age)]))
        }
        if facts.hidden > 0 {
            findings.append(
                DoctorFinding(
                    .vacuum, .skipped,
                    """
                    not checked: needs pg_read_all_stats to see the transactions of \
                    \(DoctorText.count(facts.hidden, "session")) of other roles
                    """,
                    advice: "GRANT pg_monitor TO \(DoctorText.identifier(facts.role));",
                    data: ["hidden": .int(facts.hidden)], isByRights: true))
        }
        guard findings.isEmpty else { return findings }
        return [DoctorFinding(.vacuum, .ok, "nothing holds it back")]
    }

    private static func finding(of slot: Slot, _ limits: DoctorLimits) -> DoctorFinding? {
        let retained = slot.retained ?? 0
        let data: JSON = ["slot": .string(slot.name), "retainedBytes": .int(retained)]
        if !slot.isActive {
            return DoctorFinding(
                .slotInactive, .warning,
                """
                nobody reads the replication slot \(slot.name): it keeps \(DoctorText.bytes(retained)) of WAL, more \
                every hour, and may hold vacuum back
                """,
                advice:
                    """
                    start its reader, or if it is gone for good: SELECT \
                    pg_drop_replication_slot(\(DoctorText.literal(slot.name)));
                    """,
                data: data)
        }
        guard retained >= limits.retainedWAL else { return nil }
        return DoctorFinding(
            .slotRetainsWAL, .warning,
            "the reader of the replication slot \(slot.name) is \(DoctorText.bytes(retained)) of WAL behind",
            advice: "see why it is slow; max_slot_wal_keep_size bounds what is kept", data: data)
    }
}

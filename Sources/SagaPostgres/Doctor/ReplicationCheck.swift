import JSON
import PostgresClient
import SagaCore

/// Standbys: whether those that commits wait for are there, how far they are behind, what a failover can lose.
struct ReplicationCheck: DoctorCheck {
    static let code = DoctorCode.replication

    struct Standby: Sendable, Hashable {
        var name: String
        /// `async`, `potential`, `sync`, `quorum`; nil when this role may not see it.
        var sync: String?
        /// How far its replay is behind, in bytes; nil when this role may not see it.
        var bytes: Int64?
        var lag: TimeSpan?
    }

    struct Facts: Sendable, Hashable {
        /// `synchronous_standby_names`.
        var wanted = ""
        var standbys: [Standby] = []
        var isInRecovery = false
        var role = ""
    }

    func findings(in database: DoctorDatabase) async throws(PostgresError) -> [DoctorFinding] {
        let results = try await database.read([
            PostgresStatement(
                "SELECT current_setting('synchronous_standby_names'), pg_is_in_recovery(), current_user::text"),
            PostgresStatement(
                """
                SELECT coalesce(application_name, ''), sync_state, CASE WHEN NOT pg_is_in_recovery()
                    THEN pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn)::int8 END,
                    (extract(epoch FROM replay_lag) * 1000000)::int8
                FROM pg_stat_replication ORDER BY application_name COLLATE "C", pid
                """),
        ])
        guard let row = results[0].rows.first else { throw PostgresError(.decoding, "no settings") }
        var facts = Facts(wanted: try row.decode(0), isInRecovery: try row.decode(1), role: try row.decode(2))
        for row in results[1].rows {
            facts.standbys.append(
                Standby(
                    name: try row.decode(0), sync: try row.decode(1), bytes: try row.decode(2),
                    lag: try row.decode(3, as: Int64?.self).map { TimeSpan(microseconds: $0) }))
        }
        return Self.judge(facts, limits: database.limits)
    }

    static func judge(_ facts: Facts, limits: DoctorLimits) -> [DoctorFinding] {
        if facts.isInRecovery { return [DoctorFinding(.replication, .ok, "this server is a standby itself")] }
        if facts.standbys.contains(where: { $0.sync == nil }) {
            return [
                DoctorFinding(
                    .replication, .skipped,
                    """
                    not checked: needs pg_read_all_stats to see how \
                    \(DoctorText.count(facts.standbys.count, "standby", "standbys")) keep up
                    """,
                    advice: "GRANT pg_monitor TO \(DoctorText.identifier(facts.role));", isByRights: true)
            ]
        }
        var findings: [DoctorFinding] = []
        let synchronous = facts.standbys.count { $0.sync == "sync" || $0.sync == "quorum" }
        let wanted = wantedCount(facts.wanted)
        if synchronous < wanted {
            findings.append(
                DoctorFinding(
                    .synchronousStandbyMissing, .error,
                    """
                    commits wait for \(DoctorText.count(wanted, "synchronous standby", "synchronous standbys")) \
                    (\(facts.wanted)), and \(synchronous == 1 ? "1 is" : "\(synchronous) are") connected: every \
                    commit hangs
                    """,
                    advice:
                        """
                        bring the standby back, or go on without it: ALTER SYSTEM SET synchronous_standby_names = ''; \
                        SELECT pg_reload_conf();
                        """,
                    data: ["wanted": .int(wanted), "connected": .int(synchronous)]))
        }
        for standby in facts.standbys {
            let bytes = standby.bytes ?? 0
            guard bytes >= limits.retainedWAL || standby.lag.map({ $0 >= limits.lag }) == true else { continue }
            findings.append(
                DoctorFinding(
                    .standbyLagging, .warning,
                    """
                    the standby \(standby.name) is \(DoctorText.bytes(bytes)) and \
                    \(DoctorText.span(standby.lag ?? .zero)) behind: after a failover to it that much is gone or has \
                    to be replayed first
                    """,
                    advice: "see whether its disk, its network or a long query there holds it up",
                    data: [
                        "standby": .string(standby.name), "bytes": .int(bytes),
                        "lagMs": .int((standby.lag?.microseconds ?? 0) / 1_000),
                    ]))
        }
        guard findings.isEmpty else { return findings }
        return [DoctorFinding(.replication, .ok, message(facts), data: data(facts))]
    }

    private static func message(_ facts: Facts) -> String {
        if facts.standbys.isEmpty { return "no standby is connected" }
        let asynchronous = facts.standbys.filter { $0.sync == "async" }
        let synchronous = facts.standbys.count - asynchronous.count
        var parts: [String] = []
        if synchronous > 0 {
            parts.append(
                """
                \(DoctorText.count(synchronous, "synchronous standby", "synchronous standbys")): a failover there \
                loses nothing
                """
            )
        }
        if !asynchronous.isEmpty {
            let behind = asynchronous.compactMap(\.bytes).max() ?? 0
            parts.append(
                """
                \(DoctorText.count(asynchronous.count, "asynchronous standby", "asynchronous standbys")), up to \
                \(DoctorText.bytes(behind)) behind: a failover there loses that, calls that were made may be made \
                again and starts be gone
                """
            )
        }
        return parts.joined(separator: "; ")
    }

    private static func data(_ facts: Facts) -> JSON {
        [
            "standbys": .array(
                facts.standbys.map {
                    ["name": .string($0.name), "sync": .optional($0.sync), "bytes": $0.bytes.map { .int($0) } ?? .null]
                })
        ]
    }

    /// How many standbys `synchronous_standby_names` makes a commit wait for: `FIRST 2 (…)`, `ANY 2 (…)`, `2 (…)`,
    /// or a list, which means the first of it.
    static func wantedCount(_ names: String) -> Int {
        let words = names.split { $0 == " " || $0 == "(" || $0 == "," }
        guard let first = words.first else { return 0 }
        guard names.contains("(") else { return 1 }
        let number = ["FIRST", "ANY"].contains(first.uppercased()) ? words.dropFirst().first : first
        return number.flatMap { Int($0) } ?? 1
    }
}

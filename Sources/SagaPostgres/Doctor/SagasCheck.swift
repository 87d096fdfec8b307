import JSON
import PostgresClient
import SagaCore

/// Sagas that don't get on: due and taken up by nobody, owned by nobody, stuck, set aside.
struct SagasCheck: DoctorCheck {
    static let code = DoctorCode.sagas

    /// Some sagas that have something in common.
    struct Group: Sendable, Hashable {
        var count = 0
        /// One of them, the oldest where that has a meaning.
        var example: String?
        var since: Instant?
        /// Why, of the example.
        var reason: String?
    }

    struct Facts: Sendable, Hashable {
        var orphaned = Group()
        var stuck = Group()
        var unreadable = Group()
        /// The database's clock.
        var now: Instant
    }

    private static let live = "(s.owner IS NOT NULL OR s.due_at IS NOT NULL)"

    func findings(in database: DoctorDatabase) async throws(PostgresError) -> [DoctorFinding] {
        let due = try await DueSagas.read(database).finding(database.limits)
        let findings = (due.map { [$0] } ?? []) + Self.judge(try await Self.facts(database))
        guard findings.isEmpty else { return findings }
        return [DoctorFinding(.sagas, .ok, "none waits for a daemon or a person")]
    }

    private static func facts(_ database: DoctorDatabase) async throws(PostgresError) -> Facts {
        let results = try await database.read([
            PostgresStatement(
                """
                SELECT count(*), min(s.id::text), NULL::timestamptz, min(s.owner)::text FROM saga.state s
                WHERE s.owner IS NOT NULL AND NOT EXISTS (SELECT FROM saga.daemon d WHERE d.id = s.owner)
                """),
            PostgresStatement(
                """
                SELECT count(*), (array_agg(id::text ORDER BY since, id))[1], min(since), NULL::text FROM (
                    SELECT s.id, coalesce((SELECT max(e.at) FROM saga.event e WHERE e.saga_id = s.id AND e.type = 16),
                        s.started_at) AS since
                    FROM saga.state s WHERE \(live) AND s.status = 4 AND s.unreadable IS NULL LIMIT 100000) stuck
                """),
            PostgresStatement(
                """
                SELECT count(*), (array_agg(s.id::text ORDER BY s.id))[1], min(s.started_at),
                    (array_agg(s.unreadable ORDER BY s.id))[1]
                FROM saga.state s WHERE \(live) AND s.unreadable IS NOT NULL
                """),
            PostgresStatement("SELECT clock_timestamp()"),
        ])
        guard let row = results[3].rows.first else { throw PostgresError(.decoding, "no clock") }
        return Facts(
            orphaned: try group(results[0]), stuck: try group(results[1]), unreadable: try group(results[2]),
            now: Instant(try row.decode(0, as: PostgresTimestamp.self)))
    }

    private static func group(_ result: PostgresResult) throws(PostgresError) -> Group {
        guard let row = result.rows.first else { return Group() }
        return Group(
            count: try row.decode(0), example: try row.decode(1),
            since: try row.decode(2, as: PostgresTimestamp?.self).map { Instant($0) }, reason: try row.decode(3))
    }

    static func judge(_ facts: Facts) -> [DoctorFinding] {
        [orphaned(facts), stuck(facts), unreadable(facts)].compactMap { $0 }
    }

    private static func orphaned(_ facts: Facts) -> DoctorFinding? {
        guard facts.orphaned.count > 0 else { return nil }
        return DoctorFinding(
            .sagasOrphaned, .error,
            """
            \(DoctorText.count(facts.orphaned.count, "saga is", "sagas are")) owned by a daemon that isn't there \
            (\(facts.orphaned.reason ?? "")): nobody runs them, such as \(facts.orphaned.example ?? "")
            """,
            advice:
                """
                somebody deleted from saga.daemon; as the schema's owner: UPDATE saga.state s SET owner = NULL, \
                due_at = now() WHERE owner IS NOT NULL AND NOT EXISTS (SELECT FROM saga.daemon d WHERE d.id = \
                s.owner);
                """,
            data: data(facts.orphaned))
    }

    private static func stuck(_ facts: Facts) -> DoctorFinding? {
        guard facts.stuck.count > 0 else { return nil }
        let since = facts.stuck.since.map { DoctorText.span(facts.now - $0) } ?? ""
        return DoctorFinding(
            .sagasStuck, .warning,
            """
            \(DoctorText.count(facts.stuck.count, "saga is", "sagas are")) stuck and \
            \(facts.stuck.count == 1 ? "needs" : "need") a person, the oldest for \(since)
            """,
            advice: facts.stuck.count == 1 ? "saga status \(facts.stuck.example ?? "")" : "saga status",
            data: data(facts.stuck))
    }

    private static func unreadable(_ facts: Facts) -> DoctorFinding? {
        guard facts.unreadable.count > 0 else { return nil }
        let example = facts.unreadable.example ?? ""
        return DoctorFinding(
            .sagasUnreadable, .error,
            """
            \(DoctorText.count(facts.unreadable.count, "saga was", "sagas were")) set aside since no daemon could \
            read \(facts.unreadable.count == 1 ? "it" : "them"), such as \(example): \(facts.unreadable.reason ?? "")
            """,
            advice: "saga status \(example); once a program that can read it runs: saga retry \(example)",
            data: data(facts.unreadable))
    }

    private static func data(_ group: Group) -> JSON {
        ["count": .int(group.count), "example": .optional(group.example), "since": .optional(group.since?.text)]
    }
}

import JSON
import PostgresClient
import SagaCore

/// Days of long ago that can't be dropped, days to come that nobody has made, and what lies outside all days.
struct PartitionsCheck: DoctorCheck {
    static let code = DoctorCode.partitions

    /// A partition whose day is long over.
    struct Facts: Sendable, Hashable {
        let name: String
        let sagas: Int
        let unended: Int
        let bytes: Int64
        /// The oldest saga that hasn't ended, with its status.
        let oldest: String?
        let status: String?
    }

    func findings(in database: DoctorDatabase) async throws(PostgresError) -> [DoctorFinding] {
        let rows = try await database.rows(
            """
            SELECT partition, sagas, unended, bytes, oldest::text, oldest_status, end_id IS NULL,
                coalesce(saga.id_time(oldest) < statement_timestamp() - $1 * interval '1 us', false)
            FROM saga.retention($1 * interval '1 us')
            """, [.int8(database.limits.pinned.microseconds)])
        var ahead = Ahead(missing: try await Self.missingDays(database))
        var facts: [Facts] = []
        for row in rows {
            // The default partition is of no day.
            if try row.decode(6) {
                ahead.strays = try row.decode(1)
                guard try row.decode(2, as: Int.self) > 0, try row.decode(7) else { continue }
            }
            facts.append(
                Facts(
                    name: try row.decode(0), sagas: try row.decode(1), unended: try row.decode(2),
                    bytes: try row.decode(3), oldest: try row.decode(4), status: try row.decode(5)))
        }
        let findings = Self.judge(ahead)
        let old = Self.judge(facts, limits: database.limits)
        return findings.isEmpty ? old : findings + old.filter { $0.severity != .ok }
    }

    /// What becomes of sagas that start now.
    struct Ahead: Sendable, Hashable {
        /// The days, of today and tomorrow, that no partition takes, as `2026-01-31`.
        var missing: [String] = []
        /// Sagas in the default partition.
        var strays = 0
    }

    private static func missingDays(_ database: DoctorDatabase) async throws(PostgresError) -> [String] {
        var days: [String] = []
        for row in try await database.rows(
            """
            SELECT to_char(day AT TIME ZONE 'UTC', 'YYYY-MM-DD') FROM (
                SELECT date_trunc('day', clock_timestamp() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'
                    + n * interval '24 hours' FROM generate_series(0, 1) n
            ) days (day)
            WHERE NOT EXISTS (
                SELECT FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
                    CROSS JOIN LATERAL (SELECT pg_get_expr(c.relpartbound, c.oid)) b (text)
                    CROSS JOIN LATERAL (
                        SELECT (regexp_match(b.text, 'FROM [(]''([0-9a-f-]{36})''[)]'))[1]::uuid,
                            (regexp_match(b.text, 'TO [(]''([0-9a-f-]{36})''[)]'))[1]::uuid
                    ) r (first_id, end_id)
                WHERE i.inhparent = 'saga.state'::regclass AND r.end_id IS NOT NULL
                    AND (r.first_id IS NULL OR saga.id_time(r.first_id) <= day) AND saga.id_time(r.end_id) > day)
            ORDER BY day
            """)
        {
            days.append(try row.decode(0))
        }
        return days
    }

    static func judge(_ ahead: Ahead) -> [DoctorFinding] {
        var findings: [DoctorFinding] = []
        let make = "as the schema's owner: SELECT saga.ensure_partitions(); (a daemon that is the owner does so hourly)"
        if !ahead.missing.isEmpty {
            findings.append(
                DoctorFinding(
                    .partitionMissing, .warning,
                    """
                    no partition takes the sagas of \(ahead.missing.joined(separator: " and ")): they go into the default \
                    one, which retention can't drop by day
                    """,
                    advice: make, data: ["days": .array(ahead.missing.map { .string($0) })]))
        }
        guard ahead.strays > 0 else { return findings }
        findings.append(
            DoctorFinding(
                .partitionDefaultFilled, .warning,
                """
                \(DoctorText.count(ahead.strays, "saga lies", "sagas lie")) in the default partition: retention drops \
                them only all at once, and daemons look through them besides their days
                """,
                advice:
                    """
                    see that days are made ahead (\(make)); the rows leave together, when the newest of them has ended \
                    long enough ago: sagad --retain or saga prune
                    """, data: ["sagas": .int(ahead.strays)]))
        return findings
    }

    static func judge(_ facts: [Facts], limits: DoctorLimits) -> [DoctorFinding] {
        let age = DoctorText.span(limits.pinned)
        let pinned = facts.filter { $0.unended > 0 }
        let data: JSON = [
            "partitions": .int(facts.count), "pinned": .int(pinned.count),
            "bytes": .int(facts.reduce(0) { $0 &+ $1.bytes }),
        ]
        guard !pinned.isEmpty else {
            let size = DoctorText.bytes(facts.reduce(0) { $0 &+ $1.bytes })
            let message =
                facts.isEmpty
                ? "none is older than \(age)"
                : "\(DoctorText.count(facts.count, "is", "are")) older than \(age), with \(size): saga prune drops them"
            return [DoctorFinding(code, .ok, message, data: data)]
        }
        return pinned.map { partition in
            let message = """
                partition \(partition.name) is older than \(age), and \
                \(DoctorText.count(partition.unended, "saga")) of its \(partition.sagas) \
                \(partition.unended == 1 ? "hasn't" : "haven't") ended\
                \(partition.oldest.map { ": the oldest is \($0), \(partition.status ?? "")" } ?? "")
                """
            return DoctorFinding(
                .partitionPinned, .warning, message,
                advice: partition.oldest.map { "see what it waits for: saga status \($0)" }, data: data)
        }
    }
}

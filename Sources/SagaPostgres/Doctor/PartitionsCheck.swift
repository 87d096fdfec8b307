import JSON
import PostgresClient
import SagaCore

/// Days of long ago that can't be dropped.
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
            SELECT partition, sagas, unended, bytes, oldest::text, oldest_status
            FROM saga.retention($1 * interval '1 us')
            -- The default partition is of no day.
            WHERE end_id IS NOT NULL
                OR (unended > 0 AND saga.id_time(oldest) < statement_timestamp() - $1 * interval '1 us')
            """, [.int8(database.limits.pinned.microseconds)])
        var facts: [Facts] = []
        for row in rows {
            facts.append(
                Facts(
                    name: try row.decode(0), sagas: try row.decode(1), unended: try row.decode(2),
                    bytes: try row.decode(3), oldest: try row.decode(4), status: try row.decode(5)))
        }
        return Self.judge(facts, limits: database.limits)
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

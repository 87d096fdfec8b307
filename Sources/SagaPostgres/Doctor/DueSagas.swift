import JSON
import PostgresClient
import SagaCore

/// Sagas that have been due for long and were taken up by nobody, and whether daemons work them off all the same.
///
/// What waits for a service's breaker or limit, or for a person, isn't due and doesn't count.
struct DueSagas: Sendable, Hashable {
    var count = 0
    /// The one that has been due for longest, and since when.
    var example: String?
    var since: Instant?
    /// Daemons whose lease runs.
    var daemons = 0
    /// When one of these last recorded something of a saga that it runs.
    var lastWork: Instant?
    /// Whether one of those that have been due for longest was taken up while looked at.
    var isMoving = false
    /// The database's clock.
    var now: Instant

    private static let late = """
        owner IS NULL AND due_at < clock_timestamp() - $1 * interval '1 microsecond'
        """
    /// How many of those that are due are looked at twice. Claims take those first that have been due for longest.
    private static let watched = 100

    static func read(_ database: DoctorDatabase) async throws(PostgresError) -> DueSagas {
        let limit = PostgresValue.double(Double(database.limits.overdue.microseconds))
        let results = try await database.read([
            PostgresStatement(
                """
                SELECT count(*), (array_agg(id::text ORDER BY due_at, id))[1], min(due_at),
                    array_to_string((array_agg(id::text ORDER BY due_at, id))[1:\(watched)], ',')
                FROM (SELECT id, due_at FROM saga.state WHERE \(late) ORDER BY due_at LIMIT 100000) late
                """, [limit]),
            PostgresStatement(
                """
                SELECT (SELECT count(*) FROM saga.daemon WHERE lease_until BETWEEN clock_timestamp()
                    AND clock_timestamp() + $1 * interval '1 microsecond'), clock_timestamp()
                """, [.double(Double(database.limits.leaseAhead.microseconds))]),
        ])
        guard let late = results[0].rows.first, let row = results[1].rows.first else {
            throw PostgresError(.decoding, "no count of what is due")
        }
        var due = DueSagas(
            count: try late.decode(0), example: try late.decode(1),
            since: try late.decode(2, as: PostgresTimestamp?.self).map { Instant($0) }, daemons: try row.decode(0),
            now: Instant(try row.decode(1, as: PostgresTimestamp.self)))
        guard due.count > 0, due.daemons > 0 else { return due }
        due.lastWork = try await lastWork(database)
        guard !due.hasWorked(database.limits) else { return due }
        due.isMoving = try await isMoving(try late.decode(3), min(due.count, watched), limit, database)
        return due
    }

    /// When a daemon that is alive last recorded something of what it has in memory.
    ///
    /// Few of these may move, behind a service that is slow: all of them are looked at.
    private static func lastWork(_ database: DoctorDatabase) async throws(PostgresError) -> Instant? {
        let row = try await database.row(
            """
            SELECT max(e.at) FROM (
                SELECT s.id FROM saga.state s
                WHERE s.owner = ANY (ARRAY(SELECT d.id FROM saga.daemon d WHERE d.lease_until >= clock_timestamp()))
                LIMIT 100000
            ) o CROSS JOIN LATERAL (
                SELECT e.at FROM saga.event e WHERE e.saga_id = o.id AND e.type BETWEEN 2 AND 16
                ORDER BY e.sequence DESC LIMIT 1
            ) e
            """)
        return try row.decode(0, as: PostgresTimestamp?.self).map { Instant($0) }
    }

    /// Looks a few more times at those that have been due for longest.
    private static func isMoving(
        _ ids: String, _ count: Int, _ limit: PostgresValue, _ database: DoctorDatabase
    ) async throws(PostgresError) -> Bool {
        let pause = TimeSpan.milliseconds(200)
        var waited = TimeSpan.zero
        while waited < database.limits.look {
            do { try await Task.sleep(for: .microseconds(pause.microseconds)) } catch {
                throw PostgresError(.cancelled, "the task was cancelled while sagas were looked at")
            }
            waited = TimeSpan(microseconds: waited.microseconds + pause.microseconds)
            let row = try await database.row(
                """
                SELECT count(*) FROM saga.state
                WHERE id = ANY (string_to_array($2, ',')::uuid[]) AND \(late)
                """, [limit, .text(ids)])
            if try row.decode(0, as: Int.self) < count { return true }
        }
        return false
    }

    private func hasWorked(_ limits: DoctorLimits) -> Bool { lastWork.map { now <= $0 + limits.work } ?? false }

    func finding(_ limits: DoctorLimits) -> DoctorFinding? {
        guard count > 0 else { return nil }
        let age = since.map { DoctorText.span(now - $0) } ?? ""
        let what = DoctorText.count(count, "saga is", "sagas are")
        let data: JSON = [
            "count": .int(count), "example": .optional(example), "since": .optional(since?.text),
            "daemons": .int(daemons), "lastWork": .optional(lastWork?.text),
        ]
        let oldest = "the oldest for \(age): \(example ?? "")"
        if daemons > 0, isMoving || hasWorked(limits) {
            return DoctorFinding(
                .sagasBehind, .warning,
                """
                \(what) due and not yet taken up, \(oldest); \(DoctorText.count(daemons, "daemon works", "daemons work"))
                """,
                advice:
                    """
                    if they don't become fewer: start more daemons, raise --concurrency, or look for a service that \
                    is slow or holds calls back (saga status)
                    """, data: data)
        }
        let alive = DoctorText.count(daemons, "daemon is alive and records", "daemons are alive and record")
        let last = lastWork.map { ", last \(DoctorText.span(now - $0)) ago" } ?? ""
        return DoctorFinding(
            .sagasOverdue, .error,
            """
            \(what) due and taken up by nobody, \(oldest)\(daemons > 0 ? "; \(alive) nothing\(last)" : "")
            """,
            advice: daemons > 0
                ? "look into the daemons' logs for why they can't claim or write, then restart them" : "start sagad",
            data: data)
    }
}

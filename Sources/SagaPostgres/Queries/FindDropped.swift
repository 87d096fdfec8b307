import PostgresClient
import SagaCore

/// A saga whose history retention has dropped.
public struct DroppedSaga: Sendable, Hashable {
    public let id: SagaID
    /// To the millisecond, since only the id tells.
    public let startedAt: Instant
    /// When its day was dropped; nil where that isn't known, as of what lay in the partition `default`.
    public let droppedAt: Instant?
}

extension SagaReader {
    /// What is still known of a saga that `find(_:)` doesn't find; nil when there never was one.
    ///
    /// Of an id it is known only that sagas of its day were dropped, not that it was one of them.
    public func dropped(_ idOrKey: String) async throws(PostgresError) -> DroppedSaga? {
        let result: PostgresResult
        if let id = SagaID(idOrKey) {
            result = try await pool.read(
                """
                SELECT $1, max(d.dropped_at) FROM saga.dropped d
                WHERE (d.first_id IS NULL OR d.first_id <= $1) AND d.end_id > $1
                    AND NOT EXISTS (SELECT FROM saga.state WHERE id = $1)
                HAVING count(*) > 0
                """, [.uuid(id.uuid)], timeout: timeout)
        } else if idOrKey.utf8.contains(0) {
            return nil
        } else {
            result = try await pool.read(
                """
                SELECT k.saga_id, (
                    SELECT max(d.dropped_at) FROM saga.dropped d
                    WHERE (d.first_id IS NULL OR d.first_id <= k.saga_id) AND d.end_id > k.saga_id)
                FROM saga.key k
                WHERE k.key = $1 AND NOT EXISTS (SELECT FROM saga.state s WHERE s.id = k.saga_id)
                """, [.text(idOrKey)], timeout: timeout)
        }
        guard let row = result.rows.first else { return nil }
        let id = SagaID(try row.decode(0, as: PostgresUUID.self))
        return DroppedSaga(
            id: id,
            // RFC 9562, section 5.7: the first 48 bits are milliseconds.
            startedAt: Instant(microseconds: Int64(id.high >> 16) * 1_000),
            droppedAt: try row.decode(1, as: PostgresTimestamp?.self).map(Instant.init))
    }
}

import PostgresClient
import SagaCore

/// A saga whose history retention has dropped.
public struct DroppedSaga: Sendable, Hashable {
    public let id: SagaID
    /// To the millisecond, since only the id tells.
    public let startedAt: Instant
}

extension SagaReader {
    /// What is still known of a saga that `find(_:)` doesn't find; nil when there never was one.
    ///
    /// Of an id it is known only that sagas of its day were dropped, not that it was one of them.
    public func dropped(_ idOrKey: String) async throws(PostgresError) -> DroppedSaga? {
        let result: PostgresResult
        if let id = SagaID(idOrKey) {
            result = try await pool.query(
                """
                SELECT $1 FROM saga.dropped
                WHERE (first_id IS NULL OR first_id <= $1) AND end_id > $1
                    AND NOT EXISTS (SELECT FROM saga.state WHERE id = $1) LIMIT 1
                """, [.uuid(id.uuid)], timeout: timeout)
        } else if idOrKey.utf8.contains(0) {
            return nil
        } else {
            result = try await pool.query(
                """
                SELECT k.saga_id FROM saga.key k
                WHERE k.key = $1 AND NOT EXISTS (SELECT FROM saga.state s WHERE s.id = k.saga_id)
                """, [.text(idOrKey)], timeout: timeout)
        }
        guard let row = result.rows.first else { return nil }
        let id = SagaID(try row.decode(0, as: PostgresUUID.self))
        // RFC 9562, section 5.7: the first 48 bits are milliseconds.
        return DroppedSaga(id: id, startedAt: Instant(microseconds: Int64(id.high >> 16) * 1_000))
    }
}

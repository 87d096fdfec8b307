import PostgresClient
import SagaCore
import SagaEngine

extension SagaReader {
    /// The record with what came to the saga since it was read; cheap enough to be asked several times a second.
    ///
    /// - Returns: nil when the saga is no longer there.
    public func refreshed(_ record: SagaRecord) async throws(PostgresError) -> SagaRecord? {
        let results = try await pool.read(
            [
                PostgresStatement(
                    "SELECT status, paused, ended_at, unreadable, clock_timestamp() FROM saga.state WHERE id = $1",
                    [.uuid(record.id.uuid)]
                ),
                PostgresStatement(
                    """
                    SELECT \(StoredEvent.columns) FROM saga.event WHERE saga_id = $1 AND sequence > $2 ORDER BY sequence
                    """,
                    [.uuid(record.id.uuid), .int4(Int32(clamping: record.lastSequence))]
                ),
            ],
            timeout: timeout
        )
        guard let row = results[0].rows.first else { return nil }
        let code: Int16 = try row.decode(0)
        let status = SagaStatus(rawValue: code)
        let news = try StoredEvents(results[1].rows)
        return SagaRecord(
            id: record.id,
            saga: record.saga,
            version: record.version,
            document: record.document,
            key: record.key,
            correlationID: record.correlationID,
            status: status ?? .stuck,
            isPaused: try row.decode(1),
            startedAt: record.startedAt,
            endedAt: try row.decode(2, as: PostgresTimestamp?.self).map(Instant.init),
            unreadable: try row.decode(3) ?? (status == nil ? SagaStatus.fault(ofCode: code) : nil),
            events: record.events + news.events,
            fault: record.fault ?? news.fault,
            lastSequence: max(record.lastSequence, news.lastSequence),
            readAt: Instant(try row.decode(4, as: PostgresTimestamp.self))
        )
    }
}

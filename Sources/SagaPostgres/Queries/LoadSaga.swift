import PostgresClient
import SagaCore
import SagaEngine

extension SagaReader {
    /// A saga with its definition and all its events; nil when there is none of this id.
    public func load(_ id: SagaID) async throws(PostgresError) -> SagaRecord? {
        // The row first: events that come between the two are seen, and a row never claims more than its events.
        let results = try await pool.read(
            [
                PostgresStatement(
                    """
                    SELECT d.saga, left(encode(d.digest, 'hex'), 12), d.document, s.key, s.correlation_id, s.status,
                        s.paused, s.started_at, s.ended_at, s.unreadable, clock_timestamp()
                    FROM saga.state s JOIN saga.definition d ON d.id = s.definition_id
                    WHERE s.id = $1
                    """,
                    [.uuid(id.uuid)]
                ),
                PostgresStatement(
                    "SELECT \(StoredEvent.columns) FROM saga.event WHERE saga_id = $1 ORDER BY sequence",
                    [.uuid(id.uuid)]
                ),
            ],
            timeout: timeout
        )
        guard let row = results[0].rows.first else { return nil }
        let code: Int16 = try row.decode(5)
        let status = SagaStatus(rawValue: code)
        let history = try StoredEvents(results[1].rows)
        return SagaRecord(
            id: id,
            saga: try row.decode(0),
            version: try row.decode(1),
            document: try row.decode(2),
            key: try row.decode(3),
            correlationID: try row.decode(4),
            status: status ?? .stuck,
            isPaused: try row.decode(6),
            startedAt: Instant(try row.decode(7, as: PostgresTimestamp.self)),
            endedAt: try row.decode(8, as: PostgresTimestamp?.self).map(Instant.init),
            unreadable: try row.decode(9) ?? (status == nil ? SagaStatus.fault(ofCode: code) : nil),
            events: history.events,
            fault: history.fault,
            lastSequence: history.lastSequence,
            readAt: Instant(try row.decode(10, as: PostgresTimestamp.self))
        )
    }
}

import JSON
import PostgresClient
import SagaCore
import SagaEngine

/// Some sagas as the tables and the views have them at one moment.
struct HistoryBatch: Sendable {
    let sagas: [StoredHistory]
    /// The database's clock.
    let readAt: Instant

    static func read(
        _ ids: [PostgresUUID], _ database: DoctorDatabase
    ) async throws(PostgresError) -> HistoryBatch {
        let uuids = PostgresValue.uuidArray(ids)
        let results = try await database.read([
            PostgresStatement(
                """
                SELECT s.id, s.definition_id, s.key, s.status, s.paused, s.started_at, s.ended_at, s.unreadable, d.saga,
                    k.saga_id, k.saga, s.owner, s.due_at, s.waits_for,
                    EXISTS (SELECT FROM saga.service v WHERE v.id = s.waits_for)
                FROM saga.state s LEFT JOIN saga.definition d ON d.id = s.definition_id
                    LEFT JOIN saga.key k ON k.key = s.key
                WHERE s.id = ANY ($1) ORDER BY s.id
                """, [uuids]),
            PostgresStatement(
                """
                SELECT \(StoredEvent.columns), saga_id FROM saga.event WHERE saga_id = ANY ($1)
                ORDER BY saga_id, sequence
                """, [uuids]),
            PostgresStatement(
                """
                SELECT id, saga, version, key, status, paused, input, output, failure ->> 'step', failure ->> 'error',
                    failure ->> 'message', started_at, ended_at
                FROM saga.sagas WHERE id = ANY ($1)
                """, [uuids]),
            PostgresStatement(
                """
                SELECT saga_id, step, status, outcome, attempts::int8, output, error, compensation_status,
                    compensation_attempts::int8, compensation_error
                FROM saga.steps WHERE saga_id = ANY ($1)
                """, [uuids]),
            PostgresStatement("SELECT clock_timestamp()"),
        ])
        guard let clock = results[4].rows.first else { throw PostgresError(.decoding, "no clock") }
        var events: [SagaID: [StoredEvent]] = [:]
        for row in results[1].rows {
            events[SagaID(try row.decode(5, as: PostgresUUID.self)), default: []].append(try StoredEvent(row: row))
        }
        var views: [SagaID: ShownSaga] = [:]
        for row in results[2].rows { views[SagaID(try row.decode(0, as: PostgresUUID.self))] = try ShownSaga(row) }
        for row in results[3].rows {
            views[SagaID(try row.decode(0, as: PostgresUUID.self))]?.steps.append(try ShownStep(row))
        }
        var sagas: [StoredHistory] = []
        for row in results[0].rows {
            let id = SagaID(try row.decode(0, as: PostgresUUID.self))
            sagas.append(try StoredHistory(row, id: id, events: events[id] ?? [], shown: views[id]))
        }
        return HistoryBatch(sagas: sagas, readAt: Instant(try clock.decode(0, as: PostgresTimestamp.self)))
    }
}

extension StoredHistory {
    fileprivate init(
        _ row: PostgresRow, id: SagaID, events: [StoredEvent], shown: ShownSaga?
    ) throws(PostgresError) {
        let holder = try row.decode(9, as: PostgresUUID?.self).map { SagaID($0) }
        let entry = try row.decode(10, as: String?.self)
        self.init(
            id: id, definition: try row.decode(1), key: try row.decode(2), statusCode: try row.decode(3),
            isPaused: try row.decode(4), startedAt: Instant(try row.decode(5, as: PostgresTimestamp.self)),
            endedAt: try row.decode(6, as: PostgresTimestamp?.self).map { Instant($0) },
            unreadable: try row.decode(7), owner: try row.decode(11),
            dueAt: try row.decode(12, as: PostgresTimestamp?.self).map { Instant($0) },
            waitsFor: try row.decode(13), isServiceThere: try row.decode(14), events: events, shown: shown,
            saga: try row.decode(8), keyEntry: holder.flatMap { id in entry.map { KeyEntry(id: id, saga: $0) } })
    }
}

extension ShownSaga {
    init(_ row: PostgresRow) throws(PostgresError) {
        self.init(
            saga: try row.decode(1), version: try row.decode(2), key: try row.decode(3), status: try row.decode(4),
            isPaused: try row.decode(5), input: try row.decode(6, as: [UInt8]?.self),
            output: try row.decode(7, as: [UInt8]?.self), failureStep: try row.decode(8),
            failureError: try row.decode(9), failureMessage: try row.decode(10),
            startedAt: Instant(try row.decode(11, as: PostgresTimestamp.self)),
            endedAt: try row.decode(12, as: PostgresTimestamp?.self).map { Instant($0) })
    }
}

extension ShownStep {
    init(_ row: PostgresRow) throws(PostgresError) {
        self.init(
            name: try row.decode(1), status: try row.decode(2), outcome: try row.decode(3),
            attempts: try row.decode(4), output: try row.decode(5, as: [UInt8]?.self), error: try row.decode(6),
            compensationStatus: try row.decode(7), compensationAttempts: try row.decode(8),
            compensationError: try row.decode(9))
    }
}

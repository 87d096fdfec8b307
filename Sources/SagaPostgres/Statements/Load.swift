import PostgresClient
import SagaCore
import SagaEngine

extension PostgresStore {
    public func load(_ ids: [SagaID], ownedBy owner: Lease?) async throws(StoreError) -> [StoredSaga] {
        do throws(PostgresError) {
            let uuids = PostgresValue.uuidArray(ids.map(\.uuid))
            // The rows first: events that come between the two are seen, and a row never claims more than its events.
            let results = try await pool.pipeline(
                [
                    PostgresStatement(
                        """
                        SELECT id, key, definition_id, status FROM saga.state
                        WHERE id = ANY ($1) AND ($2::int4 IS NULL OR owner = $2)
                        """, [uuids, .int4(owner?.daemon)]),
                    PostgresStatement(
                        """
                        SELECT saga_id, sequence, cause, type, at, data FROM saga.event
                        WHERE saga_id = ANY ($1) ORDER BY saga_id, sequence
                        """, [uuids]),
                ], timeout: timeout)
            var events: [SagaID: [StoredEvent]] = [:]
            for row in results[1].rows {
                events[SagaID(try row.decode(0, as: PostgresUUID.self)), default: []].append(try storedEvent(row))
            }
            var sagas: [SagaID: StoredSaga] = [:]
            for row in results[0].rows {
                let id = SagaID(try row.decode(0, as: PostgresUUID.self))
                guard let status = SagaStatus(rawValue: try row.decode(3)) else {
                    throw PostgresError(.decoding, "saga \(id) has a status that is none")
                }
                sagas[id] = StoredSaga(
                    id: id, key: try row.decode(1), definition: DefinitionID(try row.decode(2)), status: status,
                    events: events[id] ?? [])
            }
            return ids.compactMap { sagas[$0] }
        } catch {
            throw StoreError(error)
        }
    }

    private func storedEvent(_ row: PostgresRow) throws(PostgresError) -> StoredEvent {
        StoredEvent(
            sequence: Int(try row.decode(1, as: Int32.self)),
            cause: try row.decode(2, as: Int32?.self).map { Int($0) },
            type: try row.decode(3), at: Instant(try row.decode(4, as: PostgresTimestamp.self)),
            data: try row.decode(5, as: [UInt8]?.self))
    }

    public func definition(_ id: DefinitionID) async throws(StoreError) -> [UInt8]? {
        do throws(PostgresError) {
            let result = try await pool.query(
                "SELECT document FROM saga.definition WHERE id = $1", [.int4(id.number)], timeout: timeout)
            return try result.rows.first?.decode(0, as: [UInt8].self)
        } catch {
            throw StoreError(error)
        }
    }
}

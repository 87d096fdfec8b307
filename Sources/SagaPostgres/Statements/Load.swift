import PostgresClient
import SagaCore
import SagaEngine

extension PostgresStore {
    public func load(_ ids: [SagaID], ownedBy owner: Lease?) async throws(StoreError) -> LoadedSagas {
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
                        SELECT \(StoredEvent.columns), saga_id FROM saga.event
                        WHERE saga_id = ANY ($1) ORDER BY saga_id, sequence
                        """, [uuids]),
                ], timeout: timeout)
            var events: [SagaID: StoredEvents] = [:]
            for row in results[1].rows {
                try events[SagaID(row.decode(5, as: PostgresUUID.self)), default: StoredEvents()].take(row)
            }
            var sagas: [SagaID: StoredSaga] = [:]
            var faults: [SagaID: String] = [:]
            for row in results[0].rows {
                let id = SagaID(try row.decode(0, as: PostgresUUID.self))
                let own = events[id] ?? StoredEvents()
                let code: Int16 = try row.decode(3)
                guard let status = SagaStatus(rawValue: code), own.fault == nil else {
                    faults[id] = own.fault ?? SagaStatus.fault(ofCode: code)
                    continue
                }
                do throws(PostgresError) {
                    sagas[id] = StoredSaga(
                        id: id, key: try row.decode(1), definition: DefinitionID(try row.decode(2)), status: status,
                        events: own.events)
                } catch {
                    faults[id] = "its row can't be decoded: \(error.message)"
                }
            }
            return LoadedSagas(
                readable: ids.compactMap { sagas[$0] },
                unreadable: ids.compactMap { id in faults[id].map { UnreadableSaga(id: id, reason: $0) } })
        } catch {
            throw StoreError(error)
        }
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

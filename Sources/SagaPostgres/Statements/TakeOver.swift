import PostgresClient
import SagaEngine

extension PostgresStore {
    /// Locks the lost daemons' rows first, which waits for no one and lets no batch of theirs pass afterwards; only
    /// then, in a snapshot taken under the lock, are their sagas freed and the rows deleted.
    public func takeOverLost(_ lease: Lease) async throws(StoreError) -> Int {
        do throws(PostgresError) {
            let lost = try await pool.query(
                "SELECT 1 FROM saga.daemon WHERE lease_until < clock_timestamp() AND id <> $1 LIMIT 1",
                [.int4(lease.daemon)], timeout: timeout)
            if lost.rows.isEmpty { return 0 }
        } catch {
            throw StoreError(error)
        }
        do {
            return try await pool.withConnection { connection in try await takeOver(on: connection, besides: lease) }
        } catch let error as PostgresError {
            throw StoreError(error)
        } catch {
            throw .unavailable("\(error)")
        }
    }

    private func takeOver(on connection: PostgresConnection, besides lease: Lease) async throws -> Int {
        let locked = try await connection.pipeline(
            [
                PostgresStatement("BEGIN"),
                PostgresStatement(
                    """
                    SELECT id FROM saga.daemon WHERE lease_until < clock_timestamp() AND id <> $1
                    ORDER BY id FOR UPDATE SKIP LOCKED
                    """, [.int4(lease.daemon)]),
            ], timeout: timeout)
        let ids = try locked[1].rows.map { row in try row.decode(0, as: Int32.self) }
        _ = try await connection.pipeline(
            [
                PostgresStatement(
                    "UPDATE saga.state SET owner = NULL, due_at = clock_timestamp() WHERE owner = ANY ($1)",
                    [.int4Array(ids)]),
                PostgresStatement("DELETE FROM saga.daemon WHERE id = ANY ($1)", [.int4Array(ids)]),
                PostgresStatement("COMMIT"),
            ], timeout: timeout)
        return ids.count
    }
}

import PostgresClient
import SagaCore
import SagaEngine

extension PostgresStore {
    /// Locks the lost daemons' rows first, which waits for no one and lets no batch of theirs pass afterwards; only
    /// then, in a snapshot taken under the lock, are their sagas freed.
    ///
    /// A saga whose row somebody else holds is left for the next time: until then its daemon's row stays, marked as
    /// taken and at a raised epoch.
    public func takeOverLost(_ lease: Lease) async throws(StoreError) -> Int {
        do throws(PostgresError) {
            let lost = try await pool.query(
                "SELECT 1 FROM saga.daemon WHERE lease_until < clock_timestamp() AND id <> $1 LIMIT 1",
                [.int4(lease.daemon)], timeout: timeout)
            if lost.rows.isEmpty { return 0 }
        } catch {
            throw StoreError(error)
        }
        return try await locking { connection in
            let locked = try await connection.pipeline(
                begin(lease.length) + [
                    PostgresStatement(
                        """
                        SELECT id FROM saga.daemon WHERE lease_until < clock_timestamp() AND id <> $1
                        ORDER BY id FOR UPDATE SKIP LOCKED
                        """, [.int4(lease.daemon)])
                ], timeout: timeout)
            let ids = try locked[2].rows.map { row in try row.decode(0, as: Int32.self) }
            let lost = PostgresValue.int4Array(ids)
            let freed = try await connection.pipeline(
                [
                    PostgresStatement(
                        """
                        UPDATE saga.state SET owner = NULL, due_at = clock_timestamp()
                        WHERE id IN (SELECT id FROM saga.state WHERE owner = ANY ($1) FOR UPDATE SKIP LOCKED)
                        """, [lost]),
                    PostgresStatement(
                        """
                        DELETE FROM saga.daemon d
                        WHERE d.id = ANY ($1) AND NOT EXISTS (SELECT FROM saga.state s WHERE s.owner = d.id)
                        """, [lost]),
                    PostgresStatement(
                        "UPDATE saga.daemon SET epoch = epoch + 1, lease_until = '-infinity' WHERE id = ANY ($1)",
                        [lost]),
                    PostgresStatement("COMMIT"),
                ], timeout: timeout)
            return freed[1].affectedRows
        }
    }
}

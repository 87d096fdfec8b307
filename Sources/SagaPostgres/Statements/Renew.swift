import PostgresClient
import SagaCore
import SagaEngine

extension PostgresStore {
    /// Updates no key column, so that it never waits for a batch's fence.
    public func renew(_ lease: Lease) async throws(StoreError) -> Instant {
        do throws(PostgresError) {
            let result = try await pool.query(
                """
                UPDATE saga.daemon SET lease_until = clock_timestamp() + $3::bigint * interval '1 microsecond'
                WHERE id = $1 AND epoch = $2
                RETURNING clock_timestamp()
                """,
                [.int4(lease.daemon), .int4(lease.epoch), .int8(lease.length.microseconds)],
                timeout: max(.milliseconds(100), .microseconds(lease.length.microseconds / 3)))
            guard let row = result.rows.first else {
                throw PostgresError(.server(sqlState: "SG001"), "the lease is gone")
            }
            return Instant(try row.decode(0, as: PostgresTimestamp.self))
        } catch {
            throw StoreError(error)
        }
    }
}

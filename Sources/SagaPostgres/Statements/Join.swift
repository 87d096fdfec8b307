import PostgresClient
import SagaCore
import SagaEngine

extension PostgresStore {
    public func join(_ daemon: DaemonIdentity, leaseLength: TimeSpan) async throws(StoreError) -> Lease {
        do throws(PostgresError) {
            let result = try await pool.query(
                """
                INSERT INTO saga.daemon (host, pid, version, lease_until)
                VALUES ($1, $2, $3, clock_timestamp() + $4::bigint * interval '1 microsecond')
                RETURNING id, epoch
                """,
                [.text(daemon.host), .int4(daemon.pid), .text(daemon.version), .int8(leaseLength.microseconds)],
                timeout: timeout)
            guard let row = result.rows.first else { throw PostgresError(.decoding, "no daemon row came back") }
            return Lease(daemon: try row.decode(0), epoch: try row.decode(1), length: leaseLength)
        } catch {
            throw StoreError(error)
        }
    }
}

import PostgresClient
import SagaEngine

extension PostgresStore {
    public func leave(_ lease: Lease) async throws(StoreError) {
        do throws(PostgresError) {
            _ = try await fenced(
                lease,
                [
                    PostgresStatement(
                        "UPDATE saga.state SET owner = NULL, due_at = clock_timestamp() WHERE owner = $1",
                        [.int4(lease.daemon)]),
                    PostgresStatement("DELETE FROM saga.daemon WHERE id = $1", [.int4(lease.daemon)]),
                ])
        } catch {
            throw StoreError(error)
        }
    }
}

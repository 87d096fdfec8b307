import PostgresClient
import SagaCore
import SagaEngine

extension PostgresStore {
    public func setAside(_ saga: SagaID, reason: String, under lease: Lease) async throws(StoreError) {
        do throws(PostgresError) {
            _ = try await fenced(
                lease,
                [
                    PostgresStatement(
                        """
                        UPDATE saga.state SET unreadable = $3, owner = NULL, due_at = 'infinity'
                        WHERE id = $1 AND owner = $2
                        """, [.uuid(saga.uuid), .int4(lease.daemon), .text(reason)])
                ])
        } catch {
            throw StoreError(error)
        }
    }
}

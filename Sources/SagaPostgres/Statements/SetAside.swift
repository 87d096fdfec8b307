import PostgresClient
import SagaCore
import SagaEngine

extension PostgresStore {
    public func setAside(_ saga: SagaID, reason: String, under lease: Lease) async throws(StoreError) {
        do throws(PostgresError) {
            _ = try await fenced(lease, [SagaAlerts.settingAside(saga, reason: reason, daemon: lease.daemon)])
        } catch {
            throw StoreError(error)
        }
    }
}

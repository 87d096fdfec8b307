import PostgresClient
import SagaCore
import SagaEngine

extension PostgresStore {
    public func setAside(_ saga: SagaID, reason: String, under lease: Lease) async throws(StoreError) {
        // It may quote what the saga holds, and no text of the database's takes a NUL.
        let text = reason.replacing("\0", with: "\u{FFFD}")
        do throws(PostgresError) {
            _ = try await fenced(lease, [SagaAlerts.settingAside(saga, reason: text, daemon: lease.daemon)])
        } catch {
            throw StoreError(error)
        }
    }
}

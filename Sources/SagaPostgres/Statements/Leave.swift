import PostgresClient
import SagaCore
import SagaEngine

extension PostgresStore {
    /// Locks the daemon's row against its own claims under way before it frees what it owns: a claim that comes later
    /// finds no row to write under.
    public func leave(_ lease: Lease) async throws(StoreError) {
        try await locking { connection in
            let locked = try await connection.pipeline(
                begin(lease.length) + [
                    PostgresStatement(
                        "SELECT 1 FROM saga.daemon WHERE id = $1 AND epoch = $2 FOR UPDATE",
                        [.int4(lease.daemon), .int4(lease.epoch)])
                ], timeout: timeout)
            guard locked.last?.rows.isEmpty == false else { throw StoreError.leaseLost }
            _ = try await connection.pipeline(
                [
                    PostgresStatement(
                        "UPDATE saga.state SET owner = NULL, due_at = clock_timestamp() WHERE owner = $1",
                        [.int4(lease.daemon)]),
                    PostgresStatement("DELETE FROM saga.daemon WHERE id = $1", [.int4(lease.daemon)]),
                    PostgresStatement("COMMIT"),
                ], timeout: timeout)
        }
    }

    /// Runs a transaction of several round trips; whatever fails in it rolls it back.
    func locking<Value: Sendable>(
        _ body: (PostgresConnection) async throws -> Value
    ) async throws(StoreError) -> Value {
        do {
            return try await pool.withConnection(body)
        } catch let error as StoreError {
            throw error
        } catch let error as PostgresError {
            throw StoreError(error)
        } catch {
            throw .unavailable("\(error)")
        }
    }

    /// Begins such a transaction. Should this daemon be stopped in the middle, the server ends it, so that its locks
    /// hold nobody up for long.
    func begin(_ leaseLength: TimeSpan) -> [PostgresStatement] {
        [
            PostgresStatement("BEGIN"),
            PostgresStatement(
                "SELECT set_config('idle_in_transaction_session_timeout', $1, true)",
                [.text("\(max(1, leaseLength.microseconds / 2_000 - 1))")]),
        ]
    }
}

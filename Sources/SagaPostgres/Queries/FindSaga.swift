import PostgresClient
import SagaCore

extension SagaReader {
    /// The saga meant by an id or a key; nil when there is none.
    ///
    /// No key has a UUID's form, so what has one is an id.
    public func find(_ idOrKey: String) async throws(PostgresError) -> SagaID? {
        let result: PostgresResult
        if let id = SagaID(idOrKey) {
            result = try await pool.read("SELECT id FROM saga.state WHERE id = $1", [.uuid(id.uuid)], timeout: timeout)
        } else if idOrKey.utf8.contains(0) {
            return nil
        } else {
            result = try await pool.read(
                "SELECT s.id FROM saga.key k JOIN saga.state s ON s.id = k.saga_id WHERE k.key = $1",
                [.text(idOrKey)],
                timeout: timeout
            )
        }
        return try result.rows.first.map { row throws(PostgresError) in SagaID(try row.decode(0, as: PostgresUUID.self))
        }
    }
}

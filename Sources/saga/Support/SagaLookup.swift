import PostgresClient
import SagaCore
import SagaPostgres

extension SagaReader {
    /// The id of the saga that the user named.
    ///
    /// - Throws: `CommandFailure` when there is none, `PostgresError`.
    func require(_ idOrKey: String) async throws -> SagaID {
        guard let id = try await find(idOrKey) else {
            throw CommandFailure("no saga has the id or key \"\(idOrKey)\"")
        }
        return id
    }

    /// The saga that the user named, whole.
    ///
    /// - Throws: as `require(_:)`.
    func requireRecord(_ idOrKey: String) async throws -> SagaRecord {
        guard let record = try await load(try await require(idOrKey)) else {
            throw CommandFailure("no saga has the id or key \"\(idOrKey)\"")
        }
        return record
    }
}

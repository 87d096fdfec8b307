import PostgresClient
import SagaCore
import SagaPostgres

extension SagaReader {
    /// The id of the saga that the user named.
    ///
    /// - Throws: `CommandFailure` when there is none, `PostgresError`.
    func require(_ idOrKey: String) async throws -> SagaID {
        if let id = try await find(idOrKey) { return id }
        if let dropped = try await dropped(idOrKey) { throw CommandFailure(dropped, named: idOrKey) }
        throw CommandFailure("no saga has the id or key \"\(idOrKey)\"")
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

extension CommandFailure {
    /// What only a key or the time in an id still tells.
    ///
    /// - Parameter idOrKey: as the user named it.
    init(_ dropped: DroppedSaga, named idOrKey: String) {
        let day = dropped.droppedAt.map { " on \($0.text.prefix(10))" } ?? ""
        guard SagaID(idOrKey) != nil else {
            self.init(
                "the saga of key \"\(idOrKey)\" (\(dropped.id), started \(dropped.startedAt.text)) has ended, and its "
                    + "history was dropped by retention\(day)")
            return
        }
        self.init(
            "no saga has the id \(dropped.id) any more: all that were started on \(dropped.startedAt.text.prefix(10)) "
                + "have ended, and their histories were dropped by retention\(day)")
    }
}

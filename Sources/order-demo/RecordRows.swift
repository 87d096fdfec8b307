import PostgresClient

extension PostgresResult {
    /// The id of the one record that a statement gave back.
    ///
    /// - Throws: A 409 `ServiceError` when there was none: the guard knows of an action whose record is gone, which
    ///   only a hand in the tables can bring about.
    func id() throws -> Int64 {
        guard let row = rows.first else {
            throw ServiceError(409, "RecordGone", "the record of this action is not there any more")
        }
        return try row.decode(0, as: Int64.self)
    }
}

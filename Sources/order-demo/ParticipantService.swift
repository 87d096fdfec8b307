import JSON
import PostgresClient

/// One of the demo's services: its tables, its endpoints and its books.
protocol ParticipantService: Sendable {
    var name: ServiceName { get }
    /// Creates the service's own schema and tables; may run again and again.
    var installation: String { get }
    var endpoints: [Endpoint] { get }
    /// A query for one row of one `text` column: the JSON text that `GET /books` answers.
    var booksQuery: String { get }
}

/// What a service does for `POST path`.
struct Endpoint: Sendable {
    let path: String
    let handle: @Sendable (ServiceCall, GuardedDatabase) async throws -> Answer
}

/// A call as its service sees it.
struct ServiceCall: Sendable {
    let fields: RequestFields
    /// `Idempotency-Key` without its quotes.
    let key: String
    /// `Saga-Compensates` without its quotes.
    let compensates: String?
}

extension ServiceCall {
    /// The key of the action that this call undoes: `Saga-Compensates`, else that of the record that the body names.
    ///
    /// A caller whose answer was lost knows no id, and a person with the id at hand knows no key.
    ///
    /// - Parameter query: A query for the `action_key` of the record whose id is the parameter.
    /// - Throws: A 400 `ServiceError` when there is neither, 404 when the body names no record.
    func actionKey(
        idField: String,
        prefix: String,
        query: String,
        in database: GuardedDatabase
    ) async throws -> String {
        if let compensates { return compensates }
        guard let text = try fields.optionalText(idField) else {
            throw ServiceError.badRequest("neither Saga-Compensates nor \"\(idField)\" says what to undo")
        }
        let id = try RecordID.parse(text, prefix: prefix, field: idField)
        let rows = try await database.pool.query(query, [.int8(id)]).rows
        guard let row = rows.first else {
            throw ServiceError(404, "NotFound", "there is no \(text)")
        }
        return try row.decode(0, as: String.self)
    }

    /// Refuses to undo one record when the body names another.
    ///
    /// - Throws: A 422 `ServiceError`; the transaction around it has to be rolled back.
    func confirm(idField: String, is id: String) throws(ServiceError) {
        guard let named = try fields.optionalText(idField), named != id else { return }
        throw ServiceError(422, "Mismatch", "\"\(idField)\" is \(named), but Saga-Compensates stands for \(id)")
    }
}

/// The ids of the services' records as callers see them: a letter, a hyphen and the row's number, such as `c-17`.
enum RecordID {
    static func text(_ id: Int64, prefix: String) -> String { "\(prefix)-\(id)" }

    /// - Throws: A 400 `ServiceError` when the text isn't such an id.
    static func parse(_ text: String, prefix: String, field: String) throws(ServiceError) -> Int64 {
        guard text.hasPrefix(prefix + "-"), let id = Int64(text.dropFirst(prefix.count + 1)), id > 0 else {
            throw .badRequest("\"\(field)\" must look like \(prefix)-1")
        }
        return id
    }
}

import CLibpq
import Glibc

/// What one statement gave.
public struct PostgresResult: Sendable {
    /// The rows in the order in which the server sent them.
    public let rows: [PostgresRow]

    /// How many rows an INSERT, UPDATE, DELETE, MERGE, SELECT or the like counted; 0 for others.
    public let affectedRows: Int

    private let storage: ResultStorage

    init(_ storage: ResultStorage) {
        self.storage = storage
        self.rows = (0..<storage.rowCount).map { PostgresRow(storage: storage, index: $0) }
        self.affectedRows = storage.affectedRows
    }

    /// The columns' names, in order.
    public var columns: [String] { (0..<storage.columnCount).map { storage.columnName($0) } }

    /// The server's command tag, `INSERT 0 3` for example.
    public var commandTag: String { storage.commandTag }
}

/// One row of a result, decoded column by column when asked.
///
/// It keeps its whole result in memory.
public struct PostgresRow: Sendable {
    private let storage: ResultStorage
    private let index: Int32

    init(storage: ResultStorage, index: Int32) {
        self.storage = storage
        self.index = index
    }

    /// The number of columns.
    public var columnCount: Int { Int(storage.columnCount) }

    /// Decodes the column at a position counted from 0.
    ///
    /// - Throws: `PostgresError` of kind `.decoding`, naming the column, when there is no such column, when it is null
    ///   and `T` isn't optional, and when its type isn't one that `T` is made from.
    public func decode<T: PostgresDecodable>(_ column: Int, as type: T.Type = T.self) throws(PostgresError) -> T {
        guard let position = Int32(exactly: column), position >= 0, position < storage.columnCount else {
            throw PostgresError(.decoding, "no column \(column): the row has \(storage.columnCount)")
        }
        return try T(postgres: PostgresCell(storage: storage, row: index, column: position))
    }

    /// Decodes the first column of a name, which is matched exactly.
    ///
    /// - Throws: as `decode(_:as:)` with a position does.
    public func decode<T: PostgresDecodable>(_ column: String, as type: T.Type = T.self) throws(PostgresError) -> T {
        guard let position = storage.position(of: column) else {
            throw PostgresError(.decoding, "no column \"\(column)\" in the row")
        }
        return try T(postgres: PostgresCell(storage: storage, row: index, column: position))
    }
}

/// A `PGresult`, cleared with its last reader.
///
/// Nobody changes it after it was received, so readers share it.
final class ResultStorage: Sendable {
    private let result: LibpqPointer

    /// Takes over the result.
    init(_ result: LibpqPointer) {
        self.result = result
    }

    deinit {
        PQclear(result.raw)
    }

    var rowCount: Int32 { PQntuples(result.raw) }
    var columnCount: Int32 { PQnfields(result.raw) }
    var affectedRows: Int { PQcmdTuples(result.raw).flatMap { Int(String(cString: $0)) } ?? 0 }
    var commandTag: String { PQcmdStatus(result.raw).map { String(cString: $0) } ?? "" }

    func columnName(_ column: Int32) -> String {
        PQfname(result.raw, column).map { String(cString: $0) } ?? ""
    }

    func type(ofColumn column: Int32) -> PostgresTypeOID {
        PostgresTypeOID(rawValue: PQftype(result.raw, column))
    }

    /// Compares bytes, where `PQfnumber` would fold the case of an unquoted name.
    func position(of name: String) -> Int32? {
        (0..<columnCount).first { column in
            guard let candidate = PQfname(result.raw, column) else { return false }
            return name.utf8.elementsEqual(UnsafeRawBufferPointer(start: candidate, count: strlen(candidate)))
        }
    }

    /// The value's bytes, nil when null.
    ///
    /// They live as long as this object.
    func bytes(row: Int32, column: Int32) -> UnsafeRawBufferPointer? {
        if PQgetisnull(result.raw, row, column) == 1 { return nil }
        return UnsafeRawBufferPointer(
            start: PQgetvalue(result.raw, row, column),
            count: Int(PQgetlength(result.raw, row, column))
        )
    }
}

/// A pointer to one of libpq's objects on its way between threads.
///
/// This is the room's only `@unchecked Sendable`. It is sound for the two objects that it is used for: a received
/// `PGresult`, which nobody changes any more, and a `PGcancel`, which has one owner at a time.
struct LibpqPointer: @unchecked Sendable {
    let raw: OpaquePointer
}

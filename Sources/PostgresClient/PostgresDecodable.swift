/// A type that a column of a result can be decoded as.
///
/// A `RawRepresentable` type whose raw value is decodable needs only to declare conformance.
public protocol PostgresDecodable: Sendable {
    /// Decodes one value.
    ///
    /// - Throws: `PostgresError` of kind `.decoding`; `PostgresCell.mismatch(_:)` makes one.
    init(postgres cell: PostgresCell) throws(PostgresError)

    /// Decodes a value as an array of this type.
    ///
    /// The default reads a one-dimensional PostgreSQL array; `UInt8` reads the bytes of a `bytea`, `json` or text
    /// instead.
    static func decodeArray(_ cell: PostgresCell) throws(PostgresError) -> [Self]
}

/// One value of a result in PostgreSQL's binary format, or an element of an array in it.
public struct PostgresCell: Sendable {
    /// The value's type; in an array, the element's.
    public let type: PostgresTypeOID

    private let storage: ResultStorage
    private let row: Int32
    private let column: Int32
    /// The element's place within the column's bytes; nil for the column itself.
    private let element: Element?

    private enum Element {
        case null
        case at(Range<Int>)
    }

    init(storage: ResultStorage, row: Int32, column: Int32) {
        self.storage = storage
        self.row = row
        self.column = column
        self.type = storage.type(ofColumn: column)
        self.element = nil
    }

    private init(elementOf array: PostgresCell, type: PostgresTypeOID, _ element: Element) {
        self.storage = array.storage
        self.row = array.row
        self.column = array.column
        self.type = type
        self.element = element
    }

    /// The name of the value's column.
    public var columnName: String { storage.columnName(column) }

    /// Whether the value is null.
    public var isNull: Bool { bytes == nil }

    /// Lends the value's bytes, which must not outlive the call.
    ///
    /// - Throws: `.decoding` when the value is null, and what the body throws.
    public func withBytes<R>(
        _ body: (UnsafeRawBufferPointer) throws(PostgresError) -> R
    ) throws(PostgresError) -> R {
        guard let bytes else {
            throw PostgresError(.decoding, "column \"\(columnName)\" is null")
        }
        defer { withExtendedLifetime(storage) {} }
        return try body(bytes)
    }

    /// An error that says what the column holds and what was wanted of it.
    public func mismatch(_ wanted: Any.Type) -> PostgresError {
        PostgresError(.decoding, "column \"\(columnName)\" of type \(type) can't be decoded as \(wanted)")
    }

    private var bytes: UnsafeRawBufferPointer? {
        switch element {
        case nil: storage.bytes(row: row, column: column)
        case .null: nil
        case .at(let range):
            storage.bytes(row: row, column: column).map { UnsafeRawBufferPointer(rebasing: $0[range]) }
        }
    }

    /// Splits a one-dimensional array into its elements (`array_send` in the server's `arrayfuncs.c`).
    func elements(wanted: Any.Type) throws(PostgresError) -> [PostgresCell] {
        try withBytes { bytes throws(PostgresError) in
            guard element == nil, bytes.count >= 12, let dimensions: Int32 = bytes.bigEndian(at: 0),
                let elementType: UInt32 = bytes.bigEndian(at: 8)
            else { throw mismatch(wanted) }
            if dimensions == 0 { return [] }
            guard dimensions == 1, let count: Int32 = bytes.bigEndian(at: 12), count >= 0, bytes.count >= 20,
                Int(count) <= (bytes.count - 20) / 4
            else { throw mismatch(wanted) }
            var cells: [PostgresCell] = []
            cells.reserveCapacity(Int(count))
            var position = 20
            for _ in 0..<count {
                guard let length: Int32 = bytes.bigEndian(at: position) else { throw mismatch(wanted) }
                position += 4
                let type = PostgresTypeOID(rawValue: elementType)
                if length < 0 {
                    cells.append(PostgresCell(elementOf: self, type: type, .null))
                    continue
                }
                guard Int(length) <= bytes.count - position else { throw mismatch(wanted) }
                cells.append(PostgresCell(elementOf: self, type: type, .at(position..<position + Int(length))))
                position += Int(length)
            }
            return cells
        }
    }
}

extension UnsafeRawBufferPointer {
    /// Reads an integer in network order; nil when it would reach over the end.
    func bigEndian<Integer: FixedWidthInteger>(at offset: Int) -> Integer? {
        guard offset >= 0, MemoryLayout<Integer>.size <= count - offset else { return nil }
        return Integer(bigEndian: loadUnaligned(fromByteOffset: offset, as: Integer.self))
    }
}

extension PostgresDecodable {
    /// Decodes a one-dimensional array, element by element.
    public static func decodeArray(_ cell: PostgresCell) throws(PostgresError) -> [Self] {
        let cells = try cell.elements(wanted: [Self].self)
        var values: [Self] = []
        values.reserveCapacity(cells.count)
        for element in cells {
            values.append(try Self(postgres: element))
        }
        return values
    }
}

extension PostgresDecodable where Self: RawRepresentable, RawValue: PostgresDecodable {
    /// Decodes the raw value; one that the type doesn't know is an error.
    public init(postgres cell: PostgresCell) throws(PostgresError) {
        let raw = try RawValue(postgres: cell)
        guard let value = Self(rawValue: raw) else {
            throw PostgresError(.decoding, "column \"\(cell.columnName)\" holds \(raw), which no \(Self.self) is")
        }
        self = value
    }
}

extension Optional: PostgresDecodable where Wrapped: PostgresDecodable {
    /// Decodes a null as nil.
    public init(postgres cell: PostgresCell) throws(PostgresError) {
        self = cell.isNull ? nil : try Wrapped(postgres: cell)
    }
}

extension Array: PostgresDecodable where Element: PostgresDecodable {
    /// Decodes an array, or for `[UInt8]` the value's bytes.
    public init(postgres cell: PostgresCell) throws(PostgresError) {
        self = try Element.decodeArray(cell)
    }
}

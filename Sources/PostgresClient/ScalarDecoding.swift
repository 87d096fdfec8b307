extension Bool: PostgresDecodable {
    /// Decodes a `boolean`.
    public init(postgres cell: PostgresCell) throws(PostgresError) {
        self = try cell.withBytes { bytes throws(PostgresError) in
            guard cell.type == .bool, bytes.count == 1 else { throw cell.mismatch(Bool.self) }
            return bytes[0] != 0
        }
    }
}

extension Int16: PostgresDecodable {
    /// Decodes a `smallint`.
    public init(postgres cell: PostgresCell) throws(PostgresError) {
        self = try cell.decodeInteger(Int16.self)
    }
}

extension Int32: PostgresDecodable {
    /// Decodes an `integer` or `smallint`.
    public init(postgres cell: PostgresCell) throws(PostgresError) {
        self = try cell.decodeInteger(Int32.self)
    }
}

extension Int64: PostgresDecodable {
    /// Decodes a `bigint`, `integer`, `smallint` or `oid`.
    public init(postgres cell: PostgresCell) throws(PostgresError) {
        self = try cell.decodeInteger(Int64.self)
    }
}

extension Int: PostgresDecodable {
    /// Decodes a `bigint`, `integer`, `smallint` or `oid`.
    public init(postgres cell: PostgresCell) throws(PostgresError) {
        self = Int(try cell.decodeInteger(Int64.self))
    }
}

extension PostgresCell {
    /// Reads an integer type no wider than the wanted one.
    fileprivate func decodeInteger<Integer: FixedWidthInteger>(_: Integer.Type) throws(PostgresError) -> Integer {
        try withBytes { bytes throws(PostgresError) in
            let value: Integer? =
                switch type {
                case .int2: (bytes.bigEndian(at: 0) as Int16?).flatMap { Integer(exactly: $0) }
                case .int4 where Integer.bitWidth >= 32:
                    (bytes.bigEndian(at: 0) as Int32?).flatMap { Integer(exactly: $0) }
                case .int8 where Integer.bitWidth >= 64:
                    (bytes.bigEndian(at: 0) as Int64?).flatMap { Integer(exactly: $0) }
                case .oid where Integer.bitWidth >= 64:
                    (bytes.bigEndian(at: 0) as UInt32?).flatMap { Integer(exactly: $0) }
                default: nil
                }
            guard let value else { throw mismatch(Integer.self) }
            return value
        }
    }
}

extension Double: PostgresDecodable {
    /// Decodes a `double precision` or `real`.
    public init(postgres cell: PostgresCell) throws(PostgresError) {
        self = try cell.withBytes { bytes throws(PostgresError) in
            switch cell.type {
            case .float8:
                if let bits: UInt64 = bytes.bigEndian(at: 0) { return Double(bitPattern: bits) }
            case .float4:
                if let bits: UInt32 = bytes.bigEndian(at: 0) { return Double(Float(bitPattern: bits)) }
            default: break
            }
            throw cell.mismatch(Double.self)
        }
    }
}

extension String: PostgresDecodable {
    /// Decodes `text`, `varchar`, `char`, `name`, an enum or another type of the database's own whose binary form is
    /// its text, and the text of a `json` or `jsonb`.
    public init(postgres cell: PostgresCell) throws(PostgresError) {
        self = try cell.withBytes { bytes throws(PostgresError) in
            guard let text = cell.textBytes(of: bytes, orBytea: false) else { throw cell.mismatch(String.self) }
            guard let string = String(validating: text, as: UTF8.self) else {
                throw PostgresError(.decoding, "column \"\(cell.columnName)\" isn't valid UTF-8")
            }
            return string
        }
    }
}

extension UInt8: PostgresDecodable {
    /// Decodes the one-byte type `"char"`.
    public init(postgres cell: PostgresCell) throws(PostgresError) {
        self = try cell.withBytes { bytes throws(PostgresError) in
            guard cell.type == .char, bytes.count == 1 else { throw cell.mismatch(UInt8.self) }
            return bytes[0]
        }
    }

    /// Decodes the bytes of a `bytea`, and of whatever can be decoded as a `String`.
    public static func decodeArray(_ cell: PostgresCell) throws(PostgresError) -> [UInt8] {
        try cell.withBytes { bytes throws(PostgresError) in
            guard let content = cell.textBytes(of: bytes, orBytea: true) else { throw cell.mismatch([UInt8].self) }
            return [UInt8](content)
        }
    }
}

extension PostgresCell {
    /// The part of the value that is its text; nil when the type has none.
    fileprivate func textBytes(of bytes: UnsafeRawBufferPointer, orBytea: Bool) -> UnsafeRawBufferPointer? {
        switch type {
        case .text, .varchar, .bpchar, .name, .char, .unknown, .json: return bytes
        case .jsonb:
            // `jsonb_send` puts a version byte before the text; 1 is the only version there is.
            return bytes.first == 1 ? UnsafeRawBufferPointer(rebasing: bytes.dropFirst()) : nil
        case .bytea: return orBytea ? bytes : nil
        default: return type.isUserDefined ? bytes : nil
        }
    }
}

extension PostgresUUID: PostgresDecodable {
    /// Decodes a `uuid`.
    public init(postgres cell: PostgresCell) throws(PostgresError) {
        self = try cell.withBytes { bytes throws(PostgresError) in
            guard cell.type == .uuid, bytes.count == 16, let high: UInt64 = bytes.bigEndian(at: 0),
                let low: UInt64 = bytes.bigEndian(at: 8)
            else { throw cell.mismatch(PostgresUUID.self) }
            return PostgresUUID(high: high, low: low)
        }
    }
}

extension PostgresTimestamp: PostgresDecodable {
    /// Decodes a `timestamptz`.
    public init(postgres cell: PostgresCell) throws(PostgresError) {
        self = try cell.withBytes { bytes throws(PostgresError) in
            guard cell.type == .timestamptz, let wire: Int64 = bytes.bigEndian(at: 0),
                let value = PostgresTimestamp(microsecondsSince2000: wire)
            else { throw cell.mismatch(PostgresTimestamp.self) }
            return value
        }
    }
}

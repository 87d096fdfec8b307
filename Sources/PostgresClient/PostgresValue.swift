/// A bound parameter, sent in binary with its type's OID, so that the server never has to guess a type.
///
/// A null of a known type is one too: `.text(nil)` binds a null of type `text`, `.null` one of no type.
public enum PostgresValue: Sendable {
    /// A null whose type the server infers (OID 0).
    case null
    case bool(Bool)
    case int2(Int16)
    case int4(Int32)
    case int8(Int64)
    /// `double precision`.
    case double(Double)
    case text(String)
    case uuid(PostgresUUID)
    case timestamptz(PostgresTimestamp)
    /// JSON text in UTF-8, kept by the server as it came.
    case json([UInt8])
    /// JSON text in UTF-8, which the server parses into its own form.
    case jsonb([UInt8])
    case bytea([UInt8])
    case boolArray([Bool?])
    case int2Array([Int16?])
    case int4Array([Int32?])
    case int8Array([Int64?])
    case doubleArray([Double?])
    case textArray([String?])
    case uuidArray([PostgresUUID?])
    case timestamptzArray([PostgresTimestamp?])
    case jsonArray([[UInt8]?])
    case jsonbArray([[UInt8]?])
    case byteaArray([[UInt8]?])
    /// A null of the given type, which the typed conveniences make of nil.
    case typedNull(PostgresTypeOID)
}

extension PostgresValue {
    /// A `boolean`, null when nil.
    public static func bool(_ value: Bool?) -> PostgresValue { value.map { .bool($0) } ?? .typedNull(.bool) }

    /// A `smallint`, null when nil.
    public static func int2(_ value: Int16?) -> PostgresValue { value.map { .int2($0) } ?? .typedNull(.int2) }

    /// An `integer`, null when nil.
    public static func int4(_ value: Int32?) -> PostgresValue { value.map { .int4($0) } ?? .typedNull(.int4) }

    /// A `bigint`, null when nil.
    public static func int8(_ value: Int64?) -> PostgresValue { value.map { .int8($0) } ?? .typedNull(.int8) }

    /// A `double precision`, null when nil.
    public static func double(_ value: Double?) -> PostgresValue { value.map { .double($0) } ?? .typedNull(.float8) }

    /// A `text`, null when nil.
    public static func text(_ value: String?) -> PostgresValue { value.map { .text($0) } ?? .typedNull(.text) }

    /// A `uuid`, null when nil.
    public static func uuid(_ value: PostgresUUID?) -> PostgresValue { value.map { .uuid($0) } ?? .typedNull(.uuid) }

    /// A `timestamptz`, null when nil.
    public static func timestamptz(_ value: PostgresTimestamp?) -> PostgresValue {
        value.map { .timestamptz($0) } ?? .typedNull(.timestamptz)
    }

    /// A `json`, null when nil.
    public static func json(_ value: [UInt8]?) -> PostgresValue { value.map { .json($0) } ?? .typedNull(.json) }

    /// A `jsonb`, null when nil.
    public static func jsonb(_ value: [UInt8]?) -> PostgresValue { value.map { .jsonb($0) } ?? .typedNull(.jsonb) }

    /// A `bytea`, null when nil.
    public static func bytea(_ value: [UInt8]?) -> PostgresValue { value.map { .bytea($0) } ?? .typedNull(.bytea) }
}

/// One SQL statement with its bound parameters `$1`, `$2` and so on.
public struct PostgresStatement: Sendable {
    /// The SQL text: a single statement.
    public var sql: String

    /// The values of `$1`, `$2` and so on; at most 65,535.
    public var parameters: [PostgresValue]

    /// Joins SQL and parameters.
    public init(_ sql: String, _ parameters: [PostgresValue] = []) {
        self.sql = sql
        self.parameters = parameters
    }
}

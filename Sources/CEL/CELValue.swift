import JSON

/// A value of the Common Expression Language.
///
/// JSON enters as `.json` and is looked into only where an expression reads it, so that what passes through keeps its
/// number literals and costs nothing.
public enum CELValue: Sendable {
    case null
    case bool(Bool)
    case int(Int64)
    case uint(UInt64)
    case double(Double)
    case string(String)
    case bytes([UInt8])
    case list([CELValue])
    case map(CELMap)
    case timestamp(CELTimestamp)
    case duration(CELDuration)
    /// A type, by its name in the language, such as `int` or `google.protobuf.Timestamp`.
    case type(String)
    /// A JSON value. An integer literal that fits 64 bits counts as int, any other number as double.
    case json(JSON)
    /// Members that are found only when they are asked for.
    indirect case object(any CELObject)
}

/// A variable whose members are found only when an expression asks for them.
public protocol CELObject: Sendable {
    /// The member of that name; nil when there is none.
    func member(_ name: String) throws(CELError) -> CELValue?

    /// All names, in the order in which they are to be written.
    var memberNames: [String] { get }

    /// The value that this stands for when it is not an object with members but a value to be had later, such as a
    /// payload not yet parsed. Of a variable it is asked for once an evaluation, when the variable is first read.
    /// Nil, the default, means an object with members.
    func value() throws(CELError) -> CELValue?

    /// Whether this stands for null although it is an object, so that a member of it can be asked for: what its
    /// `member` gives, null again as a rule, rather than an error. False by default.
    var isNull: Bool { get }
}

extension CELObject {
    public var isNull: Bool { false }

    public func value() throws(CELError) -> CELValue? { nil }
}

extension CELValue {
    /// Takes a JSON value as it is.
    public init(_ json: JSON) { self = .json(json) }

    /// The same value with a JSON scalar turned into the language's own; lists and maps stay as they are.
    @inline(__always)
    var native: CELValue {
        guard case .json(let json) = self else {
            if case .object(let object) = self, object.isNull { return .null }
            return self
        }
        switch json {
        case .null: return .null
        case .bool(let value): return .bool(value)
        case .number(let number): return number.int64.map(CELValue.int) ?? .double(number.double)
        case .string(let text): return .string(text)
        case .array, .object: return self
        }
    }

    /// The name that `type(value)` has.
    public var typeName: String {
        switch native {
        case .null: "null_type"
        case .bool: "bool"
        case .int: "int"
        case .uint: "uint"
        case .double: "double"
        case .string: "string"
        case .bytes: "bytes"
        case .list, .json(.array): "list"
        case .map, .object, .json: "map"
        case .timestamp: "google.protobuf.Timestamp"
        case .duration: "google.protobuf.Duration"
        case .type: "type"
        }
    }

    /// The elements when this is a list.
    var elements: CELElements? {
        switch self {
        case .list(let values): .values(values)
        case .json(.array(let values)): .json(values)
        default: nil
        }
    }
}

/// A list's elements, wherever they are.
enum CELElements {
    case values([CELValue])
    case json([JSON])

    var count: Int {
        switch self {
        case .values(let values): values.count
        case .json(let values): values.count
        }
    }

    subscript(index: Int) -> CELValue {
        switch self {
        case .values(let values): values[index]
        case .json(let values): .json(values[index])
        }
    }

    var values: [CELValue] {
        switch self {
        case .values(let values): values
        case .json(let values): values.map(CELValue.json)
        }
    }
}

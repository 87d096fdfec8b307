/// What is known of a value before evaluation.
public indirect enum CELType: Sendable, Hashable {
    /// Nothing is known.
    case dyn
    case null, bool, int, uint, double, string, bytes, timestamp, duration, type
    case list(CELType)
    case map(CELType, CELType)
    /// An object whose members are known: reading any other is an error when the expression is compiled.
    case object([String: CELType])

    /// The name that people know the type by.
    public var name: String {
        switch self {
        case .dyn: "dyn"
        case .null: "null"
        case .bool: "bool"
        case .int: "int"
        case .uint: "uint"
        case .double: "double"
        case .string: "string"
        case .bytes: "bytes"
        case .timestamp: "timestamp"
        case .duration: "duration"
        case .type: "type"
        case .list(.dyn): "list"
        case .list(let element): "list(\(element.name))"
        case .map(.dyn, .dyn): "map"
        case .map(let key, let value): "map(\(key.name), \(value.name))"
        case .object: "object"
        }
    }

    /// Whether a value of this type can be one of the other: wherever something is unknown, it can.
    func canBe(_ other: CELType) -> Bool {
        switch (self, other) {
        case (.dyn, _), (_, .dyn): true
        case (.list(let a), .list(let b)): a.canBe(b)
        case (.map(let a, let b), .map(let c, let d)): a.canBe(c) && b.canBe(d)
        case (.object, .map), (.map, .object), (.object, .object): true
        default: self == other
        }
    }

    /// What is known of a value that has either type.
    func joined(_ other: CELType) -> CELType { self == other ? self : .dyn }

    /// What is known when nothing is known of contents: for `type` names and messages.
    static func named(_ name: String) -> CELType? { denotations[name] }

    private static let denotations: [String: CELType] = [
        "bool": .bool, "int": .int, "uint": .uint, "double": .double, "string": .string, "bytes": .bytes,
        "list": .list(.dyn), "map": .map(.dyn, .dyn), "null_type": .null, "type": .type,
        "google.protobuf.Timestamp": .timestamp, "google.protobuf.Duration": .duration,
    ]
}

/// What is known of a value before evaluation.
public indirect enum CELType: Sendable, Hashable {
    /// Nothing is known.
    case dyn
    case null, bool, int, uint, double, string, bytes, timestamp, duration, type
    /// A number of JSON, which an expression sees as an int or a double, whichever its literal makes it.
    case number
    /// A string that is one of these.
    case oneOf([String])
    case list(CELType)
    case map(CELType, CELType)
    /// An object whose members are known: reading any other is an error when the expression is compiled.
    case object([String: CELType])
    /// An object of which a schema tells something: what doesn't go with that becomes a note, not an error.
    case record(CELRecord)

    /// The name that people know the type by.
    public var name: String {
        switch self {
        case .dyn: "dyn"
        case .null: "null"
        case .bool: "bool"
        case .int: "int"
        case .uint: "uint"
        case .double: "double"
        case .number: "number"
        case .string, .oneOf: "string"
        case .bytes: "bytes"
        case .timestamp: "timestamp"
        case .duration: "duration"
        case .type: "type"
        case .list(.dyn): "list"
        case .list(let element): "list(\(element.name))"
        case .map(.dyn, .dyn): "map"
        case .map(let key, let value): "map(\(key.name), \(value.name))"
        case .object, .record: "object"
        }
    }

    /// Whether a value of this type can be one of the other: wherever something is unknown, it can.
    func canBe(_ other: CELType) -> Bool {
        switch (general, other.general) {
        case (.dyn, _), (_, .dyn): true
        case (.number, .int), (.number, .double), (.int, .number), (.double, .number): true
        case (.list(let a), .list(let b)): a.canBe(b)
        case (.map(let a, let b), .map(let c, let d)): a.canBe(c) && b.canBe(d)
        case (.object, .map), (.map, .object), (.object, .object): true
        case (let a, let b): a == b
        }
    }

    /// Whether `==` can be true of values of the two types: numbers are compared by value, whatever their types.
    func canEqual(_ other: CELType) -> Bool {
        switch (general, other.general) {
        case (.dyn, _), (_, .dyn), (.list, .list), (.map, .map): true
        case (.object, .map), (.map, .object), (.object, .object): true
        case (let a, let b): a == b || a.isNumber && b.isNumber
        }
    }

    /// Whether this is one of the numeric types.
    var isNumber: Bool {
        switch self {
        case .int, .uint, .double, .number: true
        default: false
        }
    }

    /// The type without what only notes go by.
    var general: CELType {
        switch self {
        case .oneOf: .string
        case .record: .map(.string, .dyn)
        default: self
        }
    }

    /// What is known of a value that has either type.
    func joined(_ other: CELType) -> CELType {
        if self == other { return self }
        return general == .string && other.general == .string ? .string : .dyn
    }

    /// What is known when nothing is known of contents: for `type` names and messages.
    static func named(_ name: String) -> CELType? { denotations[name] }

    private static let denotations: [String: CELType] = [
        "bool": .bool, "int": .int, "uint": .uint, "double": .double, "string": .string, "bytes": .bytes,
        "list": .list(.dyn), "map": .map(.dyn, .dyn), "null_type": .null, "type": .type,
        "google.protobuf.Timestamp": .timestamp, "google.protobuf.Duration": .duration,
    ]
}

/// What is known of an object's members.
public struct CELRecord: Sendable, Hashable {
    /// What is known of one member.
    public struct Member: Sendable, Hashable {
        public let type: CELType
        /// Whether every such object has it.
        public let isRequired: Bool

        public init(_ type: CELType, isRequired: Bool = true) {
            self.type = type
            self.isRequired = isRequired
        }
    }

    /// What is known of members that aren't among `members`.
    public enum Rest: Sendable, Hashable {
        /// Nothing: reading one is nobody's slip.
        case unknown
        /// They may be there, but nobody has said so: reading one is probably a slip.
        case undeclared
        /// There are none.
        case closed
    }

    public var members: [String: Member]
    public var rest: Rest

    public init(_ members: [String: Member], rest: Rest) {
        self.members = members
        self.rest = rest
    }
}

import JSON

/// A variable and the constant members and indexes behind it: `input.items[0].price`.
final class PathNode: Node {
    enum Step: Sendable {
        case member(String, offset: Int)
        case index(CELValue, offset: Int)

        /// How long a name is that has to be looked up.
        var nameBytes: Int {
            switch self {
            case .member(let name, _), .index(.string(let name), _): name.utf8.count
            case .index: 0
            }
        }
    }

    let name: String
    let slot: Int
    let steps: [Step]
    private let offset: Int
    private let cost: Int

    init(name: String, slot: Int, offset: Int, steps: [Step] = []) {
        self.name = name
        self.slot = slot
        self.offset = offset
        self.steps = steps
        cost = 1 + steps.reduce(0) { $0 + 1 + $1.nameBytes / 64 }
    }

    func appending(_ step: Step) -> PathNode {
        PathNode(name: name, slot: slot, offset: offset, steps: steps + [step])
    }

    func evaluate(_ frame: inout Frame) throws(CELError) -> CELValue {
        try frame.spend(cost, at: offset)
        guard var value = frame.slots[slot] else {
            throw CELError(offset: offset, message: "the variable '\(name)' has no value")
        }
        if case .object(let object) = value, let standsFor = try object.value() {
            value = standsFor
            frame.slots[slot] = value
        }
        for step in steps {
            switch step {
            case .member(let name, let offset): value = try Access.member(name, of: value, at: offset)
            case .index(let index, let offset): value = try Access.element(index, of: value, at: offset)
            }
        }
        return value
    }
}

/// A member of what an expression gives.
final class SelectNode: Node {
    private let operand: any Node
    private let field: String
    private let offset: Int

    init(_ operand: any Node, field: String, offset: Int) {
        self.operand = operand
        self.field = field
        self.offset = offset
    }

    func evaluate(_ frame: inout Frame) throws(CELError) -> CELValue {
        try frame.spend(1 + field.utf8.count / 64, at: offset)
        return try Access.member(field, of: try operand.evaluate(&frame), at: offset)
    }
}

/// `has(operand.field)`.
final class HasNode: Node {
    private let operand: any Node
    private let field: String
    private let offset: Int

    init(_ operand: any Node, field: String, offset: Int) {
        self.operand = operand
        self.field = field
        self.offset = offset
    }

    func evaluate(_ frame: inout Frame) throws(CELError) -> CELValue {
        try frame.spend(1 + field.utf8.count / 64, at: offset)
        let found = try Access.find(field, in: try operand.evaluate(&frame), at: offset)
        if case .object(let object) = found { return .bool(!object.isNull) }
        return .bool(found != nil)
    }
}

/// `operand[index]`.
final class IndexNode: Node {
    private let operand: any Node
    private let index: any Node
    private let offset: Int

    init(_ operand: any Node, _ index: any Node, offset: Int) {
        self.operand = operand
        self.index = index
        self.offset = offset
    }

    func evaluate(_ frame: inout Frame) throws(CELError) -> CELValue {
        try frame.spend(at: offset)
        let value = try operand.evaluate(&frame)
        let index = try frame.native(try index.evaluate(&frame), at: offset)
        try frame.spend(hashing: index, at: offset)
        return try Access.element(index, of: value, at: offset)
    }
}

/// How values are looked into.
enum Access {
    /// `value.name`.
    @inline(__always)
    static func member(_ name: String, of value: CELValue, at offset: Int) throws(CELError) -> CELValue {
        if case .json(.object(let object)) = value, let found = object[name] { return .json(found) }
        guard let found = try find(name, in: value, at: offset) else { throw noSuchKey(.string(name), at: offset) }
        return found
    }

    /// The member of that name or nil; an error when the value has no members at all.
    static func find(_ name: String, in value: CELValue, at offset: Int) throws(CELError) -> CELValue? {
        switch value {
        case .json(.object(let object)): return object[name].map(CELValue.json)
        case .map(let map): return map[.string(name)]
        case .object(let object): return try found(name, in: object, at: offset)
        default:
            throw CELError(offset: offset, message: "\(noun(value)) has no members, so none named '\(name)'")
        }
    }

    /// `value[index]`; the index must be native.
    static func element(_ index: CELValue, of value: CELValue, at offset: Int) throws(CELError) -> CELValue {
        if let elements = value.elements {
            guard let position = integer(index) else {
                throw CELError(offset: offset, message: "a list's index must be an integer, not \(noun(index))")
            }
            guard position >= 0, position < elements.count else {
                throw CELError(
                    offset: offset,
                    message: "index \(position) is outside a list of \(elements.count) elements"
                )
            }
            return elements[Int(position)]
        }
        guard let found = try lookUp(index, in: value, at: offset) else { throw noSuchKey(index, at: offset) }
        return found
    }

    /// The value under a key of a map or nil; an error when the value is no map.
    static func lookUp(_ key: CELValue, in value: CELValue, at offset: Int) throws(CELError) -> CELValue? {
        switch value {
        case .json(.object(let object)):
            guard case .string(let name) = key else { return nil }
            return object[name].map(CELValue.json)
        case .map(let map):
            return map[key]
        case .object(let object) where object.isNull:
            return value
        case .object(let object):
            guard case .string(let name) = key else { return nil }
            return try found(name, in: object, at: offset)
        default:
            throw CELError(offset: offset, message: "\(noun(value)) is neither a list nor a map")
        }
    }

    private static func found(
        _ name: String,
        in object: any CELObject,
        at offset: Int
    ) throws(CELError) -> CELValue? {
        // An object's own errors know nothing of the expression: they are shown where the member is read.
        do throws(CELError) {
            guard let member = try object.member(name) else { return nil }
            guard case .object(let inner) = member, let value = try inner.value() else { return member }
            return value
        } catch {
            throw CELError(offset: offset, message: error.message, hint: error.hint)
        }
    }

    private static func integer(_ index: CELValue) -> Int64? {
        switch index {
        case .int(let value): value
        case .uint(let value): Int64(exactly: value)
        case .double(let value): Int64(exactly: value)
        default: nil
        }
    }

    private static func noSuchKey(_ key: CELValue, at offset: Int) -> CELError {
        let name = if case .string(let text) = key { "'\(text)'" } else { key.debugText }
        return CELError(
            offset: offset,
            message: "no such key: \(name)",
            hint: "has(…) asks whether a member is there"
        )
    }

    /// A value's type with an article, for messages.
    static func noun(_ value: CELValue) -> String {
        switch value.typeName {
        case "null_type": "null"
        case "int": "an int"
        case "google.protobuf.Timestamp": "a timestamp"
        case "google.protobuf.Duration": "a duration"
        case let name: "a \(name)"
        }
    }
}

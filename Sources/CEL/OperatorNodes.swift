/// An operator with two operands that are both evaluated.
final class BinaryNode: Node {
    private let symbol: BinaryOperator
    private let left: any Node
    private let right: any Node
    private let offset: Int

    init(_ symbol: BinaryOperator, _ left: any Node, _ right: any Node, offset: Int) {
        self.symbol = symbol
        self.left = left
        self.right = right
        self.offset = offset
    }

    func evaluate(_ frame: inout Frame) throws(CELError) -> CELValue {
        try frame.spend(at: offset)
        let a = try frame.native(try left.evaluate(&frame), at: offset)
        let b = try frame.native(try right.evaluate(&frame), at: offset)
        switch symbol {
        case .equal: return .bool(try Comparison.equal(a, b, &frame, at: offset))
        case .notEqual: return .bool(try !Comparison.equal(a, b, &frame, at: offset))
        case .less, .lessOrEqual, .greater, .greaterOrEqual:
            return .bool(try Comparison.holds(symbol, a, b, &frame, at: offset))
        case .isIn: return .bool(try Comparison.isIn(a, b, &frame, at: offset))
        case .add: return try Arithmetic.sum(a, b, &frame, at: offset)
        case .subtract: return try Arithmetic.difference(a, b, at: offset)
        case .multiply: return try Arithmetic.product(a, b, at: offset)
        case .divide: return try Arithmetic.quotient(a, b, at: offset)
        case .modulo: return try Arithmetic.remainder(a, b, at: offset)
        }
    }
}

/// `-operand`.
final class NegateNode: Node {
    private let operand: any Node
    private let offset: Int

    init(_ operand: any Node, offset: Int) {
        self.operand = operand
        self.offset = offset
    }

    func evaluate(_ frame: inout Frame) throws(CELError) -> CELValue {
        try frame.spend(at: offset)
        switch try frame.native(try operand.evaluate(&frame), at: offset) {
        case .int(let value):
            let (negated, overflow) = Int64(0).subtractingReportingOverflow(value)
            guard !overflow else { throw Arithmetic.overflow(at: offset) }
            return .int(negated)
        case .double(let value): return .double(-value)
        case let value:
            throw CELError(offset: offset, message: "'-' can't be applied to \(Access.noun(value))")
        }
    }
}

/// `[a, b, …]`.
final class ListNode: Node {
    private let elements: [any Node]
    private let offset: Int

    init(_ elements: [any Node], offset: Int) {
        self.elements = elements
        self.offset = offset
    }

    func evaluate(_ frame: inout Frame) throws(CELError) -> CELValue {
        try frame.produce(elements: elements.count, at: offset)
        var values: [CELValue] = []
        values.reserveCapacity(elements.count)
        for element in elements { values.append(try element.evaluate(&frame)) }
        return .list(values)
    }
}

/// `{a: b, …}`.
final class MapNode: Node {
    private let entries: [(key: any Node, value: any Node, offset: Int)]
    private let offset: Int

    init(_ entries: [(key: any Node, value: any Node, offset: Int)], offset: Int) {
        self.entries = entries
        self.offset = offset
    }

    func evaluate(_ frame: inout Frame) throws(CELError) -> CELValue {
        try frame.produce(elements: entries.count * 2, at: offset)
        var map = CELMap()
        for entry in entries {
            let key = try frame.native(try entry.key.evaluate(&frame), at: offset)
            try frame.spend(hashing: key, at: offset)
            try map.add(key, try entry.value.evaluate(&frame), at: entry.offset)
        }
        return .map(map)
    }
}

extension CELMap {
    /// Adds an entry; an error when the key is taken or of a kind that can't be a key.
    mutating func add(_ key: CELValue, _ value: CELValue, at offset: Int) throws(CELError) {
        guard !insert(key, value) else { return }
        guard CELMap.canBeKey(key) else {
            throw CELError(
                offset: offset,
                message: "a key must be a bool, an int, a uint or a string, not \(Access.noun(key.native))"
            )
        }
        throw CELError(offset: offset, message: "the key \(key.debugText) is there twice")
    }
}

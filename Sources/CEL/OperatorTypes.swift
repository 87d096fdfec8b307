/// What is known of an operator's result.
enum OperatorTypes {
    /// Nil when the operator can't be applied to values of these types.
    static func result(_ symbol: BinaryOperator, _ left: CELType, _ right: CELType) -> CELType? {
        let (left, right) = (left.general, right.general)
        return switch symbol {
        case .equal, .notEqual: .bool
        case .less, .lessOrEqual, .greater, .greaterOrEqual: areOrdered(left, right) ? .bool : nil
        case .isIn: isContainer(right) ? .bool : nil
        case .add: sum(left, right)
        case .subtract: difference(left, right)
        case .multiply, .divide: number(left, right, fractions: true)
        case .modulo: number(left, right, fractions: false)
        }
    }

    private static func sum(_ left: CELType, _ right: CELType) -> CELType? {
        if let number = number(left, right, fractions: true) { return number }
        return switch (left, right) {
        case (.string, .string), (.string, .dyn), (.dyn, .string): .string
        case (.bytes, .bytes), (.bytes, .dyn), (.dyn, .bytes): .bytes
        case (.list(let a), .list(let b)): .list(a.joined(b))
        case (.list, .dyn), (.dyn, .list): .list(.dyn)
        case (.timestamp, .duration), (.duration, .timestamp), (.timestamp, .dyn), (.dyn, .timestamp): .timestamp
        case (.duration, .duration): .duration
        case (.duration, .dyn), (.dyn, .duration): .dyn
        default: nil
        }
    }

    private static func difference(_ left: CELType, _ right: CELType) -> CELType? {
        if let number = number(left, right, fractions: true) { return number }
        return switch (left, right) {
        case (.timestamp, .timestamp), (.duration, .duration), (.duration, .dyn): .duration
        case (.timestamp, .duration): .timestamp
        case (.timestamp, .dyn), (.dyn, .timestamp), (.dyn, .duration): .dyn
        default: nil
        }
    }

    private static func number(_ left: CELType, _ right: CELType, fractions: Bool) -> CELType? {
        switch (left, right) {
        case (.dyn, .dyn): .dyn
        case (.int, .int): .int
        case (.uint, .uint), (.uint, .dyn), (.dyn, .uint): .uint
        case (.int, .dyn), (.dyn, .int): fractions ? .dyn : .int
        case (.double, .double), (.double, .int), (.int, .double), (.double, .dyn), (.dyn, .double):
            fractions ? .double : nil
        case (.number, .double), (.double, .number): fractions ? .double : nil
        case (.number, .number), (.number, .int), (.int, .number): fractions ? .number : .int
        case (.number, .dyn), (.dyn, .number): fractions ? .dyn : .int
        default: nil
        }
    }

    private static func areOrdered(_ left: CELType, _ right: CELType) -> Bool {
        switch (left, right) {
        case (.dyn, .dyn): true
        case (.dyn, let known), (let known, .dyn):
            known.isNumber || [.string, .bytes, .bool, .timestamp, .duration].contains(known)
        default:
            left.isNumber && right.isNumber
                || left == right && [.string, .bytes, .bool, .timestamp, .duration].contains(left)
        }
    }

    private static func isContainer(_ type: CELType) -> Bool {
        switch type {
        case .dyn, .list, .map, .object, .record: true
        default: false
        }
    }
}

extension CELType {
    /// The type of a literal.
    static func of(_ value: CELValue) -> CELType {
        switch value {
        case .null: .null
        case .bool: .bool
        case .int: .int
        case .uint: .uint
        case .double: .double
        case .string: .string
        case .bytes: .bytes
        default: .dyn
        }
    }

    /// What is known of a value that has one of the types.
    static func common(_ types: [CELType]) -> CELType {
        guard let first = types.first else { return .dyn }
        return types.dropFirst().reduce(first) { $0.joined($1) }
    }
}

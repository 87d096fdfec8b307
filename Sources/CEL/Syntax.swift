/// A parsed expression.
///
/// Macros are still calls.
indirect enum Syntax: Sendable {
    case literal(CELValue, Place)
    case identifier(String, Place)
    case select(Syntax, field: String, Place)
    case index(Syntax, Syntax, Place)
    case call(target: Syntax?, name: String, arguments: [Syntax], Place)
    case list([Syntax], Place)
    case map([(key: Syntax, value: Syntax)], Place)
    case not(Syntax, Place)
    case negate(Syntax, Place)
    case binary(BinaryOperator, Syntax, Syntax, Place)
    /// `&&` and `||`: a chain is one node, however long it is.
    case logic(LogicOperator, [Syntax], Place)
    case conditional(Syntax, Syntax, Syntax, Place)

    /// Where an expression stands, and how deep it nests.
    struct Place: Sendable {
        /// The whole expression, in bytes.
        let range: Range<Int>
        /// Where a fault of the expression itself is shown: its operator, its field, its function's name.
        let focus: Range<Int>
        /// 1 for an expression without operands.
        let depth: Int

        var offset: Int { focus.lowerBound }
    }

    var place: Place {
        switch self {
        case .literal(_, let place), .identifier(_, let place), .select(_, _, let place), .index(_, _, let place),
            .call(_, _, _, let place), .list(_, let place), .map(_, let place), .not(_, let place),
            .negate(_, let place), .binary(_, _, _, let place), .logic(_, _, let place),
            .conditional(_, _, _, let place):
            place
        }
    }

    var range: Range<Int> { place.range }
}

enum BinaryOperator: String, Sendable {
    case add = "+"
    case subtract = "-"
    case multiply = "*"
    case divide = "/"
    case modulo = "%"
    case equal = "=="
    case notEqual = "!="
    case less = "<"
    case lessOrEqual = "<="
    case greater = ">"
    case greaterOrEqual = ">="
    case isIn = "in"
}

enum LogicOperator: String, Sendable {
    case and = "&&"
    case or = "||"
}

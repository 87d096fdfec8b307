/// `&&` (decided by false) and `||` (decided by true).
///
/// As the language has it, an operand that decides makes an error in another one, before or after it, irrelevant.
final class LogicNode: Node {
    private let operands: [any Node]
    private let deciding: Bool
    private let symbol: LogicOperator
    private let offset: Int

    init(_ symbol: LogicOperator, _ operands: [any Node], offset: Int) {
        self.operands = operands
        self.symbol = symbol
        self.offset = offset
        deciding = symbol == .or
    }

    func evaluate(_ frame: inout Frame) throws(CELError) -> CELValue {
        try frame.spend(at: offset)
        var failure: CELError?
        for operand in operands {
            do throws(CELError) {
                let value = try operand.evaluate(&frame).native
                guard case .bool(let truth) = value else {
                    throw CELError(
                        offset: offset,
                        message: "'\(symbol.rawValue)' takes bools, not \(Access.noun(value))"
                    )
                }
                if truth == deciding { return .bool(deciding) }
            } catch {
                if frame.isExhausted { throw error }
                failure = failure ?? error
            }
        }
        if let failure { throw failure }
        return .bool(!deciding)
    }
}

/// `!operand`.
final class NotNode: Node {
    private let operand: any Node
    private let offset: Int

    init(_ operand: any Node, offset: Int) {
        self.operand = operand
        self.offset = offset
    }

    func evaluate(_ frame: inout Frame) throws(CELError) -> CELValue {
        try frame.spend(at: offset)
        let value = try operand.evaluate(&frame).native
        guard case .bool(let truth) = value else {
            throw CELError(offset: offset, message: "'!' takes a bool, not \(Access.noun(value))")
        }
        return .bool(!truth)
    }
}

/// `condition ? first : second`.
final class ConditionalNode: Node {
    private let condition: any Node
    private let first: any Node
    private let second: any Node
    private let offset: Int

    init(_ condition: any Node, _ first: any Node, _ second: any Node, offset: Int) {
        self.condition = condition
        self.first = first
        self.second = second
        self.offset = offset
    }

    func evaluate(_ frame: inout Frame) throws(CELError) -> CELValue {
        try frame.spend(at: offset)
        let value = try condition.evaluate(&frame).native
        guard case .bool(let truth) = value else {
            throw CELError(offset: offset, message: "the condition of '?' must be a bool, not \(Access.noun(value))")
        }
        return try truth ? first.evaluate(&frame) : second.evaluate(&frame)
    }
}

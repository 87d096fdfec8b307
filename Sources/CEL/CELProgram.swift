import JSON

/// A path that an expression reads from a declared variable, as far as it is written out: members, and indexes with a
/// string literal, up to the first part that isn't known before evaluation.
public struct CELReference: Sendable, Hashable {
    /// The variable's name and the members' after it.
    public let path: [String]
    /// Where each of them stands, in UTF-8 bytes of the source.
    public let ranges: [Range<Int>]
    /// What an expression does with what it reads.
    public enum Use: Sendable, Hashable {
        /// Hands it on: as its result, as an element of one, as a branch of a condition.
        case value
        /// Compares it by `==`, `!=` or as the left side of `in`, which take any value.
        case comparison
        /// Works on it: an operator or function that takes some types only, and null as a rule not.
        case operand
        /// Only asks, by `has(…)`, if the last member is there.
        case presence
    }

    public let use: Use
    /// Whether an index has ended the path: what is read lies below it.
    public let isClosed: Bool

    /// Whether the expression only asks, by `has(…)`, if the last member is there.
    public var isPresenceTest: Bool { use == .presence }

    /// Where the whole path stands.
    public var range: Range<Int> { (ranges.first?.lowerBound ?? 0)..<(ranges.last?.upperBound ?? 0) }

    init(path: [String], ranges: [Range<Int>], use: Use = .value, isClosed: Bool = false) {
        self.path = path
        self.ranges = ranges
        self.use = use
        self.isClosed = isClosed
    }

    /// The path with one more member; with nil, or after an index, it stays as long as it is.
    func appending(_ name: String?, range: Range<Int>) -> CELReference {
        guard let name, !isClosed else { return CELReference(path: path, ranges: ranges, use: use, isClosed: true) }
        return CELReference(path: path + [name], ranges: ranges + [range], use: use)
    }

    func used(as use: Use) -> CELReference {
        CELReference(path: path, ranges: ranges, use: isClosed && use == .presence ? .value : use, isClosed: isClosed)
    }
}

/// A compiled expression.
public struct CELProgram: Sendable {
    /// The text that it was compiled from.
    public let source: String
    /// Every static path that the expression reads from a variable, in the order in which they are written.
    public let references: [CELReference]
    /// Whether the expression is nothing but a variable with members and constant indexes.
    public let isPlainReference: Bool
    /// What is known of the result.
    public let resultType: CELType
    /// What can be evaluated, but probably isn't meant; in the order in which it is written.
    public let notes: [CELNote]

    /// The paths that the expression asks for, by `has(…)` or by `'name' in object`.
    public let presences: [[String]]

    /// Whether the expression reads no variable, so that its result is always the same.
    public var isConstant: Bool { variables.isEmpty }

    private let root: any Node
    private let variables: [(name: String, slot: Int)]
    private let slotCount: Int

    /// Parses and checks an expression.
    ///
    /// Unknown variables and functions, and operators and functions applied to types that they don't take, are errors
    /// here already.
    public init(compiling source: String, in environment: CELEnvironment) throws(CELError) {
        let syntax = try Parser.parse(source, maximumBytes: environment.maximumSourceBytes)
        var compiler = Compiler(environment)
        let part = try compiler.compile(syntax, as: .value)
        self.source = source
        root = part.node
        resultType = part.type
        references = compiler.references
        notes = compiler.finishedNotes()
        presences = compiler.presences
        isPlainReference = part.node is PathNode
        variables = compiler.variables
        slotCount = compiler.slotCount
    }

    /// Evaluates the expression.
    ///
    /// The same variables always give the same result.
    public func evaluate(
        _ activation: CELActivation,
        limits: CELLimits = .default
    ) throws(CELError) -> CELValue {
        var slots = [CELValue?](repeating: nil, count: slotCount)
        for variable in variables { slots[variable.slot] = activation[variable.name] }
        var frame = Frame(slots: slots, limits: limits)
        return try root.evaluate(&frame)
    }

    /// Evaluates the expression to JSON.
    ///
    /// A plain reference hands on the very JSON that it finds, whatever its size: number literals stay as they were
    /// written.
    public func evaluateJSON(
        _ activation: CELActivation,
        limits: CELLimits = .default
    ) throws(CELError) -> JSON {
        let value = try evaluate(activation, limits: limits)
        if isPlainReference, case .json(let json) = value { return json }
        return try value.json(limits)
    }
}

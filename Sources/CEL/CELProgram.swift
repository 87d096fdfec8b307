import JSON

/// A path that an expression reads from a declared variable, as far as it is written out: members, and indexes with a
/// string literal, up to the first part that isn't known before evaluation.
public struct CELReference: Sendable, Hashable {
    /// The variable's name and the members' after it.
    public let path: [String]
    /// Where each of them stands, in UTF-8 bytes of the source.
    public let ranges: [Range<Int>]
    /// Whether the expression only asks, by `has(…)`, if the last member is there.
    public let isPresenceTest: Bool
    /// Whether an index has ended the path.
    let isClosed: Bool

    /// Where the whole path stands.
    public var range: Range<Int> { (ranges.first?.lowerBound ?? 0)..<(ranges.last?.upperBound ?? 0) }

    init(path: [String], ranges: [Range<Int>], isPresenceTest: Bool, isClosed: Bool) {
        self.path = path
        self.ranges = ranges
        self.isPresenceTest = isPresenceTest
        self.isClosed = isClosed
    }

    /// The path with one more member; with nil, or after an index, it stays as long as it is.
    func appending(_ name: String?, range: Range<Int>) -> CELReference {
        guard let name, !isClosed else {
            return CELReference(path: path, ranges: ranges, isPresenceTest: isPresenceTest, isClosed: true)
        }
        return CELReference(
            path: path + [name],
            ranges: ranges + [range],
            isPresenceTest: isPresenceTest,
            isClosed: false
        )
    }

    var asPresenceTest: CELReference {
        CELReference(path: path, ranges: ranges, isPresenceTest: !isClosed, isClosed: isClosed)
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
        let part = try compiler.compile(syntax)
        self.source = source
        root = part.node
        resultType = part.type
        references = compiler.references
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

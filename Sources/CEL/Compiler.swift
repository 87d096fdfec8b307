import JSON

/// Turns syntax into nodes: resolves names, expands macros, checks what can be known of types.
struct Compiler {
    let environment: CELEnvironment
    var references: [CELReference] = []
    var notes: [CELNote] = []
    /// The paths that the expression asks for by `has(…)` or by `'name' in object`.
    var presences: [[String]] = []
    /// The slots of the variables that the expression reads, in the order in which it first does.
    private(set) var variables: [(name: String, slot: Int)] = []
    private(set) var slotCount = 0
    var locals: [Local] = []

    struct Local {
        let name: String
        let slot: Int
        let type: CELType
    }

    /// A compiled part.
    struct Part {
        let node: any Node
        let type: CELType
        /// The static path that the part reads so far, for a part that is nothing else.
        var reference: CELReference?
    }

    init(_ environment: CELEnvironment) { self.environment = environment }

    /// Compiles an expression and notes the reference that it may be.
    mutating func compile(_ syntax: Syntax, as use: CELReference.Use = .operand) throws(CELError) -> Part {
        let part = try build(syntax, as: use)
        if let reference = part.reference { references.append(reference.used(as: use)) }
        return part
    }

    mutating func build(_ syntax: Syntax, as use: CELReference.Use = .operand) throws(CELError) -> Part {
        switch syntax {
        case .literal(let value, _):
            return Part(node: ConstantNode(value), type: CELType.of(value))
        case .identifier(let name, let place):
            return try identifier(name, at: place)
        case .select(let operand, let field, let place):
            return try select(operand, field, syntax, at: place)
        case .index(let operand, let index, let place):
            return try self.index(operand, index, at: place)
        case .call(let target, let name, let arguments, let place):
            return try call(target, name, arguments, at: place)
        case .list(let elements, let place):
            return try list(elements, at: place)
        case .map(let entries, let place):
            return try map(entries, at: place)
        case .not(let operand, let place):
            let part = try compile(operand)
            guard part.type.canBe(.bool) else { throw mismatch("!", [part.type], at: place) }
            return Part(node: NotNode(part.node, offset: place.offset), type: .bool)
        case .negate(let operand, let place):
            let part = try compile(operand)
            guard part.type.canBe(.int) || part.type.canBe(.double) else { throw mismatch("-", [part.type], at: place) }
            return Part(node: NegateNode(part.node, offset: place.offset), type: part.type)
        case .binary(let symbol, let left, let right, let place):
            return try binary(symbol, left, right, at: place)
        case .logic(let symbol, let operands, let place):
            var nodes: [any Node] = []
            for operand in operands { nodes.append(try compile(operand).node) }
            return Part(node: LogicNode(symbol, nodes, offset: place.offset), type: .bool)
        case .conditional(let condition, let first, let second, let place):
            let test = try compile(condition)
            guard test.type.canBe(.bool) else { throw mismatch("?", [test.type], at: place) }
            let (a, b) = (try compile(first, as: use), try compile(second, as: use))
            let node = ConditionalNode(test.node, a.node, b.node, offset: place.offset)
            return Part(node: node, type: a.type.joined(b.type))
        }
    }

    private mutating func binary(
        _ symbol: BinaryOperator,
        _ left: Syntax,
        _ right: Syntax,
        at place: Syntax.Place
    ) throws(CELError) -> Part {
        let isEquality = symbol == .equal || symbol == .notEqual
        let a = try compile(left, as: isEquality || symbol == .isIn ? .comparison : .operand)
        let b = try compile(right, as: isEquality ? .comparison : .operand)
        guard let type = OperatorTypes.result(symbol, a.type, b.type) else {
            throw mismatch(symbol.rawValue, [a.type, b.type], at: place)
        }
        noteComparison(symbol, (left, a.type), (right, b.type), at: place)
        if symbol == .isIn, case .literal(.string(let name), _) = left, let reference = b.reference,
            !reference.isClosed
        {
            presences.append(reference.path + [name])
        }
        return Part(node: BinaryNode(symbol, a.node, b.node, offset: place.offset), type: type)
    }

    func mismatch(_ symbol: String, _ types: [CELType], at place: Syntax.Place) -> CELError {
        let names = types.map(\.name)
        return CELError(
            offset: place.offset,
            message: "'\(symbol)' can't be applied to \(names.joined(separator: " and "))",
            hint: names.count == 2 ? Coercion.hint(names[0], names[1]) : nil
        )
    }

    // MARK: Names

    func isLocal(_ name: String) -> Bool { locals.contains { $0.name == name } }

    mutating func identifier(_ name: String, at place: Syntax.Place) throws(CELError) -> Part {
        if let local = locals.last(where: { $0.name == name }) {
            return Part(node: PathNode(name: name, slot: local.slot, offset: place.offset), type: local.type)
        }
        if let part = variable(name, at: place) { return part }
        if CELType.named(name) != nil { return Part(node: ConstantNode(.type(name)), type: .type) }
        let names = environment.variables.keys.sorted() + locals.map(\.name)
        throw CELError(
            offset: place.offset,
            message: "there is no variable '\(name)'",
            hint: NearestName.hint(for: name, among: names)
                ?? (names.isEmpty ? nil : "there are " + names.joined(separator: ", "))
        )
    }

    /// A variable by its whole name, which may be qualified.
    mutating func variable(_ name: String, at place: Syntax.Place) -> Part? {
        guard let type = environment.variables[name] else { return nil }
        let slot: Int
        if let known = variables.first(where: { $0.name == name }) {
            slot = known.slot
        } else {
            slot = newSlot()
            variables.append((name, slot))
        }
        let reference = CELReference(path: [name], ranges: [place.range])
        return Part(
            node: PathNode(name: name, slot: slot, offset: place.range.lowerBound),
            type: type,
            reference: reference
        )
    }

    mutating func newSlot() -> Int {
        slotCount += 1
        return slotCount - 1
    }

    /// The qualified name that a chain of selections spells, when its first part is no variable bound by a macro.
    func qualifiedName(_ syntax: Syntax) -> String? {
        switch syntax {
        case .identifier(let name, _): isLocal(name) ? nil : name
        case .select(let operand, let field, _): qualifiedName(operand).map { "\($0).\(field)" }
        default: nil
        }
    }

    // MARK: Literals

    mutating func list(_ elements: [Syntax], at place: Syntax.Place) throws(CELError) -> Part {
        var nodes: [any Node] = []
        var types: [CELType] = []
        for element in elements {
            let part = try compile(element, as: .value)
            nodes.append(part.node)
            types.append(part.type)
        }
        return Part(node: ListNode(nodes, offset: place.offset), type: .list(CELType.common(types)))
    }

    mutating func map(
        _ entries: [(key: Syntax, value: Syntax)],
        at place: Syntax.Place
    ) throws(CELError) -> Part {
        var nodes: [(key: any Node, value: any Node, offset: Int)] = []
        var keys: [CELType] = []
        var values: [CELType] = []
        for entry in entries {
            let (key, value) = (try compile(entry.key), try compile(entry.value, as: .value))
            nodes.append((key.node, value.node, entry.key.range.lowerBound))
            keys.append(key.type)
            values.append(value.type)
        }
        return Part(
            node: MapNode(nodes, offset: place.offset),
            type: .map(CELType.common(keys), CELType.common(values))
        )
    }
}

/// Turns syntax into nodes: resolves names, expands macros, checks what can be known of types.
struct Compiler {
    let environment: CELEnvironment
    private(set) var references: [CELReference] = []
    /// The slots of the variables that the expression reads, in the order in which it first does.
    private(set) var variables: [(name: String, slot: Int)] = []
    private(set) var slotCount = 0
    private var locals: [Local] = []

    private struct Local {
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
    mutating func compile(_ syntax: Syntax) throws(CELError) -> Part {
        let part = try build(syntax)
        if let reference = part.reference { references.append(reference) }
        return part
    }

    private mutating func build(_ syntax: Syntax) throws(CELError) -> Part {
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
            let (left, right) = (try compile(left), try compile(right))
            guard let type = OperatorTypes.result(symbol, left.type, right.type) else {
                throw mismatch(symbol.rawValue, [left.type, right.type], at: place)
            }
            return Part(node: BinaryNode(symbol, left.node, right.node, offset: place.offset), type: type)
        case .logic(let symbol, let operands, let place):
            var nodes: [any Node] = []
            for operand in operands { nodes.append(try compile(operand).node) }
            return Part(node: LogicNode(symbol, nodes, offset: place.offset), type: .bool)
        case .conditional(let condition, let first, let second, let place):
            let test = try compile(condition)
            guard test.type.canBe(.bool) else { throw mismatch("?", [test.type], at: place) }
            let (a, b) = (try compile(first), try compile(second))
            let node = ConditionalNode(test.node, a.node, b.node, offset: place.offset)
            return Part(node: node, type: a.type.joined(b.type))
        }
    }

    private func mismatch(_ symbol: String, _ types: [CELType], at place: Syntax.Place) -> CELError {
        let names = types.map(\.name)
        return CELError(
            offset: place.offset,
            message: "'\(symbol)' can't be applied to \(names.joined(separator: " and "))",
            hint: names.count == 2 ? Coercion.hint(names[0], names[1]) : nil
        )
    }

    // MARK: Names

    private func isLocal(_ name: String) -> Bool { locals.contains { $0.name == name } }

    private mutating func identifier(_ name: String, at place: Syntax.Place) throws(CELError) -> Part {
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
    private mutating func variable(_ name: String, at place: Syntax.Place) -> Part? {
        guard let type = environment.variables[name] else { return nil }
        let slot: Int
        if let known = variables.first(where: { $0.name == name }) {
            slot = known.slot
        } else {
            slot = newSlot()
            variables.append((name, slot))
        }
        let reference = CELReference(path: [name], ranges: [place.range], isPresenceTest: false, isClosed: false)
        return Part(
            node: PathNode(name: name, slot: slot, offset: place.range.lowerBound),
            type: type,
            reference: reference
        )
    }

    private mutating func newSlot() -> Int {
        slotCount += 1
        return slotCount - 1
    }

    /// The qualified name that a chain of selections spells, when its first part is no variable bound by a macro.
    private func qualifiedName(_ syntax: Syntax) -> String? {
        switch syntax {
        case .identifier(let name, _): isLocal(name) ? nil : name
        case .select(let operand, let field, _): qualifiedName(operand).map { "\($0).\(field)" }
        default: nil
        }
    }

    // MARK: Members

    private mutating func select(
        _ operand: Syntax,
        _ field: String,
        _ whole: Syntax,
        at place: Syntax.Place
    ) throws(CELError) -> Part {
        if let name = qualifiedName(whole) {
            if let part = variable(name, at: place) { return part }
            if CELType.named(name) != nil { return Part(node: ConstantNode(.type(name)), type: .type) }
        }
        let part = try build(operand)
        let type = try memberType(field, of: part.type, at: place)
        return extended(part, .member(field, offset: place.offset), type, field, at: place)
            ?? Part(node: SelectNode(part.node, field: field, offset: place.offset), type: type)
    }

    /// Lengthens a path; nil when the part isn't one.
    private func extended(
        _ part: Part,
        _ step: PathNode.Step,
        _ type: CELType,
        _ name: String?,
        at place: Syntax.Place
    ) -> Part? {
        guard let path = part.node as? PathNode else { return nil }
        let reference = part.reference?.appending(name, range: place.focus)
        return Part(node: path.appending(step), type: type, reference: reference)
    }

    private func memberType(_ field: String, of type: CELType, at place: Syntax.Place) throws(CELError) -> CELType {
        switch type {
        case .dyn: return .dyn
        case .map(let key, let value) where key.canBe(.string): return value
        case .object(let members):
            if let member = members[field] { return member }
            throw CELError(
                offset: place.offset,
                message: "there is no member '\(field)'",
                hint: NearestName.hint(for: field, among: members.keys)
                    ?? "there are " + members.keys.sorted().joined(separator: ", ")
            )
        default:
            throw CELError(
                offset: place.offset,
                message: "a value of type \(type.name) has no member '\(field)'"
            )
        }
    }

    private mutating func index(
        _ operand: Syntax,
        _ index: Syntax,
        at place: Syntax.Place
    ) throws(CELError) -> Part {
        let part = try build(operand)
        if case .literal(let key, let keyPlace) = index {
            switch key {
            case .string(let name) where part.type.canBe(.map(.string, .dyn)):
                let type = try memberType(name, of: part.type, at: keyPlace)
                if let path = extended(part, .member(name, offset: keyPlace.offset), type, name, at: keyPlace) {
                    return path
                }
            case .int, .uint, .bool:
                let type = try elementType(part.type, CELType.of(key), at: place)
                if let path = extended(part, .index(key, offset: place.offset), type, nil, at: place) { return path }
            default: break
            }
        }
        if let reference = part.reference { references.append(reference) }
        let inner = try compile(index)
        let type = try elementType(part.type, inner.type, at: place)
        return Part(node: IndexNode(part.node, inner.node, offset: place.offset), type: type)
    }

    private func elementType(
        _ type: CELType,
        _ index: CELType,
        at place: Syntax.Place
    ) throws(CELError) -> CELType {
        switch type {
        case .dyn: return .dyn
        case .object where index.canBe(.string): return .dyn
        case .list(let element) where index.canBe(.int) || index.canBe(.uint) || index.canBe(.double): return element
        case .map(_, let value): return value
        default: throw mismatch("[]", [type, index], at: place)
        }
    }

    // MARK: Literals

    private mutating func list(_ elements: [Syntax], at place: Syntax.Place) throws(CELError) -> Part {
        var nodes: [any Node] = []
        var types: [CELType] = []
        for element in elements {
            let part = try compile(element)
            nodes.append(part.node)
            types.append(part.type)
        }
        return Part(node: ListNode(nodes, offset: place.offset), type: .list(CELType.common(types)))
    }

    private mutating func map(
        _ entries: [(key: Syntax, value: Syntax)],
        at place: Syntax.Place
    ) throws(CELError) -> Part {
        var nodes: [(key: any Node, value: any Node, offset: Int)] = []
        var keys: [CELType] = []
        var values: [CELType] = []
        for entry in entries {
            let (key, value) = (try compile(entry.key), try compile(entry.value))
            nodes.append((key.node, value.node, entry.key.range.lowerBound))
            keys.append(key.type)
            values.append(value.type)
        }
        return Part(
            node: MapNode(nodes, offset: place.offset),
            type: .map(CELType.common(keys), CELType.common(values))
        )
    }

    // MARK: Calls

    private mutating func call(
        _ target: Syntax?,
        _ name: String,
        _ arguments: [Syntax],
        at place: Syntax.Place
    ) throws(CELError) -> Part {
        if let target {
            if let macro = Macro(name, argumentCount: arguments.count) {
                return try expand(macro, target, arguments, at: place)
            }
            if let qualified = qualifiedName(target).map({ "\($0).\(name)" }) {
                let functions = FunctionTable.named(qualified, in: environment).filter { !$0.isMember }
                if !functions.isEmpty { return try function(qualified, functions, arguments, at: place) }
            }
        } else if name == "has" {
            return try has(arguments, at: place)
        } else if name == "dyn", arguments.count == 1 {
            return Part(node: try compile(arguments[0]).node, type: .dyn)
        }
        let functions = FunctionTable.named(name, in: environment)
        let fitting = functions.filter { $0.isMember == (target != nil) }
        guard !fitting.isEmpty else {
            throw unknownFunction(name, isMember: target != nil, otherwise: functions, at: place)
        }
        return try function(name, fitting, (target.map { [$0] } ?? []) + arguments, at: place)
    }

    private func unknownFunction(
        _ name: String,
        isMember: Bool,
        otherwise: [Function],
        at place: Syntax.Place
    ) -> CELError {
        let hint: String?
        if !otherwise.isEmpty {
            hint = isMember ? "write \(name)(…)" : "write VALUE.\(name)(…)"
        } else if Macro.names.contains(name) {
            hint = isMember ? Macro.usage(of: name) : "write LIST.\(name)(…)"
        } else {
            let names = FunctionTable.names + Macro.names + ["has", "dyn"]
            hint = NearestName.hint(for: name, among: names)
        }
        return CELError(offset: place.offset, message: "there is no function '\(name)'", hint: hint)
    }

    private mutating func function(
        _ name: String,
        _ functions: [Function],
        _ arguments: [Syntax],
        at place: Syntax.Place
    ) throws(CELError) -> Part {
        var parts: [Part] = []
        for argument in arguments { parts.append(try compile(argument)) }
        guard let function = functions.first(where: { $0.arity == arguments.count }) else {
            let isMember = functions.contains { $0.isMember }
            let counts = Set(functions.map { $0.arity - ($0.isMember ? 1 : 0) }).sorted().map { String($0) }
            let given = arguments.count - (isMember ? 1 : 0)
            let wanted = counts.joined(separator: " or ") + (counts == ["1"] ? " argument" : " arguments")
            throw CELError(offset: place.offset, message: "'\(name)' takes \(wanted), not \(given)")
        }
        let types = parts.map(\.type)
        let fitting = function.overloads.filter { overload in
            zip(types, overload.parameters).allSatisfy { $0.canBe($1) }
        }
        guard !fitting.isEmpty else {
            throw CELError(
                offset: place.offset,
                message: "'\(name)' can't be applied to (\(types.map(\.name).joined(separator: ", ")))",
                hint: "it takes "
                    + function.overloads.map { "(\($0.parameters.map(\.name).joined(separator: ", ")))" }
                    .joined(separator: " or ")
            )
        }
        let type = CELType.common(fitting.map(\.result))
        if name == "matches", case .literal(.string(let pattern), let at) = arguments[1] {
            let compiled = try RegexFunctions.compile(pattern, at: at.offset)
            return Part(node: MatchesNode(parts[0].node, compiled, offset: place.offset), type: .bool)
        }
        return Part(node: CallNode(function, parts.map(\.node), offset: place.offset), type: type)
    }

    // MARK: Macros

    private mutating func has(_ arguments: [Syntax], at place: Syntax.Place) throws(CELError) -> Part {
        guard arguments.count == 1, case .select(let operand, let field, let selectPlace) = arguments[0] else {
            throw CELError(
                offset: place.offset,
                message: "'has' takes one member access, such as has(input.coupon)"
            )
        }
        let part = try build(operand)
        _ = try memberType(field, of: part.type, at: selectPlace)
        if let reference = part.reference {
            references.append(reference.appending(field, range: selectPlace.focus).asPresenceTest)
        }
        return Part(node: HasNode(part.node, field: field, offset: selectPlace.offset), type: .bool)
    }

    private mutating func expand(
        _ macro: Macro,
        _ target: Syntax,
        _ arguments: [Syntax],
        at place: Syntax.Place
    ) throws(CELError) -> Part {
        let range = try compile(target)
        let (first, second) = try elementTypes(range.type, macro, at: place)
        var bound: [Local] = []
        for (index, argument) in arguments.prefix(macro.variableCount).enumerated() {
            guard case .identifier(let name, let namePlace) = argument else {
                throw CELError(
                    offset: argument.range.lowerBound,
                    message: "'\(macro.name)' needs a variable's name here",
                    hint: Macro.usage(of: macro.name)
                )
            }
            guard !bound.contains(where: { $0.name == name }) else {
                throw CELError(offset: namePlace.offset, message: "the name '\(name)' is there twice")
            }
            bound.append(Local(name: name, slot: newSlot(), type: index == 0 ? first : second))
        }
        let iteration = Iteration(
            range: range.node,
            slot: bound[0].slot,
            secondSlot: bound.count > 1 ? bound[1].slot : nil,
            offset: place.offset
        )
        locals += bound
        defer { locals.removeLast(bound.count) }
        var bodies: [Part] = []
        for argument in arguments.dropFirst(macro.variableCount) { bodies.append(try compile(argument)) }
        if macro.hasCondition(bodies.count), !bodies[0].type.canBe(.bool) {
            throw CELError(
                offset: place.offset,
                message: "the condition of '\(macro.name)' must be a bool, not \(bodies[0].type.name)"
            )
        }
        return macro.part(iteration, bodies, element: first, key: first)
    }

    private func elementTypes(
        _ type: CELType,
        _ macro: Macro,
        at place: Syntax.Place
    ) throws(CELError) -> (CELType, CELType) {
        switch type {
        case .dyn: (.dyn, .dyn)
        case .list(let element): macro.variableCount == 1 ? (element, .dyn) : (.int, element)
        case .map(let key, let value): (key, value)
        case .object: (.string, .dyn)
        default:
            throw CELError(
                offset: place.offset,
                message: "'\(macro.name)' needs a list or a map, not \(type.name)"
            )
        }
    }
}

import JSON

/// Calls of functions and macros.
extension Compiler {
    mutating func call(
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
            return Part(node: try compile(arguments[0], as: .value).node, type: .dyn)
        }
        let functions = FunctionTable.named(name, in: environment)
        let fitting = functions.filter { $0.isMember == (target != nil) }
        guard !fitting.isEmpty else {
            throw unknownFunction(name, isMember: target != nil, otherwise: functions, at: place)
        }
        return try function(name, fitting, (target.map { [$0] } ?? []) + arguments, at: place)
    }

    func unknownFunction(
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

    mutating func function(
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

    mutating func has(_ arguments: [Syntax], at place: Syntax.Place) throws(CELError) -> Part {
        guard arguments.count == 1, case .select(let operand, let field, let selectPlace) = arguments[0] else {
            throw CELError(
                offset: place.offset,
                message: "'has' takes one member access, such as has(input.coupon)"
            )
        }
        let part = try build(operand)
        _ = try memberType(field, of: part, isAskedFor: true, at: selectPlace)
        if let reference = part.reference {
            let test = reference.appending(field, range: selectPlace.focus).used(as: .presence)
            references.append(test)
            if test.isPresenceTest { presences.append(test.path) }
        }
        return Part(node: HasNode(part.node, field: field, offset: selectPlace.offset), type: .bool)
    }

    mutating func expand(
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
        let expressions = arguments.dropFirst(macro.variableCount)
        for (index, expression) in expressions.enumerated() {
            let isCondition = index == 0 && macro.hasCondition(expressions.count)
            bodies.append(try compile(expression, as: isCondition ? .operand : .value))
        }
        if macro.hasCondition(bodies.count), !bodies[0].type.canBe(.bool) {
            throw CELError(
                offset: place.offset,
                message: "the condition of '\(macro.name)' must be a bool, not \(bodies[0].type.name)"
            )
        }
        return macro.part(iteration, bodies, element: first, key: first)
    }

    func elementTypes(
        _ type: CELType,
        _ macro: Macro,
        at place: Syntax.Place
    ) throws(CELError) -> (CELType, CELType) {
        switch type {
        case .dyn: (.dyn, .dyn)
        case .list(let element): macro.variableCount == 1 ? (element, .dyn) : (.int, element)
        case .map(let key, let value): (key, value)
        case .object, .record: (.string, .dyn)
        default:
            throw CELError(
                offset: place.offset,
                message: "'\(macro.name)' needs a list or a map, not \(type.name)"
            )
        }
    }
}

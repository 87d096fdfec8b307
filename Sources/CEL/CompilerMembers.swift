import JSON

/// Members and elements: `operand.field`, `operand[index]`.
extension Compiler {
    mutating func select(
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
        let type = try memberType(field, of: part, at: place)
        return extended(part, .member(field, offset: place.offset), type, field, at: place)
            ?? Part(node: SelectNode(part.node, field: field, offset: place.offset), type: type)
    }

    /// Lengthens a path; nil when the part isn't one.
    func extended(
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

    /// - Parameter isAskedFor: whether the member is only asked for, by `has(…)`.
    mutating func memberType(
        _ field: String,
        of part: Part,
        isAskedFor: Bool = false,
        at place: Syntax.Place
    ) throws(CELError) -> CELType {
        let type = part.type
        switch type {
        case .dyn: return .dyn
        case .record(let record):
            return member(field, of: record, part.reference, isAskedFor: isAskedFor, at: place.offset)
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

    mutating func index(
        _ operand: Syntax,
        _ index: Syntax,
        at place: Syntax.Place
    ) throws(CELError) -> Part {
        let part = try build(operand)
        if case .literal(let key, let keyPlace) = index {
            switch key {
            case .string(let name) where part.type.canBe(.map(.string, .dyn)):
                let type = try memberType(name, of: part, at: keyPlace)
                if let path = extended(part, .member(name, offset: keyPlace.offset), type, name, at: keyPlace) {
                    return path
                }
            case .int, .uint, .bool:
                let type = try elementType(part.type, CELType.of(key), at: place)
                if let path = extended(part, .index(key, offset: place.offset), type, nil, at: place) { return path }
            default: break
            }
        }
        if let reference = part.reference { references.append(reference.used(as: .operand)) }
        let inner = try compile(index)
        let type = try elementType(part.type, inner.type, at: place)
        return Part(node: IndexNode(part.node, inner.node, offset: place.offset), type: type)
    }

    func elementType(
        _ type: CELType,
        _ index: CELType,
        at place: Syntax.Place
    ) throws(CELError) -> CELType {
        switch type {
        case .dyn: return .dyn
        case .object where index.canBe(.string), .record where index.canBe(.string): return .dyn
        case .list(let element) where index.canBe(.int) || index.canBe(.uint) || index.canBe(.double): return element
        case .map(_, let value): return value
        default: throw mismatch("[]", [type, index], at: place)
        }
    }
}

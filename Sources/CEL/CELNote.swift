/// Something that can be evaluated, but that goes against what is known of the variables.
public struct CELNote: Sendable, Hashable {
    public enum Kind: Sendable, Hashable {
        /// A member is read, or asked for by `has(…)`, that the object isn't known to have.
        ///
        /// `owner` is the path to the object, empty when it has none.
        case unknownMember(String, owner: [String], CELRecord)
        /// A member is read, by this path, that needn't be there, and the expression doesn't ask for it by `has(…)`.
        case optionalMember(path: [String])
        /// Values of these types, by their names, are compared although they are never equal.
        case neverEqual(symbol: String, left: String, right: String)
        /// A string that is always one of `values` is compared with another one.
        case neverAmong(String, values: [String])
    }

    public let kind: Kind
    /// Where, in bytes of the source.
    public let offset: Int
}

extension Compiler {
    /// The notes without those that the expression itself answers by asking first, each but once.
    func finishedNotes() -> [CELNote] {
        var missing: Set<[String]> = []
        return notes.filter { note in
            guard case .optionalMember(let path) = note.kind else { return true }
            return !presences.contains(path) && missing.insert(path).inserted
        }.sorted { $0.offset < $1.offset }
    }

    /// Notes that a comparison by `==`, `!=` or `in` always comes out the same.
    mutating func noteComparison(
        _ symbol: BinaryOperator,
        _ left: (syntax: Syntax, type: CELType),
        _ right: (syntax: Syntax, type: CELType),
        at place: Syntax.Place
    ) {
        switch symbol {
        case .equal, .notEqual:
            guard left.type.canEqual(right.type) else {
                return noteNeverEqual(symbol, left.type, right.type, at: place)
            }
            noteStranger(right.syntax, to: left.type)
            noteStranger(left.syntax, to: right.type)
        case .isIn:
            if case .list(let element) = right.type, !left.type.canEqual(element) {
                return noteNeverEqual(symbol, left.type, right.type, at: place)
            }
            if case .list(let elements, _) = right.syntax { elements.forEach { noteStranger($0, to: left.type) } }
        default: break
        }
    }

    private mutating func noteNeverEqual(
        _ symbol: BinaryOperator,
        _ left: CELType,
        _ right: CELType,
        at place: Syntax.Place
    ) {
        let kind = CELNote.Kind.neverEqual(symbol: symbol.rawValue, left: left.name, right: right.name)
        notes.append(CELNote(kind: kind, offset: place.offset))
    }

    /// Notes a string literal that isn't among those that a value may be.
    private mutating func noteStranger(_ syntax: Syntax, to type: CELType) {
        guard case .oneOf(let values) = type, case .literal(.string(let text), let place) = syntax,
            !values.contains(text)
        else { return }
        notes.append(CELNote(kind: .neverAmong(text, values: values), offset: place.offset))
    }

    /// The type of a record's member; notes what is known against reading it.
    ///
    /// - Parameter isAskedFor: whether the member is only asked for, by `has(…)`.
    mutating func member(
        _ field: String,
        of record: CELRecord,
        _ owner: CELReference?,
        isAskedFor: Bool,
        at offset: Int
    ) -> CELType {
        // What lies below an index has no path by which it could be named or asked for.
        let path = owner.flatMap { $0.isClosed ? nil : $0.path }
        guard let member = record.members[field] else {
            if record.rest != .unknown {
                notes.append(CELNote(kind: .unknownMember(field, owner: path ?? [], record), offset: offset))
            }
            return .dyn
        }
        if !member.isRequired, !isAskedFor, let path {
            notes.append(CELNote(kind: .optionalMember(path: path + [field]), offset: offset))
        }
        return member.type
    }
}

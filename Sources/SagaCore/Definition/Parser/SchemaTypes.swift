import CEL
import JSON

/// What a JSON Schema (2020-12) tells of the types of values, as far as expressions can go by it.
///
/// Whatever isn't certain of every value that the schema lets through is `dyn`: no expression may be refused that some
/// valid input would satisfy.
struct SchemaTypes {
    private let root: JSON
    /// References that are being followed: a schema that contains itself ends there.
    private var open: Set<String> = []
    /// How many more schemas are looked at; references can make a small file stand for a huge tree.
    private var left = 2_000

    /// The type of the values that a schema lets through.
    static func type(of schema: JSON) -> CELType {
        var types = SchemaTypes(root: schema)
        return types.known(schema, depth: 0).type
    }

    private init(root: JSON) { self.root = root }

    /// What one schema, or several of one value, tell.
    private struct Known {
        static let nothing = Known(kind: .dyn)
        /// Something that isn't followed: it may tell more of members than is known here.
        static let somethingElse = Known(kind: .dyn, isPartial: true)

        /// Any object is a map here.
        var kind: CELType
        /// What holds of the value if it is an object.
        var object = CELRecord([:], rest: .undeclared)
        /// Whether keywords that aren't followed may say that members are required, or that there are others.
        var isPartial = false

        var type: CELType {
            guard kind == .map(.string, .dyn) else { return kind }
            if isPartial {
                // Then none is thought missing or undeclared.
                let members = object.members.mapValues { CELRecord.Member($0.type) }
                return .record(CELRecord(members, rest: object.rest == .closed ? .closed : .unknown))
            }
            // Nothing is said of members: one is as good as another.
            return object.members.isEmpty && object.rest != .closed ? kind : .record(object)
        }
    }

    /// Keywords whose schemas hold of some values only.
    private static let conditional = [
        "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas", "dependentRequired", "dependencies",
        "$dynamicRef", "$recursiveRef",
    ]

    private mutating func known(_ schema: JSON, depth: Int) -> Known {
        guard case .object(let keywords) = schema else { return .nothing }
        left -= 1
        // Behind another `$id` references have another base; `nullable` is OpenAPI's.
        guard left > 0, depth < 32, depth == 0 || keywords["$id"] == nil, keywords["nullable"] == nil else {
            return .somethingElse
        }
        var parts: [Known] = []
        if let reference = keywords["$ref"] { parts.append(followed(reference, depth: depth)) }
        if case .array(let all)? = keywords["allOf"] {
            for schema in all { parts.append(known(schema, depth: depth + 1)) }
        }
        var own = Known(kind: kind(keywords, depth: depth))
        own.isPartial = Self.conditional.contains { keywords[$0] != nil }
        let isWhole = parts.isEmpty && !own.isPartial
        own.object = object(keywords, isWhole: isWhole, depth: depth)
        return parts.reduce(own) { Self.both($0, $1) }
    }

    private mutating func followed(_ reference: JSON, depth: Int) -> Known {
        guard let text = reference.stringValue, let target = target(text), open.insert(text).inserted else {
            return .somethingElse
        }
        defer { open.remove(text) }
        return known(target, depth: depth + 1)
    }

    /// The schema that a JSON Pointer in a fragment, such as `#/$defs/address`, names.
    private func target(_ reference: String) -> JSON? {
        if reference == "#" { return root }
        guard reference.hasPrefix("#/"), !reference.contains("%") else { return nil }
        var schema = root
        for part in reference.dropFirst(2).split(separator: "/", omittingEmptySubsequences: false) {
            let name = part.split(separator: "~1", omittingEmptySubsequences: false).joined(separator: "/")
                .split(separator: "~0", omittingEmptySubsequences: false).joined(separator: "~")
            guard let next = Int(name).flatMap({ schema[$0] }) ?? schema[name] else { return nil }
            schema = next
        }
        return schema
    }

    // MARK: Keywords

    private mutating func kind(_ keywords: JSONObject, depth: Int) -> CELType {
        let listed = Self.listed(keywords)
        switch Self.typeName(keywords["type"]) {
        case "string": return Self.both(.string, listed)
        case "integer": return .int
        case "number": return .number
        case "boolean": return .bool
        case "null": return .null
        case "array": return .list(elements(keywords, depth: depth))
        case "object": return .map(.string, .dyn)
        default: return keywords["type"] == nil ? listed : .dyn
        }
    }

    /// The one type that `type` allows.
    private static func typeName(_ type: JSON?) -> String? {
        guard case .array(let names)? = type else { return type?.stringValue }
        let texts = names.compactMap(\.stringValue)
        if texts.count == 1 { return texts[0] }
        return Set(texts) == ["integer", "number"] ? "number" : nil
    }

    /// As many texts as are compared with each text of an expression.
    private static let mostListed = 256

    /// What `const` and `enum` tell.
    private static func listed(_ keywords: JSONObject) -> CELType {
        let values: [JSON]
        if let value = keywords["const"] {
            values = [value]
        } else if case .array(let listed)? = keywords["enum"], !listed.isEmpty {
            values = listed
        } else {
            return .dyn
        }
        let texts = values.compactMap(\.stringValue)
        if texts.count == values.count { return texts.count <= mostListed ? .oneOf(texts) : .string }
        switch Set(values.map(\.kind)) {
        case [.number]: return .number
        case [.bool]: return .bool
        case [.null]: return .null
        default: return .dyn
        }
    }

    private mutating func elements(_ keywords: JSONObject, depth: Int) -> CELType {
        guard let items = keywords["items"], keywords["prefixItems"] == nil else { return .dyn }
        return known(items, depth: depth + 1).type
    }

    /// - Parameter isWhole: whether no other schema tells of the same object.
    private mutating func object(_ keywords: JSONObject, isWhole: Bool, depth: Int) -> CELRecord {
        var required: Set<String> = []
        if case .array(let names)? = keywords["required"] { required = Set(names.compactMap(\.stringValue)) }
        var members: [String: CELRecord.Member] = [:]
        if case .object(let properties)? = keywords["properties"] {
            for (name, schema) in properties {
                let type = known(schema, depth: depth + 1).type
                members[name] = CELRecord.Member(type, isRequired: required.contains(name))
            }
        }
        for name in required where members[name] == nil { members[name] = CELRecord.Member(.dyn) }
        return CELRecord(members, rest: Self.rest(keywords, isWhole: isWhole))
    }

    private static func rest(_ keywords: JSONObject, isWhole: Bool) -> CELRecord.Rest {
        if keywords["patternProperties"] != nil { return .unknown }
        if let others = keywords["additionalProperties"] { return others.boolValue == false ? .closed : .unknown }
        guard let others = keywords["unevaluatedProperties"] else { return .undeclared }
        return others.boolValue == false && isWhole ? .closed : .unknown
    }

    // MARK: Several schemas of one value

    private static func both(_ left: Known, _ right: Known) -> Known {
        Known(
            kind: both(left.kind, right.kind),
            object: both(left.object, right.object),
            isPartial: left.isPartial || right.isPartial
        )
    }

    /// What is known of a value of which both hold.
    private static func both(_ left: CELType, _ right: CELType) -> CELType {
        switch (left, right) {
        case (.dyn, let known), (let known, .dyn): known
        case (.string, .oneOf), (.number, .int): right
        case (.oneOf, .string), (.int, .number): left
        case (.record(let a), .record(let b)): .record(both(a, b))
        case (.record, .map): left
        case (.map, .record): right
        case (.list(let a), .list(let b)): .list(both(a, b))
        default: left == right ? left : .dyn
        }
    }

    private static func both(_ left: CELRecord, _ right: CELRecord) -> CELRecord {
        let members = left.members.merging(right.members) { a, b in
            CELRecord.Member(both(a.type, b.type), isRequired: a.isRequired || b.isRequired)
        }
        // What one of them closes stays closed as long as the other has nothing to add.
        let isClosed = [(left, right), (right, left)].contains { one, other in
            one.rest == .closed && other.members.keys.allSatisfy { one.members[$0] != nil }
        }
        if isClosed { return CELRecord(members, rest: .closed) }
        return CELRecord(members, rest: left.rest == .undeclared && right.rest == .undeclared ? .undeclared : .unknown)
    }
}

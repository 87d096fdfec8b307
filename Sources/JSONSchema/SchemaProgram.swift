import JSON
import RE2

/// A compiled schema: all its subschemas, and those that it refers to, as nodes that name each other by number.
struct SchemaProgram: Sendable {
    let nodes: [SchemaNode]
    /// For every name of a dynamic anchor, the node that it means in each resource that has it.
    let dynamicAnchors: [[Int: Int]]
    let limits: JSONSchema.Limits
}

/// One subschema.
struct SchemaNode: Sendable {
    let resource: Int
    /// Where it stands in its document.
    let pointer: JSONPointer
    /// The keyword under which it stands.
    let keyword: String
    /// For the schemas `true` and `false`.
    let fixed: Bool?
    /// In the order of the keywords; those that look at what others have left over come last.
    var checks: [SchemaCheck] = []
    /// Whether one of the checks needs to know what the others have evaluated.
    var tracks = false
    /// The nodes that look at the same value as this one.
    var inPlace: [Int] = []
}

/// One keyword, or a group of keywords that belong together; numbers are nodes.
enum SchemaCheck: Sendable {
    case types(TypeSet)
    /// With the value's weight.
    case constant(JSON, weight: Int)
    case enumeration(Set<ValueKey>, [JSON])
    case minimum(NumberBound)
    case maximum(NumberBound)
    case exclusiveMinimum(NumberBound)
    case exclusiveMaximum(NumberBound)
    case multipleOf(Divisor)
    case minLength(Int)
    case maxLength(Int)
    case pattern(RE2Pattern, source: String)
    case format(Format)
    case minItems(Int)
    case maxItems(Int)
    case uniqueItems
    case minProperties(Int)
    case maxProperties(Int)
    /// With what looking for the names costs.
    case required([String], cost: Int)
    case dependentRequired([DependentNames])
    case allOf([Int])
    case anyOf([Int])
    case oneOf([Int])
    case not(Int)
    case condition(Int, then: Int?, otherwise: Int?)
    case dependentSchemas([(name: String, nameCost: Int, node: Int)])
    case reference(Int)
    case dynamicReference(name: Int, otherwise: Int)
    case members(MemberRules)
    case memberNames(Int)
    case items(prefix: [Int], rest: Int?)
    case contains(Int, least: Int, most: Int?)
    case unevaluatedItems(Int)
    case unevaluatedProperties(Int)
}

/// Names that are required when another is there, with what looking for them costs.
struct DependentNames: Sendable {
    let name: String
    let nameCost: Int
    let needs: [String]
    let needsCost: Int

    init(_ name: String, needs: [String]) {
        self.name = name
        nameCost = DependentNames.cost([name])
        self.needs = needs
        needsCost = DependentNames.cost(needs)
    }

    /// What looking for members costs: the names themselves may be long.
    static func cost(_ names: [String]) -> Int { names.reduce(0) { $0 + 1 + $1.utf8.count / 64 } }
}

/// `properties`, `patternProperties` and `additionalProperties` of one schema.
struct MemberRules: Sendable {
    var named: [ExactKey: Int] = [:]
    var patterns: [(pattern: RE2Pattern, node: Int)] = []
    var others: Int?
}

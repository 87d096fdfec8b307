import JSON
import RE2

/// Turns the subschemas that can be reached into nodes.
///
/// It goes by a queue, so that no chain of references is too long for the stack.
struct SchemaCompiler {
    private(set) var library: SchemaLibrary
    private var nodes: [SchemaNode] = []
    private var numbers: [SchemaLocation: Int] = [:]
    private var queue: [SchemaLocation] = []
    private var anchorNames: [String] = []

    init(_ library: SchemaLibrary) { self.library = library }

    /// Compiles the first document of the library and whatever it refers to.
    mutating func program() -> SchemaProgram {
        _ = node(at: SchemaLocation(document: 0, pointer: JSONPointer()), keyword: "false")
        var done = 0
        var anchors: [[Int: Int]] = []
        repeat {
            while done < queue.count {
                compile(queue[done], into: done)
                done += 1
            }
            // A dynamic reference may lead to any anchor of its name, in resources that were loaded meanwhile, too.
            anchors = anchorNames.map { dynamicNodes(named: $0) }
        } while done < queue.count
        if let loop = endlessNode() {
            let location = queue[loop]
            library.note(location, "this schema refers to itself without looking into the value")
        }
        return SchemaProgram(nodes: nodes, dynamicAnchors: anchors, limits: library.options.limits)
    }

    private mutating func node(at location: SchemaLocation, keyword: String) -> Int {
        if let known = numbers[location] { return known }
        let number = nodes.count
        numbers[location] = number
        queue.append(location)
        let fixed = library.schema(at: location)?.boolValue
        let resource = library.resource(of: location)
        nodes.append(SchemaNode(resource: resource, pointer: location.pointer, keyword: keyword, fixed: fixed))
        return number
    }

    private mutating func dynamicNodes(named name: String) -> [Int: Int] {
        var found: [Int: Int] = [:]
        for (number, resource) in library.resources.enumerated() where resource.dynamicAnchors.contains(name) {
            guard let location = resource.anchors[name] else { continue }
            found[number] = node(at: location, keyword: "$dynamicRef")
        }
        return found
    }

    /// A node that is applied to a value because it is applied to that value.
    private func endlessNode() -> Int? {
        var state = [UInt8](repeating: 0, count: nodes.count)
        for start in nodes.indices where state[start] == 0 {
            var path: [(node: Int, next: Int)] = [(start, 0)]
            state[start] = 1
            while let (node, next) = path.last {
                guard next < nodes[node].inPlace.count else {
                    state[node] = 2
                    path.removeLast()
                    continue
                }
                path[path.count - 1].next += 1
                let target = nodes[node].inPlace[next]
                if state[target] == 1 { return target }
                if state[target] == 0 {
                    state[target] = 1
                    path.append((target, 0))
                }
            }
        }
        return nil
    }

    // MARK: One schema

    private mutating func compile(_ location: SchemaLocation, into number: Int) {
        guard case .object(let object) = library.schema(at: location) else { return }
        var checks: [SchemaCheck] = []
        var last: [SchemaCheck] = []
        var hasMembers = false
        var hasItems = false
        for (keyword, value) in object.members {
            let place = location.appending(keyword)
            switch keyword {
            case "properties", "patternProperties", "additionalProperties":
                if !hasMembers { checks.append(.members(memberRules(object, at: location))) }
                hasMembers = true
            case "prefixItems", "items":
                if !hasItems { checks.append(items(object, at: location)) }
                hasItems = true
            case "unevaluatedItems": last.append(.unevaluatedItems(node(at: place, keyword: keyword)))
            case "unevaluatedProperties": last.append(.unevaluatedProperties(node(at: place, keyword: keyword)))
            case "propertyNames": checks.append(.memberNames(node(at: place, keyword: keyword)))
            case "contains":
                checks.append(
                    .contains(
                        node(at: place, keyword: keyword),
                        least: count(object["minContains"]) ?? 1,
                        most: count(object["maxContains"])
                    )
                )
            case "$ref", "$dynamicRef":
                if let check = reference(value, keyword, at: place, from: number) { checks.append(check) }
            default:
                if let check = inPlaceCheck(keyword, value, object, at: location, of: number)
                    ?? assertion(keyword, value)
                {
                    checks.append(check)
                }
            }
        }
        nodes[number].checks = checks + last
        nodes[number].tracks = !last.isEmpty
    }

    private func count(_ value: JSON?) -> Int? { value?.numberValue.flatMap { ExactNumber($0).count } }

    private mutating func children(_ value: JSON, at place: SchemaLocation, of number: Int) -> [Int] {
        let keyword = place.pointer.tokens.last ?? ""
        let found = (value.arrayValue ?? []).indices.map { node(at: place.appending("\($0)"), keyword: keyword) }
        nodes[number].inPlace += found
        return found
    }

    private mutating func child(_ keyword: String, _ object: JSONObject, at location: SchemaLocation, of number: Int)
        -> Int?
    {
        guard object[keyword] != nil else { return nil }
        let found = node(at: location.appending(keyword), keyword: keyword)
        nodes[number].inPlace.append(found)
        return found
    }

    /// Keywords that apply schemas to the value itself.
    private mutating func inPlaceCheck(
        _ keyword: String,
        _ value: JSON,
        _ object: JSONObject,
        at location: SchemaLocation,
        of number: Int
    ) -> SchemaCheck? {
        let place = location.appending(keyword)
        switch keyword {
        case "allOf": return .allOf(children(value, at: place, of: number))
        case "anyOf": return .anyOf(children(value, at: place, of: number))
        case "oneOf": return .oneOf(children(value, at: place, of: number))
        case "not": return child("not", object, at: location, of: number).map { .not($0) }
        case "if":
            guard let condition = child("if", object, at: location, of: number) else { return nil }
            let then = child("then", object, at: location, of: number)
            return .condition(condition, then: then, otherwise: child("else", object, at: location, of: number))
        case "dependentSchemas":
            var schemas: [(name: String, nameCost: Int, node: Int)] = []
            for name in value.objectValue?.keys ?? [] {
                schemas.append((name, DependentNames.cost([name]), node(at: place.appending(name), keyword: keyword)))
            }
            nodes[number].inPlace += schemas.map(\.node)
            return .dependentSchemas(schemas)
        default: return nil
        }
    }

    private mutating func memberRules(_ object: JSONObject, at location: SchemaLocation) -> MemberRules {
        var rules = MemberRules()
        let named = location.appending("properties")
        for name in object["properties"]?.objectValue?.keys ?? [] {
            rules.named[ExactKey(text: name)] = node(at: named.appending(name), keyword: "properties")
        }
        let patterns = location.appending("patternProperties")
        for source in object["patternProperties"]?.objectValue?.keys ?? [] {
            guard let pattern = try? ECMAPattern.compile(source) else { continue }
            rules.patterns.append((pattern, node(at: patterns.appending(source), keyword: "patternProperties")))
        }
        if object["additionalProperties"] != nil {
            rules.others = node(at: location.appending("additionalProperties"), keyword: "additionalProperties")
        }
        return rules
    }

    private mutating func items(_ object: JSONObject, at location: SchemaLocation) -> SchemaCheck {
        let place = location.appending("prefixItems")
        let prefix = (object["prefixItems"]?.arrayValue ?? []).indices.map {
            node(at: place.appending("\($0)"), keyword: "prefixItems")
        }
        let rest = object["items"].map { _ in node(at: location.appending("items"), keyword: "items") }
        return .items(prefix: prefix, rest: rest)
    }

    // MARK: References

    private mutating func reference(_ value: JSON, _ keyword: String, at place: SchemaLocation, from number: Int)
        -> SchemaCheck?
    {
        guard let text = value.stringValue else { return nil }
        let (location, fault) = library.resolve(text, in: nodes[number].resource)
        guard let location else {
            library.note(place, "`\(shortened(text))` \(fault)")
            return nil
        }
        let target = node(at: location, keyword: keyword)
        nodes[number].inPlace.append(target)
        guard keyword == "$dynamicRef", let name = SchemaURI(text).decodedFragment, !name.isEmpty,
            library.resources[nodes[target].resource].dynamicAnchors.contains(name),
            library.resources[nodes[target].resource].anchors[name] == location
        else { return .reference(target) }
        if !anchorNames.contains(name) { anchorNames.append(name) }
        return .dynamicReference(name: anchorNames.firstIndex(of: name) ?? 0, otherwise: target)
    }

    // MARK: Assertions

    private func assertion(_ keyword: String, _ value: JSON) -> SchemaCheck? {
        switch keyword {
        case "type":
            let names = value.arrayValue?.compactMap(\.stringValue) ?? [value.stringValue].compactMap { $0 }
            return .types(TypeSet(names.compactMap(TypeSet.init(name:))))
        case "const": return .constant(value, weight: value.weight(limit: 1 << 20))
        case "enum": return value.arrayValue.map { .enumeration(Set($0.map(ValueKey.init)), $0) }
        case "required":
            let names = value.arrayValue?.compactMap(\.stringValue) ?? []
            return .required(names, cost: DependentNames.cost(names))
        case "dependentRequired":
            let rules = value.objectValue?.members ?? []
            return .dependentRequired(
                rules.map { DependentNames($0.key, needs: $0.value.arrayValue?.compactMap(\.stringValue) ?? []) })
        case "uniqueItems": return value.boolValue == true ? .uniqueItems : nil
        case "pattern":
            guard let source = value.stringValue else { return nil }
            return (try? ECMAPattern.compile(source)).map { .pattern($0, source: source) }
        case "format":
            guard library.options.assertsFormat else { return nil }
            return value.stringValue.flatMap(Format.init(rawValue:)).map { .format($0) }
        default: return bound(keyword, value)
        }
    }

    private func bound(_ keyword: String, _ value: JSON) -> SchemaCheck? {
        guard let number = value.numberValue else { return nil }
        switch keyword {
        case "minimum": return .minimum(NumberBound(number))
        case "maximum": return .maximum(NumberBound(number))
        case "exclusiveMinimum": return .exclusiveMinimum(NumberBound(number))
        case "exclusiveMaximum": return .exclusiveMaximum(NumberBound(number))
        case "multipleOf": return Divisor(number).map { .multipleOf($0) }
        default: break
        }
        guard let count = count(value) else { return nil }
        switch keyword {
        case "minLength": return .minLength(count)
        case "maxLength": return .maxLength(count)
        case "minItems": return .minItems(count)
        case "maxItems": return .maxItems(count)
        case "minProperties": return .minProperties(count)
        case "maxProperties": return .maxProperties(count)
        default: return nil
        }
    }
}

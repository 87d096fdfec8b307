import JSON
import RE2

/// A place in one of the documents that a schema consists of.
struct SchemaLocation: Hashable, Sendable {
    let document: Int
    let pointer: JSONPointer
}

/// The documents that references may lead to, and what can be found in them: resources by their URIs, anchors, and to
/// which resource every subschema belongs.
///
/// The first document is the schema that is being compiled; all that is wrong in it is noted here, but for references
/// that lead nowhere.
struct SchemaLibrary {
    /// A schema with a URI of its own.
    struct Resource {
        let base: SchemaURI
        let root: SchemaLocation
        var anchors: [String: SchemaLocation] = [:]
        /// Those of the anchors that `$dynamicAnchor` has set.
        var dynamicAnchors: [String] = []
    }

    let options: JSONSchema.Options
    private(set) var documents: [JSON] = []
    private(set) var resources: [Resource] = []
    private(set) var faults: [SchemaFault] = []
    private var byURI: [String: Int] = [:]
    private var resourceOf: [SchemaLocation: Int] = [:]

    /// How many patterns have been compiled.
    private var patternCount = 0
    private var patternTime = 0

    /// How deep a schema may nest; deeper than any text that the parser takes by default.
    private static let maximumDepth = 256
    /// How many faults are told.
    private static let maximumFaults = 200
    /// How many patterns there may be: a bad one's automata take more than a megabyte.
    private static let maximumPatterns = 200
    /// How long the patterns may take to be compiled, in microseconds, as far as that can be told beforehand.
    private static let maximumPatternTime = 250_000

    init(_ schema: JSON, options: JSONSchema.Options) {
        self.options = options
        guard !schema.isDeeper(than: SchemaLibrary.maximumDepth) else {
            add(fault: "the schema nests more than \(SchemaLibrary.maximumDepth) levels deep", at: JSONPointer())
            return
        }
        add(document: schema, uri: SchemaURI("schema:///"))
    }

    mutating func add(fault message: String, at pointer: JSONPointer, isAboutName: Bool = false, hint: String? = nil) {
        guard faults.count < SchemaLibrary.maximumFaults else { return }
        faults.append(SchemaFault(pointer: pointer, isAboutName: isAboutName, message: message, hint: hint))
    }

    private mutating func add(document: JSON, uri: SchemaURI) {
        documents.append(document)
        let root = SchemaLocation(document: documents.count - 1, pointer: JSONPointer())
        let resource = add(resource: uri, at: root)
        walk(document, at: root, in: resource)
    }

    private mutating func add(resource base: SchemaURI, at root: SchemaLocation) -> Int {
        resources.append(Resource(base: base, root: root))
        byURI[base.resource] = resources.count - 1
        return resources.count - 1
    }

    // MARK: Finding

    /// What stands at a place.
    func schema(at location: SchemaLocation) -> JSON? { documents[location.document][location.pointer] }

    /// The resource that a known subschema belongs to.
    func resource(of location: SchemaLocation) -> Int { resourceOf[location] ?? 0 }

    /// The resource of that URI, loaded if it is built in.
    mutating func resource(uri: SchemaURI) -> Int? {
        let name = uri.resource
        if let known = byURI[name] { return known }
        if let document = options.documents.first(where: { $0.uri == name }) {
            add(document: document.schema, uri: uri)
        } else if let text = Metaschemas.text(of: name), let document = try? JSON.parse(text) {
            add(document: document, uri: uri)
        }
        return byURI[name]
    }

    /// Where a reference that stands in a resource leads; nil and a reason when it leads nowhere.
    mutating func resolve(_ reference: String, in resource: Int) -> (location: SchemaLocation?, fault: String) {
        let uri = resources[resource].base.resolving(SchemaURI(reference))
        guard let target = self.resource(uri: uri) else {
            return (nil, "leads out of the schema, and nothing is fetched")
        }
        guard let fragment = uri.decodedFragment else { return (nil, "isn't a URI reference") }
        let root = resources[target].root
        if fragment.isEmpty { return (root, "") }
        guard fragment.hasPrefix("/") else {
            return (resources[target].anchors[fragment], "names an anchor that isn't there")
        }
        guard let pointer = JSONPointer(text: fragment) else { return (nil, "isn't a JSON Pointer") }
        let location = SchemaLocation(
            document: root.document,
            pointer: JSONPointer(root.pointer.tokens + pointer.tokens)
        )
        guard let value = schema(at: location) else { return (nil, "leads to nothing") }
        switch value {
        case .bool, .object: break
        default: return (nil, "leads to something that isn't a schema")
        }
        // A place that no keyword leads to is a schema because it is referred to as one.
        if resourceOf[location] == nil { walk(value, at: location, in: enclosingResource(of: location)) }
        return (location, "")
    }

    private func enclosingResource(of location: SchemaLocation) -> Int {
        var tokens = location.pointer.tokens
        while !tokens.isEmpty {
            tokens.removeLast()
            let outer = SchemaLocation(document: location.document, pointer: JSONPointer(tokens))
            if let resource = resourceOf[outer] { return resource }
        }
        return 0
    }

    // MARK: Reading

    /// Notes a subschema and those within it, and checks their keywords.
    mutating func walk(_ value: JSON, at location: SchemaLocation, in outer: Int) {
        guard resourceOf[location] == nil else { return }
        resourceOf[location] = outer
        guard case .object(let object) = value else {
            if value.boolValue == nil { note(location, "a schema is an object, `true` or `false`") }
            return
        }
        let resource = identify(object, at: location, in: outer)
        resourceOf[location] = resource
        for (name, value) in object.members {
            let place = SchemaLocation(document: location.document, pointer: location.pointer.appending(name))
            guard let shape = Keywords.shapes[name] else {
                if options.unknownKeywords == .refused, !name.hasPrefix("x-"), location.document == 0,
                    faults.count < SchemaLibrary.maximumFaults
                {
                    let refusal = Keywords.refusal(of: name)
                    add(fault: refusal.message, at: place.pointer, isAboutName: true, hint: refusal.hint)
                }
                continue
            }
            check(value, shape, at: place, in: resource)
        }
    }

    /// The resource that a schema opens by its `$id`, or the one that it stands in; and its anchors.
    private mutating func identify(_ object: JSONObject, at location: SchemaLocation, in outer: Int) -> Int {
        var resource = outer
        if let id = object["$id"]?.stringValue {
            let uri = resources[outer].base.resolving(SchemaURI(id))
            if let taken = byURI[uri.resource], resources[taken].root != location {
                note(location.appending("$id"), "is the `$id` of another schema, too")
            } else {
                resource = add(resource: uri, at: location)
            }
        }
        for keyword in ["$anchor", "$dynamicAnchor"] {
            guard let name = object[keyword]?.stringValue else { continue }
            if let other = resources[resource].anchors[name], other != location {
                note(location.appending(keyword), "the anchor `\(shortened(name))` is there twice")
            }
            resources[resource].anchors[name] = location
            if keyword == "$dynamicAnchor" { resources[resource].dynamicAnchors.append(name) }
        }
        return resource
    }

    /// Counts a pattern that is about to be compiled; false when there have been too many.
    mutating func countPattern(_ pattern: String, at pointer: JSONPointer) -> Bool {
        patternCount += 1
        if patternCount == SchemaLibrary.maximumPatterns + 1 {
            add(fault: "the schema has more than \(SchemaLibrary.maximumPatterns) patterns", at: pointer)
        }
        guard patternCount <= SchemaLibrary.maximumPatterns else { return false }
        return spend(patternTime: RE2Pattern.parsingTime(of: pattern), at: pointer)
    }

    /// Pays for the compilation of patterns, which happens twice: it has to be quick wherever definitions are loaded.
    @discardableResult
    mutating func spend(patternTime time: Int, at pointer: JSONPointer) -> Bool {
        let before = patternTime
        patternTime += time
        guard patternTime > SchemaLibrary.maximumPatternTime else { return true }
        if before <= SchemaLibrary.maximumPatternTime {
            add(fault: "the schema's patterns up to this one take too long to compile", at: pointer)
        }
        return false
    }

    /// Notes a fault, if it is in the schema that is being compiled.
    mutating func note(_ location: SchemaLocation, _ message: String, hint: String? = nil) {
        guard location.document == 0 else { return }
        add(fault: message, at: location.pointer, hint: hint)
    }
}

import JSON
import RE2

/// Checks the values of keywords, as the metaschema does, with messages for people.
extension SchemaLibrary {
    mutating func check(_ value: JSON, _ shape: KeywordShape, at place: SchemaLocation, in resource: Int) {
        let keyword = place.pointer.tokens.last ?? ""
        switch shape {
        case .anything: break
        case .schema: walk(value, at: place, in: resource)
        case .schemas:
            guard let elements = value.arrayValue, !elements.isEmpty else {
                return note(place, "`\(keyword)` needs a list of schemas, at least one", hint: listHint(keyword))
            }
            for (index, element) in elements.enumerated() {
                walk(element, at: place.appending("\(index)"), in: resource)
            }
        case .schemasByName, .schemasByPattern:
            guard let object = value.objectValue else { return note(place, "`\(keyword)` needs an object of schemas") }
            for (name, schema) in object.members {
                if case .schemasByPattern = shape { check(pattern: name, at: place.appending(name), isName: true) }
                walk(schema, at: place.appending(name), in: resource)
            }
        case .namesByName:
            guard let object = value.objectValue else { return note(place, "`\(keyword)` needs an object of lists") }
            for (name, names) in object.members { check(names: names, at: place.appending(name)) }
        case .names: check(names: value, at: place)
        case .typeNames: check(types: value, at: place)
        case .list:
            if value.arrayValue == nil { note(place, "`\(keyword)` needs a list") }
        case .boolean:
            if value.boolValue == nil { note(place, "`\(keyword)` is true or false") }
        default: checkScalar(value, shape, keyword, at: place)
        }
    }

    private func listHint(_ keyword: String) -> String? {
        keyword == "prefixItems" ? "one schema for all items goes into `items`" : nil
    }

    private mutating func checkScalar(_ value: JSON, _ shape: KeywordShape, _ keyword: String, at place: SchemaLocation)
    {
        switch shape {
        case .count:
            if value.numberValue.flatMap({ ExactNumber($0).count }) == nil {
                note(place, "`\(keyword)` needs an integer from 0 up")
            }
        case .number:
            guard value.numberValue == nil else { return }
            let isOld = value.boolValue != nil && keyword.hasPrefix("exclusive")
            let plain = keyword == "exclusiveMinimum" ? "minimum" : "maximum"
            let hint = isOld ? "write the bound itself here, in place of `\(plain)`" : nil
            note(place, "`\(keyword)` needs a number", hint: hint)
        case .divisor:
            guard let number = value.numberValue, Divisor(number) == nil else {
                return value.numberValue == nil ? note(place, "`\(keyword)` needs a number above 0") : ()
            }
            let exact = ExactNumber(number)
            let isPositive = !exact.isNegative && !exact.digits.isEmpty
            note(
                place,
                isPositive
                    ? "`multipleOf` has more than the \(Divisor.maximumDigits) significant digits that are supported"
                    : "`multipleOf` needs a number above 0"
            )
        default:
            guard shape.isText else { return check(vocabulary: value, at: place) }
            guard let text = value.stringValue else { return note(place, "`\(keyword)` needs a string") }
            check(text: text, shape, at: place)
        }
    }

    private mutating func check(text: String, _ shape: KeywordShape, at place: SchemaLocation) {
        switch shape {
        case .pattern: check(pattern: text, at: place, isName: false)
        case .format:
            guard options.assertsFormat, Format(rawValue: text) == nil else { return }
            let names = Format.allCases.map(\.rawValue)
            note(
                place,
                "the format `\(shortened(text))` isn't supported",
                hint: NearestName.hint(text, among: names) ?? "there are \(names.joined(separator: ", "))"
            )
        case .anchor:
            let rest = text.utf8.dropFirst()
            guard let first = text.utf8.first, first.isLetter || first == UInt8(ascii: "_"),
                rest.allSatisfy({ $0.isLetter || $0.isDigit || [0x2D, 0x2E, 0x5F].contains($0) })
            else {
                return note(place, "an anchor is made of letters, digits, `-`, `_` and `.`, and begins with a letter")
            }
        case .identifier:
            guard Format.uriReference.accepts(text) else { return note(place, "`$id` needs a URI reference") }
            if let fragment = SchemaURI(text).fragment, !fragment.isEmpty {
                note(place, "`$id` can't have a fragment", hint: "write `\"$anchor\": \"\(shortened(fragment))\"`")
            }
        case .metaschema:
            let uri = text.hasSuffix("#") ? String(text.dropLast()) : text
            guard uri != Metaschemas.uri, !sameBytes(uri, Metaschemas.uri) else { return }
            note(place, "only JSON Schema 2020-12 is supported", hint: "write `\(Metaschemas.uri)`")
        case .reference:
            if !Format.uriReference.accepts(text) { note(place, "this isn't a URI reference") }
        default: break
        }
    }

    private mutating func check(pattern: String, at place: SchemaLocation, isName: Bool) {
        guard place.document == 0, countPattern(pattern, at: place.pointer) else { return }
        do throws(RE2Error) {
            let compiled = try ECMAPattern.compile(pattern)
            spend(patternTime: compiled.compilationTime, at: place.pointer)
        } catch {
            add(fault: "this pattern can't be used: \(error)", at: place.pointer, isAboutName: isName)
        }
    }

    private mutating func check(names value: JSON, at place: SchemaLocation) {
        let name = place.pointer.tokens.last ?? ""
        guard let elements = value.arrayValue else {
            let hint =
                value.boolValue != nil && name == "required" ? "name the required members beside `properties`" : nil
            return note(place, "`\(shortened(name))` needs a list of names", hint: hint)
        }
        var seen: Set<ExactKey> = []
        for (index, element) in elements.enumerated() {
            guard let text = element.stringValue else {
                note(place.appending("\(index)"), "a name is a string")
                continue
            }
            if !seen.insert(ExactKey(text: text)).inserted {
                note(place.appending("\(index)"), "`\(shortened(text))` is there twice")
            }
        }
    }

    private mutating func check(types value: JSON, at place: SchemaLocation) {
        guard let elements = value.arrayValue else { return check(type: value, at: place) }
        if elements.isEmpty { note(place, "`type` needs at least one name") }
        var seen: Set<String> = []
        for (index, element) in elements.enumerated() {
            check(type: element, at: place.appending("\(index)"))
            if let name = element.stringValue, !seen.insert(name).inserted {
                note(place.appending("\(index)"), "`\(shortened(name))` is there twice")
            }
        }
    }

    private mutating func check(type value: JSON, at place: SchemaLocation) {
        guard let name = value.stringValue else { return note(place, "`type` needs a name or a list of names") }
        guard TypeSet(name: name) == nil else { return }
        let hint = NearestName.hint(name, among: TypeSet.names.map(\.name))
        note(
            place,
            "there is no type `\(shortened(name))`",
            hint: hint ?? "there are \(TypeSet.names.map(\.name).joined(separator: ", "))"
        )
    }

    private mutating func check(vocabulary value: JSON, at place: SchemaLocation) {
        guard let object = value.objectValue else { return note(place, "`$vocabulary` needs an object") }
        for (name, flag) in object.members {
            if !Format.uri.accepts(name) { note(place.appending(name), "a vocabulary is named by a URI") }
            if flag.boolValue == nil { note(place.appending(name), "a vocabulary is required (true) or not (false)") }
        }
    }
}

extension KeywordShape {
    fileprivate var isText: Bool {
        switch self {
        case .pattern, .format, .string, .reference, .anchor, .identifier, .metaschema: true
        default: false
        }
    }
}

extension SchemaLocation {
    func appending(_ token: String) -> SchemaLocation {
        SchemaLocation(document: document, pointer: pointer.appending(token))
    }
}

/// Types that a value may have.
struct TypeSet: OptionSet, Sendable, Hashable {
    let rawValue: UInt8

    static let null = TypeSet(rawValue: 1)
    static let boolean = TypeSet(rawValue: 2)
    static let integer = TypeSet(rawValue: 4)
    static let number = TypeSet(rawValue: 8)
    static let string = TypeSet(rawValue: 16)
    static let array = TypeSet(rawValue: 32)
    static let object = TypeSet(rawValue: 64)

    /// The names of the draft, with what to call such a value.
    static let names: [(name: String, noun: String, set: TypeSet)] = [
        ("string", "a string", .string), ("number", "a number", .number), ("integer", "an integer", .integer),
        ("boolean", "true or false", .boolean), ("object", "an object", .object), ("array", "an array", .array),
        ("null", "null", .null),
    ]

    init(rawValue: UInt8) { self.rawValue = rawValue }

    init?(name: String) {
        guard let entry = TypeSet.names.first(where: { $0.name == name }) else { return nil }
        self = entry.set
    }

    var noun: String { TypeSet.names.filter { contains($0.set) }.map(\.noun).joined(separator: " or ") }

    /// Whether a value is of one of the types.
    func allows(_ value: JSON) -> Bool {
        switch value {
        case .null: contains(.null)
        case .bool: contains(.boolean)
        case .string: contains(.string)
        case .array: contains(.array)
        case .object: contains(.object)
        case .number(let number):
            contains(.number) || contains(.integer) && (number.int64 != nil || ExactNumber(number).isInteger)
        }
    }
}

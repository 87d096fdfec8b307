import JSON

// What the schemas of all parts of a definition are made of.
extension DefinitionSchema {
    // MARK: Texts

    package static var name: JSON {
        [
            "type": "string", "pattern": .string(Names.namePattern), "not": ["pattern": .string(lineEnd)],
        ]
    }

    package static var errorNames: JSON {
        [
            "type": "array", "uniqueItems": true,
            "items": [
                "type": "string", "pattern": .string(Names.errorNamePattern), "not": ["pattern": .string(lineEnd)],
            ],
        ]
    }

    /// The names that may be set, in any case: not every dialect of patterns has a flag for that.
    static var headerNames: JSON {
        let forbidden = Headers.forbidden.map { anyCase($0) + "$" }
        let pattern = "^(" + ([anyCase(Headers.forbiddenPrefix)] + forbidden).joined(separator: "|") + ")"
        return [
            "pattern": .string(Names.headerNamePattern),
            "not": ["anyOf": [["pattern": .string(pattern)], ["pattern": .string(lineEnd)]]],
        ]
    }

    /// A value that becomes text.
    static var textValue: JSON { ["type": ["string", "number", "boolean"]] }

    package static var duration: JSON {
        let units = TimeSpan.units.map(\.name).joined(separator: "|")
        return [
            "type": "string", "pattern": .string("^[0-9]+(\\.[0-9]{1,\(TimeSpan.maximumDecimals)})?(\(units))$"),
            "not": ["pattern": .string(lineEnd)], "maxLength": integer(DefinitionLimits.durationLength),
        ]
    }

    package static var longerThanZero: JSON {
        [
            "description": "A duration: a number and ms, s, m, h or d, such as \"200ms\", \"1.5s\" or \"10m\".",
            "allOf": [ref("duration")], "not": ["pattern": "^[0.]+[a-z]"],
        ]
    }

    /// `$` stands before a line's end at the end of the text too in some dialects of patterns, such as Python's.
    private static let lineEnd = "\\n"

    private static func anyCase(_ text: String) -> String {
        text.map { $0.isLetter ? "[\($0.uppercased())\($0.lowercased())]" : String($0) }.joined()
    }

    // MARK: Building

    /// An object with these keys and no others, in the order of the parser's list.
    package static func closed(
        _ description: String,
        keys: [String],
        required: [String] = [],
        _ properties: KeyValuePairs<String, JSON>,
        also: KeyValuePairs<String, JSON> = [:]
    ) -> JSON {
        let members = keys.map { key in (key, properties.first { $0.key == key }?.value ?? [:]) }
        var schema: [(String, JSON)] = [("description", .string(description)), ("type", "object")]
        if !required.isEmpty { schema.append(("required", .array(required.map { .string($0) }))) }
        schema.append(("properties", .object(JSONObject(members))))
        schema.append(("additionalProperties", false))
        return .object(JSONObject(schema + also.map { ($0.key, $0.value) }))
    }

    /// A schema with what an editor shows.
    package static func described(
        _ description: String,
        _ schema: JSON,
        default value: JSON? = nil,
        examples: [JSON] = []
    ) -> JSON {
        var result: JSON = ["description": .string(description)]
        result.append(schema)
        if let value { result.append(["default": value]) }
        if !examples.isEmpty { result.append(["examples": .array(examples)]) }
        return result
    }

    package static func ref(_ name: String) -> JSON { ["$ref": .string("#/$defs/\(name)")] }

    /// The words of an enumeration.
    package static func words<Words: RawRepresentable & CaseIterable>(_: Words.Type) -> JSON
    where Words.RawValue == String {
        .array(Words.allCases.map { .string($0.rawValue) })
    }

    package static func integer(_ value: Int) -> JSON { .number(JSONNumber(Int64(value))) }

    package static func integer(in range: ClosedRange<Int>) -> JSON {
        ["type": "integer", "minimum": integer(range.lowerBound), "maximum": integer(range.upperBound)]
    }

    /// Whole numbers without decimals, as people write them.
    static func number(_ value: Double) -> JSON {
        if let whole = Int(exactly: value) { return integer(whole) }
        return JSONNumber(value).map(JSON.number) ?? .null
    }

    static func number(in range: ClosedRange<Double>) -> JSON {
        ["type": "number", "minimum": number(range.lowerBound), "maximum": number(range.upperBound)]
    }
}

extension JSON {
    /// Adds the members of another object behind its own.
    package mutating func append(_ other: JSON) {
        guard case .object(let own) = self, case .object(let more) = other else { return }
        self = .object(JSONObject((Array(own) + Array(more)).map { ($0.key, $0.value) }))
    }
}

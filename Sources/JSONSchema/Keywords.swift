/// What the value of a keyword must be.
enum KeywordShape: Sendable {
    case schema, schemas, schemasByName, schemasByPattern
    /// A name is required when another is there.
    case namesByName
    case names, count, number, divisor, typeNames, pattern, format, boolean, string, list, anything
    case reference, anchor, identifier, metaschema, vocabulary
}

/// The keywords of draft 2020-12.
enum Keywords {
    static let shapes: [String: KeywordShape] = [
        "$id": .identifier, "$schema": .metaschema, "$ref": .reference, "$dynamicRef": .reference, "$anchor": .anchor,
        "$dynamicAnchor": .anchor, "$vocabulary": .vocabulary, "$comment": .string, "$defs": .schemasByName,
        "definitions": .schemasByName,
        "allOf": .schemas, "anyOf": .schemas, "oneOf": .schemas, "prefixItems": .schemas,
        "not": .schema, "if": .schema, "then": .schema, "else": .schema, "items": .schema, "contains": .schema,
        "additionalProperties": .schema, "propertyNames": .schema, "unevaluatedItems": .schema,
        "unevaluatedProperties": .schema, "contentSchema": .schema,
        "properties": .schemasByName, "dependentSchemas": .schemasByName, "patternProperties": .schemasByPattern,
        "type": .typeNames, "enum": .list, "const": .anything,
        "multipleOf": .divisor, "maximum": .number, "exclusiveMaximum": .number, "minimum": .number,
        "exclusiveMinimum": .number,
        "maxLength": .count, "minLength": .count, "pattern": .pattern, "maxItems": .count, "minItems": .count,
        "uniqueItems": .boolean, "maxContains": .count, "minContains": .count, "maxProperties": .count,
        "minProperties": .count, "required": .names, "dependentRequired": .namesByName,
        "title": .string, "description": .string, "default": .anything, "deprecated": .boolean, "readOnly": .boolean,
        "writeOnly": .boolean, "examples": .list, "format": .format, "contentEncoding": .string,
        "contentMediaType": .string,
    ]

    /// Keywords of older drafts, and what to write now.
    static let replaced: [String: String] = [
        "dependencies": "write `dependentRequired` or `dependentSchemas`",
        "additionalItems": "write `items`, and `prefixItems` for what `items` was",
        "$recursiveRef": "write `$dynamicRef`", "$recursiveAnchor": "write `$dynamicAnchor`", "id": "write `$id`",
        "divisibleBy": "write `multipleOf`", "extends": "write `allOf`", "disallow": "write `not`",
    ]

    /// The fault's message and hint of a name that is no keyword.
    static func refusal(of name: String) -> (message: String, hint: String?) {
        if let now = replaced[name] { return ("`\(shortened(name))` is a keyword of an older draft", now) }
        let hint = NearestKeyword.find(name, among: shapes.keys.sorted()).map { "did you mean `\($0)`?" }
        return ("there is no keyword `\(shortened(name))`", hint ?? "names of your own begin with `x-`")
    }
}

/// Cuts a text off after 60 characters.
func shortened(_ text: String, to limit: Int = 60) -> String {
    let scalars = text.unicodeScalars
    guard let end = scalars.index(scalars.startIndex, offsetBy: limit, limitedBy: scalars.endIndex),
        end < scalars.endIndex
    else { return text }
    return String(scalars[..<end]) + "…"
}

/// Finds the name that a person may have meant.
enum NearestKeyword {
    /// The name that takes the fewest changes, if these are few; of equally near ones the first.
    static func find(_ name: String, among names: [String]) -> String? {
        guard name.utf8.count <= 64 else { return nil }
        let wanted = Array(name.lowercased().utf8)
        let allowed = max(1, wanted.count / 3)
        var best: (distance: Int, name: String)?
        for candidate in names {
            let distance = distance(wanted, Array(candidate.lowercased().utf8))
            if distance <= allowed, distance < best?.distance ?? .max { best = (distance, candidate) }
        }
        return best?.name
    }

    /// Levenshtein's, with two neighbours exchanged counting as one change.
    private static func distance(_ a: [UInt8], _ b: [UInt8]) -> Int {
        var before: [Int] = []
        var previous = Array(0...b.count)
        for i in a.indices {
            var current = [i + 1]
            for j in b.indices {
                var cost = min(previous[j + 1] + 1, current[j] + 1, previous[j] + (a[i] == b[j] ? 0 : 1))
                if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { cost = min(cost, before[j - 1] + 1) }
                current.append(cost)
            }
            (before, previous) = (previous, current)
        }
        return previous[b.count]
    }
}

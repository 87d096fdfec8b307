import JSON

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
        let hint = NearestName.hint(name, among: shapes.keys.sorted())
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

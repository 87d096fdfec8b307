import JSON
import JSONSchema

/// The schema of the JSON Schema that a definition's `input` is.
///
/// The keywords are those of 2020-12 (JSON Schema Core §8–§11, JSON Schema Validation §6–§9) and no others, so that
/// a misspelt one is an error and not ignored; names that begin with `x-` are for tools.
extension DefinitionSchema {
    static var inputSchema: JSON {
        let keywords = [core, applicators, validation, annotations].flatMap { $0 }
        return [
            "description": "A JSON Schema (2020-12): an object, or true or false.",
            "type": ["object", "boolean"],
            "properties": .object(JSONObject(keywords.map { ($0.key, $0.value) })),
            "patternProperties": ["^x-": [:]],
            "additionalProperties": false,
        ]
    }

    private static let types = ["null", "boolean", "object", "array", "number", "string", "integer"]

    private static var core: KeyValuePairs<String, JSON> {
        [
            "$schema": described(
                "The dialect.",
                [
                    "enum": [
                        "https://json-schema.org/draft/2020-12/schema", "https://json-schema.org/draft/2020-12/schema#",
                    ]
                ]
            ),
            "$id": described("The schema's own URI.", string),
            "$ref": described("Another schema of this file, such as \"#/$defs/address\".", string),
            "$anchor": described("A name for `$ref`.", string),
            "$dynamicRef": described("As `$ref`, found anew at every use.", string),
            "$dynamicAnchor": described("A name for `$dynamicRef`.", string),
            "$vocabulary": described(
                "For metaschemas.", ["type": "object", "additionalProperties": ["type": "boolean"]]),
            "$comment": described("For people.", string),
            "$defs": described("Schemas for `$ref`.", named),
            "definitions": described("Schemas for `$ref`; `$defs` is its newer name.", named),
        ]
    }

    private static var applicators: KeyValuePairs<String, JSON> {
        [
            "allOf": described("All of these must hold.", ref("inputSchemas")),
            "anyOf": described("At least one of these must hold.", ref("inputSchemas")),
            "oneOf": described("Exactly one of these must hold.", ref("inputSchemas")),
            "not": described("This must not hold.", one),
            "if": described("Where this holds `then` must too, else `else`.", one),
            "then": described("What must hold where `if` does.", one),
            "else": described("What must hold where `if` doesn't.", one),
            "properties": described("Members by their names.", named),
            "patternProperties": described("Members whose names match a pattern.", named),
            "additionalProperties": described("All other members; false forbids them.", one),
            "unevaluatedProperties": described("Members that no other keyword has looked at.", one),
            "propertyNames": described("The names of all members.", one),
            "dependentSchemas": described("What must hold where a member is there.", named),
            "prefixItems": described("The first elements, one by one.", ref("inputSchemas")),
            "items": described("All elements, or those behind `prefixItems`.", one),
            "unevaluatedItems": described("Elements that no other keyword has looked at.", one),
            "contains": described("At least one element must be so.", one),
        ]
    }

    private static var validation: KeyValuePairs<String, JSON> {
        let typeWords: JSON = ["enum": .array(types.map { .string($0) })]
        return [
            "type": described(
                "The kind of value, or several.",
                [
                    "anyOf": [
                        typeWords, ["type": "array", "items": typeWords, "minItems": 1, "uniqueItems": true],
                    ]
                ]
            ),
            "const": described("Exactly this value.", [:]),
            "enum": described("One of these values.", ["type": "array"]),
            "multipleOf": described("A multiple of this.", ["type": "number", "exclusiveMinimum": 0]),
            "minimum": described("At least this.", anyNumber),
            "maximum": described("At most this.", anyNumber),
            "exclusiveMinimum": described("More than this.", anyNumber),
            "exclusiveMaximum": described("Less than this.", anyNumber),
            "minLength": described("At least so many characters.", count),
            "maxLength": described("At most so many characters.", count),
            "pattern": described(
                "A regular expression that is found in the text (RE2: no look-around, no back-references).",
                ["type": "string"]
            ),
            "minItems": described("At least so many elements.", count),
            "maxItems": described("At most so many elements.", count),
            "uniqueItems": described("No two elements are equal.", ["type": "boolean"], default: false),
            "minContains": described("At least so many elements are as `contains` says.", count, default: 1),
            "maxContains": described("At most so many elements are as `contains` says.", count),
            "minProperties": described("At least so many members.", count),
            "maxProperties": described("At most so many members.", count),
            "required": described("Members that must be there.", strings),
            "dependentRequired": described(
                "Members that must be there where another is.",
                ["type": "object", "additionalProperties": strings]
            ),
            "format": described(
                "The form of a text; it is checked.",
                ["enum": .array(JSONSchema.formats.map { .string($0) })]
            ),
        ]
    }

    /// Keywords that say something and check nothing.
    private static var annotations: KeyValuePairs<String, JSON> {
        [
            "title": described("For people.", string),
            "description": described("For people.", string),
            "default": described("For people and tools: an input isn't filled in.", [:]),
            "examples": described("For people.", ["type": "array"]),
            "deprecated": described("For people.", ["type": "boolean"]),
            "readOnly": described("For people.", ["type": "boolean"]),
            "writeOnly": described("For people.", ["type": "boolean"]),
            "contentEncoding": described("For people and tools.", string),
            "contentMediaType": described("For people and tools.", string),
            "contentSchema": described("For people and tools.", one),
        ]
    }

    /// At least one schema.
    static var inputSchemas: JSON { ["type": "array", "minItems": 1, "items": one] }

    private static var one: JSON { ref("inputSchema") }
    private static var named: JSON { ["type": "object", "additionalProperties": one] }

    private static var string: JSON { ["type": "string"] }
    private static var strings: JSON { ["type": "array", "items": string, "uniqueItems": true] }
    private static var anyNumber: JSON { ["type": "number"] }
    private static var count: JSON { ["type": "integer", "minimum": 0] }
}

import CEL
import JSON
import Testing

@testable import SagaCore

/// What JSON Schemas tell of types, and that nothing uncertain is taken for certain.
@Suite struct SchemaTypeTests {
    @Test(
        arguments: [
            ("true", "dyn"), ("{}", "dyn"), (#"{"type": "string"}"#, "string"), (#"{"type": "integer"}"#, "int"),
            (#"{"type": "number"}"#, "number"), (#"{"type": ["integer", "number"]}"#, "number"),
            (#"{"type": ["string"]}"#, "string"), (#"{"type": ["string", "null"]}"#, "dyn"),
            (#"{"type": "string", "nullable": true}"#, "dyn"), (#"{"type": "boolean"}"#, "bool"),
            (#"{"type": "null"}"#, "null"), (#"{"const": "a"}"#, "a"), (#"{"enum": ["a", "b"]}"#, "a|b"),
            (#"{"type": "string", "enum": ["a", "b"]}"#, "a|b"), (#"{"enum": ["a", null]}"#, "dyn"),
            (#"{"enum": [1, 2.5]}"#, "number"), (#"{"type": "strnig"}"#, "dyn"), (#"{"type": "array"}"#, "[dyn]"),
            (#"{"type": "array", "items": {"type": "string"}}"#, "[string]"),
            (#"{"items": {"type": "string"}}"#, "dyn"),
            (#"{"type": "array", "items": {"type": "string"}, "prefixItems": [{"type": "integer"}]}"#, "[dyn]"),
            (#"{"anyOf": [{"type": "string"}, {"type": "integer"}]}"#, "dyn"),
            (#"{"allOf": [{"type": "number"}, {"type": "integer"}]}"#, "int"),
            (##"{"$ref": "#/$defs/a", "$defs": {"a": {"type": "string"}}}"##, "string"),
            (##"{"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"type": "string"}}}"##, "string"),
            (##"{"$ref": "#/allOf/0", "allOf": [{"type": "string"}]}"##, "string"),
            (##"{"$ref": "other.json"}"##, "dyn"), (##"{"$ref": "#/$defs/none"}"##, "dyn"),
            (##"{"$ref": "#"}"##, "dyn"),
        ] as [(String, String)]
    )
    func values(_ schema: String, _ expected: String) throws {
        #expect(text(SchemaTypes.type(of: try JSON.parse(schema))) == expected)
    }

    @Test(
        arguments: [
            (#"{"type": "object"}"#, "map(string, dyn)"), (#"{"type": "object", "additionalProperties": false}"#, "{}"),
            (#"{"properties": {"a": {}}}"#, "dyn"),
            (
                #"{"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}, "b": {}}}"#,
                "{a int, b? dyn, …?}"
            ),
            (#"{"type": "object", "required": ["c"]}"#, "{c dyn, …?}"),
            (#"{"type": "object", "properties": {"a": {}}, "additionalProperties": false}"#, "{a? dyn}"),
            (#"{"type": "object", "properties": {"a": {}}, "unevaluatedProperties": false}"#, "{a? dyn}"),
            (#"{"type": "object", "properties": {"a": {}}, "additionalProperties": true}"#, "{a? dyn, …}"),
            (#"{"type": "object", "properties": {"a": {}}, "patternProperties": {"^x": {}}}"#, "{a? dyn, …}"),
            (
                #"{"type": "object", "properties": {"a": {}}, "patternProperties": {"^x": {}}, "additionalProperties": false}"#,
                "{a? dyn, …}"
            ),
            // What a branch may require or add isn't known.
            (#"{"type": "object", "properties": {"a": {}}, "anyOf": [{"required": ["a"]}]}"#, "{a dyn, …}"),
            (
                #"{"type": "object", "properties": {"a": {}}, "if": {}, "then": {}, "additionalProperties": false}"#,
                "{a dyn}"
            ),
            (
                #"{"type": "object", "properties": {"a": {}}, "unevaluatedProperties": false, "oneOf": [{"properties": {"b": {}}}]}"#,
                "{a dyn, …}"
            ),
            // Several schemas of one object.
            (
                #"{"type": "object", "properties": {"a": {"type": "string"}}, "allOf": [{"required": ["a"]}, {"properties": {"b": {}}}]}"#,
                "{a string, b? dyn, …?}"
            ),
            (
                #"{"allOf": [{"type": "object", "properties": {"a": {}}}], "properties": {"b": {}}}"#,
                "{a? dyn, b? dyn, …?}"
            ),
            (
                #"{"type": "object", "properties": {"a": {}}, "additionalProperties": false, "allOf": [{"required": ["a"]}]}"#,
                "{a dyn}"
            ),
            (
                #"{"type": "object", "properties": {"a": {}}, "allOf": [{"if": {}, "then": {"required": ["a"]}}]}"#,
                "{a dyn, …}"
            ),
            (
                #"{"type": "object", "properties": {"a": {}}, "allOf": [{"$ref": "https://example.com/more.json"}]}"#,
                "{a dyn, …}"
            ),
            (
                ##"{"$ref": "#/$defs/n", "$defs": {"n": {"type": "object", "properties": {"v": {"type": "integer"}, "next": {"$ref": "#/$defs/n"}}}}}"##,
                "{next? dyn, v? int, …?}"
            ),
            (#"{"type": "object", "properties": {"a": {"$id": "x", "type": "string"}}}"#, "{a? dyn, …?}"),
        ] as [(String, String)]
    )
    func objects(_ schema: String, _ expected: String) throws {
        #expect(text(SchemaTypes.type(of: try JSON.parse(schema))) == expected)
    }

    /// Twelve definitions, each with two members of the next: 4,096 leaves if they were all followed.
    @Test func aSmallSchemaCannotBecomeAHugeType() throws {
        let definitions = (0..<12).map {
            ##""d\##($0)": {"type": "object", "properties": {"a": {"$ref": "#/$defs/d\##($0 + 1)"}, "b": {"$ref": "#/$defs/d\##($0 + 1)"}}}"##
        }
        let schema =
            ##"{"$ref": "#/$defs/d0", "$defs": {\##(definitions.joined(separator: ", ")), "d12": {"type": "string"}}}"##
        let type = text(SchemaTypes.type(of: try JSON.parse(schema)))
        #expect(type.split(separator: " ").count < 10_000)
        #expect(type.contains("string"))
    }

    /// A type with what notes go by: `?` behind what needn't be there, `…` for others that may be, `…?` for others that
    /// nobody stated.
    private func text(_ type: CELType) -> String {
        switch type {
        case .oneOf(let values): values.joined(separator: "|")
        case .list(let element): "[\(text(element))]"
        case .record(let record):
            "{"
                + (record.members.sorted { $0.key < $1.key }.map {
                    "\($0.key)\($0.value.isRequired ? "" : "?") \(text($0.value.type))"
                } + (record.rest == .closed ? [] : [record.rest == .unknown ? "…" : "…?"])).joined(separator: ", ")
                + "}"
        default: type.name
        }
    }
}

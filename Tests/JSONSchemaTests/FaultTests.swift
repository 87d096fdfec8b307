import JSON
import JSONSchema
import Testing

@Suite struct FaultTests {
    private static let faulty: [(schema: String, faults: [String])] = [
        (#"{"requierd": ["a"]}"#, ["@/requierd: there is no keyword `requierd` (did you mean `required`?)"]),
        (#"{"colour": 1}"#, ["@/colour: there is no keyword `colour` (names of your own begin with `x-`)"]),
        (
            ##"{"properties": {"a": {"dependencies": {}, "additionalItems": false, "$recursiveRef": "#"}}}"##,
            [
                "@/properties/a/dependencies: `dependencies` is a keyword of an older draft"
                    + " (write `dependentRequired` or `dependentSchemas`)",
                "@/properties/a/additionalItems: `additionalItems` is a keyword of an older draft"
                    + " (write `items`, and `prefixItems` for what `items` was)",
                "@/properties/a/$recursiveRef: `$recursiveRef` is a keyword of an older draft (write `$dynamicRef`)",
            ]
        ),
        (
            #"{"minimum": 1, "exclusiveMinimum": true}"#,
            [
                "/exclusiveMinimum: `exclusiveMinimum` needs a number"
                    + " (write the bound itself here, in place of `minimum`)"
            ]
        ),
        (#"{"items": [true]}"#, ["/items: a schema is an object, `true` or `false`"]),
        (
            #"{"type": "int", "anyOf": [], "minLength": -1, "multipleOf": 0, "enum": 3, "uniqueItems": 1}"#,
            [
                "/type: there is no type `int` (did you mean `integer`?)",
                "/anyOf: `anyOf` needs a list of schemas, at least one",
                "/minLength: `minLength` needs an integer from 0 up",
                "/multipleOf: `multipleOf` needs a number above 0",
                "/enum: `enum` needs a list", "/uniqueItems: `uniqueItems` is true or false",
            ]
        ),
        (
            #"{"type": ["string", "sting", "string"]}"#,
            [
                "/type/1: there is no type `sting` (did you mean `string`?)", "/type/2: `string` is there twice",
            ]
        ),
        (
            #"{"multipleOf": 1.234567890123456789}"#,
            [
                "/multipleOf: `multipleOf` has more than the 18 significant digits that are supported"
            ]
        ),
        (
            #"{"properties": {"a": {"required": true}}}"#,
            [
                "/properties/a/required: `required` needs a list of names"
                    + " (name the required members beside `properties`)"
            ]
        ),
        (#"{"required": ["a", 1, "a"]}"#, ["/required/1: a name is a string", "/required/2: `a` is there twice"]),
        (
            #"{"$schema": "http://json-schema.org/draft-07/schema#"}"#,
            [
                "/$schema: only JSON Schema 2020-12 is supported (write `https://json-schema.org/draft/2020-12/schema`)"
            ]
        ),
        (#"{"$ref": "other.json"}"#, ["/$ref: `other.json` leads out of the schema, and nothing is fetched"]),
        (##"{"$ref": "#/$defs/a"}"##, ["/$ref: `#/$defs/a` leads to nothing"]),
        (##"{"$ref": "#a"}"##, ["/$ref: `#a` names an anchor that isn't there"]),
        (##"{"$ref": "#/const", "const": 1}"##, ["/$ref: `#/const` leads to something that isn't a schema"]),
        (##"{"$ref": "#"}"##, [": this schema refers to itself without looking into the value"]),
        (
            ##"{"allOf": [{"$ref": "#/$defs/a"}], "$defs": {"a": {"anyOf": [{"$ref": "#"}]}}}"##,
            [
                ": this schema refers to itself without looking into the value"
            ]
        ),
        (#"{"$id": "a#b"}"#, [#"/$id: `$id` can't have a fragment (write `"$anchor": "b"`)"#]),
        (
            #"{"$defs": {"a": {"$anchor": "x"}, "b": {"$anchor": "x"}, "c": {"$anchor": "1"}}}"#,
            [
                "/$defs/b/$anchor: the anchor `x` is there twice",
                "/$defs/c/$anchor: an anchor is made of letters, digits, `-`, `_` and `.`, and begins with a letter",
            ]
        ),
        (#"{"$defs": {"a": {"$id": "x"}, "b": {"$id": "x"}}}"#, ["/$defs/b/$id: is the `$id` of another schema, too"]),
        (#"{"format": "e-mail"}"#, ["/format: the format `e-mail` isn't supported (did you mean `email`?)"]),
        (
            #"{"patternProperties": {"(?=a)": true}, "pattern": "(a)\\1"}"#,
            [
                "@/patternProperties/(?=a): this pattern can't be used: look-ahead `(?=` isn't supported",
                "/pattern: this pattern can't be used: back-references such as `\\1` aren't supported",
            ]
        ),
        ("3", [": a schema is an object, `true` or `false`"]),
    ]

    @Test(arguments: faulty)
    func saysWhatIsWrongAndWhatWouldBeRight(schema: String, expected: [String]) throws {
        #expect(try faults(schema) == expected)
    }

    @Test func whatIsntAskedForIsAnAnnotation() throws {
        let schema = """
            {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "t", "description": "d", "default": 1,
             "examples": [1], "deprecated": true, "readOnly": true, "writeOnly": false, "$comment": "c", "x-owner": 1,
             "contentEncoding": "base64", "contentMediaType": "a/b", "contentSchema": {"type": "string"},
             "definitions": {"a": {"type": "null"}}, "$ref": "#/definitions/a"}
            """
        #expect(try violations(schema, "null") == [])
        #expect(try violations(schema, "1") == [": must be null, not a number [/definitions/a/type]"])
        let lenient = JSONSchema.Options(unknownKeywords: .annotations, assertsFormat: false)
        #expect(try violations(#"{"colour": 1, "format": "colour", "dependencies": 3}"#, "1", lenient) == [])
    }

    /// Whatever the metaschema refuses is refused when a schema is compiled.
    @Test func theMetaschemaAgrees() throws {
        let metaschema = try compiled(#"{"$ref": "https://json-schema.org/draft/2020-12/schema"}"#)
        let values = [
            "1", "-1", "1.5", "\"a\"", "true", "null", "[]", "{}", "[1]", #"["a", "a"]"#, #"{"a": 1}"#, #"{"a": [1]}"#,
        ]
        var refused = 0
        for keyword in [
            "$id", "$schema", "$ref", "$anchor", "$dynamicRef", "$dynamicAnchor", "$vocabulary", "$comment", "$defs",
            "allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas", "prefixItems", "items",
            "contains",
            "properties", "patternProperties", "additionalProperties", "propertyNames", "unevaluatedItems",
            "unevaluatedProperties", "type", "enum", "const", "multipleOf", "maximum", "exclusiveMaximum", "minimum",
            "exclusiveMinimum", "maxLength", "minLength", "pattern", "maxItems", "minItems", "uniqueItems",
            "maxContains",
            "minContains", "maxProperties", "minProperties", "required", "dependentRequired", "title", "description",
            "default", "deprecated", "readOnly", "writeOnly", "examples", "format", "contentEncoding",
            "contentMediaType",
            "contentSchema",
        ] {
            for value in values {
                let schema = try JSON.parse("{\"\(keyword)\": \(value)}")
                guard !metaschema.violations(of: schema).isEmpty else { continue }
                refused += 1
                let (result, _) = JSONSchema.compile(schema)
                #expect(result == nil, "\(schema)")
            }
        }
        #expect(refused > 400)
    }
}

import JSON
import JSONSchema
import Testing

@Suite struct ViolationTests {
    private static let broken: [(schema: String, instance: String, message: String)] = [
        (#"{"type": "string"}"#, "1", "must be a string, not a number"),
        (#"{"type": ["null", "integer"]}"#, "1.5", "must be an integer or null, not a number"),
        (#"{"type": "object"}"#, "false", "must be an object, not false"),
        (#"{"const": {"a": 1}}"#, "1", #"must be {"a":1}"#),
        (#"{"enum": ["EUR", "USD", 1, null]}"#, "2", #"must be one of "EUR", "USD", 1, null"#),
        (#"{"enum": ["EUR"]}"#, "2", #"must be "EUR""#),
        (
            #"{"enum": ["a very long alternative indeed", "another that is long", "and one that isn't told"]}"#, "2",
            #"must be one of "a very long alternative indeed", "another that is long", …"#
        ),
        (#"{"minimum": 1}"#, "0.999999999999999999999", "must be at least 1"),
        (#"{"maximum": 9007199254740993}"#, "9007199254740994", "must be at most 9007199254740993"),
        (#"{"exclusiveMinimum": 0}"#, "-0.0", "must be more than 0"),
        (#"{"exclusiveMaximum": 1e999999999}"#, "10e999999998", "must be less than 1e999999999"),
        (#"{"multipleOf": 0.01}"#, "19.995", "must be a multiple of 0.01"),
        (#"{"minLength": 2}"#, "\"🐘\"", "must have at least 2 characters"),
        (#"{"maxLength": 1}"#, #""e\u0301""#, "must have at most 1 character"),
        (#"{"pattern": "^[A-Z]{3}$"}"#, #""eur""#, "must match the pattern `^[A-Z]{3}$`"),
        (#"{"format": "email"}"#, #""a@b@""#, "must be an e-mail address"),
        (#"{"format": "date"}"#, #""2026-02-29""#, "must be a date such as `2026-01-31`"),
        (#"{"minItems": 1}"#, "[]", "must have at least 1 item, not 0"),
        (#"{"maxItems": 1}"#, "[1, 2]", "must have at most 1 item, not 2"),
        (
            #"{"uniqueItems": true}"#, #"[{"a": 1, "b": 2}, 3, {"b": 2.0, "a": 1}]"#,
            "has the same item at 0 and at 2"
        ),
        (#"{"contains": {"const": 1}}"#, "[2]", "must have at least 1 item as `contains` asks, not 0"),
        (
            #"{"contains": {"const": 1}, "maxContains": 1}"#, "[1, 1]",
            "must have at most 1 item as `contains` asks, not 2"
        ),
        (#"{"required": ["quantity"]}"#, "{}", "has no `quantity`"),
        (#"{"dependentRequired": {"a": ["b"]}}"#, #"{"a": 1}"#, "has `a`, but no `b`"),
        (#"{"minProperties": 1}"#, "{}", "must have at least 1 member, not 0"),
        (#"{"maxProperties": 0}"#, #"{"a": 1}"#, "must have at most 0 members, not 1"),
        (
            #"{"propertyNames": {"maxLength": 1}}"#, #"{"ab": 1}"#,
            "has a member `ab`, whose name must have at most 1 character"
        ),
        (#"{"anyOf": [{"type": "string"}, {"minimum": 3}]}"#, "1", "fits none of the 2 alternatives"),
        (#"{"oneOf": [{"type": "string"}]}"#, "1", "fits none of the 1 alternative"),
        (#"{"oneOf": [true, false, true]}"#, "1", "must fit one alternative only, and fits those at 0 and 2"),
        (#"{"not": {"type": "null"}}"#, "null", "must not be as `not` describes"),
        ("false", "1", "isn't allowed here"),
    ]

    @Test(arguments: broken)
    func saysWhatIsWrong(schema: String, instance: String, message: String) throws {
        #expect(try compiled(schema).violations(of: JSON.parse(instance)).map(\.message) == [message])
    }

    private let order = """
        {"type": "object", "required": ["id", "items"], "additionalProperties": false,
         "properties": {
           "id": {"type": "string", "pattern": "^o-"},
           "items": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/item"}},
           "a/b": {"type": "null"}},
         "$defs": {"item": {"type": "object", "required": ["sku", "quantity"],
           "properties": {"quantity": {"type": "integer", "minimum": 1}}}}}
        """

    @Test func tellsAllPlacesInOrder() throws {
        let found = try violations(
            order, #"{"colour": 1, "a/b": 2, "items": [{"quantity": 0}, 3, {"sku": 1, "quantity": 1.5}]}"#)
        #expect(
            found == [
                ": has no `id` [/required]",
                "/colour: isn't allowed here [/additionalProperties]",
                "/a~1b: must be null, not a number [/properties/a~1b/type]",
                "/items/0: has no `sku` [/$defs/item/required]",
                "/items/0/quantity: must be at least 1 [/$defs/item/properties/quantity/minimum]",
                "/items/1: must be an object, not a number [/$defs/item/type]",
                "/items/2/quantity: must be an integer, not a number [/$defs/item/properties/quantity/type]",
            ]
        )
        #expect(try violations(order, #"{"id": "o-1", "items": [{"sku": 1, "quantity": 2.0}]}"#) == [])
    }

    @Test func leftOversAreToldAfterTheRest() throws {
        let schema = #"{"unevaluatedProperties": false, "allOf": [{"properties": {"a": {"minimum": 3}}}]}"#
        #expect(
            try violations(schema, #"{"b": 1, "a": 1}"#) == [
                "/a: must be at least 3 [/allOf/0/properties/a/minimum]",
                "/b: isn't allowed here [/unevaluatedProperties]",
            ]
        )
        #expect(try violations(schema, #"{"a": 4}"#) == [])
    }

    @Test func branchesTellTheirOwnViolations() throws {
        let schema = """
            {"if": {"properties": {"kind": {"const": "card"}}}, "then": {"required": ["number"]},
             "else": {"required": ["iban"]}}
            """
        #expect(try violations(schema, #"{"kind": "card"}"#) == [": has no `number` [/then/required]"])
        #expect(try violations(schema, #"{"kind": "bank"}"#) == [": has no `iban` [/else/required]"])
    }

    @Test func namesAreComparedByBytes() throws {
        let schema = #"{"properties": {"\u00e9": true}, "additionalProperties": false, "required": ["\u00e9"]}"#
        #expect(try violations(schema, #"{"\u00e9": 1}"#) == [])
        #expect(
            try violations(schema, #"{"e\u0301": 1}"#) == [
                "/e\u{301}: isn't allowed here [/additionalProperties]", ": has no `\u{e9}` [/required]",
            ]
        )
    }
}

import JSON
import Testing

@Suite struct JSONParserTests {
    @Test func buildsEveryKindInOrder() throws {
        let value = try JSON.parse(#" { "b" : [ 1 , -0.50e+2 , true , false , null ] , "a" : "x" , "" : { } } "#)
        #expect(
            value
                == .object(["b": [1, .number(JSONNumber(literal: "-0.50e+2")!), true, false, nil], "a": "x", "": [:]])
        )
        #expect(value.objectValue?.keys == ["b", "a", ""])
        #expect(value.text == #"{"b":[1,-0.50e+2,true,false,null],"a":"x","":{}}"#)
    }

    @Test func ofADuplicateNameTheLastValueStandsInTheFirstPlace() throws {
        #expect(try JSON.parse(#"{"a":1,"b":2,"a":3}"#).text == #"{"a":3,"b":2}"#)
        let many = (0..<40).map { "\"k\($0)\":\($0)" } + ["\"k7\":-7"]
        let object = try JSON.parse("{" + many.joined(separator: ",") + "}").objectValue
        #expect(object?.count == 40)
        #expect(object?["k7"] == -7)
        #expect(object?.keys[7] == "k7")
    }

    @Test func namesAreComparedByCodePoints() throws {
        let value = try JSON.parse("{\"\u{E9}\":1,\"e\u{301}\":2}")
        #expect(value.objectValue?.count == 2)
        #expect(value["\u{E9}"] == 1)
        #expect(value["e\u{301}"] == 2)
        #expect(JSON.string("\u{E9}") != JSON.string("e\u{301}"))
    }

    @Test(arguments: [
        (#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{C}\n\r\t"),
        (#""\u0041\u00e9\u20AC\ud83d\ude00\u0000""#, "A\u{E9}\u{20AC}\u{1F600}\u{0}"),
        (
            "\"plain \u{E9}\u{20AC}\u{1F600} and long enough for a word\"",
            "plain \u{E9}\u{20AC}\u{1F600} and long enough for a word"
        ),
        (#""1234567\n1234567890123456""#, "1234567\n1234567890123456"),
    ])
    func decodesStrings(_ source: String, _ text: String) throws {
        let value = try JSON.parse(source)
        #expect(value.stringValue.map { Array($0.utf8) } == Array(text.utf8))
    }

    @Test func findsNULEscapesAnywhere() throws {
        #expect(try JSON.validate(Array(#"{"a":["\u0000"]}"#.utf8)).containsNUL)
        #expect(try JSON.validate(Array(#"{"a\u0000":1}"#.utf8)).containsNUL)
        #expect(try !JSON.validate(Array(#"{"a":"\\u0000 \u0001"}"#.utf8)).containsNUL)
    }

    @Test(arguments: [
        ("", 1, 1, "expected a value, found the end of the text"),
        ("{\n  \"a\": 1,\n  \"é\": tru\n}", 3, 8, "expected a value, found 't'"),
        ("[1 2]", 1, 4, "expected ',' or ']' after an array element, found '2'"),
        ("{\"a\":1 \"b\":2}", 1, 8, "expected ',' or '}' after a member, found '\"'"),
        ("{\"a\" 1}", 1, 6, "expected ':' after a member name, found '1'"),
        ("{a:1}", 1, 2, "expected a member name in double quotes, found 'a'"),
        ("[1,\r\n]", 2, 1, "a comma must not stand before ']'"),
        ("[1]]", 1, 4, "expected the end of the text, found ']'"),
        ("[01]", 1, 2, "a number must not begin with 0"),
        ("[1.]", 1, 4, "expected a digit after the decimal point, found ']'"),
        ("[1e]", 1, 4, "expected a digit in the exponent, found ']'"),
        ("[-]", 1, 3, "expected a digit, found ']'"),
        ("[\"é\u{1F600}\tx\"]", 1, 5, "a control character in a string must be escaped, here as \\u0009"),
        ("[\"ab", 1, 2, "this string has no closing quote"),
        (#"["a\x"]"#, 1, 4, #"this escape is none of \" \\ \/ \b \f \n \r \t \uXXXX"#),
        (#"["\u12G4"]"#, 1, 3, #"\u needs four hexadecimal digits"#),
        (#"["\ud800"]"#, 1, 3, #"this \u escape is half of a surrogate pair"#),
        (#"["\ude00\ud800"]"#, 1, 3, #"this \u escape is half of a surrogate pair"#),
        ("\u{FEFF}{}", 1, 1, "the text begins with a byte order mark, which JSON doesn't allow"),
        ("[é]", 1, 2, "expected a value, found 'é'"),
    ])
    func namesThePlaceOfAFault(_ source: String, _ line: Int, _ column: Int, _ message: String) throws {
        let error = try #require(throws: JSONError.self) { try JSON.parse(source) }
        #expect(error.line == line)
        #expect(error.column == column)
        #expect(error.message == message)
        #expect(error.description == "line \(line), column \(column): \(message)")
        let place = TextPlaces(Array(source.utf8)).place(at: error.offset)
        #expect(place == (line, column))
    }

    @Test(
        arguments: [
            [0x22, 0xC0, 0x80, 0x22], [0x22, 0xED, 0xA0, 0x80, 0x22], [0x22, 0xF4, 0x90, 0x80, 0x80, 0x22],
            [0x22, 0xE2, 0x82, 0x22],
            [0x22, 0xF0, 0x8F, 0x80, 0x80, 0x22], [0x22, 0xFF, 0x22], [0x22, 0x80, 0x22], [0x22, 0xF0, 0x9F, 0x98],
            [0x22, 0xC2],
        ] as [[UInt8]]
    )
    func refusesInvalidUTF8(_ bytes: [UInt8]) throws {
        let error = try #require(throws: JSONError.self) { try JSON.parse(bytes) }
        #expect(error.offset == 1)
        #expect(error.message == "this is not valid UTF-8")
    }

    @Test func boundsDepthAndSize() throws {
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        #expect(try JSON.validate(Array(nested(128).utf8)).kind == .array)
        let error = try #require(throws: JSONError.self) { try JSON.parse(nested(129)) }
        #expect(error.message == "arrays and objects nest deeper than 128 levels")
        #expect(error.column == 129)
        let generous = JSONLimits(maximumDepth: .max)
        #expect(try JSON.parse(nested(1024), limits: generous).kind == .array)
        #expect(throws: JSONError.self) { try JSON.parse(nested(100_000), limits: generous) }
        #expect(throws: JSONError.self) {
            try JSON.parse(String(repeating: "{\"a\":", count: 100_000), limits: generous)
        }

        let tooLong = try #require(throws: JSONError.self) {
            try JSON.validate(Array("[1,2,3]".utf8), limits: JSONLimits(maximumBytes: 6))
        }
        #expect(tooLong.message == "the text has 7 bytes, more than the 6 allowed")
        #expect(try JSON.validate(Array("[1,2,3]".utf8), limits: JSONLimits(maximumBytes: 7)).kind == .array)
    }

    @Test func rawTextIsKeptAsItCame() throws {
        let raw = try RawJSON(validating: " \n{ \"a\" : 0.10 } \t")
        #expect(raw.text == "{ \"a\" : 0.10 }")
        #expect(try raw.parsed().text == "{\"a\":0.10}")
        #expect(RawJSON(["a": 1]).text == "{\"a\":1}")
        #expect(RawJSON.null.text == "null")
        #expect(throws: JSONError.self) { try RawJSON(validating: "{") }
    }
}

import JSON
import Testing

@Suite struct JSONWritingTests {
    @Test func escapesOnlyWhatMustBe() {
        let text = "\"\\/\u{8}\u{C}\n\r\t\u{0}\u{1F}\u{7F}é\u{2028}\u{1F600}"
        #expect(JSON.string(text).text == #""\"\\/\b\f\n\r\t\u0000\u001f"# + "\u{7F}é\u{2028}\u{1F600}\"")
    }

    @Test func printsForPeople() {
        let value: JSON = ["a": [1, ["b": nil]], "e": [], "o": [:]]
        #expect(
            value.prettyPrinted() == """
                {
                  "a": [
                    1,
                    {
                      "b": null
                    }
                  ],
                  "e": [],
                  "o": {}
                }
                """
        )
        #expect(JSON.array([1]).prettyPrinted(indent: 0) == "[\n1\n]")
    }

    /// The example of RFC 8785 §3.2.3, with the numbers of §3.2.2.
    @Test func canonicalFormIsThatOfTheRFC() throws {
        let value = try JSON.parse(
            #"""
            {
              "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
              "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
              "literals": [null, true, false]
            }
            """#
        )
        #expect(
            String(decoding: value.canonical(numbers: .ecmaScript), as: UTF8.self)
                == #"{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"#
                + #""string":"€$\u000f\nA'B\"\\\\\"/"}"#
        )
        #expect(
            String(decoding: value.canonical(numbers: .asWritten), as: UTF8.self)
                == #"{"literals":[null,true,false],"#
                + #""numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],"#
                + #""string":"€$\u000f\nA'B\"\\\\\"/"}"#
        )
    }

    /// RFC 8785 §3.2.3: U+1F600 sorts before U+FB33 since its UTF-16 form begins with a surrogate.
    @Test func canonicalOrderIsThatOfUTF16() throws {
        let value = try JSON.parse(
            #"""
            {"\u20ac": "Euro Sign", "\r": "Carriage Return", "\ufb33": "Hebrew Letter Dalet With Dagesh", "1": "One",
            "\ud83d\ude00": "Emoji: Grinning Face", "\u0080": "Control",
            "\u00f6": "Latin Small Letter O With Diaeresis"}
            """#
        )
        let sorted = try JSON.parse(value.canonical(numbers: .asWritten))
        #expect(sorted.objectValue?.keys == ["\r", "1", "\u{80}", "ö", "€", "\u{1F600}", "\u{FB33}"])
        #expect(
            sorted.objectValue?.values == [
                "Carriage Return", "One", "Control", "Latin Small Letter O With Diaeresis", "Euro Sign",
                "Emoji: Grinning Face", "Hebrew Letter Dalet With Dagesh",
            ])
    }

    /// RFC 8785 §3.2.4: the example's canonical form, byte for byte.
    @Test func canonicalBytesAreThoseOfTheRFC() throws {
        let value = try JSON.parse(
            #"""
            {
              "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
              "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
              "literals": [null, true, false]
            }
            """#
        )
        let hex = """
            7b 22 6c 69 74 65 72 61 6c 73 22 3a 5b 6e 75 6c 6c 2c 74 72
            75 65 2c 66 61 6c 73 65 5d 2c 22 6e 75 6d 62 65 72 73 22 3a
            5b 33 33 33 33 33 33 33 33 33 2e 33 33 33 33 33 33 33 2c 31
            65 2b 33 30 2c 34 2e 35 2c 30 2e 30 30 32 2c 31 65 2d 32 37
            5d 2c 22 73 74 72 69 6e 67 22 3a 22 e2 82 ac 24 5c 75 30 30
            30 66 5c 6e 41 27 42 5c 22 5c 5c 5c 5c 5c 22 2f 22 7d
            """
        let bytes = hex.split(whereSeparator: \.isWhitespace).compactMap { UInt8($0, radix: 16) }
        #expect(value.canonical(numbers: .ecmaScript) == bytes)
    }

    @Test func numbersBeyondADoubleStayAsWritten() throws {
        #expect(try JSON.parse("[1e400]").canonical(numbers: .ecmaScript) == Array("[1e400]".utf8))
    }

    @Test func writerPlacesCommas() {
        var writer = JSONWriter(reservingCapacity: 64)
        writer.beginObject()
        writer.field("i", Int64.min)
        writer.field("s", "a\"b")
        writer.field("n", String?.none)
        writer.field("b", true)
        writer.field("d", 0.5)
        writer.field("inf", Double.infinity)
        writer.field("raw", RawJSON(unchecked: Array("{\"x\": 1}".utf8)))
        writer.field("tree", JSON.array([1, nil]))
        writer.key("list")
        writer.beginArray()
        writer.beginArray()
        writer.endArray()
        writer.int(1)
        writer.null()
        writer.beginObject()
        writer.endObject()
        writer.endArray()
        writer.endObject()
        #expect(
            writer.finished().text
                == #"{"i":-9223372036854775808,"s":"a\"b","n":null,"b":true,"d":0.5,"inf":null,"raw":{"x": 1},"#
                + #""tree":[1,null],"list":[[],1,null,{}]}"#
        )
    }
}

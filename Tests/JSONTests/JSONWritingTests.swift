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

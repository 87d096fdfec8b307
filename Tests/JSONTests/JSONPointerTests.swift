import JSON
import Testing

@Suite struct JSONPointerTests {
    /// RFC 6901 §5, the whole table.
    private let document = #"""
        {"foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, "g|h": 4, "i\\j": 5, "k\"l": 6, " ": 7, "m~n": 8}
        """#

    @Test(arguments: [
        ("/foo", #"["bar","baz"]"#), ("/foo/0", "\"bar\""), ("/", "0"), ("/a~1b", "1"), ("/c%d", "2"), ("/e^f", "3"),
        ("/g|h", "4"), (#"/i\j"#, "5"), ("/k\"l", "6"), ("/ ", "7"), ("/m~0n", "8"),
    ])
    func findsThePlace(text: String, value: String) throws {
        let pointer = try #require(JSONPointer(text: text))
        #expect(pointer.description == text)
        #expect(try JSON.parse(document)[pointer]?.text == value)
        #expect(try LocatedJSON.parse(Array(document.utf8))[pointer]?.json.text == value)
    }

    @Test func theEmptyPointerIsTheWhole() throws {
        let whole = try JSON.parse(document)
        #expect(whole[JSONPointer()] == whole)
        #expect(JSONPointer(text: "") == JSONPointer())
        #expect(JSONPointer().description == "")
    }

    @Test(arguments: [
        "/foo/2", "/foo/-", "/foo/01", "/foo/-0", "/foo/+1", "/foo/99999999999999999999", "/bar", "//", "/foo/0/0",
    ])
    func aPlaceThatIsntThereIsNil(text: String) throws {
        let pointer = try #require(JSONPointer(text: text))
        #expect(try JSON.parse(document)[pointer] == nil)
        #expect(try LocatedJSON.parse(Array(document.utf8))[pointer] == nil)
    }

    @Test(arguments: ["a", "#/a", "/~", "/~2", "/a~"])
    func whatIsNoPointerIsRefused(text: String) { #expect(JSONPointer(text: text) == nil) }

    @Test func namesAreComparedByBytes() {
        #expect(JSONPointer(["\u{e9}"]) != JSONPointer(["e\u{301}"]))
        #expect(JSONPointer(["a", "b"]) != JSONPointer(["a"]))
        #expect(JSONPointer(["a"]).appending("b/c").appending(1) == JSONPointer(text: "/a/b~1c/1"))
    }

    @Test func membersHaveThePlaceOfTheirNames() throws {
        let located = try LocatedJSON.parse(Array(#"{"a": [{"b": 1}], "c": 2, "c": 3}"#.utf8))
        #expect(located.keyRange(at: JSONPointer(["a", "0", "b"])) == 8..<11)
        #expect(located.keyRange(at: JSONPointer(["c"])) == 26..<29)
        #expect(located.keyRange(at: JSONPointer(["a", "0"])) == nil)
        #expect(located.keyRange(at: JSONPointer()) == nil)
    }
}

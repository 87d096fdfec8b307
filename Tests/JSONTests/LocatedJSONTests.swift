import JSON
import Testing

@Suite struct LocatedJSONTests {
    @Test func remembersPlacesAndDuplicates() throws {
        let source = "{\n  \"a\": [1, \"é\"],\n  \"a\" : {\"b\": null}\n}\n"
        let bytes = Array(source.utf8)
        let root = try LocatedJSON.parse(bytes)
        let members = try #require(root.members)
        func slice(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }
        #expect(members.map(\.key) == ["a", "a"])
        #expect(members.map { slice($0.keyRange) } == ["\"a\"", "\"a\""])
        #expect(members.map { slice($0.value.range) } == ["[1, \"é\"]", "{\"b\": null}"])
        #expect(members[0].value.elements?.map { slice($0.range) } == ["1", "\"é\""])
        #expect(slice(root.range) + "\n" == source)
        #expect(root["a"]?["b"]?.kind == .null)
        #expect(root.json == ["a": ["b": nil]])
        let places = TextPlaces(bytes)
        #expect(places.place(at: members[1].keyRange.lowerBound) == (3, 3))
        #expect(places.place(at: bytes.count) == (5, 1))
        #expect(places.place(at: -5) == (1, 1))
        #expect(places.place(at: 10_000) == (5, 1))
    }

    /// Places in long lines, with characters of several bytes across the blocks that are counted by.
    @Test func placesInLongLines() {
        for text in [
            String(repeating: "aé", count: 1_500), String(repeating: "\u{1F600}", count: 1_024) + "\n" + "b",
            String(repeating: "x", count: 2_047) + "\n" + String(repeating: "é", count: 2_000), "", "\n",
        ] {
            let bytes = Array(text.utf8)
            let places = TextPlaces(bytes)
            var line = 1
            var column = 1
            var offset = 0
            for scalar in text.unicodeScalars {
                #expect(places.place(at: offset) == (line, column))
                offset += String(scalar).utf8.count
                (line, column) = scalar == "\n" ? (line + 1, 1) : (line, column + 1)
            }
            #expect(places.place(at: offset) == (line, column))
        }
    }

    @Test func mapsDecodedOffsetsToTheSource() throws {
        let source = #"["a\"é\u00e9\ud83d\ude00z", "plain"]"#
        let bytes = Array(source.utf8)
        let root = try LocatedJSON.parse(bytes)
        let string = try #require(root[0])
        let text = try #require(string.stringValue)
        #expect(text == "a\"éé\u{1F600}z")
        // a, escaped quote, é plain (2 bytes), é escaped (2 bytes), emoji escaped (4 bytes), z, end
        let offsets = (0...text.utf8.count).map { string.sourceOffset(ofDecoded: $0) }
        #expect(offsets == [2, 3, 5, 6, 7, 7, 13, 13, 13, 13, 25, 26])
        #expect(string.sourceOffset(ofDecoded: 99) == 26)
        #expect(string.sourceOffset(ofDecoded: -1) == 2)
        let plain = try #require(root[1])
        #expect([0, 1, 5, 6].map(plain.sourceOffset) == [30, 31, 35, 35])
        #expect(root.sourceOffset(ofDecoded: 3) == 0)
    }

    @Test func aStringThatEndsInAnEscapeEndsAtItsQuote() throws {
        let string = try LocatedJSON.parse(Array(#""a\n""#.utf8))
        #expect([0, 1, 2, 3].map(string.sourceOffset) == [1, 2, 4, 4])
    }
}

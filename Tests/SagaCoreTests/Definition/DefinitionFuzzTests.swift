import SagaCore
import Testing

/// No bytes trap the parser, and whatever it is given it keeps its word.
@Suite struct DefinitionFuzzTests {
    private struct Generator {
        var state: UInt64

        // SplitMix64 (Steele, Lea, Flood 2014).
        mutating func next(below bound: Int) -> Int {
            state &+= 0x9E37_79B9_7F4A_7C15
            var value = state
            value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
            value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
            return Int((value ^ (value >> 31)) % UInt64(max(bound, 1)))
        }
    }

    private static let fragments: [[UInt8]] = [
        "${", "}", "$${", "\"", "'", "\\", "{", "[", "]", ":", ",", "null", "-1", "1e999", "0", "\"none\"", "\"after\"",
        "steps.", "failure.", "${env:", "\u{0}", "\\u0000", "\\ud800", "é", "\n", "\"pivot\": true,", "after",
        "http://",
        "99999999999999999999", "\"10m\"", "// ", "'''", "%", "#", "\"retry\": {}", "\"url\":",
    ].map { Array($0.utf8) }

    private static func mutated(_ bytes: [UInt8], _ random: inout Generator) -> [UInt8] {
        var bytes = bytes
        for _ in 0...random.next(below: 4) {
            let place = random.next(below: bytes.count)
            let end = min(bytes.count, place + random.next(below: 40))
            switch random.next(below: 6) {
            case 0 where !bytes.isEmpty: bytes[place] = UInt8(random.next(below: 256))
            case 1: bytes.removeSubrange(place..<end)
            case 2: bytes.insert(contentsOf: Array(bytes[place..<end]), at: random.next(below: bytes.count))
            case 3: bytes.replaceSubrange(place..<end, with: fragments[random.next(below: fragments.count)])
            case 4: bytes.insert(contentsOf: fragments[random.next(below: fragments.count)], at: place)
            default:
                // Swapping quoted words keeps the JSON whole, so that the checks behind its parser are reached.
                let words = bytes.split(separator: UInt8(ascii: "\""), omittingEmptySubsequences: false)
                guard words.count > 4 else { continue }
                let one = words[random.next(below: words.count / 2) * 2 + 1 - (words.count % 2 == 0 ? 1 : 0)]
                let other = words[random.next(below: words.count / 2) * 2 + 1 - (words.count % 2 == 0 ? 1 : 0)]
                bytes.replaceSubrange(one.startIndex..<one.endIndex, with: Array(other))
            }
        }
        return bytes
    }

    @Test(arguments: [1, 2, 3, 4])
    func mutations(_ seed: UInt64) throws {
        let files = try ShippedDefinitionTests.files()
        var random = Generator(state: seed)
        var reachedChecks = 0
        for round in 0..<250 {
            let file = files[random.next(below: files.count)]
            let bytes = Self.mutated(file.bytes, &random)
            let parsed = DefinitionParser.parse(bytes, file: "f")
            let isFaulty = parsed.findings.contains { $0.severity == .error }
            #expect((parsed.definition == nil) == isFaulty, "seed \(seed), round \(round)")
            let places = parsed.findings.map { [$0.line, $0.column] }
            #expect(zip(places, places.dropFirst()).allSatisfy { !$1.lexicographicallyPrecedes($0) })
            #expect(places.allSatisfy { $0[0] >= 1 && $0[1] >= 1 })
            #expect(parsed.findings.allSatisfy { !$0.text.contains { $0.isNewline } })
            #expect(DefinitionParser.parse(bytes, file: "f").findings == parsed.findings)
            if !parsed.findings.contains(where: { ["syntax", "not-utf-8"].contains($0.code) }) { reachedChecks += 1 }
        }
        #expect(reachedChecks > 25)
    }

    @Test func prefixes() throws {
        let bytes = try #require(try ShippedDefinitionTests.files().first).bytes
        for count in stride(from: 0, to: bytes.count - 2, by: 37) {
            let parsed = DefinitionParser.parse(Array(bytes.prefix(count)))
            #expect(parsed.findings.count == 1)
            #expect(parsed.definition == nil)
        }
    }
}

import JSON
import Testing

/// SplitMix64: the same numbers on every run and machine.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

@Suite struct JSONFuzzTests {
    private func randomText(_ random: inout SeededGenerator) -> String {
        let alphabet: [UnicodeScalar] = [
            "a", "b", "\"", "\\", "/", "\n", "\u{0}", "\u{1F}", "é", "\u{301}", "€", "\u{1F600}", " ",
        ]
        var text = ""
        for _ in 0..<Int.random(in: 0...20, using: &random) {
            text.unicodeScalars.append(alphabet[Int.random(in: 0..<alphabet.count, using: &random)])
        }
        return text
    }

    private func randomValue(_ random: inout SeededGenerator, depth: Int) -> JSON {
        switch Int.random(in: 0..<(depth > 5 ? 6 : 8), using: &random) {
        case 0: return .null
        case 1: return .bool(Bool.random(using: &random))
        case 2: return .number(JSONNumber(Int64(bitPattern: random.next())))
        case 3: return JSONNumber(Double(bitPattern: random.next())).map(JSON.number) ?? .null
        case 4, 5: return .string(randomText(&random))
        case 6:
            let count = Int.random(in: 0...5, using: &random)
            return .array((0..<count).map { _ in randomValue(&random, depth: depth + 1) })
        default:
            let count = Int.random(in: 0...(depth == 0 ? 40 : 5), using: &random)
            return .object(
                JSONObject((0..<count).map { _ in (randomText(&random), randomValue(&random, depth: depth + 1)) })
            )
        }
    }

    @Test(arguments: [1, 2, 3, 4]) func whatIsWrittenReadsBack(_ seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<500 {
            let value = randomValue(&random, depth: 0)
            let bytes = value.serialized()
            let back = try JSON.parse(bytes)
            #expect(back == value)
            #expect(back.serialized() == bytes)
            #expect(try JSON.parse(value.prettyPrinted()) == value)
            #expect(try JSON.parse(value.canonical(numbers: .asWritten)) == value)
            #expect(try LocatedJSON.parse(bytes).json == value)
            #expect(try RawJSON(validating: bytes).bytes == bytes)
        }
    }

    /// Broken texts: the three parsers agree, and an error's place lies within the text.
    @Test(arguments: [5, 6, 7, 8]) func brokenTextsGetOneErrorFromAllParsers(_ seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var refused = 0
        for _ in 0..<2_000 {
            var bytes = randomValue(&random, depth: 0).serialized()
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let at = Int.random(in: 0...bytes.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes.insert(UInt8.random(in: .min ... .max, using: &random), at: at)
                case 1 where at < bytes.count: bytes.remove(at: at)
                default: bytes.removeSubrange(at...)
                }
            }
            var errors: [JSONError?] = []
            for parser in [
                { _ = try JSON.parse(bytes) }, { _ = try JSON.validate(bytes) }, { _ = try LocatedJSON.parse(bytes) },
            ] {
                do {
                    try parser()
                    errors.append(nil)
                } catch {
                    errors.append(error as? JSONError)
                }
            }
            #expect(Set(errors).count == 1)
            if let error = errors[0] {
                refused += 1
                #expect((0...bytes.count).contains(error.offset))
                #expect(TextPlaces(bytes).place(at: error.offset) == (error.line, error.column))
            }
        }
        #expect(refused > 1_000)
    }
}

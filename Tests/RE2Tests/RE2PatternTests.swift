import RE2
import Testing

@Suite struct RE2PatternTests {
    @Test(arguments: [
        ("", "", true), ("", "abc", true), ("b", "abc", true), ("^b", "abc", false), ("^a.c$", "aéc", true),
        ("^.$", "🐘", true), (#"^\pL+$"#, "Ωmega", true), ("a|b", "c", false), (#"\x00"#, "a\u{0}b", true),
        (#"\QA\C\E"#, #"A\C"#, true), (#"\\C"#, #"\C"#, true), ("é", "e\u{301}", false), ("(?i)straße", "STRAßE", true),
    ])
    func findsAnywhere(pattern: String, text: String, found: Bool) throws {
        #expect(try RE2Pattern(pattern).isFound(in: text) == found)
    }

    @Test(arguments: [
        ("(", "missing ): ("),
        ("a**", "bad repetition operator: **"),
        ("(?=a)", "invalid perl operator: (?="),
        (#"(a)\1"#, #"invalid escape sequence: \1"#),
        ("a{1001}", "invalid repetition size: {1001}"),
        (#"\C"#, #"`\C` isn't supported"#),
        (#"\Qa\E\C"#, #"`\C` isn't supported"#),
        (#"\\\C"#, #"`\C` isn't supported"#),
        (#"(?:\pL{500}){2}"#, "pattern too large - compile failed"),
        (String(repeating: "a", count: 8_193), "it has 8193 bytes, more than the 8192 allowed"),
    ])
    func saysWhatIsWrong(pattern: String, message: String) {
        let error = #expect(throws: RE2Error.self) { try RE2Pattern(pattern) }
        #expect(error?.description == message)
    }

    /// Patterns that make backtracking engines take longer than anyone waits.
    @Test(arguments: ["^(a+)+$", "^(a|a)*$", "^(a|aa)+$", "^(.*a){20}$", "^(a?){40}a{40}$"])
    func isLinearInTheText(pattern: String) throws {
        let text = String(repeating: "a", count: 2_000) + "!"
        #expect(try RE2Pattern(pattern).isFound(in: text) == false)
    }

    @Test func costGrowsWithTextAndProgram() throws {
        let small = try RE2Pattern("a")
        let large = try RE2Pattern("[a-z]{100}")
        #expect(small.cost(ofBytes: 0) == 1)
        #expect(small.cost(ofBytes: 1_000) < small.cost(ofBytes: 10_000))
        #expect(small.cost(ofBytes: 10_000) < large.cost(ofBytes: 10_000))
        #expect(large.cost(ofBytes: .max) == .max / 2)
    }

    @Test func threadsShareAPattern() async throws {
        let pattern = try RE2Pattern("^[a-z]+[0-9]{3}$")
        let found = await withTaskGroup(of: Int.self, returning: Int.self) { group in
            for task in 0..<8 {
                group.addTask { (0..<200).filter { pattern.isFound(in: "abc\(task)\($0)") }.count }
            }
            return await group.reduce(0, +)
        }
        #expect(found == 8 * 90)
    }
}

import JSON
import Testing

@Suite struct NearestNameTests {
    @Test(arguments: [
        ("retries", "retry"), ("Retry", "retry"), ("maxAttempts", "maximumAttempts"), ("comp", "compensation"),
        ("tiemout", "timeout"), ("compensateWen", "compensateWhen"),
    ])
    func near(_ name: String, _ expected: String) {
        let candidates = ["timeout", "retry", "compensation", "compensateWhen", "maximumAttempts"]
        #expect(NearestName.nearest(to: name, among: candidates) == expected)
    }

    @Test(arguments: ["", "x", "re", "zzzzzz", String(repeating: "timeout", count: 100_000)])
    func nothingIsNear(_ name: String) {
        #expect(NearestName.nearest(to: name, among: ["timeout", "retry", "y", ""]) == nil)
    }

    @Test func theFirstOfEqualsIsTaken() {
        #expect(NearestName.nearest(to: "stepc", among: ["stepa", "stepb"]) == "stepa")
    }

    @Test(arguments: [
        ("", "abc", 3), ("kitten", "sitting", 3), ("abcd", "abdc", 1), ("ca", "abc", 3), ("same", "same", 0),
    ])
    func edits(_ left: String, _ right: String, _ expected: Int) {
        let (left, right) = (Array(left.utf8), Array(right.utf8))
        for limit in 0...4 {
            #expect(NearestName.edits(left, right, atMost: limit) == (expected <= limit ? expected : nil))
        }
    }

    /// The band of the table gives what the whole table does.
    @Test func boundedEditsAreTheEdits() {
        var random = SeededGenerator(seed: 7)
        for _ in 0..<3_000 {
            let left = Self.letters(&random)
            let right = Self.letters(&random)
            let edits = Self.allEdits(left, right)
            for limit in 0...9 {
                #expect(NearestName.edits(left, right, atMost: limit) == (edits <= limit ? edits : nil))
            }
        }
    }

    private static func letters(_ random: inout SeededGenerator) -> [UInt8] {
        var letters: [UInt8] = []
        for _ in 0..<Int.random(in: 0...9, using: &random) { letters.append(UInt8.random(in: 0...2, using: &random)) }
        return letters
    }

    /// The optimal string alignment distance by its definition.
    private static func allEdits(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var table = Array(repeating: Array(repeating: 0, count: right.count + 1), count: left.count + 1)
        for i in 0...left.count {
            for j in 0...right.count {
                guard i > 0, j > 0 else {
                    table[i][j] = i + j
                    continue
                }
                var least = min(table[i - 1][j], table[i][j - 1]) + 1
                least = min(least, table[i - 1][j - 1] + (left[i - 1] == right[j - 1] ? 0 : 1))
                if i > 1, j > 1, left[i - 1] == right[j - 2], left[i - 2] == right[j - 1] {
                    least = min(least, table[i - 2][j - 2] + 1)
                }
                table[i][j] = least
            }
        }
        return table[left.count][right.count]
    }
}

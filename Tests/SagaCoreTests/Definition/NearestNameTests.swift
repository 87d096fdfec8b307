import Testing

@testable import SagaCore

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
        #expect(NearestName.edits(Array(left.utf8), Array(right.utf8)) == expected)
    }
}

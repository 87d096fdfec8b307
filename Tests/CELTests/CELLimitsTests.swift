import CEL
import JSON
import Testing

@Suite struct CELLimitsTests {
    private let numbers = "[" + (0..<10_000).map { String($0) }.joined(separator: ",") + "]"

    @Test func nestedComprehensionsEnd() throws {
        let error = try failure("input.all(a, input.all(b, input.all(c, a + b + c >= 0)))", input: numbers)
        #expect(error.message == "the expression takes more than 100000 steps")
    }

    @Test func anExceededLimitIsNotAbsorbed() throws {
        let endless = "input.map(a, input.map(b, a * b)).size() > 0"
        for source in ["\(endless) || true", "true && \(endless) || true", "[1].exists(x, \(endless) || true)"] {
            #expect(try failure(source, input: numbers).message == "the expression takes more than 100000 steps")
        }
        #expect(try evaluateJSON("true || \(endless)", input: numbers) == "true")
    }

    @Test(arguments: [
        "input.map(a, input)", "input.map(a, input.map(b, input))", "input.map(x, input.join(','))",
        "input.map(x, 'abcdefghijklmnopqrstuvwxyz'.replace('', input.join(',')))",
        "['%s%s%s', '%s%s%s'].map(f, f.format([input, input, input]))",
        "input.map(x, input == input)", "input.map(x, x in input)", "input.map(x, input + input)",
        "input.map(x, input.join('').contains(input.join('') + 'x'))",
        "input.map(x, {'a': input, 'b': input})",
        "input.map(x, 'aaaa'.matches(x + 'a{500}'))", "input.map(x, input.join('').matches('(text.*){50}'))",
    ])
    func whatGrowsIsStopped(_ source: String) throws {
        let texts = "[" + (0..<10_000).map { "\"text \($0)\"" }.joined(separator: ",") + "]"
        let error = try failure(source, input: texts)
        #expect(
            [
                "the expression takes more than 100000 steps", "the expression builds more than 1048576 bytes",
                "the result has more than 1048576 bytes",
            ].contains(error.message)
        )
    }

    @Test func doublingIsStopped() throws {
        let doubled = (0..<30).reduce("'0123456789'") { source, _ in "[\(source)].map(x, x + x)[0]" }
        #expect(try failure(doubled).message == "the expression builds more than 1048576 bytes")
    }

    @Test func aPlainReferenceIsHandedOnWhateverItsSize() throws {
        let small = CELLimits(maximumSteps: 10, maximumBytes: 10)
        #expect(try evaluateJSON("input", input: numbers, limits: small) == numbers)
        #expect(
            try failure("[input]", input: numbers, limits: CELLimits(maximumBytes: 1000)).message
                == "the result has more than 1000 bytes"
        )
    }

    @Test func stepsAreCounted() throws {
        let source = "1 + 2 + 3"
        #expect(try evaluateJSON(source, limits: CELLimits(maximumSteps: 2)) == "6")
        #expect(
            try failure(source, limits: CELLimits(maximumSteps: 1)).message == "the expression takes more than 1 steps"
        )
    }

    @Test(arguments: [
        String(repeating: "(", count: 60_000), String(repeating: "[", count: 60_000),
        String(repeating: "{1:", count: 20_000),
        String(repeating: "!", count: 60_000) + "true", String(repeating: "-", count: 60_000) + "x",
        String(repeating: "a.", count: 30_000) + "a", "a" + String(repeating: "[0]", count: 20_000),
        String(repeating: "1+", count: 30_000) + "1", String(repeating: "true ? 1 : ", count: 5_000) + "2",
        String(repeating: "size(", count: 10_000), String(repeating: "[1].map(x, ", count: 5_000),
        String(repeating: "1 == ", count: 10_000) + "1",
    ])
    func deepExpressionsAreRefused(_ source: String) throws {
        let error = try #require(throws: CELError.self) { try evaluate(source, ["a": .null, "x": .int(1)]) }
        #expect(error.message == "the expression nests deeper than 200 levels")
    }

    @Test func theDeepestExpressionRuns() throws {
        let depth = 190
        let source = String(repeating: "[", count: depth) + "1" + String(repeating: "]", count: depth)
        #expect(try evaluateJSON(source) == source)
        #expect(
            try evaluateJSON(String(repeating: "(", count: depth) + "1" + String(repeating: ")", count: depth)) == "1"
        )
        #expect(try evaluateJSON(String(repeating: "1+", count: depth) + "1") == "191")
        let macros = String(repeating: "[1].all(x, ", count: 90) + "true" + String(repeating: ")", count: 90)
        #expect(try evaluateJSON(macros) == "true")
        #expect(try evaluateJSON(source, limits: CELLimits(maximumDepth: 190)) == source)
        #expect(
            try failure(source, limits: CELLimits(maximumDepth: 189)).message
                == "the result nests deeper than 189 levels"
        )
    }

    @Test func longChainsOfLogicAreFlat() throws {
        #expect(try evaluateJSON(String(repeating: "true && ", count: 5_000) + "true") == "true")
        #expect(try evaluateJSON(String(repeating: "false || ", count: 5_000) + "true") == "true")
    }

    @Test func longSourcesAreRefused() throws {
        let error = try failure("'" + String(repeating: "x", count: 70_000) + "'")
        #expect(error.message == "the expression has 70002 bytes, more than the 65536 allowed")
    }

    @Test func hostilePatternsOfTextEndInLinearTime() throws {
        let text = String(repeating: "a", count: 500_000)
        let part = String(repeating: "a", count: 30_000)
        let source = "input.contains('\(part)b') || input.lastIndexOf('b\(part)') > 0"
        #expect(try evaluateJSON(source, input: "\"\(text)\"") == "false")
    }

    /// A long key is hashed whole wherever it is looked up or added.
    @Test(arguments: [
        "input.o[input.k] == 1", "input.k in input.o", "{input.k: 1}.size() == 1", "input.o == input.o",
        "[input.k].transformMapEntry(i, k, {k: i}).size() == 1",
    ])
    func longKeysArePaidFor(_ part: String) throws {
        let key = String(repeating: "k", count: 100_000)
        let members = (0..<20).map { "\"\($0)\": 0" }.joined(separator: ", ")
        let input =
            "{\"n\": [\((0..<20).map { String($0) }.joined(separator: ","))], \"k\": \"\(key)\","
            + " \"o\": {\(members), \"\(key)\": 1}}"
        #expect(try evaluateJSON(part, input: input) == "true")
        let error = try failure("input.n.all(a, input.n.all(b, \(part)))", input: input)
        #expect(error.message == "the expression takes more than 100000 steps")
    }

    @Test(arguments: [
        "input.x > input.y", "input.x == input.y", "input.x + 1 > 0.0", "string(input.x) != ''", "-input.x < 0.0",
        "[input.x].max() > 0", "[input.x, input.x].sum() > 0", "[input.x].distinct().size() == 1",
        "'%s'.format([input.x]) != ''",
    ])
    func longNumbersArePaidFor(_ part: String) throws {
        let number = "1" + String(repeating: "7", count: 50_000)
        let input =
            "{\"n\": [\((0..<20).map { String($0) }.joined(separator: ","))], \"x\": \(number), \"y\": \(number)}"
        let error = try failure("input.n.map(a, input.n.map(b, \(part)))", input: input)
        #expect(error.message == "the expression takes more than 100000 steps")
    }

    /// Errors are absorbed by `exists` and `||`, so refused patterns have their price, too.
    @Test(arguments: [
        #"x.matches(x + '\\p{L}')"#, #"x.matches('(\\p{L}{100}){9}' + x)"#, "x.matches('a?' + input.join('?'))",
        "x.matches(input.map(y, 'a?').join('') + x)", #"x.matches(input.map(y, '\\p{L}').join('') + x)"#,
    ])
    func patternsThatAreKnownLateArePaidFor(_ part: String) throws {
        let texts = "[" + (0..<1_000).map { "\"text \($0)\"" }.joined(separator: ",") + "]"
        let error = try failure("input.exists(x, \(part) && false)", input: texts)
        #expect(error.message == "the expression takes more than 100000 steps")
    }

    @Test func shortPatternsThatAreKnownLateAreCheap() throws {
        let texts = "[" + (0..<500).map { "\"text \($0)\"" }.joined(separator: ",") + "]"
        #expect(try evaluateJSON("input.all(x, x.matches('^' + x + '$'))", input: texts) == "true")
    }
}

import CEL
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

@Suite struct CELFuzzTests {
    private static let leaves = [
        "0", "1", "-1", "9223372036854775807", "-9223372036854775808", "0u", "18446744073709551615u", "1.5", "-0.0",
        "1e308",
        "''", "'a'", "'é€😀'", "b'\\xff'", "true", "false", "null", "[]", "{}", "[1, 2, 3]", "{'a': 1, 'b': [2]}",
        "input", "input.a",
        "input.list", "input.none", "x", "int", "timestamp('2026-01-31T10:00:00Z')", "timestamp(253402300799)",
        "duration('1h')",
        "duration('-9223372036s')",
    ]
    private static let templates = [
        "(#) + (#)", "(#) - (#)", "(#) * (#)", "(#) / (#)", "(#) % (#)", "(#) == (#)", "(#) != (#)", "(#) < (#)",
        "(#) >= (#)",
        "(#) in (#)", "(#) && (#)", "(#) || (#)", "!(#)", "-(#)", "(#) ? (#) : (#)", "(#)[#]", "(#).a", "has((#).a)",
        "[#, #]",
        "{#: #}", "size(#)", "string(#)", "int(#)", "uint(#)", "double(#)", "bytes(#)", "bool(#)", "type(#)", "dyn(#)",
        "timestamp(#)", "duration(#)", "(#).all(x, #)", "(#).exists(x, #)", "(#).exists_one(x, #)", "(#).map(x, #)",
        "(#).filter(x, #)", "(#).transformMap(k, x, #)", "(#).sum()", "(#).min()", "(#).max()", "(#).distinct()",
        "(#).join(#)",
        "(#).split(#)", "(#).split(#, #)", "(#).replace(#, #)", "(#).replace(#, #, #)", "(#).substring(#, #)",
        "(#).charAt(#)",
        "(#).indexOf(#, #)", "(#).lastIndexOf(#, #)", "(#).trim()", "(#).reverse()", "(#).lowerAscii()",
        "(#).format([#, #])",
        "strings.quote(#)", "(#).contains(#)", "(#).startsWith(#)", "(#).endsWith(#)", "(#).getHours()",
        "(#).getFullYear(#)",
        "(#).getDayOfWeek()", "'%s %d %f %e %x %b %o'.format([#, #, #, #, #, #, #])", "'%.20f|%.0e'.format([#, #])",
    ]

    private func expression(_ random: inout SeededGenerator, depth: Int) -> String {
        guard depth > 0, Int.random(in: 0..<8, using: &random) > 0 else {
            return Self.leaves[Int.random(in: 0..<Self.leaves.count, using: &random)]
        }
        var source = ""
        for character in Self.templates[Int.random(in: 0..<Self.templates.count, using: &random)] {
            source += character == "#" ? expression(&random, depth: depth - 1) : String(character)
        }
        return source
    }

    private struct Outcome: Equatable {
        let json: JSON?
        let text: String?
        let error: CELError?
    }

    private func outcome(_ source: String, in environment: CELEnvironment, _ activation: CELActivation) -> Outcome {
        let limits = CELLimits(maximumSteps: 5_000, maximumBytes: 100_000)
        do throws(CELError) {
            let program = try CELProgram(compiling: source, in: environment)
            for reference in program.references { assertPlausible(reference, in: source) }
            let value = try program.evaluate(activation, limits: limits)
            return Outcome(json: try value.json(limits), text: try value.text(limits), error: nil)
        } catch {
            return Outcome(json: nil, text: nil, error: error)
        }
    }

    private func assertPlausible(_ reference: CELReference, in source: String) {
        let size = source.utf8.count
        #expect(["input", "x"].contains(reference.path[0]))
        #expect(reference.range.lowerBound >= 0 && reference.range.upperBound <= size)
    }

    /// Random programs, well-typed or not, end with a value or an error, and always with the same one.
    @Test(arguments: [1, 2, 3, 4, 5, 6]) func randomProgramsEndTheSameWay(_ seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let environment = CELEnvironment(variables: ["input": .dyn, "x": .dyn])
        let input = try JSON.parse(#"{"a": 1.50, "list": [1, "2", 3.0, null, {"a": true}], "none": null}"#)
        let activation = CELActivation(["input": .json(input), "x": .int(7)])
        var values = 0
        for _ in 0..<1_500 {
            let source = expression(&random, depth: Int.random(in: 1...4, using: &random))
            let first = outcome(source, in: environment, activation)
            #expect(first == outcome(source, in: environment, activation), "\(source)")
            if let json = first.json {
                values += 1
                #expect(try JSON.parse(json.serialized()) == json)
            } else if let error = first.error {
                #expect(error.offset >= 0 && error.offset <= source.utf8.count, "\(source)")
                #expect(!error.message.isEmpty)
            }
        }
        #expect(values > 200)
    }

    /// Broken sources: an error or a program, never a crash.
    @Test(arguments: [7, 8, 9]) func brokenSourcesGiveAnErrorWithAPlace(_ seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let environment = CELEnvironment(variables: ["input": .dyn, "x": .dyn])
        let pieces = Array("()[]{}.,?:!-+*/%<>=&|'\"`\\ \n0x1ueEbr_aé😀".unicodeScalars)
        var refused = 0
        for _ in 0..<3_000 {
            var scalars = Array(expression(&random, depth: 3).unicodeScalars)
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let at = Int.random(in: 0...scalars.count, using: &random)
                if Bool.random(using: &random), at < scalars.count {
                    scalars.remove(at: at)
                } else {
                    scalars.insert(pieces[Int.random(in: 0..<pieces.count, using: &random)], at: at)
                }
            }
            var source = String.UnicodeScalarView()
            source.append(contentsOf: scalars)
            let text = String(source)
            do throws(CELError) {
                _ = try CELProgram(compiling: text, in: environment)
            } catch {
                refused += 1
                #expect(error.offset >= 0 && error.offset <= text.utf8.count, "\(text)")
            }
        }
        #expect(refused > 1_000)
    }
}

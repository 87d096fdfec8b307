import CEL
import Foundation
import Testing

@Suite struct CELNumberFormatTests {
    private func format(_ pattern: String, _ value: Double) throws -> String {
        try evaluate("p.format([v])", ["p": .string(pattern), "v": .double(value)]).text
    }

    /// Against C's `printf`, which rounds the exact value to nearest, ties to even.
    @Test func agreesWithPrintf() throws {
        var random = SeededGenerator(seed: 754)
        for round in 0..<3_000 {
            let value =
                switch round % 3 {
                case 0: Double(bitPattern: random.next())
                case 1: Double(Int64.random(in: -1_000_000...1_000_000, using: &random)) / 1000
                default: Double(Int64.random(in: -4_000...4_000, using: &random)) / 8
                }
            guard value.isFinite else { continue }
            for pattern in ["%.\(round % 12)f", "%.\(round % 20)e", "%f", "%e"] {
                #expect(try format(pattern, value) == String(format: pattern, value), "\(pattern) of \(value)")
            }
        }
    }

    @Test(arguments: [
        (0.0, "%.0f", "0"), (-0.0, "%.1f", "-0.0"), (9.995, "%.2f", "9.99"), (999.9999, "%.3f", "1000.000"),
        (0.5, "%.0f", "0"), (1.5, "%.0f", "2"), (0.05, "%.0f", "0"), (9.5, "%.0e", "1e+01"), (8.5, "%.0e", "8e+00"),

        (.leastNonzeroMagnitude, "%.3e", "4.941e-324"), (1.7976931348623157e308, "%.2e", "1.80e+308"),
        (0.0009999, "%.2f", "0.00"),
        (0.0099999, "%.3f", "0.010"),
    ])
    func roundsToNearest(_ value: Double, _ pattern: String, _ expected: String) throws {
        #expect(try format(pattern, value) == expected)
    }

    @Test(arguments: ["%.1001f", "%.f", "%", "%.3", "%5d", "%q", "%E"])
    func refusesOtherClauses(_ pattern: String) {
        #expect(throws: CELError.self) { try format(pattern, 1) }
    }

    @Test func longPrecisionsAreExact() throws {
        #expect(try format("%.55f", 0.1) == "0.1000000000000000055511151231257827021181583404541015625")
        #expect(try format("%.60f", 0.1) == "0.100000000000000005551115123125782702118158340454101562500000")
    }
}

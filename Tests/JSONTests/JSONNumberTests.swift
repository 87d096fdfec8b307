import JSON
import Testing

@Suite struct JSONNumberTests {
    @Test(arguments: ["0", "-0", "0.10", "1e5", "1E+05", "-1.50e-10", "123456789012345678901234567890", "1e400"])
    func literalsSurvive(_ literal: String) throws {
        #expect(try JSON.parse(literal).text == literal)
        #expect(JSONNumber(literal: literal)?.literal == literal)
    }

    @Test(arguments: ["", "01", "+1", ".5", "1.", "1e", "NaN", "Infinity", "0x1", " 1", "1 ", "1,", "--1", "١"])
    func otherTextsAreNoNumbers(_ literal: String) {
        #expect(JSONNumber(literal: literal) == nil)
    }

    @Test func integersAreExactOrNil() {
        #expect(JSONNumber(literal: "9223372036854775807")?.int64 == .max)
        #expect(JSONNumber(literal: "-9223372036854775808")?.int64 == .min)
        #expect(JSONNumber(literal: "9223372036854775808")?.int64 == nil)
        #expect(JSONNumber(literal: "9223372036854775808")?.uint64 == 9_223_372_036_854_775_808)
        #expect(JSONNumber(literal: "18446744073709551616")?.uint64 == nil)
        #expect(JSONNumber(literal: "-1")?.uint64 == nil)
        #expect(JSONNumber(literal: "1.0")?.int64 == nil)
        #expect(JSONNumber(literal: "1e2")?.int64 == nil)
        #expect(JSONNumber(literal: "1e400")?.double == .infinity)
        #expect(JSONNumber(literal: "0.1")?.double == 0.1)
    }

    @Test func doublesAreWrittenShortest() {
        #expect(JSONNumber(0.1)?.literal == "0.1")
        #expect(JSONNumber(3.0)?.literal == "3")
        #expect(JSONNumber(-0.0)?.literal == "-0.0")
        #expect(JSONNumber(1e300)?.literal == "1e+300")
        #expect(JSONNumber(Double.nan) == nil)
        #expect(JSONNumber(-Double.infinity) == nil)
        #expect(JSONNumber(Int64.min).literal == "-9223372036854775808")
        #expect(JSONNumber(UInt64.max).literal == "18446744073709551615")
    }

    /// RFC 8785 appendix B.
    @Test(
        arguments: [
            (0x0000_0000_0000_0000, "0"), (0x8000_0000_0000_0000, "0"), (0x0000_0000_0000_0001, "5e-324"),
            (0x8000_0000_0000_0001, "-5e-324"), (0x7FEF_FFFF_FFFF_FFFF, "1.7976931348623157e+308"),
            (0xFFEF_FFFF_FFFF_FFFF, "-1.7976931348623157e+308"), (0x4340_0000_0000_0000, "9007199254740992"),
            (0xC340_0000_0000_0000, "-9007199254740992"), (0x4430_0000_0000_0000, "295147905179352830000"),
            (0x44B5_2D02_C7E1_4AF5, "9.999999999999997e+22"), (0x44B5_2D02_C7E1_4AF6, "1e+23"),
            (0x44B5_2D02_C7E1_4AF7, "1.0000000000000001e+23"), (0x444B_1AE4_D6E2_EF4E, "999999999999999700000"),
            (0x444B_1AE4_D6E2_EF4F, "999999999999999900000"), (0x444B_1AE4_D6E2_EF50, "1e+21"),
            (0x3EB0_C6F7_A0B5_ED8C, "9.999999999999997e-7"), (0x3EB0_C6F7_A0B5_ED8D, "0.000001"),
            (0x41B3_DE43_5555_5553, "333333333.3333332"), (0x41B3_DE43_5555_5554, "333333333.33333325"),
            (0x41B3_DE43_5555_5555, "333333333.3333333"), (0x41B3_DE43_5555_5556, "333333333.3333334"),
            (0x41B3_DE43_5555_5557, "333333333.33333343"), (0xBECB_F647_612F_3696, "-0.0000033333333333333333"),
            (0x4314_3FF3_C1CB_0959, "1424953923781206.2"),
        ] as [(UInt64, String)]
    )
    func ecmaScriptTextIsThatOfTheRFC(_ bits: UInt64, _ text: String) {
        #expect(JSONNumber.ecmaScriptText(Double(bitPattern: bits)) == text)
    }

    /// RFC 8785 appendix B: these have no JSON.
    @Test(arguments: [0x7FFF_FFFF_FFFF_FFFF, 0x7FF0_0000_0000_0000, 0xFFF0_0000_0000_0000] as [UInt64])
    func whatIsNoNumberHasNoLiteral(_ bits: UInt64) {
        #expect(JSONNumber(Double(bitPattern: bits)) == nil)
    }

    /// Whatever the digits, zeros and exponent, a literal goes through a document as it was written.
    @Test func randomLiteralsSurvive() throws {
        var random = SeededGenerator(seed: 3)
        func digits(_ count: ClosedRange<Int>) -> String {
            (0..<Int.random(in: count, using: &random)).map { _ in String(Int.random(in: 0...9, using: &random)) }
                .joined()
        }
        for _ in 0..<5_000 {
            var literal = Bool.random(using: &random) ? "-" : ""
            literal += Bool.random(using: &random) ? "0" : "\(Int.random(in: 1...9, using: &random))" + digits(0...30)
            if Bool.random(using: &random) { literal += "." + digits(1...30) }
            if Bool.random(using: &random) {
                literal += ["e", "E", "e+", "E-"][Int.random(in: 0...3, using: &random)] + digits(1...5)
            }
            let text = "{\"n\":[\(literal)]}"
            #expect(try JSON.parse(text).text == text)
            #expect(
                String(decoding: try JSON.parse(text).canonical(numbers: .asWritten), as: UTF8.self) == text)
        }
    }

    @Test func shortestTextsReadBack() {
        var random = SeededGenerator(seed: 8785)
        for _ in 0..<20_000 {
            let value = Double(bitPattern: random.next())
            guard value.isFinite else { continue }
            #expect(Double(JSONNumber.ecmaScriptText(value)) == value)
        }
    }
}

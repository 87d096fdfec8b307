import CEL
import Foundation
import Testing

@Suite struct CELTimeTests {
    @Test(arguments: [
        ("1970-01-01T00:00:00Z", 0, 0), ("2000-02-29T23:59:59.123456789Z", 951_868_799, 123_456_789),
        ("2026-01-31T10:00:00+02:30", 1_769_844_600, 0), ("2026-01-31t10:00:00.5z", 1_769_853_600, 500_000_000),
        ("0001-01-01T00:00:00Z", -62_135_596_800, 0), ("9999-12-31T23:59:59.999999999Z", 253_402_300_799, 999_999_999),
        ("1900-03-01T00:00:00-00:00", -2_203_891_200, 0),
    ])
    func readsTimestamps(_ text: String, _ seconds: Int64, _ nanoseconds: Int32) {
        #expect(CELTimestamp(text) == CELTimestamp(seconds: seconds, nanoseconds: nanoseconds))
        #expect(CELTimestamp(text) != nil)
    }

    @Test(arguments: [
        "", "2026-01-31", "2026-01-31T10:00:00", "2026-1-31T10:00:00Z", "2026-02-29T10:00:00Z", "1900-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-01-32T00:00:00Z", "2026-01-31T24:00:00Z",
        "2026-01-31T10:60:00Z", "2026-01-31T23:59:60Z", "2026-01-31T10:00:00.Z", "2026-01-31T10:00:00.0000000001Z",
        "2026-01-31T10:00:00+2:00", "2026-01-31T10:00:00+24:00", "2026-01-31T10:00:00Z ", "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01", "2026-01-31 10:00:00Z",
    ])
    func refusesOtherTexts(_ text: String) {
        #expect(CELTimestamp(text) == nil)
    }

    @Test(
        arguments: [
            ("0", 0), ("1ns", 1), ("1h2m3s4ms5us6ns", 3_723_004_005_006), ("-1.5h", -5_400_000_000_000),
            (".5s", 500_000_000),
            ("1.s", 1_000_000_000), ("+2m", 120_000_000_000), ("1µs", 1000), ("0.0000000019s", 1),
            ("9223372036854775807ns", .max), ("-9223372036854775808ns", .min), ("2562047h47m16.854775807s", .max),
            ("0.3333333333333333333h", 1_200_000_000_000 - 1),
        ] as [(String, Int64)]
    )
    func readsDurations(_ text: String, _ nanoseconds: Int64) {
        #expect(CELDuration(text)?.nanoseconds == nanoseconds)
    }

    @Test(arguments: [
        "", "-", "1", "s", ".s", "1 s", "1S", "1d", "--1s", "1s-", "1e3s", "9223372036854775808ns",
        "-9223372036854775809ns",
        "99999999999999999999s", "2562047h47m16.854775808s",
    ])
    func refusesOtherDurations(_ text: String) {
        #expect(CELDuration(text) == nil)
    }

    @Test(
        arguments: [
            (0, "0s"), (1, "0.000000001s"), (-1_500_000_000, "-1.5s"), (3_600_000_000_000, "3600s"),
            (.min, "-9223372036.854775808s"),
        ] as [(Int64, String)]
    )
    func writesDurations(_ nanoseconds: Int64, _ text: String) {
        #expect(CELDuration(nanoseconds: nanoseconds).text == text)
        #expect(CELDuration(text)?.nanoseconds == nanoseconds)
    }

    /// Against Foundation's calendar, for any second of the years 1583 to 9999: before, Foundation's is the Julian one.
    @Test func agreesWithFoundationsCalendar() throws {
        var random = SeededGenerator(seed: 1582)
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = try #require(TimeZone(secondsFromGMT: 0))
        for _ in 0..<2_000 {
            let seconds = Int64.random(in: -12_212_553_600...253_402_300_799, using: &random)
            let timestamp = try #require(CELTimestamp(seconds: seconds))
            #expect(CELTimestamp(timestamp.text) == timestamp)
            let parts = calendar.dateComponents(
                [.year, .month, .day, .hour, .minute, .second, .weekday],
                from: Date(timeIntervalSince1970: TimeInterval(seconds))
            )
            let source = """
                [t.getFullYear(), t.getMonth() + 1, t.getDate(), t.getHours(), t.getMinutes(), t.getSeconds(), \
                t.getDayOfWeek() + 1]
                """
            let expected = [
                parts.year, parts.month, parts.day, parts.hour, parts.minute, parts.second, parts.weekday,
            ].map { String($0 ?? -1) }.joined(separator: ",")
            #expect(try evaluate(source, ["t": .timestamp(timestamp)]).text == "[\(expected)]")
        }
    }
}

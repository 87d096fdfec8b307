import SagaCore
import Testing

@Suite struct DurationTests {
    @Test(arguments: [
        ("0s", 0), ("200ms", 200_000), ("1s", 1_000_000), ("10m", 600_000_000), ("1h", 3_600_000_000),
        ("1d", 86_400_000_000), ("007s", 7_000_000), ("1.5s", 1_500_000), ("0.000001s", 1), ("0.0001ms", 0),
        ("36500d", 3_153_600_000_000_000),
    ])
    func read(_ text: String, _ microseconds: Int64) throws {
        #expect(try TimeSpan(parsing: text).microseconds == microseconds)
    }

    @Test(arguments: [
        ("10", "the duration `10` has no unit"), ("36500.1d", "the duration `36500.1d` is too long"),
        ("99999999999999999999s", "the duration `99999999999999999999s` is too long"),
        ("9223372036854775807d", "the duration `9223372036854775807d` is too long"),
        ("1.1234567s", "the duration `1.1234567s` is too exact"),
    ])
    func refusedWithItsReason(_ text: String, _ message: String) {
        #expect { try TimeSpan(parsing: text) } throws: { ($0 as? DurationError)?.message == message }
    }

    @Test(arguments: [
        "", "s", "abc", "-1s", "+1s", "1 s", " 1s", "1.s", ".5s", "1e3s", "1S", "10min", "1h30m", "٣s", "1s\u{0}",
    ])
    func notADuration(_ text: String) {
        #expect { try TimeSpan(parsing: text) } throws: {
            ($0 as? DurationError)?.message.hasSuffix("is not a duration") ?? false
        }
    }
}

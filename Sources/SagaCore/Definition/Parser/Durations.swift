/// Why a text is not a duration.
public struct DurationError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What is wrong, as a clause without capital and full stop.
    public let message: String
    /// What would be right.
    public let hint: String

    public var description: String { "\(message); \(hint)" }
}

extension TimeSpan {
    /// The longest duration that can be written: a hundred years of 365 days.
    public static let longestWritten = TimeSpan(microseconds: 36_500 * 86_400_000_000)

    /// Reads a duration as definitions and options have it: a number and `ms`, `s`, `m`, `h` or `d`, such as `10m`,
    /// `200ms` or `1.5s` (at most six decimals, exact to the microsecond).
    /// - Throws: ``DurationError`` for anything else, and for more than ``longestWritten``.
    public init(parsing text: String) throws(DurationError) {
        guard text.utf8.count <= DefinitionLimits.durationLength else { throw Self.notADuration(text) }
        let bytes = Array(text.utf8)
        let whole = bytes.prefix(while: isDigit)
        var rest = bytes.dropFirst(whole.count)
        var decimals: ArraySlice<UInt8> = []
        if rest.first == UInt8(ascii: ".") {
            decimals = rest.dropFirst().prefix(while: isDigit)
            rest = rest.dropFirst(decimals.count + 1)
            if decimals.isEmpty { throw Self.notADuration(text) }
        }
        guard !whole.isEmpty else { throw Self.notADuration(text) }
        guard !rest.isEmpty else {
            throw DurationError(
                message: "the duration \(quoted(text)) has no unit",
                hint: "write \(text)s for seconds, or ms, m, h or d"
            )
        }
        guard let unit = Self.units.first(where: { rest.elementsEqual($0.name.utf8) })?.microseconds else {
            throw Self.notADuration(text)
        }
        guard decimals.count <= Self.maximumDecimals else {
            throw DurationError(
                message: "the duration \(quoted(text)) is too exact",
                hint: "write at most six decimals"
            )
        }
        guard let microseconds = Self.microseconds(whole, decimals, unit: unit) else {
            throw DurationError(message: "the duration \(quoted(text)) is too long", hint: "36500d is the most")
        }
        self.init(microseconds: microseconds)
    }

    static let maximumDecimals = 6

    static let units: [(name: String, microseconds: Int64)] = [
        ("ms", 1_000), ("s", 1_000_000), ("m", 60_000_000), ("h", 3_600_000_000), ("d", 86_400_000_000),
    ]

    private static func notADuration(_ text: String) -> DurationError {
        DurationError(
            message: "\(quoted(text)) is not a duration",
            hint: "write a number and ms, s, m, h or d, such as \"30s\" or \"10m\""
        )
    }

    /// The length in microseconds; nil when it is more than ``longestWritten``.
    ///
    /// What is less than a microsecond is dropped.
    private static func microseconds(
        _ whole: ArraySlice<UInt8>,
        _ decimals: ArraySlice<UInt8>,
        unit: Int64
    ) -> Int64? {
        guard let count = Int64(String(decoding: whole, as: UTF8.self)) else { return nil }
        let (product, overflow) = count.multipliedReportingOverflow(by: unit)
        guard !overflow, product <= longestWritten.microseconds else { return nil }
        // At most 999,999 × 86,400,000,000: fits.
        let fraction = Int64(String(decoding: decimals, as: UTF8.self)) ?? 0
        let divisor = decimals.reduce(Int64(1)) { value, _ in value * 10 }
        let sum = product + fraction * unit / divisor
        return sum <= longestWritten.microseconds ? sum : nil
    }

    /// The duration as a definition would write it, in the largest unit that leaves no remainder.
    package var written: String {
        for unit in Self.units.reversed() where microseconds.isMultiple(of: unit.microseconds) && microseconds != 0 {
            return "\(microseconds / unit.microseconds)\(unit.name)"
        }
        return microseconds == 0 ? "0s" : "\(Double(microseconds) / 1_000)ms"
    }
}

private func isDigit(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
}

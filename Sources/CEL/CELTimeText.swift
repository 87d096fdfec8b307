extension CELTimestamp {
    /// Reads an RFC 3339 date and time; nil when it is none or lies outside the years 1 to 9999.
    public init?(_ text: String) {
        var reader = TimeReader(text)
        guard let year = reader.digits(4), reader.take("-"), let month = reader.digits(2), reader.take("-"),
            let day = reader.digits(2), reader.take("T") || reader.take("t"),
            let hour = reader.digits(2), reader.take(":"), let minute = reader.digits(2), reader.take(":"),
            let second = reader.digits(2),
            let civil = CivilTime(year: year, month: month, day: day, hour: hour, minute: minute, second: second)
        else { return nil }
        var nanoseconds: Int64 = 0
        if reader.take(".") {
            guard let fraction = reader.fraction() else { return nil }
            nanoseconds = fraction
        }
        guard let offset = reader.offset(), reader.isAtEnd else { return nil }
        self.init(seconds: civil.unixSeconds - offset, nanoseconds: Int32(nanoseconds))
    }

    /// RFC 3339 in UTC, with as many digits of a fraction as there are.
    public var text: String {
        let civil = CivilTime(unixSeconds: seconds)
        let date = "\(padded(civil.year, 4))-\(padded(civil.month, 2))-\(padded(civil.day, 2))"
        let time = "\(padded(civil.hour, 2)):\(padded(civil.minute, 2)):\(padded(civil.second, 2))"
        return "\(date)T\(time)\(fractionText(Int64(nanoseconds)))Z"
    }
}

extension CELDuration {
    /// Reads numbers with units (`h`, `m`, `s`, `ms`, `us`, `ns`), such as `1h30m` or `-1.5s`; nil when it is none or
    /// too long.
    ///
    /// The syntax is that of Go's `time.ParseDuration`.
    public init?(_ text: String) {
        var reader = TimeReader(text)
        let isNegative = reader.take("-")
        if !isNegative { _ = reader.take("+") }
        if reader.rest == "0" {
            self.init(nanoseconds: 0)
            return
        }
        var total: Int64 = 0
        repeat {
            // Summed below zero, so that the shortest of all durations can be read too.
            guard let part = reader.negatedDurationPart() else { return nil }
            let (sum, overflow) = total.addingReportingOverflow(part)
            guard !overflow else { return nil }
            total = sum
        } while !reader.isAtEnd
        guard isNegative || total != .min else { return nil }
        self.init(nanoseconds: isNegative ? total : -total)
    }

    /// Seconds, with as many digits of a fraction as there are: `1.5s`.
    public var text: String {
        let (seconds, rest) = nanoseconds.magnitude.quotientAndRemainder(dividingBy: 1_000_000_000)
        return "\(nanoseconds < 0 ? "-" : "")\(seconds)\(fractionText(Int64(rest)))s"
    }
}

/// Reads an offset from UTC such as `+02:00`, `-09:30` or `02:00`, in seconds.
func utcOffset(_ text: String) -> Int64? {
    var reader = TimeReader(text)
    let isNegative = reader.take("-")
    if !isNegative { _ = reader.take("+") }
    guard let hours = reader.digits(2), reader.take(":"), let minutes = reader.digits(2), reader.isAtEnd, hours < 24,
        minutes < 60
    else { return nil }
    return (isNegative ? -1 : 1) * (hours * 3600 + minutes * 60)
}

private func padded(_ number: Int64, _ width: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
}

private func fractionText(_ nanoseconds: Int64) -> String {
    guard nanoseconds > 0 else { return "" }
    var digits = padded(nanoseconds, 9)
    while digits.hasSuffix("0") { digits.removeLast() }
    return "." + digits
}

private struct TimeReader {
    private let bytes: [UInt8]
    private var position = 0

    init(_ text: String) { bytes = Array(text.utf8) }

    var isAtEnd: Bool { position == bytes.count }
    var rest: String { String(decoding: bytes[position...], as: UTF8.self) }
    private var digit: Int64? {
        guard position < bytes.count, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[position]) else {
            return nil
        }
        return Int64(bytes[position] - UInt8(ascii: "0"))
    }

    mutating func take(_ text: StaticString) -> Bool {
        let count = text.utf8CodeUnitCount
        guard bytes.count - position >= count else { return false }
        for index in 0..<count where bytes[position + index] != text.utf8Start[index] { return false }
        position += count
        return true
    }

    mutating func digits(_ count: Int) -> Int64? {
        var value: Int64 = 0
        for _ in 0..<count {
            guard let digit else { return nil }
            value = value * 10 + digit
            position += 1
        }
        return value
    }

    /// One to nine digits behind a decimal point, as nanoseconds.
    mutating func fraction() -> Int64? {
        var value: Int64 = 0
        var count = 0
        while let digit {
            guard count < 9 else { return nil }
            value = value * 10 + digit
            count += 1
            position += 1
        }
        guard count > 0 else { return nil }
        for _ in count..<9 { value *= 10 }
        return value
    }

    /// `Z` or an offset with its sign, in seconds.
    mutating func offset() -> Int64? {
        if take("Z") || take("z") { return 0 }
        guard position < bytes.count, bytes[position] == UInt8(ascii: "+") || bytes[position] == UInt8(ascii: "-"),
            let offset = utcOffset(rest)
        else { return nil }
        position = bytes.count
        return offset
    }

    /// A number and its unit, as nanoseconds below zero.
    mutating func negatedDurationPart() -> Int64? {
        var whole: Int64 = 0
        var hasDigits = false
        while let digit {
            let (scaled, overflow) = whole.multipliedReportingOverflow(by: 10)
            let (sum, carry) = scaled.subtractingReportingOverflow(digit)
            guard !overflow, !carry else { return nil }
            whole = sum
            hasDigits = true
            position += 1
        }
        var fraction: (value: UInt64, scale: UInt64) = (0, 1)
        if take(".") {
            while let digit {
                // Digits beyond what fits 64 bits are dropped: they are far below a nanosecond.
                if fraction.scale < 1_000_000_000_000_000_000 {
                    fraction = (fraction.value * 10 + UInt64(digit), fraction.scale * 10)
                }
                hasDigits = true
                position += 1
            }
        }
        guard hasDigits, let unit = unit() else { return nil }
        let (scaled, overflow) = whole.multipliedReportingOverflow(by: unit)
        // The fraction is below one, so the quotient is below the unit.
        let product = fraction.value.multipliedFullWidth(by: UInt64(unit))
        let part = Int64(fraction.scale.dividingFullWidth(product).quotient)
        let (sum, carry) = scaled.subtractingReportingOverflow(part)
        return overflow || carry ? nil : sum
    }

    private mutating func unit() -> Int64? {
        if take("h") { return 3_600_000_000_000 }
        if take("ms") { return 1_000_000 }
        if take("m") { return 60_000_000_000 }
        if take("s") { return 1_000_000_000 }
        if take("us") || take("µs") || take("μs") { return 1000 }
        if take("ns") { return 1 }
        return nil
    }
}

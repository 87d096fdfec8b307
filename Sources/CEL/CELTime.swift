/// A moment between the years 1 and 9999, to the nanosecond, in UTC.
public struct CELTimestamp: Sendable, Hashable, Comparable {
    /// Seconds since 1970-01-01T00:00:00Z.
    public let seconds: Int64
    /// Nanoseconds after that second: 0 to 999,999,999.
    public let nanoseconds: Int32

    private static let secondsAllowed: ClosedRange<Int64> = -62_135_596_800...253_402_300_799

    /// Nil outside the years 1 to 9999.
    public init?(seconds: Int64, nanoseconds: Int32 = 0) {
        guard CELTimestamp.secondsAllowed.contains(seconds), (0...999_999_999).contains(nanoseconds) else { return nil }
        self.seconds = seconds
        self.nanoseconds = nanoseconds
    }

    public static func < (left: CELTimestamp, right: CELTimestamp) -> Bool {
        (left.seconds, left.nanoseconds) < (right.seconds, right.nanoseconds)
    }

    /// Nil when the sum lies outside the years 1 to 9999.
    func adding(_ duration: CELDuration) -> CELTimestamp? {
        let (seconds, rest) = duration.nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
        var nanoseconds = Int64(self.nanoseconds) + rest
        var carry: Int64 = 0
        if nanoseconds < 0 { (nanoseconds, carry) = (nanoseconds + 1_000_000_000, -1) }
        if nanoseconds >= 1_000_000_000 { (nanoseconds, carry) = (nanoseconds - 1_000_000_000, 1) }
        return CELTimestamp(seconds: self.seconds + seconds + carry, nanoseconds: Int32(nanoseconds))
    }

    /// Nil when the difference is longer than a duration can be.
    func since(_ other: CELTimestamp) -> CELDuration? {
        let (scaled, overflow) = (seconds - other.seconds).multipliedReportingOverflow(by: 1_000_000_000)
        guard !overflow else { return nil }
        let (sum, carry) = scaled.addingReportingOverflow(Int64(nanoseconds) - Int64(other.nanoseconds))
        return carry ? nil : CELDuration(nanoseconds: sum)
    }
}

/// A length of time in nanoseconds: about 292 years either way.
public struct CELDuration: Sendable, Hashable, Comparable {
    public let nanoseconds: Int64

    public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    public static func < (left: CELDuration, right: CELDuration) -> Bool { left.nanoseconds < right.nanoseconds }
}

// MARK: - Calendar

/// A date and time of day in the proleptic Gregorian calendar.
struct CivilTime {
    var year: Int64
    /// From 1.
    var month: Int64
    /// From 1.
    var day: Int64
    var hour: Int64 = 0
    var minute: Int64 = 0
    var second: Int64 = 0

    /// Splits seconds since 1970.
    ///
    /// Howard Hinnant's `civil_from_days` (days counted in eras of 400 years from March).
    init(unixSeconds: Int64) {
        let days = unixSeconds.dividedFloor(by: 86_400)
        let rest = unixSeconds - days * 86_400
        let shifted = days + 719_468
        let era = shifted.dividedFloor(by: 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        hour = rest / 3600
        minute = rest / 60 % 60
        second = rest % 60
    }

    /// Nil when there is no such date or time of day.
    ///
    /// A second of 60 is refused: UTC as used here has no leap seconds.
    init?(year: Int64, month: Int64, day: Int64, hour: Int64, minute: Int64, second: Int64) {
        guard (1...12).contains(month), (1...CivilTime.days(in: month, of: year)).contains(day),
            (0...23).contains(hour),
            (0...59).contains(minute), (0...59).contains(second)
        else { return nil }
        (self.year, self.month, self.day) = (year, month, day)
        (self.hour, self.minute, self.second) = (hour, minute, second)
    }

    /// Seconds since 1970.
    ///
    /// Hinnant's `days_from_civil`.
    var unixSeconds: Int64 { daysSince1970 * 86_400 + hour * 3600 + minute * 60 + second }

    private var daysSince1970: Int64 {
        let shiftedYear = month <= 2 ? year - 1 : year
        let era = shiftedYear.dividedFloor(by: 400)
        let yearOfEra = shiftedYear - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }

    /// From 0 for January 1.
    var dayOfYear: Int64 {
        (1..<month).reduce(0) { $0 + CivilTime.days(in: $1, of: year) } + day - 1
    }

    /// From 0 for Sunday.
    var dayOfWeek: Int64 {
        let days = daysSince1970 + 4
        return days - days.dividedFloor(by: 7) * 7
    }

    private static func days(in month: Int64, of year: Int64) -> Int64 {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }
}

extension Int64 {
    fileprivate func dividedFloor(by divisor: Int64) -> Int64 {
        let (quotient, rest) = quotientAndRemainder(dividingBy: divisor)
        return rest < 0 ? quotient - 1 : quotient
    }
}

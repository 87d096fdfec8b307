/// The dates of HTTP headers (RFC 9110, 5.6.7).
enum HTTPDate {
    /// Seconds since 1970-01-01T00:00:00Z; nil for anything but the three forms that the RFC names.
    ///
    /// The two digits of RFC 850's years mean 1970 to 2069.
    static func seconds(_ text: some StringProtocol) -> Int64? {
        let fields = text.split(whereSeparator: { $0 == " " || $0 == "\t" })
        switch fields.count {
        case 6:  // Sun, 06 Nov 1994 08:49:37 GMT
            guard fields[0].last == ",", isUniversal(fields[5]) else { return nil }
            return seconds(day: fields[1], month: fields[2], year: number(fields[3], digits: 4...4), time: fields[4])
        case 5:  // Sun Nov  6 08:49:37 1994
            return seconds(day: fields[2], month: fields[1], year: number(fields[4], digits: 4...4), time: fields[3])
        case 4:  // Sunday, 06-Nov-94 08:49:37 GMT
            let date = fields[1].split(separator: "-", omittingEmptySubsequences: false)
            guard fields[0].last == ",", isUniversal(fields[3]), date.count == 3 else { return nil }
            let year = number(date[2], digits: 2...2).map { $0 < 70 ? 2000 + $0 : 1900 + $0 }
            return seconds(day: date[0], month: date[1], year: year, time: fields[2])
        default:
            return nil
        }
    }

    private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

    private static func isUniversal(_ zone: some StringProtocol) -> Bool {
        zone == "GMT" || zone == "UTC"
    }

    private static func number(_ text: some StringProtocol, digits: ClosedRange<Int>) -> Int64? {
        guard digits.contains(text.utf8.count),
            text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
        else { return nil }
        return Int64(text)
    }

    private static func seconds<Text: StringProtocol>(day: Text, month: Text, year: Int64?, time: Text) -> Int64? {
        let clock = time.split(separator: ":", omittingEmptySubsequences: false)
        guard let year, let monthIndex = months.firstIndex(of: String(month)), clock.count == 3,
            let day = number(day, digits: 1...2), let hour = number(clock[0], digits: 2...2),
            let minute = number(clock[1], digits: 2...2), let second = number(clock[2], digits: 2...2),
            (1...daysIn(month: monthIndex, year: year)).contains(day), hour < 24, minute < 60, second <= 60
        else { return nil }
        return daysSinceEpoch(year: year, month: Int64(monthIndex) + 1, day: day) * 86_400
            + hour * 3_600 + minute * 60 + second
    }

    private static func daysIn(month: Int, year: Int64) -> Int64 {
        switch month {
        case 1: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 3, 5, 8, 10: 30
        default: 31
        }
    }

    /// Days in the proleptic Gregorian calendar, counted in eras of 400 years that begin on the first of March.
    private static func daysSinceEpoch(year: Int64, month: Int64, day: Int64) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let era = (shifted >= 0 ? shifted : shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * ((month + 9) % 12) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }
}

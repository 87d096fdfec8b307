/// An instant as PostgreSQL's `timestamptz` holds it: whole microseconds.
public struct PostgresTimestamp: Hashable, Sendable, Comparable {
    /// Microseconds since 1970-01-01T00:00:00Z; `Int64.max` is `infinity` and `Int64.min` is `-infinity`.
    public var microsecondsSince1970: Int64

    /// Makes an instant of its distance from 1970, in microseconds.
    public init(microsecondsSince1970: Int64) {
        self.microsecondsSince1970 = microsecondsSince1970
    }

    /// The instant later than every other.
    public static let infinity = PostgresTimestamp(microsecondsSince1970: .max)

    /// The instant earlier than every other.
    public static let negativeInfinity = PostgresTimestamp(microsecondsSince1970: .min)

    /// Orders by time.
    public static func < (left: Self, right: Self) -> Bool {
        left.microsecondsSince1970 < right.microsecondsSince1970
    }

    /// The distance from 1970-01-01, Unix's epoch, to 2000-01-01, the wire format's.
    private static let microsecondsFrom1970To2000: Int64 = 946_684_800_000_000

    /// The value on the wire.
    ///
    /// An instant below the wire format's range becomes its lowest finite value, which the server refuses as out of
    /// range, rather than an instant that was not meant.
    var microsecondsSince2000: Int64 {
        if self == .infinity || self == .negativeInfinity { return microsecondsSince1970 }
        let (value, overflow) = microsecondsSince1970.subtractingReportingOverflow(Self.microsecondsFrom1970To2000)
        return overflow || value == .min ? .min + 1 : value
    }

    /// Reads the value on the wire; nil for the last 30 years of the server's range (around 294,000 AD), which lie
    /// beyond 64 bits from 1970.
    init?(microsecondsSince2000 wire: Int64) {
        if wire == .max || wire == .min {
            self.init(microsecondsSince1970: wire)
            return
        }
        let (value, overflow) = wire.addingReportingOverflow(Self.microsecondsFrom1970To2000)
        if overflow || value == .max { return nil }
        self.init(microsecondsSince1970: value)
    }
}

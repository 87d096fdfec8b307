/// A point on the database's clock, in microseconds since 1970-01-01T00:00:00Z.
///
/// Arithmetic saturates, so that no delay and no stored time can trap.
public struct Instant: Hashable, Sendable, Comparable {
    public let microseconds: Int64

    public init(microseconds: Int64) {
        self.microseconds = microseconds
    }

    /// The latest instant there is: later than every due time.
    public static let distantFuture = Instant(microseconds: .max)

    public static func < (left: Instant, right: Instant) -> Bool {
        left.microseconds < right.microseconds
    }

    public static func + (instant: Instant, span: TimeSpan) -> Instant {
        let (sum, overflow) = instant.microseconds.addingReportingOverflow(span.microseconds)
        return overflow
            ? (span.microseconds < 0 ? Instant(microseconds: .min) : .distantFuture) : Instant(microseconds: sum)
    }

    public static func - (left: Instant, right: Instant) -> TimeSpan {
        let (difference, overflow) = left.microseconds.subtractingReportingOverflow(right.microseconds)
        return TimeSpan(microseconds: overflow ? (left.microseconds < 0 ? .min : .max) : difference)
    }
}

/// A length of time in microseconds: what a definition's durations become.
public struct TimeSpan: Hashable, Sendable, Comparable {
    public let microseconds: Int64

    public init(microseconds: Int64) {
        self.microseconds = microseconds
    }

    public static let zero = TimeSpan(microseconds: 0)

    public static func milliseconds(_ count: Int64) -> TimeSpan { scaled(count, 1_000) }

    public static func seconds(_ count: Int64) -> TimeSpan { scaled(count, 1_000_000) }

    public static func minutes(_ count: Int64) -> TimeSpan { scaled(count, 60_000_000) }

    /// The same length as the standard library's type.
    public var duration: Duration {
        .seconds(microseconds / 1_000_000) + .microseconds(microseconds % 1_000_000)
    }

    /// `seconds` as a floating-point number, for display.
    public var seconds: Double { Double(microseconds) / 1e6 }

    public static func < (left: TimeSpan, right: TimeSpan) -> Bool {
        left.microseconds < right.microseconds
    }

    /// The span times `count`, saturating.
    public static func scaled(_ count: Int64, _ unit: Int64) -> TimeSpan {
        let (product, overflow) = count.multipliedReportingOverflow(by: unit)
        return TimeSpan(microseconds: overflow ? (count < 0) != (unit < 0) ? .min : .max : product)
    }
}

import PostgresClient
import SagaCore

/// The whole days, UTC, in which some sagas were started, as ids.
///
/// A statement that changes many sagas states it beside their ids, so that the planner leaves out the partitions of
/// other days. Whole days and not the ids themselves: statistics that are a little old would take a narrow range for an
/// empty one and turn the statement inside out.
struct DayRange {
    private static let day: UInt64 = 86_400_000

    /// The lowest id of the first day.
    let first: PostgresUUID
    /// The highest id of the last day.
    let last: PostgresUUID

    /// nil without sagas.
    init?(_ ids: [SagaID]) {
        guard let lowest = ids.min(), let highest = ids.max() else { return nil }
        // RFC 9562, section 5.7: the first 48 bits are milliseconds.
        let milliseconds = lowest.high >> 16
        first = PostgresUUID(high: (milliseconds - milliseconds % Self.day) << 16, low: 0)
        let end = (highest.high >> 16) / Self.day * Self.day + Self.day
        last = PostgresUUID(high: end >= 1 << 48 ? .max : (end << 16) - 1, low: .max)
    }
}

extension PostgresError {
    /// Somebody else has appended at that place. Each partition of `saga.event` has a primary key of its own name.
    var isTakenSequence: Bool {
        guard sqlState == "23505", let constraint else { return false }
        return constraint.hasPrefix("event_") && constraint.hasSuffix("_pkey")
    }
}

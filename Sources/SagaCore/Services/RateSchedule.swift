/// When the next call of a rate-limited service may be made: the generic cell rate algorithm (ITU-T I.371, annex A),
/// a token bucket as one point in time.
///
/// Slots stand one interval, `per / calls`, apart; after a rest the first `RateLimit.burst` of them stand together.
/// By that any window of length `per` (its end not in it) holds at most `calls + burst − 1` slots. A call leaves
/// somewhat after its slot, since the decision on it is committed first, so slots may draw together on the way. The
/// promise is for calls as they arrive: at most `calls + max(1, calls / 10)`. So the burst is half of that room, and
/// the other half is left for the way: a call may leave up to `RateLimit.lateness` after its slot.
public struct RateSchedule: Sendable, Hashable {
    /// The theoretical arrival time: when the bucket is full again.
    ///
    /// Nil for one that was never used.
    var fullAt: Instant?

    public init() {}

    /// Grants reach no further ahead: an instant later would lie beyond the time in which a grant is good.
    static let horizon = TimeSpan.milliseconds(200)

    /// More slots than this one exchange doesn't give.
    static let mostSlots = 4_096

    /// Takes up to `wanted` of the next slots, none before `now`.
    ///
    /// - Returns: the slots, rising; and if there are fewer than wanted within reach, when the next one comes into reach.
    mutating func take(_ wanted: Int, limit: RateLimit, now: Instant) -> (slots: [Instant], next: Instant?) {
        guard wanted > 0 else { return ([], nil) }
        let tolerance = limit.span(limit.burst - 1)
        // The furthest that slots up to now can have led to: more is left from other settings or another clock.
        let furthest = now + Self.horizon + tolerance + limit.span(1) + .milliseconds(1)
        if let fullAt, fullAt > furthest { self.fullAt = furthest }
        let start = max(now, fullAt ?? now)
        let reach = now + Self.horizon
        var slots: [Instant] = []
        while slots.count < min(wanted, Self.mostSlots) {
            let slot = max(now, start + limit.span(slots.count) + tolerance.negated)
            guard slot <= reach else { return (taken(slots, start, limit), slot + Self.horizon.negated) }
            slots.append(slot)
        }
        let isEnough = slots.count == wanted
        return (taken(slots, start, limit), isEnough ? nil : now)
    }

    private mutating func taken(_ slots: [Instant], _ start: Instant, _ limit: RateLimit) -> [Instant] {
        if !slots.isEmpty { fullAt = start + limit.span(slots.count) }
        return slots
    }
}

extension RateLimit {
    /// How many calls may go out together after a rest: half of what is allowed above `calls`.
    public var burst: Int { max(1, calls / 20) }

    /// How long after its slot a call may leave: with more the limit might not hold where it arrives.
    public var lateness: TimeSpan {
        span(max(1, calls / 10) - burst + 1)
    }

    /// The length of so many intervals, rounded up to the microsecond.
    ///
    /// Clamped, and total for any limit.
    func span(_ count: Int) -> TimeSpan {
        guard count > 0, per > .zero else { return .zero }
        let divisor = UInt64(max(1, calls))
        let product = UInt64(count).multipliedFullWidth(by: UInt64(per.microseconds))
        guard product.high < divisor else { return TimeSpan(microseconds: .max) }
        let (quotient, remainder) = divisor.dividingFullWidth(product)
        let rounded = quotient.addingReportingOverflow(remainder > 0 ? 1 : 0)
        return TimeSpan(microseconds: rounded.overflow ? .max : Int64(clamping: rounded.partialValue))
    }
}

extension TimeSpan {
    /// The same length back in time, clamped.
    var negated: TimeSpan { TimeSpan(microseconds: microseconds == .min ? .max : -microseconds) }
}

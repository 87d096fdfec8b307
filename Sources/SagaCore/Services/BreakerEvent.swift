import JSON

/// The states of a circuit breaker, by resilience4j's names.
///
/// Exits: CLOSED → OPEN by its results; OPEN → HALF_OPEN by the first exchange after its wait that wants a call;
/// HALF_OPEN → CLOSED or OPEN by its probes' results, or → OPEN when its longest wait is over. A person moves it from
/// each into FORCED_OPEN, DISABLED and CLOSED, and out of the first two nothing else does.
public enum BreakerState: String, Sendable, CaseIterable {
    /// Calls go out, their results are counted.
    case closed = "CLOSED"
    /// No call goes out before `nextProbe`.
    case open = "OPEN"
    /// Only the permitted number of probes goes out.
    case halfOpen = "HALF_OPEN"
    /// No call goes out until a person acts.
    case forcedOpen = "FORCED_OPEN"
    /// Calls go out, nothing is counted, until a person acts.
    case disabled = "DISABLED"
}

/// What a person may do to a circuit breaker.
public enum BreakerCommand: String, Sendable, CaseIterable {
    case forceOpen = "force-open"
    case close
    /// To CLOSED with fresh counts whatever it was, and calls a participant's wish for quiet off.
    case reset
    case disable
}

/// The kinds of a breaker's events as the database stores them and users see them.
public enum BreakerEventType: Int16, Sendable, CaseIterable {
    case breakerOpened = 1
    case breakerHalfOpened
    case breakerClosed
    case breakerForcedOpen
    case breakerDisabled
    case breakerReset

    /// The name that users see, such as `BreakerOpened`.
    public var name: String {
        let text = String(describing: self)
        return text.prefix(1).uppercased() + text.dropFirst()
    }
}

/// A change of a circuit breaker, to be written with the state that it led to.
public struct BreakerEvent: Sendable, Hashable {
    public let type: BreakerEventType
    public let at: Instant
    /// An object of `from`, `to` (states), `failureRate`, `slowCallRate` (per cent, two digits at most), `calls`,
    /// `failures`, `slowCalls`, `nextProbe`, `actor` and `reason` as they apply; those that don't are left out.
    public let data: RawJSON

    public init(type: BreakerEventType, at: Instant, data: RawJSON) {
        self.type = type
        self.at = at
        self.data = data
    }
}

import JSON

/// A service's circuit breaker, shared by all daemons: resilience4j's `CircuitBreakerStateMachine` as a value.
///
/// Rates are compared with ≥, a slow call took longer than the threshold, and rates are known only from
/// `minimumNumberOfCalls` on, or from as many calls as the window holds if these are fewer. `BreakerState` tells the
/// exits of each state.
public struct CircuitBreaker: Sendable, Hashable {
    public internal(set) var state: BreakerState = .closed
    /// When it came into this state.
    public internal(set) var since: Instant
    /// Raised by every change of state and by a reset: results of calls begun in another one are ignored.
    public internal(set) var generation = 1
    /// While OPEN: when its wait is over.
    ///
    /// Somebody must then want a call for it to become HALF_OPEN.
    public internal(set) var nextProbe: Instant?
    /// How often it has opened since it was CLOSED: what its wait grows with.
    var openings = 0
    var window = CallWindow()
    /// Permits of HALF_OPEN that are out.
    var probes: [ProbeLease] = []

    /// Probes that a daemon has, until they have an end for certain: then those of a dead daemon come back.
    struct ProbeLease: Sendable, Hashable {
        var daemon: Int32
        var count: Int
        var until: Instant
    }

    /// CLOSED, with nothing counted.
    public init(at: Instant) {
        since = at
    }

    /// How many calls the window holds, how many of them failed, how many were slow.
    public var counts: (calls: Int, failures: Int, slowCalls: Int) {
        let counts = window.counts
        return (counts.calls, counts.failures, counts.slowCalls)
    }

    /// Probes of HALF_OPEN that are out.
    public var probesOut: Int { probes.reduce(0) { $0.addingClamped($1.count) } }
}

// MARK: - Results

extension CircuitBreaker {
    /// Counts a call that a daemon reports, and decides.
    mutating func record(_ result: CallResult, of daemon: Int32, settings: CircuitBreakerSettings, now: Instant)
        -> BreakerEvent?
    {
        guard result.generation == generation else { return nil }
        let at = min(result.at, now)
        switch state {
        case .closed:
            guard let outcome = result.outcome(settings) else { return nil }
            let counts = window.record(outcome, at: at, size: settings.windowSize, now: now)
            let size = settings.slidingWindowType == .countBased ? max(1, settings.slidingWindowSize) : .max
            guard counts.calls >= min(settings.minimumNumberOfCalls, size), settings.isExceeded(by: counts) else {
                return nil
            }
            return open(counts, settings: settings, now: now)
        case .halfOpen:
            guard result.isProbe else { return nil }
            giveBack(1, of: daemon)
            guard let outcome = result.outcome(settings) else { return nil }
            let permitted = max(1, settings.permittedNumberOfCallsInHalfOpenState)
            let counts = window.record(outcome, at: at, size: .calls(permitted), now: now)
            return decide(counts, settings: settings, now: now)
        case .open, .forcedOpen, .disabled:
            return nil
        }
    }

    /// Leaves HALF_OPEN once enough results are in.
    private mutating func decide(_ counts: CallWindow.Counts, settings: CircuitBreakerSettings, now: Instant)
        -> BreakerEvent?
    {
        let permitted = max(1, settings.permittedNumberOfCallsInHalfOpenState)
        guard counts.calls > 0, counts.calls >= min(settings.minimumNumberOfCalls, permitted) else { return nil }
        if settings.isExceeded(by: counts) { return open(counts, settings: settings, now: now) }
        return move(to: .closed, .breakerClosed, counts: counts, now: now)
    }

    /// Gives back permits of probes that weren't needed, or whose result says nothing.
    ///
    /// Of a daemon's leases the one that ends first goes first: what stays lasts at least as long as its calls.
    mutating func giveBack(_ count: Int, of daemon: Int32) {
        var left = count
        for index in probes.indices where left > 0 && probes[index].daemon == daemon {
            let given = min(left, probes[index].count)
            probes[index].count -= given
            left -= given
        }
        probes.removeAll { $0.count <= 0 }
    }

    // MARK: - Time

    /// Takes back what is over: leases of probes, and a HALF_OPEN that has waited for its probes for too long.
    mutating func advance(settings: CircuitBreakerSettings, now: Instant) -> BreakerEvent? {
        probes.removeAll { $0.until <= now }
        guard state == .halfOpen else { return nil }
        // Under settings that ask for fewer results than before, those that are in may be enough.
        if let event = decide(window.counts, settings: settings, now: now) { return event }
        let longest = settings.maxWaitDurationInHalfOpenState
        guard longest > .zero, since + longest <= now else { return nil }
        return open(window.counts, settings: settings, now: now, reason: "maxWaitDurationInHalfOpenState is over")
    }

    /// How many probes could go out now: of HALF_OPEN what is left of its permits, of OPEN all once its wait is over.
    func probesLeft(settings: CircuitBreakerSettings, now: Instant) -> Int {
        let permitted = max(1, settings.permittedNumberOfCallsInHalfOpenState)
        switch state {
        case .open: return nextProbe.map { $0 <= now } ?? true ? permitted : 0
        case .halfOpen: return max(0, permitted - window.counts.calls.addingClamped(probesOut))
        case .closed, .forcedOpen, .disabled: return 0
        }
    }

    /// Sends probes out, at most as many as are left.
    ///
    /// They come back at `until` if nobody hears of them.
    mutating func sendProbes(_ count: Int, of daemon: Int32, until: Instant, now: Instant) -> BreakerEvent? {
        guard count > 0 else { return nil }
        let event = state == .open ? move(to: .halfOpen, .breakerHalfOpened, now: now) : nil
        if let index = probes.firstIndex(where: { $0.daemon == daemon && $0.until == until }) {
            probes[index].count = probes[index].count.addingClamped(count)
        } else {
            let index = probes.firstIndex { $0.until > until } ?? probes.count
            probes.insert(ProbeLease(daemon: daemon, count: count, until: until), at: index)
        }
        return event
    }

    // MARK: - Changes of state

    /// A definition that switches the breaker off ends what the breaker did by itself; what a person did stays.
    mutating func switchOff(now: Instant) -> BreakerEvent? {
        window = CallWindow()
        guard state == .open || state == .halfOpen else { return nil }
        return move(to: .closed, .breakerClosed, now: now, reason: "circuitBreaker is false")
    }

    /// - Returns: nil when the breaker is so already.
    mutating func operate(_ command: BreakerCommand, by act: Event.Act, now: Instant) -> BreakerEvent? {
        let (target, type): (BreakerState, BreakerEventType) =
            switch command {
            case .forceOpen: (.forcedOpen, .breakerForcedOpen)
            case .close: (.closed, .breakerClosed)
            case .reset: (.closed, .breakerReset)
            case .disable: (.disabled, .breakerDisabled)
            }
        guard command == .reset || state != target else { return nil }
        return move(to: target, type, now: now, actor: act.actor, reason: act.reason)
    }

    private mutating func open(
        _ counts: CallWindow.Counts, settings: CircuitBreakerSettings, now: Instant, reason: String? = nil
    ) -> BreakerEvent {
        openings = min(openings, Int(Int32.max)) + 1
        let next = now + settings.openWait(opening: openings)
        return move(to: .open, .breakerOpened, counts: counts, nextProbe: next, now: now, reason: reason)
    }

    private mutating func move(
        to target: BreakerState, _ type: BreakerEventType, counts: CallWindow.Counts? = nil,
        nextProbe: Instant? = nil, now: Instant, actor: String? = nil, reason: String? = nil
    ) -> BreakerEvent {
        var writer = JSONWriter(reservingCapacity: 128)
        writer.beginObject()
        writer.field("from", state.rawValue)
        writer.field("to", target.rawValue)
        if let counts {
            if counts.calls > 0 {
                writer.field("failureRate", twoDigits(counts.failureRate))
                writer.field("slowCallRate", twoDigits(counts.slowCallRate))
            }
            writer.field("calls", counts.calls)
            writer.field("failures", counts.failures)
            writer.field("slowCalls", counts.slowCalls)
        }
        if let nextProbe { writer.field("nextProbe", nextProbe.text) }
        if let actor { writer.field("actor", actor) }
        if let reason { writer.field("reason", reason) }
        writer.endObject()
        state = target
        since = now
        generation = generation.addingClamped(1)
        self.nextProbe = nextProbe
        window = CallWindow()
        probes = []
        if target != .open, target != .halfOpen { openings = 0 }
        return BreakerEvent(type: type, at: now, data: writer.finished())
    }

    private func twoDigits(_ rate: Double) -> Double { (rate * 100).rounded() / 100 }
}

extension CallResult {
    /// nil for a neutral one.
    fileprivate func outcome(_ settings: CircuitBreakerSettings) -> CallWindow.Outcome? {
        guard verdict != .neutral else { return nil }
        var outcome: CallWindow.Outcome = verdict == .failure ? .failure : []
        if duration > settings.slowCallDurationThreshold { outcome.insert(.slow) }
        return outcome
    }
}

extension CircuitBreakerSettings {
    fileprivate var windowSize: CallWindow.Size {
        slidingWindowType == .countBased ? .calls(slidingWindowSize) : .seconds(slidingWindowSize)
    }

    fileprivate func isExceeded(by counts: CallWindow.Counts) -> Bool {
        counts.calls > 0
            && (counts.failureRate >= failureRateThreshold || counts.slowCallRate >= slowCallRateThreshold)
    }

    /// How long the breaker stays open, the `opening`th time (from 1) since it was closed: resilience4j's
    /// `IntervalFunction.ofExponentialBackoff`.
    func openWait(opening: Int) -> TimeSpan {
        guard enableExponentialBackoff else { return waitDurationInOpenState }
        return RetryPolicy(
            initialInterval: waitDurationInOpenState, backoffCoefficient: exponentialBackoffMultiplier,
            maximumInterval: exponentialMaxWaitDurationInOpenState ?? .longestWritten
        ).delay(afterFailures: opening)
    }
}

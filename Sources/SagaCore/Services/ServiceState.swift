/// What all daemons share of one service: a document in one row, changed by compare-and-set.
///
/// A daemon reads it, does its `exchange`, and writes it back if nobody else did meanwhile; otherwise it does the
/// same report anew on the newer state. All times are the database's.
public struct ServiceState: Sendable, Hashable {
    public internal(set) var breaker: CircuitBreaker
    public internal(set) var schedule = RateSchedule()
    public internal(set) var bulkhead = Bulkhead()
    /// A participant asked for quiet (`Retry-After`): no call before.
    public internal(set) var heldOffUntil: Instant?
    /// The daemon whose exchange it is; nil for a person's change.
    ///
    /// Two daemons may else come to the same state from one, and each would take the other's write for its own.
    var changedBy: Int32?

    /// How long calls may begin on a grant.
    public static let grantLifetime = TimeSpan.milliseconds(500)

    /// `Retry-After` counts up to so long.
    static let longestHoldOff = TimeSpan.seconds(86_400)

    /// CLOSED, with nothing counted and nothing held.
    public init(at: Instant) {
        breaker = CircuitBreaker(at: at)
    }

    /// Takes in what a daemon reports and gives it what it may do next.
    ///
    /// Total and deterministic.
    public mutating func exchange(_ report: ServiceReport, settings: ServiceSettings, now: Instant) -> ServiceGrant {
        let before = self
        holdOff(until: report.heldOffUntil, now: now)
        var events = count(report, settings: settings.circuitBreaker, now: now)
        let gate = gate(settings: settings.circuitBreaker, now: now)
        let validUntil = now + Self.grantLifetime
        let wanted = gate.admitted(of: max(0, report.wanted))
        let permits = takePermits(report, wanted, limit: settings.maxConcurrent, validUntil: validUntil, now: now)
        let free = permits.map { max(0, $0 - max(0, report.inUse)) } ?? .max
        let begun = min(wanted ?? 0, free)
        let slots = takeSlots(begun, late: wanted == nil ? 0 : report.late, limit: settings.rateLimit, now: now)
        var grant = ServiceGrant(breaker: breaker.state, generation: breaker.generation, validUntil: validUntil)
        grant.permits = permits
        grant.slots = slots.taken
        grant.nextSlot = slots.next
        if case .probes = gate {
            grant.probes = slots.count
            grant.permits = permits.map { min($0, max(0, report.inUse).addingClamped(slots.count)) }
            let until = validUntil + max(.zero, report.longestTimeout)
            events += breaker.sendProbes(slots.count, of: report.daemon, until: until, now: now).map { [$0] } ?? []
        }
        grant.breaker = breaker.state
        grant.generation = breaker.generation
        grant.nextProbe = breaker.nextProbe
        grant.heldOffUntil = heldOffUntil
        grant.events = events
        grant.changed = self != before
        if grant.changed { changedBy = report.daemon }
        return grant
    }

    /// Does what a person asks for.
    ///
    /// - Returns: nil when it is so already. A reset always counts.
    public mutating func operate(
        _ command: BreakerCommand, by act: Event.Act, settings: ServiceSettings, now: Instant
    ) -> BreakerEvent? {
        if command == .reset { heldOffUntil = nil }
        let event = breaker.operate(command, by: act, now: now)
        if event != nil { changedBy = nil }
        return event
    }
}

extension ServiceState {
    /// What may go out for all that the breaker and the participant say.
    private enum Gate {
        case free
        case probes(Int)
        case shut

        /// How many of so many calls may begin; nil for none whatever there is.
        func admitted(of wanted: Int) -> Int? {
            switch self {
            case .free: wanted
            case .probes(let left): min(left, wanted)
            case .shut: nil
            }
        }
    }

    private func gate(settings: CircuitBreakerSettings?, now: Instant) -> Gate {
        if let heldOffUntil, heldOffUntil > now { return .shut }
        switch breaker.state {
        case .closed, .disabled: return .free
        case .forcedOpen: return .shut
        case .open, .halfOpen:
            let left = settings.map { breaker.probesLeft(settings: $0, now: now) } ?? 0
            return left > 0 ? .probes(left) : .shut
        }
    }

    private mutating func holdOff(until asked: Instant?, now: Instant) {
        let asked = asked.map { min($0, now + Self.longestHoldOff) } ?? now
        let until = max(asked, heldOffUntil ?? now)
        heldOffUntil = until > now ? until : nil
    }

    private mutating func count(_ report: ServiceReport, settings: CircuitBreakerSettings?, now: Instant)
        -> [BreakerEvent]
    {
        guard let settings else { return breaker.switchOff(now: now).map { [$0] } ?? [] }
        var events: [BreakerEvent] = []
        for result in report.results {
            if let event = breaker.record(result, of: report.daemon, settings: settings, now: now) {
                events.append(event)
            }
        }
        breaker.giveBack(report.unusedProbes, of: report.daemon)
        if let event = breaker.advance(settings: settings, now: now) { events.append(event) }
        return events
    }

    private mutating func takePermits(
        _ report: ServiceReport, _ wanted: Int?, limit: Int?, validUntil: Instant, now: Instant
    ) -> Int? {
        guard let limit else {
            bulkhead = Bulkhead()
            return nil
        }
        return bulkhead.exchange(report, wanted: wanted, limit: limit, validUntil: validUntil, now: now)
    }

    /// Slots for so many calls, after those for calls that have begun; without a limit the calls have none and `count` is
    /// all of them.
    ///
    /// - Returns: `count` is how many calls may begin.
    private mutating func takeSlots(_ wanted: Int, late: Int, limit: RateLimit?, now: Instant)
        -> (taken: [Instant], next: Instant?, count: Int)
    {
        guard let limit else {
            schedule = RateSchedule()
            return ([], nil, wanted)
        }
        let late = max(0, late)
        let (slots, next) = schedule.take(wanted.addingClamped(late), limit: limit, now: now)
        return (slots, next, max(0, slots.count - late))
    }
}

/// What one call says of the participant's health.
public enum CallVerdict: String, Sendable, CaseIterable {
    case success
    case failure
    /// Nothing: it counts for neither side, and as a probe gives its permit back.
    case neutral
}

/// A call that ended, as the breaker counts it.
public struct CallResult: Sendable, Hashable {
    /// That of the grant on which the call was begun; results of another one are ignored.
    public var generation: Int
    /// Whether it was begun on one of the grant's `probes`.
    public var isProbe: Bool
    public var verdict: CallVerdict
    public var duration: TimeSpan
    /// When it ended.
    public var at: Instant

    public init(generation: Int, isProbe: Bool, verdict: CallVerdict, duration: TimeSpan, at: Instant) {
        self.generation = generation
        self.isProbe = isProbe
        self.verdict = verdict
        self.duration = duration
        self.at = at
    }
}

/// What a daemon tells the state of a service that all daemons share.
///
/// From the moment at which it's made, the permits of the daemon's last grant are void: whether or not the report was
/// written, until the answer is there the daemon has no more than `inUse`. Only so can a report that was written and
/// whose answer was lost do no harm. Slots and probes that it has and doesn't give back stay good; the permits of
/// those that are still to be used are in `inUse`.
public struct ServiceReport: Sendable, Hashable {
    /// Who reports.
    ///
    /// A daemon that starts anew is another one.
    public var daemon: Int32
    /// In the order in which the calls ended, since the last exchange.
    public var results: [CallResult]
    /// The latest time for which a participant asked by `Retry-After`.
    public var heldOffUntil: Instant?
    /// Permits in use: calls decided on or in flight, probes among them.
    public var inUse: Int
    /// The latest start plus timeout of those.
    public var inUseUntil: Instant?
    /// How many more operations wait for a turn, in memory or parked, those with a slot not counted.
    ///
    /// Who waits for permits reports at least once a second: one that is silent loses its place.
    public var wanted: Int
    /// Of `inUse` those that wait for another slot, since their own went by: they need no further permit.
    public var late: Int
    /// The longest timeout of what waits: bounds how long a permit granted now may be in use.
    ///
    /// No call with a longer one may begin on the grant.
    public var longestTimeout: TimeSpan
    /// Probes granted before and not needed: given back.
    public var unusedProbes: Int

    public init(
        daemon: Int32, results: [CallResult] = [], heldOffUntil: Instant? = nil, inUse: Int = 0,
        inUseUntil: Instant? = nil, wanted: Int = 0, late: Int = 0, longestTimeout: TimeSpan = .zero,
        unusedProbes: Int = 0
    ) {
        self.daemon = daemon
        self.results = results
        self.heldOffUntil = heldOffUntil
        self.inUse = inUse
        self.inUseUntil = inUseUntil
        self.wanted = wanted
        self.late = late
        self.longestTimeout = longestTimeout
        self.unusedProbes = unusedProbes
    }
}

/// What a daemon may do at a service until `validUntil`.
///
/// A call needs all that is limited: a permit, a slot, and a probe while the breaker is half-open.
public struct ServiceGrant: Sendable, Hashable {
    public var breaker: BreakerState
    /// Goes into the results of the calls begun on this grant.
    public var generation: Int
    /// While OPEN: when a call may probe.
    public var nextProbe: Instant?
    /// No call before.
    public var heldOffUntil: Instant?
    /// Half-open permits given by this exchange, one call each.
    public var probes: Int
    /// How many calls this daemon may have in use in all, those in flight included; nil without a limit.
    ///
    /// Below `inUse` when others wait: then none begins, and each end is worth a report.
    public var permits: Int?
    /// One call each, not before, and not later than `RateLimit.lateness` after it; empty without a limit as well.
    public var slots: [Instant]
    /// When there are fewer slots than wanted: from when on asking again gets the next one.
    ///
    /// Somewhat before the slot itself, so that the time an exchange takes is not lost.
    public var nextSlot: Instant?
    /// Calls begin by then or not on this grant.
    public var validUntil: Instant
    /// To be written with the state.
    public var events: [BreakerEvent]
    /// False when there is nothing to write.
    public var changed: Bool

    public init(
        breaker: BreakerState, generation: Int, nextProbe: Instant? = nil, heldOffUntil: Instant? = nil,
        probes: Int = 0, permits: Int? = nil, slots: [Instant] = [], nextSlot: Instant? = nil, validUntil: Instant,
        events: [BreakerEvent] = [], changed: Bool = false
    ) {
        self.breaker = breaker
        self.generation = generation
        self.nextProbe = nextProbe
        self.heldOffUntil = heldOffUntil
        self.probes = probes
        self.permits = permits
        self.slots = slots
        self.nextSlot = nextSlot
        self.validUntil = validUntil
        self.events = events
        self.changed = changed
    }
}

import DequeModule
import SagaCore

/// One service as this daemon sees it: what all daemons share as of the last exchange, what of it is this daemon's to
/// use, and which operations wait for their turn.
///
/// The limits are kept by `ServiceState.exchange`, which all daemons run on the same row; here is only spent what an
/// exchange has granted.
final class ServiceGate {
    /// The latest definition's that asked.
    var service: Service
    /// As last read or written; nil until the first exchange.
    var stored: StoredService?
    /// Monotonic; when `stored` was known to be the newest.
    var readAt = longAgo

    /// Before everything on the monotonic clock, and far enough from its end to reckon with.
    static let longAgo = Int64.min / 2

    // What was granted.
    private(set) var breaker = BreakerState.closed
    private(set) var generation = 0
    private(set) var nextProbe: Instant?
    private(set) var heldOffUntil: Instant?
    /// Half-open permits not yet handed out.
    private(set) var probes = 0
    /// Calls at once; nil without a limit.
    private(set) var permits: Int?
    /// Permits that the last report kept for the slots and probes that were left.
    private var reserved = 0
    /// Until when the probes may be handed out.
    private var probesUntil = Instant(microseconds: .min)
    /// How long a call may take that uses one: the others count it as over then.
    private var probesTimeout = TimeSpan.zero
    /// A report is under way: what it told as in use is all that is this daemon's.
    private(set) var isReporting = false
    /// Instants at which one call each may go out, the first one first.
    private(set) var slots: Deque<Instant> = []
    /// When asking for slots is worth it again.
    private(set) var nextSlot: Instant?
    private(set) var validUntil = Instant(microseconds: .min)

    // What is spent.
    private(set) var calls: [CallKey: CallInUse] = [:]
    private var ticketsOut = 0
    private var unusedProbes = 0
    private var results: [CallResult] = []
    /// Those that the exchange under way tells of.
    private var reported: [CallResult] = []
    /// What this daemon has seen itself opens the breaker, as far as it knows: nothing begins before the exchange.
    private var isSuspect = false
    private var quietUntil: Instant?
    private var longestTimeout = TimeSpan.zero
    /// What the last grant and the one being asked for hold for.
    private var grantedTimeout = TimeSpan.zero
    private var reportedTimeout = TimeSpan.zero

    // Who waits.
    var room: Deque<Waiter> = []
    /// Calls whose decision is committed and whose slot went by before they could be sent.
    var late: Deque<Call> = []
    /// Sagas that nobody runs wait for it.
    var hasParked = false
    var isExchanging = false
    /// Something came that the exchange under way doesn't tell of.
    var mustExchange = false
    var isPulling = false
    /// Monotonic; when the first and the last of the exchanges failed that came after the last good one.
    var failing: (since: Int64, last: Int64)?

    init(service: Service) {
        self.service = service
    }

    /// Who asks for a call's permit and who gets it back.
    struct CallKey: Hashable {
        let saga: SagaID
        let operation: OperationReference
        /// A call of an earlier one may still be out when the next begins.
        let attempt: Int
    }

    /// A permit in use, from the decision to the answer.
    struct CallInUse {
        let generation: Int
        let isProbe: Bool
        /// When the call has ended at the latest.
        let until: Instant
        /// When it may go out; nil without a rate limit, or once it has to get another.
        var slot: Instant?
    }

    /// A turn that was given to a waiting operation and isn't taken yet.
    struct Ticket {
        let generation: Int
        let isProbe: Bool
        let slot: Instant?
        let validUntil: Instant
    }

    var settings: ServiceSettings { stored?.settings ?? service.settings }

    var hasLimits: Bool { settings.maxConcurrent != nil || settings.rateLimit != nil }

    /// Whether a call has to wait its turn because all before it wait too.
    var mustQueue: Bool { (hasLimits && !room.isEmpty) || (breaker == .halfOpen && (isPulling || !room.isEmpty)) }

    /// Whether other daemons wait for the permits that this one has in use.
    var othersWait: Bool { permits.map { $0 <= calls.count } ?? false }

    /// Whether somebody waits for a slot and none is left.
    var lacksSlots: Bool { settings.rateLimit != nil && slots.isEmpty && !(room.isEmpty && late.isEmpty) }

    /// Whether the service matters to anybody at the moment.
    var isActive: Bool { !calls.isEmpty || !room.isEmpty || !late.isEmpty || !results.isEmpty || hasParked }

    // MARK: Turns

    /// Why no call may begin whoever asks, and until when; nil when that depends on permits.
    func closedUntil(_ now: Instant) -> (until: Instant?, reason: String, isBreaker: Bool)? {
        switch breaker {
        case .open where nextProbe.map({ $0 > now }) ?? true:
            return (nextProbe, "the circuit breaker of \(service.name) is open", true)
        case .forcedOpen: return (nil, "the circuit breaker of \(service.name) is forced open", true)
        case .closed, .open, .halfOpen, .disabled: break
        }
        if let heldOffUntil, heldOffUntil > now {
            return (heldOffUntil, "\(service.name) asked for no calls until then", false)
        }
        return nil
    }

    /// Takes a turn for a call of so long a timeout, if one is left.
    func ticket(_ now: Instant, timeout: TimeSpan) -> Ticket? {
        guard closedUntil(now) == nil, breaker != .open, !isSuspect else { return nil }
        let isProbe = breaker == .halfOpen
        if isProbe || hasLimits, now > validUntil { return nil }
        if isProbe, probes == 0 || now > probesUntil || timeout > probesTimeout { return nil }
        // The others take a permit or probe back when the longest call that was told of is over.
        if isProbe || permits != nil, timeout > grantedTimeout { return nil }
        if permits != nil, isReporting || permitsLeft == 0 { return nil }
        var slot: Instant?
        if settings.rateLimit != nil {
            // What is left of a slot has to last for a commit.
            dropMissedSlots(now, sharesOfLateness: 2)
            guard let first = slots.first, first <= now else { return nil }
            slots.removeFirst()
            slot = first
        }
        if isProbe { probes -= 1 }
        reserved = max(0, reserved - 1)
        ticketsOut += 1
        return Ticket(
            generation: generation, isProbe: isProbe, slot: slot,
            validUntil: isProbe ? min(validUntil, probesUntil) : validUntil)
    }

    /// How many calls may still begin for all that `maxConcurrent` says.
    ///
    /// What was reported as reserved is held by the books, even where the grant is below what is in use.
    private var permitsLeft: Int {
        permits.map { max($0 - calls.count - ticketsOut, reserved, 0) } ?? .max
    }

    /// The ticket's turn wasn't wanted after all.
    func giveBack(_ ticket: Ticket) {
        ticketsOut -= 1
        if ticket.isProbe, ticket.generation == generation { probes += 1 }
        if let slot = ticket.slot { slots.insert(slot, at: slots.firstIndex { $0 >= slot } ?? slots.count) }
    }

    /// A call was decided on with this ticket.
    func use(_ ticket: Ticket, for key: CallKey, until: Instant) {
        ticketsOut -= 1
        calls[key] = CallInUse(
            generation: ticket.generation, isProbe: ticket.isProbe, until: until, slot: ticket.slot)
    }

    /// Whether a ticket that was kept still counts.
    func isValid(_ ticket: Ticket, _ now: Instant) -> Bool {
        ticket.generation == generation && closedUntil(now) == nil && !isSuspect
            && (now <= ticket.validUntil || !(ticket.isProbe || hasLimits))
    }

    // MARK: Slots of calls on their way out

    /// Whether the call has to wait for another slot, since too much time has passed since its own.
    func hasMissedSlot(_ key: CallKey, _ now: Instant) -> Bool {
        guard let limit = settings.rateLimit, let call = calls[key], call.until > now else { return false }
        guard let slot = call.slot else { return true }
        return now > slot + limit.lateness
    }

    /// Calls that were decided on before aren't probes.
    private var isHealthy: Bool { breaker == .closed || breaker == .disabled }

    /// Slots that nobody could use in time are gone.
    private func dropMissedSlots(_ now: Instant, sharesOfLateness: Int64 = 1) {
        guard let limit = settings.rateLimit else { return slots.removeAll() }
        let longest = TimeSpan(microseconds: limit.lateness.microseconds / sharesOfLateness)
        while let first = slots.first, first + longest < now { slots.removeFirst() }
    }

    func loseSlot(_ key: CallKey) { calls[key]?.slot = nil }

    /// Gives a late call the next slot that is due; true as well for one that needs none any more, since its time is
    /// over or the limit was lifted.
    func takeSlot(for key: CallKey, _ now: Instant) -> Bool {
        guard let call = calls[key], call.until > now, settings.rateLimit != nil else { return true }
        dropMissedSlots(now)
        guard closedUntil(now) == nil, isHealthy, let first = slots.first, first <= now else { return false }
        slots.removeFirst()
        calls[key]?.slot = first
        return true
    }

    // MARK: Results

    /// The permit is free again; `verdict` is what the call says of the participant's health.
    ///
    /// - Returns: whether the others have to learn of it at once.
    func release(_ key: CallKey, _ verdict: CallVerdict, duration: TimeSpan, at now: Instant) -> Bool {
        guard let call = calls.removeValue(forKey: key) else { return false }
        results.append(
            CallResult(
                generation: call.generation, isProbe: call.isProbe, verdict: verdict, duration: duration, at: now))
        if verdict == .failure { suspect(now) }
        return verdict == .failure || call.isProbe
    }

    /// Between a failure and the exchange that tells of it many more calls could go out.
    private func suspect(_ now: Instant) {
        guard breaker == .closed, !isSuspect, var state = stored?.state else { return }
        let report = ServiceReport(daemon: 0, results: reported + results)
        isSuspect = state.exchange(report, settings: settings, now: now).breaker == .open
    }

    /// The participant asks for quiet.
    func holdOff(until instant: Instant) {
        quietUntil = max(quietUntil ?? instant, instant)
        heldOffUntil = max(heldOffUntil ?? instant, instant)
    }

    func note(timeout: TimeSpan) { longestTimeout = max(longestTimeout, timeout) }

    // MARK: Exchange

    /// What an exchange tells.
    ///
    /// `took` or `restore` has to follow.
    /// - Parameters:
    ///   - parked: how many of the sagas that nobody runs could be taken up.
    ///   - mayBegin: false for a daemon that stops: what waits in its memory wants nothing more here.
    func report(daemon: Int32, parked: Int, mayBegin: Bool, now: Instant) -> ServiceReport {
        var waiting = 0
        for waiter in room where mayBegin && waiter.ticket == nil {
            waiter.isReported = true
            waiting += 1
        }
        let turns = keepTurns(wanted: waiting + (hasParked ? parked : 0), now)
        // Else the grant would have no permit for those who wait for them.
        reserved = permits == nil ? 0 : turns
        reportedTimeout = longestTimeout
        var report = ServiceReport(daemon: daemon, longestTimeout: longestTimeout)
        report.results = results
        report.heldOffUntil = quietUntil
        report.inUse = calls.count + ticketsOut + reserved
        report.inUseUntil = calls.values.map(\.until).max()
        // The slots that are left are for whoever is late first.
        report.late = isHealthy ? max(0, late.count - slots.count) : 0
        report.wanted = max(0, waiting + (hasParked ? parked : 0) - turns)
        report.unusedProbes = unusedProbes
        reported = results
        results = []
        quietUntil = nil
        unusedProbes = 0
        isReporting = true
        return report
    }

    /// Keeps of the turns that were granted and not handed out those that can be used and are wanted.
    ///
    /// Others may need the rest, and a turn that can't be used would hold up the asking for another.
    /// - Returns: how many there are, those of late calls not counted: they have their permits.
    private func keepTurns(wanted: Int, _ now: Instant) -> Int {
        if now > validUntil { slots = [] }
        dropMissedSlots(now)
        let most = now > validUntil ? 0 : min(wanted, permitsLeft)
        // One for shorter calls only is changed for another.
        let canUseProbes = breaker == .halfOpen && now <= probesUntil && longestTimeout <= probesTimeout
        var kept = canUseProbes ? min(probes, most) : 0
        if settings.rateLimit != nil { kept = min(kept, slots.count) }
        unusedProbes += probes - kept
        probes = kept
        guard settings.rateLimit != nil, breaker != .halfOpen else { return kept }
        let ofLate = min(late.count, slots.count)
        slots.removeLast(max(0, slots.count - ofLate - permitsLeft))
        return slots.count - ofLate
    }

    /// The exchange didn't come about: what it told is told the next time.
    func restore(_ report: ServiceReport) {
        isReporting = false
        reported = []
        reserved = 0
        validUntil = Instant(microseconds: .min)
        results = report.results + results
        if let quiet = report.heldOffUntil { holdOff(until: quiet) }
        unusedProbes += report.unusedProbes
    }

    func took(_ grant: ServiceGrant, now: Instant) {
        isReporting = false
        reported = []
        isSuspect = false
        grantedTimeout = reportedTimeout
        failing = nil
        if grant.generation != generation { probes = 0 }
        if grant.probes > 0 {
            probesUntil = probes == 0 ? grant.validUntil : min(probesUntil, grant.validUntil)
            probesTimeout = probes == 0 ? reportedTimeout : min(probesTimeout, reportedTimeout)
        }
        breaker = grant.breaker
        generation = grant.generation
        nextProbe = grant.nextProbe
        heldOffUntil = [grant.heldOffUntil, quietUntil].compactMap { $0 }.max()
        probes += grant.probes
        permits = grant.permits
        slots.append(contentsOf: grant.slots)
        nextSlot = grant.nextSlot
        validUntil = grant.validUntil
        if results.contains(where: { $0.verdict == .failure }) { suspect(now) }
    }

    /// The lease is gone, and with it all that was this daemon's.
    func startOver() {
        (probes, permits, slots, validUntil, ticketsOut, unusedProbes) = (0, nil, [], Instant(microseconds: .min), 0, 0)
        (calls, results, reported, isSuspect, room, late) = ([:], [], [], false, [], [])
        (readAt, hasParked, quietUntil, isReporting) = (Self.longAgo, false, nil, false)
        (grantedTimeout, probesTimeout, failing, reserved) = (.zero, .zero, nil, 0)
    }
}

/// An operation that waits for its service.
///
/// Exits: it is given a ticket and its saga decides anew; its saga parks, ends or leaves.
final class Waiter {
    /// It and its runner hold one another until it has left the room.
    let runner: SagaRunner
    unowned let gate: ServiceGate
    let operation: OperationReference
    let attempts: Int
    let timeout: TimeSpan
    /// Since when the operation waits, by whichever daemon: who is first.
    let since: Instant
    /// Monotonic; when it came into this room.
    let entered: Int64
    /// An event tells that it waits.
    var deferredUntil: Instant?
    var ticket: ServiceGate.Ticket?
    /// The decision under way has asked for it.
    var isAsked = true
    /// An exchange has told that it waits.
    var isReported = false
    /// Monotonic; when to look whether it should leave memory.
    var reviewAt: Int64

    init(
        runner: SagaRunner, gate: ServiceGate, operation: OperationReference, attempts: Int, timeout: TimeSpan,
        since: Instant, entered: Int64
    ) {
        self.runner = runner
        self.gate = gate
        self.operation = operation
        self.attempts = attempts
        self.timeout = timeout
        self.since = since
        self.entered = entered
        self.reviewAt = entered + 1_000_000
    }
}

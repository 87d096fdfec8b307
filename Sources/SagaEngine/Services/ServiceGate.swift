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
    /// A report is under way: what it told as in use is all that is this daemon's.
    private var isReporting = false
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

    init(service: Service) {
        self.service = service
    }

    /// Who asks for a call's permit and who gets it back.
    struct CallKey: Hashable {
        let saga: SagaID
        let operation: OperationReference
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

    /// Takes a turn, if one is left.
    func ticket(_ now: Instant) -> Ticket? {
        guard closedUntil(now) == nil, breaker != .open, !isSuspect else { return nil }
        let isProbe = breaker == .halfOpen
        if isProbe || hasLimits, now > validUntil { return nil }
        if isProbe, probes == 0 { return nil }
        if let permits, isReporting || calls.count + ticketsOut >= permits { return nil }
        var slot: Instant?
        if settings.rateLimit != nil {
            dropMissedSlots(now)
            guard let first = slots.first, first <= now else { return nil }
            slots.removeFirst()
            slot = first
        }
        if isProbe { probes -= 1 }
        ticketsOut += 1
        return Ticket(generation: generation, isProbe: isProbe, slot: slot, validUntil: validUntil)
    }

    /// The ticket's turn wasn't wanted after all.
    func giveBack(_ ticket: Ticket) {
        ticketsOut -= 1
        if ticket.isProbe, ticket.generation == generation { probes += 1 }
        if let slot = ticket.slot { slots.prepend(slot) }
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
        guard let limit = settings.rateLimit, let call = calls[key] else { return false }
        guard let slot = call.slot else { return true }
        return now > slot + limit.lateness
    }

    func loseSlot(_ key: CallKey) { calls[key]?.slot = nil }

    /// What is left of a slot has to last for a commit.
    private func dropMissedSlots(_ now: Instant) {
        guard let limit = settings.rateLimit else { return }
        let half = TimeSpan(microseconds: limit.lateness.microseconds / 2)
        while let first = slots.first, now > first + half { slots.removeFirst() }
    }

    /// Gives a late call the next slot that is due.
    func takeSlot(for key: CallKey, _ now: Instant) -> Bool {
        dropMissedSlots(now)
        guard let first = slots.first, first <= now, calls[key] != nil else { return false }
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

    /// Whether the others have to hear something.
    var hasNews: Bool { !results.isEmpty || quietUntil != nil || unusedProbes > 0 }

    // MARK: Exchange

    /// What an exchange tells. `took` or `restore` has to follow.
    func report(daemon: Int32, parked: Int, now: Instant) -> ServiceReport {
        if now > validUntil {
            unusedProbes += probes
            probes = 0
            slots = []
        }
        let waiting = room.count { $0.ticket == nil }
        var report = ServiceReport(daemon: daemon, longestTimeout: longestTimeout)
        report.results = results
        report.heldOffUntil = quietUntil
        report.inUse = calls.count + ticketsOut
        report.inUseUntil = calls.values.map(\.until).max()
        report.wanted = max(0, waiting + late.count + (hasParked ? parked : 0) - probes - slots.count)
        report.unusedProbes = unusedProbes
        reported = results
        results = []
        quietUntil = nil
        unusedProbes = 0
        isReporting = true
        return report
    }

    /// The exchange didn't come about: what it told is told the next time.
    func restore(_ report: ServiceReport) {
        isReporting = false
        reported = []
        validUntil = Instant(microseconds: .min)
        results = report.results + results
        if let quiet = report.heldOffUntil { holdOff(until: quiet) }
        unusedProbes += report.unusedProbes
    }

    func took(_ grant: ServiceGrant, now: Instant) {
        isReporting = false
        reported = []
        isSuspect = false
        if grant.generation != generation { probes = 0 }
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
    }
}

/// An operation that waits for its service.
///
/// Exits: it is given a ticket and its saga decides anew; its saga parks, ends or leaves.
final class Waiter {
    unowned let runner: SagaRunner
    unowned let gate: ServiceGate
    let operation: OperationReference
    let attempts: Int
    /// Monotonic.
    let since: Int64
    /// An event tells that it waits.
    var deferredUntil: Instant?
    var ticket: ServiceGate.Ticket?
    /// The decision under way has asked for it.
    var isAsked = true
    /// Monotonic; when to look whether it should leave memory.
    var reviewAt: Int64

    init(runner: SagaRunner, gate: ServiceGate, operation: OperationReference, attempts: Int, since: Int64) {
        self.runner = runner
        self.gate = gate
        self.operation = operation
        self.attempts = attempts
        self.since = since
        self.reviewAt = since + 1_000_000
    }
}

import JSON
import SagaCore

/// What services may expect of a fleet, by the participants' own count: `docs/services.md` has the bounds.
struct FleetServiceChecks {
    private let ledger: FleetLedger.State
    private let plan: FleetPlan

    /// How long a daemon may go by what it read of a breaker, and what reading it takes at most in a simulation.
    static let freshness = TimeSpan.milliseconds(250 + 402)

    init(_ ledger: FleetLedger.State, plan: FleetPlan) {
        self.ledger = ledger
        self.plan = plan
    }

    var problems: [String] {
        plan.services.flatMap { service in
            let calls = ledger.sent.filter { $0.isTo(service) && !wasHeldUp($0) }
            return
                (crowdProblems(calls, limit: service.maxConcurrent, "calls") + rateProblems(service, calls)
                + breakerProblems(service, calls)).map {
                    "service \(service.name): \($0)"
                }
        }
    }

    /// Whether its daemon stood still, or had lost its lease, between the decision and the call: nobody can hold back
    /// what a stopped process sends when it goes on.
    private func wasHeldUp(_ sent: FleetLedger.Sent) -> Bool {
        guard let decided = sent.decidedAt else { return true }
        if let lease = sent.lease, let freed = ledger.incarnations[lease]?.freedAt, freed <= sent.at { return true }
        let from = decided + TimeSpan(microseconds: -Self.freshness.microseconds)
        return ledger.pauses.contains { $0.daemon == sent.daemon && $0.from <= sent.at && $0.until >= from }
    }

    private func crowdProblems(_ calls: [FleetLedger.Sent], limit: Int?, _ what: String) -> [String] {
        guard let limit else { return [] }
        var changes: [(at: Instant, step: Int)] = []
        for sent in calls {
            let latest = sent.at + sent.call.timeout
            let end = min(sent.endedAt ?? latest, latest)
            changes.append((sent.at, 1))
            // Of one whose daemon is gone nobody hears: others take its permit by the clock.
            let isForgotten = sent.lease.map { ledger.incarnations[$0]?.freedAt != nil } ?? true
            changes.append((isForgotten ? end + TimeSpan(microseconds: -2 * ledger.skew.microseconds) : end, -1))
        }
        var inside = 0
        for change in changes.sorted(by: { ($0.at, $0.step) < ($1.at, $1.step) }) {
            inside += change.step
            if inside > limit {
                return [
                    "\(inside) \(what) at once at \((change.at - SimulatedRun.start).microseconds), \(limit) are allowed"
                ]
            }
        }
        return []
    }

    private func rateProblems(_ service: Service, _ calls: [FleetLedger.Sent]) -> [String] {
        guard let limit = service.rateLimit else { return [] }
        let most = limit.calls + max(1, limit.calls / 10)
        // Daemons are as exact as they can tell the time: what one sends too late and another too early comes together.
        let window = limit.per.microseconds - 2 * ledger.skew.microseconds
        for (index, last) in calls.enumerated() where index >= most {
            if (last.at - calls[index - most].at).microseconds < window {
                return [
                    "more than \(most) calls within \(limit.per.microseconds / 1_000) ms, "
                        + "by \((last.at - SimulatedRun.start).microseconds)"
                ]
            }
        }
        return []
    }

    private func breakerProblems(_ service: Service, _ calls: [FleetLedger.Sent]) -> [String] {
        guard let settings = service.circuitBreaker else { return [] }
        let changes = ledger.breakers.filter { $0.service == service.name }
        for (index, change) in changes.enumerated()
        where change.type == .breakerOpened || change.type == .breakerForcedOpen {
            let from = change.at + Self.freshness + ledger.skew
            let until = index + 1 < changes.count ? changes[index + 1].at : .distantFuture
            for sent in calls {
                guard let decided = sent.decidedAt, decided > from, sent.at < until else { continue }
                return [
                    "\((decided - change.at).microseconds / 1_000) ms after it was opened a call is decided on "
                        + "at \((decided - SimulatedRun.start).microseconds)"
                ]
            }
        }
        let all = ledger.sent.filter { $0.isTo(service) }
        return probeProblems(service, calls, changes) + countProblems(service, changes)
            + FleetBreakerBooks(ledger, service, settings, all).problems + quietProblems(all)
    }

    /// A daemon that was asked for quiet keeps it: the others learn of it a moment later.
    private func quietProblems(_ calls: [FleetLedger.Sent]) -> [String] {
        let lifted = ledger.breakers.filter { $0.type == .breakerReset }.map(\.at)
        for asked in calls {
            guard let ended = asked.endedAt, let answer = asked.answer, answer.verdict == .failure,
                let wait = answer.retryAfter, !isForgotten(asked)
            else { continue }
            let until = ended + wait + TimeSpan(microseconds: -ledger.skew.microseconds)
            for sent in calls where sent.lease == asked.lease {
                guard let decided = sent.decidedAt, decided > ended + ledger.skew, decided < until,
                    !lifted.contains(where: { $0 >= asked.at && $0 <= decided })
                else { continue }
                return [
                    "a call is decided on at \((decided - SimulatedRun.start).microseconds), and it asked for quiet"
                ]
            }
        }
        return []
    }

    /// Whether its daemon doesn't go by the answer any more.
    private func isForgotten(_ sent: FleetLedger.Sent) -> Bool {
        guard let lease = sent.lease, let ended = sent.endedAt else { return true }
        if ledger.pauses.contains(where: { $0.daemon == sent.daemon && $0.from <= ended && $0.until >= ended }) {
            return true
        }
        return ledger.incarnations[lease]?.freedAt.map { $0 <= ended } ?? false
    }

    /// A breaker that opens counts no failure that wasn't one, or that belongs to an earlier state of it.
    private func countProblems(_ service: Service, _ changes: [FleetLedger.BreakerChange]) -> [String] {
        // What a daemon can't know to have told it tells again.
        if ledger.blurred.contains(service.name) { return [] }
        let failures = ledger.sent.filter { $0.isTo(service) && $0.answer?.verdict == .failure }
        var problems: [String] = []
        for (index, change) in changes.enumerated() where change.type == .breakerOpened {
            let since = index > 0 ? changes[index - 1].at : SimulatedRun.start
            let most = failures.count { $0.at >= since && $0.endedAt.map { $0 <= change.at } ?? false }
            guard let counted = try? change.event.data.parsed()["failures"]?.int64Value, counted > most else {
                continue
            }
            problems.append(
                "opened by \(counted) failures of \(most), at \((change.at - SimulatedRun.start).microseconds)")
        }
        return problems
    }

    /// No probe before the wait is over, and no more of them than are permitted.
    private func probeProblems(
        _ service: Service, _ calls: [FleetLedger.Sent], _ changes: [FleetLedger.BreakerChange]
    ) -> [String] {
        guard let settings = service.circuitBreaker else { return [] }
        var problems: [String] = []
        for (index, change) in changes.enumerated() where change.type == .breakerHalfOpened && index > 0 {
            let opened = changes[index - 1]
            if opened.type == .breakerOpened, change.event.at < opened.event.at + settings.waitDurationInOpenState {
                problems.append("probed before its wait is over, at \((change.at - SimulatedRun.start).microseconds)")
            }
            let until = index + 1 < changes.count ? changes[index + 1].at : .distantFuture
            // Who hasn't read since it was opened takes it for closed.
            let from = max(change.at, opened.at + Self.freshness + ledger.skew)
            let probes = calls.filter { sent in sent.decidedAt.map { $0 > from && $0 < until } ?? false }
            problems += crowdProblems(probes, limit: settings.permittedNumberOfCallsInHalfOpenState, "probes")
        }
        return problems
    }
}

extension FleetLedger.Sent {
    fileprivate func isTo(_ service: Service) -> Bool {
        guard case .http(let request) = call.request else { return false }
        return request.service.name == service.name
    }
}

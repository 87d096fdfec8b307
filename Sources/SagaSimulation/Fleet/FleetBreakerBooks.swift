import SagaCore

/// What a breaker has counted in the end, held against the calls that ended: each daemon tells of each of its calls, and
/// tells it once.
struct FleetBreakerBooks {
    private let ledger: FleetLedger.State
    private let service: Service
    private let settings: CircuitBreakerSettings
    /// When the breaker came into its last state; nil when it was never in another.
    private let since: Instant?
    /// To the service, that say something of its health.
    private let calls: [FleetLedger.Sent]

    /// - Parameter calls: all to this service.
    init(
        _ ledger: FleetLedger.State, _ service: Service, _ settings: CircuitBreakerSettings, _ calls: [FleetLedger.Sent]
    ) {
        self.ledger = ledger
        self.service = service
        self.settings = settings
        since = ledger.breakers.last { $0.service == service.name }?.at
        self.calls = calls.filter { $0.answer.map { $0.verdict != .neutral } ?? false }
    }

    var problems: [String] {
        guard let breaker = ledger.counted[service.name], breaker.state == .closed else { return [] }
        let counts = breaker.counts
        return missing("calls", counts.calls, sure, counts.calls)
            + missing("failures", counts.failures, sure.filter(\.isFailure), counts.calls)
            + surplus("calls", counts.calls, possible)
            + surplus("failures", counts.failures, possible.filter(\.isFailure))
    }

    /// Those of which the breaker must have heard: of daemons that lived on, under its last state as everybody knew it.
    private var sure: [FleetLedger.Sent] {
        let from = since.map { $0 + FleetServiceChecks.freshness + ledger.skew }
        return calls.filter { sent in
            guard let lease = sent.lease, let decided = sent.decidedAt, ledger.incarnations[lease]?.freedAt == nil,
                !ledger.dead.contains(sent.daemon)
            else { return false }
            return from.map { decided > $0 } ?? true
        }
    }

    private var possible: [FleetLedger.Sent] {
        calls.filter { sent in since.map { sent.at >= $0 } ?? true }
    }

    private func missing(_ what: String, _ counted: Int, _ least: [FleetLedger.Sent], _ all: Int) -> [String] {
        // A window of seconds forgets, and so does a full one.
        guard settings.slidingWindowType == .countBased, counted < least.count, all < settings.slidingWindowSize else {
            return []
        }
        return ["its breaker counts \(counted) \(what) of \(least.count)"]
    }

    private func surplus(_ what: String, _ counted: Int, _ most: [FleetLedger.Sent]) -> [String] {
        // What a daemon can't know to have told it tells again.
        guard !ledger.blurred.contains(service.name), counted > most.count else { return [] }
        return ["its breaker counts \(counted) \(what), and there were \(most.count)"]
    }
}

extension FleetLedger.Sent {
    fileprivate var isFailure: Bool { answer?.verdict == .failure }
}

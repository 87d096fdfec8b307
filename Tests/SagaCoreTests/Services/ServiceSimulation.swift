import SagaCore

/// A service's state under exchanges at times that the test sets.
struct SharedService {
    var settings: ServiceSettings
    var state = ServiceState(at: at(0))
    var now = at(0)

    init(_ change: (inout CircuitBreakerSettings) -> Void = { _ in }) {
        var breaker = CircuitBreakerSettings()
        change(&breaker)
        settings = ServiceSettings(circuitBreaker: breaker)
    }

    mutating func wait(_ seconds: Double) { now = now + TimeSpan(microseconds: Int64(seconds * 1e6)) }

    /// Does a report; what is left out of it is nothing.
    @discardableResult
    mutating func exchange(
        daemon: Int32 = 1, _ results: String = "", isProbe: Bool? = nil, generation: Int? = nil, wanted: Int = 0,
        unusedProbes: Int = 0, timeout: TimeSpan = .seconds(30), inUse: Int = 0, late: Int = 0
    ) -> ServiceGrant {
        let results = results.map {
            result($0, isProbe: isProbe ?? (state.breaker.state == .halfOpen), generation: generation)
        }
        return state.exchange(
            ServiceReport(
                daemon: daemon, results: results, inUse: inUse, wanted: wanted, late: late, longestTimeout: timeout,
                unusedProbes: unusedProbes), settings: settings, now: now)
    }

    /// `S` succeeded, `F` failed, `N` neither; in lower case it was slow.
    private func result(_ letter: Character, isProbe: Bool, generation: Int?) -> CallResult {
        let verdict: CallVerdict =
            switch letter.uppercased() {
            case "S": .success
            case "F": .failure
            default: .neutral
            }
        let threshold = settings.circuitBreaker?.slowCallDurationThreshold ?? .zero
        return CallResult(
            generation: generation ?? state.breaker.generation, isProbe: isProbe, verdict: verdict,
            duration: letter.isLowercase ? TimeSpan(microseconds: threshold.microseconds + 1) : threshold, at: now)
    }

    /// One exchange a result; the states after each.
    mutating func states(_ results: String) -> [BreakerState] {
        results.map {
            exchange(String($0))
            return state.breaker.state
        }
    }

    /// Opens the breaker by failures and waits until it may probe.
    mutating func openAndWait() {
        while state.breaker.state != .open { exchange("F") }
        now = state.breaker.nextProbe ?? now
    }
}

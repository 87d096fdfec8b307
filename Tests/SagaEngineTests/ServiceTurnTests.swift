import SagaCore
import Testing

@testable import SagaEngine

/// What a daemon tells of turns that it was granted and hasn't handed out.
@Suite struct ServiceTurnTests {
    private let start = Instant(microseconds: 1_000_000)

    private func gate(_ configure: (inout ServiceSettings) -> Void) -> ServiceGate {
        var settings = ServiceSettings()
        configure(&settings)
        let gate = ServiceGate(service: Service(name: "s", url: "http://s", settings: settings))
        gate.note(timeout: .seconds(1))
        return gate
    }

    private func grant(_ breaker: BreakerState, at now: Instant) -> ServiceGrant {
        ServiceGrant(breaker: breaker, generation: 2, validUntil: now + .milliseconds(500))
    }

    /// Reports are made while sagas wait for what was granted.
    private func exchange(_ gate: ServiceGate, waiting: Int, at now: Instant, _ grant: ServiceGrant) -> ServiceReport {
        gate.hasParked = true
        let report = gate.report(daemon: 1, parked: waiting, mayBegin: true, now: now)
        gate.took(grant, now: now)
        return report
    }

    @Test func probesThatAreLeftKeepTheirPermits() {
        let gate = gate { $0.maxConcurrent = 5 }
        var first = grant(.halfOpen, at: start)
        (first.probes, first.permits) = (2, 2)
        _ = exchange(gate, waiting: 2, at: start, first)
        // Nothing is left to grant, so no permit either.
        let now = start + .milliseconds(100)
        var second = grant(.halfOpen, at: now)
        second.permits = 0
        let report = exchange(gate, waiting: 2, at: now, second)
        #expect(report.inUse == 2)
        #expect(report.wanted == 0)
        #expect(gate.ticket(now, timeout: .seconds(1))?.isProbe == true)
        #expect(gate.ticket(now, timeout: .seconds(1))?.isProbe == true)
        #expect(gate.ticket(now, timeout: .seconds(1)) == nil)
    }

    @Test func slotsThatAreStillToComeKeepTheirPermits() {
        let gate = gate {
            $0.maxConcurrent = 5
            $0.rateLimit = RateLimit(calls: 10, per: .seconds(1))
        }
        var first = grant(.closed, at: start)
        (first.permits, first.slots) = (2, [start + .milliseconds(100), start + .milliseconds(200)])
        _ = exchange(gate, waiting: 2, at: start, first)
        let now = start + .milliseconds(50)
        var second = grant(.closed, at: now)
        second.permits = 0
        let report = exchange(gate, waiting: 2, at: now, second)
        #expect(report.inUse == 2)
        #expect(report.wanted == 0)
        #expect(gate.ticket(now, timeout: .seconds(1)) == nil, "its time hasn't come")
        for slot in [start + .milliseconds(100), start + .milliseconds(200)] {
            #expect(gate.ticket(slot, timeout: .seconds(1))?.slot == slot)
        }
    }

    /// The others take it back then, and another may go out in its place.
    @Test func aProbeEndsWithTheGrantItCameBy() {
        let gate = gate { _ in }
        var first = grant(.halfOpen, at: start)
        first.probes = 1
        _ = exchange(gate, waiting: 1, at: start, first)
        let now = start + .milliseconds(400)
        _ = exchange(gate, waiting: 1, at: now, grant(.halfOpen, at: now))
        let late = start + .milliseconds(501)
        #expect(gate.ticket(late, timeout: .seconds(1)) == nil)
        let report = exchange(gate, waiting: 1, at: late, grant(.halfOpen, at: late))
        #expect(report.unusedProbes == 1)
        #expect(report.wanted == 1)
    }
}

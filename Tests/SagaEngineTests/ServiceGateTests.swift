import JSON
import SagaCore
import Testing

@testable import SagaEngine

private func at(_ milliseconds: Int64) -> Instant { Instant(microseconds: 1_000_000_000 + milliseconds * 1_000) }

private func key(_ attempt: Int = 1) -> ServiceGate.CallKey {
    .init(
        saga: SagaID(high: 1, low: 1), operation: OperationReference(step: 0, side: .action), attempt: attempt)
}

private func grant(
    _ breaker: BreakerState = .closed, generation: Int = 1, probes: Int = 0, permits: Int? = nil, slots: [Int64] = [],
    until: Int64
) -> ServiceGrant {
    ServiceGrant(
        breaker: breaker, generation: generation, probes: probes, permits: permits, slots: slots.map(at),
        validUntil: at(until))
}

/// What one daemon spends of what it was granted.
@Suite struct ServiceGateTests {
    private func gate(_ configure: (inout ServiceSettings) -> Void) -> ServiceGate {
        var settings = ServiceSettings()
        configure(&settings)
        return ServiceGate(service: Service(name: "s", url: "http://s", settings: settings))
    }

    private func report(_ gate: ServiceGate, at now: Int64, parked: Int = 0) -> ServiceReport {
        gate.report(daemon: 1, parked: parked, mayBegin: true, now: at(now))
    }

    /// Only that many calls may be out when another daemon probes.
    @Test func probesThatNobodyWantsAnyMoreGoBackAtOnce() {
        let gate = gate { _ in }
        _ = report(gate, at: 0)
        gate.took(grant(.halfOpen, generation: 3, probes: 3, until: 500), now: at(0))
        let ticket = gate.ticket(at(1), timeout: .zero)
        #expect(ticket?.isProbe == true)
        let told = report(gate, at: 100)
        #expect(told.unusedProbes == 2)
        #expect(told.inUse == 1)
        gate.took(grant(.halfOpen, generation: 3, until: 600), now: at(100))
        #expect(gate.ticket(at(101), timeout: .zero) == nil)
    }

    @Test func probesForSagasThatNobodyRunsAreKept() {
        let gate = gate { _ in }
        gate.hasParked = true
        _ = report(gate, at: 0, parked: 3)
        gate.took(grant(.halfOpen, generation: 3, probes: 3, until: 500), now: at(0))
        #expect(report(gate, at: 100, parked: 3).unusedProbes == 0)
    }

    /// The others count a probe as over when the longest call is that it was granted for.
    @Test func aProbeForShortCallsIsNoneForALongOne() {
        let gate = gate { _ in }
        gate.hasParked = true
        gate.note(timeout: .milliseconds(100))
        _ = report(gate, at: 0, parked: 1)
        gate.took(grant(.halfOpen, generation: 3, probes: 1, until: 500), now: at(0))
        gate.note(timeout: .seconds(3))
        let told = report(gate, at: 10, parked: 1)
        #expect(told.unusedProbes == 1)
        #expect(told.wanted == 1)
        gate.took(grant(.halfOpen, generation: 3, until: 510), now: at(10))
        #expect(gate.ticket(at(11), timeout: .seconds(3)) == nil)
        _ = report(gate, at: 20, parked: 1)
        gate.took(grant(.halfOpen, generation: 3, probes: 1, until: 520), now: at(20))
        #expect(gate.ticket(at(21), timeout: .seconds(3))?.isProbe == true)
    }

    /// A failed exchange tells it again.
    @Test func whatWasNotToldIsToldTheNextTime() {
        let gate = gate { _ in }
        _ = report(gate, at: 0)
        gate.took(grant(.halfOpen, generation: 3, probes: 1, until: 500), now: at(0))
        let told = report(gate, at: 100)
        gate.restore(told)
        #expect(report(gate, at: 200).unusedProbes == 1)
    }

    @Test func slotsOfLongAgoAreNobodys() {
        let gate = gate { $0.rateLimit = RateLimit(calls: 100, per: .seconds(1)) }
        _ = report(gate, at: 0)
        gate.took(grant(slots: [0, 10, 50], until: 500), now: at(0))
        // 60 ms after its slot a call may still leave; half of that is kept for the commit.
        #expect(gate.ticket(at(65), timeout: .zero)?.slot == at(50))
        _ = report(gate, at: 90)
        gate.took(grant(slots: [100], until: 590), now: at(90))
        #expect(gate.ticket(at(95), timeout: .zero) == nil)
        #expect(gate.ticket(at(100), timeout: .zero)?.slot == at(100))
    }

    @Test func aSlotThatWasNotWantedIsTheNextOnes() {
        let gate = gate { $0.rateLimit = RateLimit(calls: 100, per: .seconds(1)) }
        _ = report(gate, at: 0)
        gate.took(grant(slots: [0, 10, 20], until: 500), now: at(0))
        let tickets = (0..<3).compactMap { _ in gate.ticket(at(20), timeout: .zero) }
        for ticket in tickets { gate.giveBack(ticket) }
        #expect(gate.slots.map { $0 } == [at(0), at(10), at(20)])
    }

    /// A dead daemon's permit comes back when the longest call that it told of is over.
    @Test func noCallIsLongerThanWhatTheOthersWereToldOf() {
        let gate = gate { $0.maxConcurrent = 4 }
        gate.note(timeout: .seconds(1))
        _ = report(gate, at: 0)
        gate.took(grant(permits: 4, until: 500), now: at(0))
        gate.note(timeout: .seconds(60))
        #expect(gate.ticket(at(1), timeout: .seconds(60)) == nil)
        #expect(gate.ticket(at(1), timeout: .seconds(1)) != nil)
        #expect(report(gate, at: 100).longestTimeout == .seconds(60))
        gate.took(grant(permits: 4, until: 600), now: at(100))
        #expect(gate.ticket(at(101), timeout: .seconds(60)) != nil)
    }

    /// An attempt that was given up may still be out when the next begins.
    @Test func eachAttemptHasItsOwnPermit() throws {
        let gate = gate { $0.maxConcurrent = 2 }
        _ = report(gate, at: 0)
        gate.took(grant(permits: 2, until: 500), now: at(0))
        for attempt in 1...2 {
            let ticket = try #require(gate.ticket(at(1), timeout: .zero))
            gate.use(ticket, for: key(attempt), until: at(1_000))
        }
        #expect(gate.ticket(at(2), timeout: .zero) == nil)
        _ = gate.release(key(1), .success, duration: .zero, at: at(3))
        #expect(gate.calls.keys.map(\.attempt) == [2])
        #expect(gate.ticket(at(3), timeout: .zero) != nil)
    }

    /// Without another slot it would be out for as long as the service is closed.
    @Test func aCallThatLostItsSlotEndsWithItsTime() throws {
        let gate = gate { $0.rateLimit = RateLimit(calls: 10, per: .seconds(1)) }
        _ = report(gate, at: 0)
        gate.took(grant(slots: [0], until: 500), now: at(0))
        gate.use(try #require(gate.ticket(at(0), timeout: .seconds(1))), for: key(), until: at(1_000))
        #expect(!gate.hasMissedSlot(key(), at(100)))
        #expect(gate.hasMissedSlot(key(), at(101)))
        gate.loseSlot(key())
        #expect(!gate.takeSlot(for: key(), at(999)))
        #expect(gate.takeSlot(for: key(), at(1_000)))
        #expect(!gate.hasMissedSlot(key(), at(1_000)))
    }

    @Test func aCallOfBeforeIsNoProbe() throws {
        let gate = gate { $0.rateLimit = RateLimit(calls: 10, per: .seconds(1)) }
        _ = report(gate, at: 0)
        gate.took(grant(slots: [0], until: 500), now: at(0))
        gate.use(try #require(gate.ticket(at(0), timeout: .seconds(60))), for: key(), until: at(60_000))
        gate.loseSlot(key())
        _ = report(gate, at: 1_000)
        gate.took(grant(.halfOpen, generation: 3, probes: 1, slots: [1_000], until: 1_500), now: at(1_000))
        #expect(!gate.takeSlot(for: key(), at(1_000)))
        _ = report(gate, at: 1_100)
        gate.took(grant(generation: 4, slots: [1_100], until: 1_600), now: at(1_100))
        #expect(gate.takeSlot(for: key(), at(1_100)))
    }
}

import SagaCore
import Testing

/// A rate limit that several daemons share.
@Suite struct RateScheduleTests {
    private static func service(_ calls: Int, per: TimeSpan) -> SharedService {
        var service = SharedService()
        service.settings.rateLimit = RateLimit(calls: calls, per: per)
        return service
    }

    private static func seconds(_ slots: [Instant]) -> [Double] { slots.map { Double($0.microseconds) / 1e6 } }

    @Test func slotsStandOneIntervalApartAndAFewTogetherAfterARest() {
        var service = Self.service(100, per: .seconds(1))
        var grant = service.exchange(wanted: 7)
        #expect(Self.seconds(grant.slots) == [0, 0, 0, 0, 0, 0.01, 0.02])
        #expect(grant.nextSlot == nil)
        grant = service.exchange(daemon: 2, wanted: 2)
        #expect(Self.seconds(grant.slots) == [0.03, 0.04])
        // No further ahead than 200 ms; the next one comes into reach an interval later.
        grant = service.exchange(daemon: 3, wanted: 1_000)
        #expect(Self.seconds(grant.slots) == (5...20).map { Double($0) / 100 })
        #expect(grant.nextSlot == at(0.01))
        service.wait(0.01)
        #expect(Self.seconds(service.exchange(daemon: 3, wanted: 1).slots) == [0.21])
        service.wait(60)
        #expect(
            Self.seconds(service.exchange(wanted: 6).slots).map { $0 - 60 }.map { ($0 * 100).rounded() } == [
                1, 1, 1, 1, 1, 2,
            ])
    }

    @Test func aSlowRateIsAskedForShortlyBeforeItsSlot() {
        var service = Self.service(1, per: .seconds(10))
        #expect(Self.seconds(service.exchange(wanted: 5).slots) == [0])
        service.wait(1)
        let grant = service.exchange(wanted: 5)
        #expect(grant.slots == [])
        #expect(grant.nextSlot == at(9.8))
        #expect(!grant.changed)
        service.now = at(9.9)
        #expect(Self.seconds(service.exchange(wanted: 5).slots) == [10])
    }

    @Test func nothingIsGivenWhileNoCallMayGoOut() {
        var service = Self.service(10, per: .seconds(1))
        service.openAndWait()
        service.now = at(1)
        #expect(service.exchange(wanted: 5).slots == [])
        service.now = at(60)
        let probes = service.exchange(wanted: 5)
        // 200 ms hold the first and two more: as many probes as there are slots for.
        #expect(Self.seconds(probes.slots) == [60, 60.1, 60.2])
        #expect(probes.probes == 3)
        #expect(service.exchange(wanted: 5).slots == [])
    }

    @Test func slotsForCallsThatHaveAPermitOnly() {
        var service = Self.service(1_000, per: .seconds(1))
        service.settings.maxConcurrent = 4
        #expect(service.exchange(wanted: 10, inUse: 1).slots.count == 3)
    }

    /// They have their permits already: without slots of their own nobody would ever have one again.
    @Test func lateCallsGetSlotsThoughAllPermitsAreInUse() {
        var service = Self.service(1_000, per: .seconds(1))
        service.settings.maxConcurrent = 4
        #expect(service.exchange(wanted: 10, inUse: 4, late: 2).slots.count == 2)
        service.now = service.now + .seconds(1)
        #expect(service.exchange(wanted: 10, inUse: 3, late: 2).slots.count == 3)
        _ = service.state.operate(
            .forceOpen, by: Event.Act(actor: "ann", reason: "down"), settings: service.settings, now: service.now)
        service.now = service.now + .seconds(1)
        #expect(service.exchange(wanted: 10, inUse: 2, late: 2).slots == [])
    }

    @Test func aParticipantsQuietHoldsForAll() {
        var service = Self.service(10, per: .seconds(1))
        let report = ServiceReport(daemon: 1, heldOffUntil: at(30), wanted: 3)
        var grant = service.state.exchange(report, settings: service.settings, now: at(0))
        #expect(grant.slots == [] && grant.heldOffUntil == at(30) && grant.changed)
        service.now = at(29.9)
        grant = service.exchange(daemon: 2, wanted: 3)
        #expect(grant.slots == [] && grant.heldOffUntil == at(30) && !grant.changed)
        // An earlier one doesn't shorten it; at most a day is believed.
        let earlier = ServiceReport(daemon: 1, heldOffUntil: at(29.95), wanted: 3)
        #expect(service.state.exchange(earlier, settings: service.settings, now: at(29.9)).heldOffUntil == at(30))
        service.now = at(30)
        grant = service.exchange(daemon: 2, wanted: 2)
        #expect(Self.seconds(grant.slots) == [30, 30.1])
        #expect(grant.heldOffUntil == nil)
        let forever = ServiceReport(daemon: 1, heldOffUntil: .distantFuture)
        grant = service.state.exchange(forever, settings: service.settings, now: at(31))
        #expect(grant.heldOffUntil == at(31 + 86_400))
    }

    @Test func anotherLimitIsNotHeldUpByTheOldOne() {
        var service = Self.service(1, per: .seconds(36_000))
        service.exchange(wanted: 1)
        service.now = at(1)
        #expect(service.exchange(wanted: 1).nextSlot == at(36_000 - 0.2))
        service.settings.rateLimit = RateLimit(calls: 10, per: .seconds(1))
        let first = service.exchange(wanted: 1)
        // As if slots had been given as far as they reach.
        #expect(first.slots == [] && first.nextSlot == at(1.101))
        service.now = at(1.101)
        #expect(Self.seconds(service.exchange(wanted: 1).slots) == [1.301])
        service.settings.rateLimit = nil
        #expect(service.exchange(wanted: 1).slots == [])
        let still = service.exchange(wanted: 1)
        #expect(still.slots == [] && !still.changed)
    }

    /// Limits as they come and as nobody would write them: nothing traps, and slots never run ahead.
    @Test func anyLimitIsSurvived() {
        let numbers = [Int.min, -1, 0, 1, 2, 7, 19, 20, 1_000, 1_000_000_000, .max]
        let spans = [Int64.min, -1, 0, 1, 999, 1_000_000, TimeSpan.longestWritten.microseconds, .max]
        for calls in numbers {
            for span in spans {
                for time in [0, Int64.min, .max, 1_700_000_000_000_000] {
                    var service = Self.service(calls, per: TimeSpan(microseconds: span))
                    service.now = Instant(microseconds: time)
                    for wanted in [Int.min, 0, 1, 3, .max] {
                        let grant = service.exchange(wanted: wanted)
                        #expect(grant.slots.count <= max(0, min(wanted, 4_096)))
                        #expect(grant.slots.allSatisfy { $0 >= service.now && $0 <= service.now + .milliseconds(200) })
                        #expect(grant.slots == grant.slots.sorted())
                    }
                }
            }
        }
    }

    /// Three daemons ask at random times, with random delays between a slot and its call's arrival.
    @Test(arguments: [
        (1, 1.0, 30.0), (1, 10, 300), (3, 1, 30), (10, 1, 30), (19, 1, 30), (20, 1, 30), (39, 1, 30), (50, 0.5, 30),
        (100, 1, 20), (300, 1, 20), (997, 1, 10), (5_000, 1, 6), (600, 60, 200),
    ])
    func noWindowIsOverTheLimitAndAlmostAllIsUsed(_ calls: Int, _ per: Double, _ length: Double) {
        let limit = RateLimit(calls: calls, per: at(per) - at(0))
        for (isLate, isBursty) in [(false, false), (true, false), (false, true), (true, true)] {
            var random = SeededGenerator(seed: UInt64(calls) &+ (isLate ? 1_000 : 0) &+ (isBursty ? 2_000 : 0))
            var service = SharedService()
            service.settings.rateLimit = limit
            // When each daemon asks next.
            var asks = [at(0), at(0), at(0)]
            let delay = isLate ? limit.lateness.microseconds : Int64(per * 1e6) / 20
            var arrivals: [Int64] = []
            while let daemon = asks.indices.min(by: { asks[$0] < asks[$1] }), asks[daemon] < at(length) {
                service.now = asks[daemon]
                let wanted =
                    isBursty && Int.random(in: 0..<10, using: &random) < 7 ? 0 : Int.random(in: 1...500, using: &random)
                let grant = service.exchange(daemon: Int32(daemon), wanted: wanted)
                for slot in grant.slots {
                    arrivals.append(slot.microseconds + Int64.random(in: 0...delay, using: &random))
                }
                // The engine asks again when it pays, with the delay of a round trip.
                let pause = TimeSpan(microseconds: Int64.random(in: 1_000...20_000, using: &random))
                asks[daemon] = max(grant.nextSlot ?? service.now, service.now) + pause
                if isBursty, Int.random(in: 0..<10, using: &random) == 0 {
                    asks[daemon] = asks[daemon] + TimeSpan(microseconds: Int64(per * 2e6))
                }
            }
            arrivals.sort()
            let most = most(arrivals, within: Int64(per * 1e6))
            #expect(most <= calls + max(1, calls / 10), "late \(isLate), bursty \(isBursty)")
            if !isBursty {
                #expect(Double(arrivals.count) >= 0.95 * length / per * Double(calls), "late \(isLate)")
            }
        }
    }

    /// The most arrivals in any window of a length, its end not in it.
    private func most(_ arrivals: [Int64], within length: Int64) -> Int {
        var first = 0
        var most = 0
        for (last, arrival) in arrivals.enumerated() {
            while arrivals[first] <= arrival - length { first += 1 }
            most = max(most, last - first + 1)
        }
        return most
    }
}

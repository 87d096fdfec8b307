import JSON
import SagaCore
import Testing

/// resilience4j's scenarios (`CircuitBreakerStateMachineTest`, `CircuitBreakerMetricsTest`) and those of shared probes.
@Suite struct CircuitBreakerTests {
    private static func text(_ states: [BreakerState]) -> String {
        states.map {
            switch $0 {
            case .closed: "C"
            case .open: "O"
            case .halfOpen: "H"
            case .forcedOpen: "X"
            case .disabled: "D"
            }
        }.joined()
    }

    /// Lower case letters are slow calls; states after each result.
    @Test(arguments: [
        // Failure rates: known from the minimum on, compared with ≥, of successes too.
        (5, 20, 50.0, 100.0, "FFFSS", "CCCCO"),
        (5, 20, 50, 100, "SSSFFF", "CCCCCO"),
        (5, 20, 60, 100, "FFFSS", "CCCCO"),
        (5, 20, 61, 100, "FFFSSSSSS", "CCCCCCCCC"),
        // Slow calls alone, and slow failures as both.
        (5, 20, 100, 50, "sSsSS", "CCCCC"), (5, 20, 100, 50, "sSsSSs", "CCCCCO"), (5, 20, 70, 60, "fsFSs", "CCCCO"),
        (2, 20, 100, 100, "ss", "CO"),
        // The window: a minimum above it is its size, and what slides out no longer counts.
        (10, 3, 50, 100, "FSF", "CCO"), (3, 4, 75, 100, "SSFFSFF", "CCCCCOO"), (1, 1, 100, 100, "SSF", "CCO"),
        (4, 4, 50, 100, "FSSSSFSF", "CCCCCCCO"),
        // Neutral results count for nothing.
        (2, 20, 50, 100, "NNNSNSNF", "CCCCCCCC"), (2, 20, 100, 100, "FNNF", "CCCO"),
    ])
    func closed(_ minimum: Int, _ size: Int, _ failures: Double, _ slow: Double, _ results: String, _ states: String) {
        var service = SharedService {
            $0.minimumNumberOfCalls = minimum
            $0.slidingWindowSize = size
            $0.failureRateThreshold = failures
            $0.slowCallRateThreshold = slow
        }
        #expect(Self.text(service.states(results)) == states)
        // The same in one report: nothing is counted that was begun before the breaker opened.
        var atOnce = SharedService()
        atOnce.settings = service.settings
        atOnce.exchange(results)
        #expect(atOnce.state == service.state)
    }

    @Test(arguments: [
        // Permits, minimum, results, states: decided when min(minimum, permits) results are in.
        (4, 10, "FFSF", "HHHO"), (4, 10, "FSSS", "HHHC"), (4, 10, "FSFS", "HHHO"), (4, 10, "ssSs", "HHHO"),
        (10, 3, "SSF", "HHC"), (10, 3, "SFF", "HHO"), (1, 10, "S", "C"), (1, 10, "F", "O"),
        (4, 10, "SNSNSNS", "HHHHHHC"), (4, 10, "NNNNSSSS", "HHHHHHHC"),
    ])
    func halfOpen(_ permitted: Int, _ minimum: Int, _ results: String, _ states: String) {
        var service = SharedService {
            $0.permittedNumberOfCallsInHalfOpenState = permitted
            $0.minimumNumberOfCalls = minimum
            $0.slowCallRateThreshold = 75
        }
        service.openAndWait()
        for (index, result) in results.enumerated() {
            #expect(service.exchange(wanted: 1).probes == 1, "call \(index + 1)")
            service.exchange(String(result))
            let state = Array(states)[index]
            #expect(Self.text([service.state.breaker.state]) == String(state), "result \(index + 1)")
        }
    }

    @Test func onlyThePermittedProbesGoOutHoweverManyWait() {
        var service = SharedService { $0.permittedNumberOfCallsInHalfOpenState = 4 }
        service.openAndWait()
        let probes = [(1, 3), (2, 1_000), (3, .max)].map { service.exchange(daemon: $0.0, wanted: $0.1).probes }
        #expect(probes == [3, 1, 0])
        #expect(service.state.breaker.state == .halfOpen)
        #expect(service.state.breaker.probesOut == 4)
        // One that wasn't needed and one whose result says nothing come back, to whoever asks first.
        service.exchange(daemon: 1, "N", unusedProbes: 1)
        #expect([2, 3].map { service.exchange(daemon: $0, wanted: 9).probes } == [2, 0])
    }

    @Test func aDaemonCantGiveBackAnothersProbes() {
        var service = SharedService()
        service.openAndWait()
        #expect(service.exchange(daemon: 1, wanted: 3).probes == 3)
        #expect(service.exchange(daemon: 2, wanted: 3, unusedProbes: 3).probes == 0)
        #expect(service.exchange(daemon: 2, "NNN", wanted: 3).probes == 0)
        #expect(service.exchange(daemon: 1, wanted: 3, unusedProbes: -5).probes == 0)
        #expect(service.exchange(daemon: 1, wanted: 9, unusedProbes: 100).probes == 3)
    }

    @Test func aLostProbesPermitComesBackAtItsEnd() {
        var service = SharedService()
        service.openAndWait()
        #expect(service.exchange(daemon: 1, wanted: 1, timeout: .seconds(10)).probes == 1)
        service.wait(2)
        #expect(service.exchange(daemon: 2, wanted: 9, timeout: .seconds(1)).probes == 2)
        service.exchange(daemon: 2, "SS")
        service.wait(8.499_999)
        #expect(service.exchange(daemon: 2, wanted: 9).probes == 0)
        service.wait(0.000_001)
        #expect(service.exchange(daemon: 2, wanted: 9).probes == 1)
        service.exchange(daemon: 2, "S")
        #expect(service.state.breaker.state == .closed)
    }

    @Test func resultsOfAnotherGenerationAndOfOtherCallsAreIgnored() {
        var service = SharedService { $0.minimumNumberOfCalls = 2 }
        let closed = service.exchange(wanted: 1).generation
        service.openAndWait()
        let halfOpen = service.exchange(wanted: 9)
        #expect(halfOpen.generation == closed + 2)
        let before = service.state
        #expect(!service.exchange("SSSFFF", isProbe: false, generation: closed).changed)
        #expect(!service.exchange("SSSFFF", isProbe: true, generation: closed + 1).changed)
        #expect(!service.exchange("SSSFFF", isProbe: false).changed)
        #expect(service.state == before)
        service.exchange("SS")
        #expect(service.state.breaker.state == .closed)
        service.exchange("FFFFF", isProbe: true, generation: halfOpen.generation)
        #expect(service.state.breaker.state == .closed)
        #expect(service.state.breaker.counts == (0, 0, 0))
    }

    @Test func openWaitsForItsTimeAndForSomebodyWhoWantsACall() {
        var service = SharedService { $0.waitDurationInOpenState = .seconds(5) }
        while service.state.breaker.state == .closed { service.exchange("F") }
        #expect(service.state.breaker.nextProbe == at(5))
        service.wait(4.999_999)
        var grant = service.exchange(wanted: 9)
        #expect(
            grant
                == ServiceGrant(
                    breaker: .open, generation: 2, nextProbe: at(5), validUntil: service.now + .milliseconds(500)))
        service.wait(0.000_001)
        grant = service.exchange(wanted: 0)
        #expect(grant.breaker == .open && grant.probes == 0 && !grant.changed)
        service.wait(60)
        grant = service.exchange(wanted: 9)
        #expect(grant.breaker == .halfOpen && grant.generation == 3 && grant.probes == 3 && grant.changed)
        #expect(grant.nextProbe == nil && service.state.breaker.since == service.now)
        #expect(grant.events.map(\.type) == [.breakerHalfOpened])
    }

    @Test func halfOpenWaitsOnlySoLong() {
        var service = SharedService {
            $0.maxWaitDurationInHalfOpenState = .seconds(2)
            $0.waitDurationInOpenState = .seconds(1)
        }
        service.openAndWait()
        service.exchange(wanted: 3)
        service.exchange("S")
        service.wait(1.999_999)
        #expect(service.exchange().breaker == .halfOpen)
        service.wait(0.000_001)
        let grant = service.exchange(wanted: 3)
        #expect(grant.breaker == .open && grant.probes == 0 && grant.nextProbe == at(4))
        #expect(
            grant.events.map(\.data.text) == [
                #"{"from":"HALF_OPEN","to":"OPEN","failureRate":0,"slowCallRate":0,"calls":1,"failures":0,"#
                    + #""slowCalls":0,"nextProbe":"1970-01-01T00:00:04.000Z","#
                    + #""reason":"maxWaitDurationInHalfOpenState is over"}"#
            ])
        // Without a longest wait it waits for good.
        var patient = SharedService()
        patient.openAndWait()
        patient.exchange(wanted: 3)
        patient.wait(1e9)
        #expect(patient.exchange().breaker == .halfOpen)
    }

    @Test(
        arguments: [
            (false, nil, [10, 10, 10, 10]), (true, nil, [10, 20, 40, 80]),
            (true, TimeSpan.seconds(25), [10, 20, 25, 25]),
        ] as [(Bool, TimeSpan?, [Int64])])
    func theWaitMayGrow(_ isExponential: Bool, _ longest: TimeSpan?, _ waits: [Int64]) {
        var service = SharedService {
            $0.waitDurationInOpenState = .seconds(10)
            $0.enableExponentialBackoff = isExponential
            $0.exponentialBackoffMultiplier = 2
            $0.exponentialMaxWaitDurationInOpenState = longest
        }
        for round in 1...2 {
            service.openAndWait()
            for (index, wait) in waits.enumerated() {
                let breaker = service.state.breaker
                #expect(breaker.nextProbe == breaker.since + .seconds(wait), "round \(round), opening \(index + 1)")
                service.now = breaker.nextProbe ?? service.now
                service.exchange(wanted: 3)
                service.exchange("FFF")
            }
            service.now = service.state.breaker.nextProbe ?? service.now
            service.exchange(wanted: 3)
            service.exchange("SSS")
            #expect(service.state.breaker.state == .closed)
        }
    }

    @Test func aWindowOfSecondsForgetsByTime() {
        var service = SharedService {
            $0.slidingWindowType = .timeBased
            $0.slidingWindowSize = 5
            $0.minimumNumberOfCalls = 4
        }
        service.exchange("FFF")
        service.wait(4.9)
        service.exchange(daemon: 2, "S", generation: 1)
        #expect(service.state.breaker.state == .open)
        service = SharedService()
        service.settings.circuitBreaker?.slidingWindowType = .timeBased
        service.settings.circuitBreaker?.slidingWindowSize = 5
        service.settings.circuitBreaker?.minimumNumberOfCalls = 4
        service.exchange("FFF")
        service.wait(5)
        service.exchange("FSSS")
        #expect(service.state.breaker.counts == (4, 1, 0))
        // Unlike one of calls it isn't bounded in them.
        service.exchange(String(repeating: "S", count: 500))
        #expect(service.state.breaker.counts == (504, 1, 0))
        #expect(service.state.breaker.state == .closed)
    }

    @Test func changesSayWhatDecided() {
        var service = SharedService {
            $0.minimumNumberOfCalls = 3
            $0.waitDurationInOpenState = .seconds(1)
        }
        var events = service.exchange("sFF").events
        service.wait(1)
        events += service.exchange(wanted: 3).events
        events += service.exchange("SSS").events
        #expect(
            events == [
                BreakerEvent(
                    type: .breakerOpened, at: at(0),
                    data: RawJSON(
                        unchecked: Array(
                            (#"{"from":"CLOSED","to":"OPEN","failureRate":66.67,"slowCallRate":33.33,"calls":3,"#
                                + #""failures":2,"slowCalls":1,"nextProbe":"1970-01-01T00:00:01.000Z"}"#).utf8))),
                BreakerEvent(
                    type: .breakerHalfOpened, at: at(1),
                    data: RawJSON(unchecked: Array(#"{"from":"OPEN","to":"HALF_OPEN"}"#.utf8))),
                BreakerEvent(
                    type: .breakerClosed, at: at(1),
                    data: RawJSON(
                        unchecked: Array(
                            (#"{"from":"HALF_OPEN","to":"CLOSED","failureRate":0,"slowCallRate":0,"calls":3,"#
                                + #""failures":0,"slowCalls":0}"#).utf8))),
            ])
        #expect(
            BreakerEventType.allCases.map(\.name) == [
                "BreakerOpened", "BreakerHalfOpened", "BreakerClosed", "BreakerForcedOpen", "BreakerDisabled",
                "BreakerReset",
            ])
        #expect(BreakerEventType.allCases.map(\.rawValue) == [1, 2, 3, 4, 5, 6])
    }
}

import SagaCore
import Testing

/// What people do to a breaker, and what definitions say of it while it works.
@Suite struct BreakerCommandTests {
    private static let act = Event.Act(actor: "ann@desk", reason: "maintenance")

    /// From each state by each command: the state, and the event if it isn't so already.
    @Test(
        arguments: [
            (
                BreakerState.closed, BreakerCommand.forceOpen, BreakerState.forcedOpen,
                BreakerEventType.breakerForcedOpen
            ),
            (.closed, .close, .closed, nil), (.closed, .reset, .closed, .breakerReset),
            (.closed, .disable, .disabled, .breakerDisabled),
            (.open, .forceOpen, .forcedOpen, .breakerForcedOpen), (.open, .close, .closed, .breakerClosed),
            (.open, .reset, .closed, .breakerReset), (.open, .disable, .disabled, .breakerDisabled),
            (.halfOpen, .forceOpen, .forcedOpen, .breakerForcedOpen), (.halfOpen, .close, .closed, .breakerClosed),
            (.halfOpen, .reset, .closed, .breakerReset), (.halfOpen, .disable, .disabled, .breakerDisabled),
            (.forcedOpen, .forceOpen, .forcedOpen, nil), (.forcedOpen, .close, .closed, .breakerClosed),
            (.forcedOpen, .reset, .closed, .breakerReset), (.forcedOpen, .disable, .disabled, .breakerDisabled),
            (.disabled, .forceOpen, .forcedOpen, .breakerForcedOpen), (.disabled, .close, .closed, .breakerClosed),
            (.disabled, .reset, .closed, .breakerReset), (.disabled, .disable, .disabled, nil),
        ] as [(BreakerState, BreakerCommand, BreakerState, BreakerEventType?)])
    func command(_ state: BreakerState, _ command: BreakerCommand, _ after: BreakerState, _ type: BreakerEventType?) {
        var service = Self.service(in: state)
        let before = service.state
        let event = service.state.operate(command, by: Self.act, settings: service.settings, now: service.now)
        #expect(event?.type == type)
        #expect(service.state.breaker.state == after)
        #expect(service.state.breaker.generation == before.breaker.generation + (type == nil ? 0 : 1))
        guard type != nil else {
            #expect(service.state == before)
            return
        }
        #expect(event?.at == service.now)
        #expect(
            event?.data.text
                == #"{"from":"\#(state.rawValue)","to":"\#(after.rawValue)","actor":"ann@desk","reason":"maintenance"}"#
        )
        #expect(service.state.breaker.counts == (0, 0, 0))
        #expect(service.state.breaker.since == service.now)
    }

    private static func service(in state: BreakerState) -> SharedService {
        var service = SharedService()
        switch state {
        case .closed: service.exchange("FS")
        case .open: service.openAndWait()
        case .halfOpen:
            service.openAndWait()
            service.exchange(wanted: 1)
        case .forcedOpen:
            _ = service.state.operate(.forceOpen, by: act, settings: service.settings, now: service.now)
        case .disabled: _ = service.state.operate(.disable, by: act, settings: service.settings, now: service.now)
        }
        return service
    }

    @Test func whatAPersonForcesStaysUntilAPersonActs() {
        for (state, probes) in [(BreakerState.forcedOpen, false), (.disabled, true)] {
            var service = Self.service(in: state)
            service.settings.maxConcurrent = 5
            let before = service.state.breaker
            for _ in 0..<50 {
                let grant = service.exchange("FFFF", wanted: 9)
                #expect(grant.breaker == state && grant.probes == 0)
                #expect(grant.permits == (probes ? 5 : 0))
                service.wait(100)
            }
            #expect(service.state.breaker == before)
        }
    }

    @Test func aResetEndsAParticipantsQuiet() {
        var service = SharedService()
        let report = ServiceReport(daemon: 1, heldOffUntil: at(60), wanted: 1)
        #expect(service.state.exchange(report, settings: service.settings, now: at(0)).heldOffUntil == at(60))
        #expect(service.state.operate(.close, by: Self.act, settings: service.settings, now: at(1)) == nil)
        #expect(service.state.heldOffUntil == at(60))
        #expect(service.state.operate(.reset, by: Self.act, settings: service.settings, now: at(1)) != nil)
        #expect(service.state.heldOffUntil == nil)
    }

    @Test func aDefinitionThatSwitchesTheBreakerOffClosesIt() {
        for state in [BreakerState.open, .halfOpen] {
            var service = Self.service(in: state)
            service.settings.circuitBreaker = nil
            let grant = service.exchange("FFF", wanted: 1)
            #expect(grant.breaker == .closed)
            #expect(
                grant.events.map(\.data.text) == [
                    #"{"from":"\#(state.rawValue)","to":"CLOSED","reason":"circuitBreaker is false"}"#
                ])
            service.exchange(String(repeating: "F", count: 100))
            #expect(service.state.breaker.state == .closed)
            #expect(service.state.breaker.counts == (0, 0, 0))
        }
        // A person's word holds all the same.
        var forced = Self.service(in: .forcedOpen)
        forced.settings.circuitBreaker = nil
        #expect(forced.exchange(wanted: 1).breaker == .forcedOpen)
    }

    @Test func otherSettingsCarryOverWhatFits() {
        var service = SharedService()
        service.exchange("FSSSSFSSS")
        service.settings.circuitBreaker?.slidingWindowSize = 3
        service.exchange("S")
        #expect(service.state.breaker.counts == (3, 0, 0))
        service.settings.circuitBreaker?.slidingWindowSize = 100
        service.exchange("F")
        #expect(service.state.breaker.counts == (4, 1, 0))
        service.settings.circuitBreaker?.slidingWindowType = .timeBased
        service.exchange("F")
        #expect(service.state.breaker.counts == (1, 1, 0))
        service.settings.circuitBreaker?.slidingWindowSize = 100_000
        service.exchange("F")
        #expect(service.state.breaker.counts == (2, 2, 0))
        service.settings.circuitBreaker?.slidingWindowType = .countBased
        service.exchange("S")
        #expect(service.state.breaker.counts == (1, 0, 0))
    }

    /// With fewer results asked for than are in, and no permit left for another, nothing else would ever decide.
    @Test func fewerProbesAskedForDontWedgeIt() {
        var service = SharedService { $0.permittedNumberOfCallsInHalfOpenState = 8 }
        service.openAndWait()
        service.exchange(wanted: 5)
        service.exchange("SSSSS")
        #expect(service.state.breaker.state == .halfOpen)
        service.settings.circuitBreaker?.permittedNumberOfCallsInHalfOpenState = 3
        #expect(service.exchange(wanted: 1).breaker == .closed)
    }
}

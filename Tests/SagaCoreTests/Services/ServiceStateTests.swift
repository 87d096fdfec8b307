import JSON
import SagaCore
import Testing

/// The shared state as a whole: its document, and exchanges of every kind.
@Suite struct ServiceStateTests {
    private static func read(_ text: String) throws(ServiceDocumentError) -> ServiceState {
        try ServiceState(json: RawJSON(unchecked: Array(text.utf8)))
    }

    @Test func theDocument() throws {
        var service = SharedService { $0.permittedNumberOfCallsInHalfOpenState = 4 }
        service.settings.rateLimit = RateLimit(calls: 10, per: .seconds(1))
        service.settings.maxConcurrent = 3
        #expect(service.state.json.text == #"{"breaker":{"state":"CLOSED","since":0,"generation":1}}"#)
        service.exchange("SSSfsFS")
        #expect(
            service.state.json.text
                == #"{"breaker":{"state":"CLOSED","since":0,"generation":1,"calls":"s3FSfs"},"by":1}"#)
        service.openAndWait()
        let report = ServiceReport(
            daemon: 7, inUse: 1, inUseUntil: at(99), wanted: 9, longestTimeout: .seconds(30))
        _ = service.state.exchange(report, settings: service.settings, now: service.now)
        service.exchange(daemon: 8, "F")
        service.exchange(daemon: 9, wanted: 1)
        let held = ServiceReport(daemon: 9, heldOffUntil: at(70), wanted: 1)
        _ = service.state.exchange(held, settings: service.settings, now: service.now)
        #expect(
            service.state.json.text
                == #"{"breaker":{"state":"HALF_OPEN","since":60000000,"generation":3,"openings":1,"calls":"f","#
                + #""probes":[[7,2,90500000]]},"fullAt":60200000,"#
                + #""holders":[[7,3,99000000,2,60000000,60000000]],"heldOffUntil":70000000,"by":9}"#)
        #expect(try ServiceState(json: service.state.json) == service.state)
        service = SharedService { $0.slidingWindowType = .timeBased }
        service.exchange("sSF")
        service.wait(2)
        service.exchange("S")
        #expect(
            service.state.json.text
                == #"{"breaker":{"state":"CLOSED","since":0,"generation":1,"seconds":[[0,3,1,1],[2,1,0,0]]},"by":1}"#)
        #expect(try ServiceState(json: service.state.json) == service.state)
    }

    @Test func aFullWindowIsSmall() throws {
        var random = SeededGenerator(seed: 1)
        var service = SharedService {
            $0.slidingWindowSize = 1_000
            $0.minimumNumberOfCalls = 1_000
        }
        service.exchange(String((0..<999).map { _ in "SFsf".randomElement(using: &random) ?? "S" }))
        #expect(service.state.breaker.counts.calls == 999)
        #expect(service.state.json.bytes.count < 450)
        #expect(try ServiceState(json: service.state.json) == service.state)
        service = SharedService {
            $0.slidingWindowSize = 100_000
            $0.slidingWindowType = .timeBased
            $0.failureRateThreshold = 100
        }
        for _ in 0..<1_000 {
            service.exchange("SF")
            service.wait(100)
        }
        #expect(service.state.breaker.counts == (2_000, 1_000, 0))
        #expect(service.state.json.bytes.count < 8_192)
    }

    /// Else each of the two could take the other's write for its own, and both would use the same slot.
    @Test func twoDaemonsNeverComeToTheSameState() {
        var service = SharedService()
        service.settings = ServiceSettings(rateLimit: RateLimit(calls: 10, per: .seconds(1)))
        service.exchange(wanted: 1)
        var other = service
        let grant = service.exchange(daemon: 2, wanted: 1)
        #expect(other.exchange(daemon: 3, wanted: 1).slots == grant.slots)
        #expect(other.state != service.state)
        var person = service.state
        _ = person.operate(.reset, by: .init(actor: "op", reason: nil), settings: service.settings, now: service.now)
        #expect(person.json.text == #"{"breaker":{"state":"CLOSED","since":0,"generation":2},"fullAt":200000}"#)
    }

    @Test func unknownKeysArePassedOver() throws {
        let state = try Self.read(
            #"{"new": 1, "breaker": {"state": "OPEN", "since": 5, "generation": 9, "nextProbe": 7, "more": []}, "#
                + #""holders": [[1, 2, 3, 4, 5, 6, 7]]}"#)
        #expect(state.breaker.state == .open && state.breaker.generation == 9)
        #expect(
            state.json.text
                == #"{"breaker":{"state":"OPEN","since":5,"generation":9,"nextProbe":7},"holders":[[1,2,3,4,5,6]]}"#)
    }

    @Test(
        arguments: [
            ("", nil), ("[]", "the state isn't an object"), ("{}", "`breaker` isn't an object"),
            (#"{"breaker": {"state": "SHUT"}}"#, "`state` isn't one of a breaker's"),
            (#"{"breaker": {"state": "OPEN"}}"#, "`since` is missing"),
            (#"{"breaker": {"state": "OPEN", "since": 1.5}}"#, "`since` isn't a whole number"),
            (#"{"breaker": {"state": "OPEN", "since": 1, "generation": -1}}"#, "-1 is out of range"),
            (#"{"breaker": {"state": "OPEN", "since": 1, "generation": 9223372036854775807}}"#, nil),
            (#"{"breaker": {"state": "OPEN", "since": 1, "generation": 1, "nextProbe": "x"}}"#, nil),
            (#"{"breaker": {"state": "CLOSED", "since": 1, "generation": 1, "calls": "x"}}"#, "`calls` can't be read"),
            (
                #"{"breaker": {"state": "CLOSED", "since": 1, "generation": 1, "calls": "s100001"}}"#,
                "`calls` can't be read"
            ),
            (#"{"breaker": {"state": "CLOSED", "since": 1, "generation": 1, "calls": "s99999s2"}}"#, nil),
            (#"{"breaker": {"state": "CLOSED", "since": 1, "generation": 1, "calls": "s99999999999999999999"}}"#, nil),
            (#"{"breaker": {"state": "CLOSED", "since": 1, "generation": 1, "calls": "=4:A"}}"#, nil),
            (#"{"breaker": {"state": "CLOSED", "since": 1, "generation": 1, "calls": "=-1:"}}"#, nil),
            (#"{"breaker": {"state": "CLOSED", "since": 1, "generation": 1, "calls": "=9223372036854775807:A"}}"#, nil),
            (
                #"{"breaker": {"state": "CLOSED", "since": 1, "generation": 1, "seconds": [[2,1,0,0],[1,1,0,0]]}}"#,
                "`seconds` aren't in order"
            ),
            (
                #"{"breaker": {"state": "CLOSED", "since": 1, "generation": 1, "seconds": [[1,1,2,0]]}}"#,
                "2 is out of range"
            ),
            (
                #"{"breaker": {"state": "CLOSED", "since": 1, "generation": 1, "probes": [[1,2]]}}"#,
                "`probes` has a row that can't be read"
            ),
            (
                #"{"breaker": {"state": "CLOSED", "since": 1, "generation": 1}, "holders": [[1,1,1,1,1,1],[1,1,1,1,1,1]]}"#,
                "`holders` aren't in order"
            ),
            (
                #"{"breaker": {"state": "CLOSED", "since": 1, "generation": 1}, "holders": [[2147483648,1,1,1,1,1]]}"#,
                "2147483648 isn't a daemon's number"
            ),
        ] as [(String, String?)])
    func nonsenseIsRefused(_ text: String, _ message: String?) {
        do throws(ServiceDocumentError) {
            let state = try Self.read(text)
            Issue.record("read as \(state)")
        } catch {
            if let message { #expect(error.message == message) }
        }
    }

    @Test func aHealthyServiceWithoutLimitsCostsNothing() {
        var service = SharedService()
        service.exchange(String(repeating: "S", count: 20), wanted: 3)
        let before = service.state
        for daemon in Int32(1)...3 {
            let grant = service.exchange(daemon: daemon, "SSSSS", wanted: 100)
            #expect(
                grant
                    == ServiceGrant(
                        breaker: .closed, generation: 1, validUntil: service.now + ServiceState.grantLifetime))
            service.wait(1)
        }
        #expect(service.state == before)
    }

    /// Any report under any settings at any time: nothing traps, the same gives the same, the document comes back,
    /// probes and permits stay within their numbers, and `changed` is the truth.
    @Test(arguments: 0..<8) func anythingIsSurvived(block: UInt64) throws {
        for seed in (block * 25)..<(block * 25 + 25) {
            var random = SeededGenerator(seed: seed)
            var state = ServiceState(at: at(0))
            var now = at(1_700_000_000)
            var settings = RandomReports.settings(&random)
            for step in 0..<80 {
                if Int.random(in: 0..<20, using: &random) == 0 { settings = RandomReports.settings(&random) }
                now = now + TimeSpan(microseconds: Int64.random(in: -1_000_000...20_000_000, using: &random))
                let before = state
                let report = RandomReports.report(&random, generation: state.breaker.generation, now: now)
                let grant = state.exchange(report, settings: settings, now: now)
                var again = try ServiceState(json: before.json)
                #expect(again == before, "seed \(seed), step \(step)")
                #expect(again.exchange(report, settings: settings, now: now) == grant, "seed \(seed), step \(step)")
                #expect(again.json == state.json, "seed \(seed), step \(step)")
                #expect(grant.changed == (before != state), "seed \(seed), step \(step)")
                #expect(grant.events.isEmpty || grant.changed)
                #expect(grant.generation == state.breaker.generation && grant.breaker == state.breaker.state)
                let permitted = settings.circuitBreaker?.permittedNumberOfCallsInHalfOpenState ?? 0
                #expect(grant.probes <= permitted && (grant.probes == 0 || grant.breaker == .halfOpen))
                if grant.breaker != .closed, grant.breaker != .disabled {
                    #expect(grant.slots.count <= grant.probes)
                }
                if Int.random(in: 0..<30, using: &random) == 0 {
                    let command = BreakerCommand.allCases.randomElement(using: &random) ?? .reset
                    let act = Event.Act(actor: "a", reason: nil)
                    _ = state.operate(command, by: act, settings: settings, now: now)
                }
            }
        }
    }

    /// A stored document with anything changed in it is refused or taken, and what is taken can be gone on with.
    @Test func damagedDocumentsAreSurvived() {
        var service = SharedService { $0.slidingWindowType = .timeBased }
        service.settings.maxConcurrent = 4
        service.settings.rateLimit = RateLimit(calls: 5, per: .seconds(1))
        service.exchange("SFSF", wanted: 9)
        service.exchange(daemon: 2, wanted: 9)
        let bytes = service.state.json.bytes
        var random = SeededGenerator(seed: 3)
        var taken = 0
        for _ in 0..<5_000 {
            var damaged = bytes
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let index = Int.random(in: damaged.indices, using: &random)
                damaged[index] = UInt8.random(in: 0x20...0x7E, using: &random)
            }
            guard var state = try? ServiceState(json: RawJSON(unchecked: damaged)) else { continue }
            taken += 1
            let report = ServiceReport(daemon: 1, heldOffUntil: at(1), inUse: 2, wanted: 5, longestTimeout: .seconds(1))
            _ = state.exchange(report, settings: service.settings, now: at(100))
            _ = state.json
        }
        #expect(taken > 100)
    }
}

private enum RandomReports {
    static func settings(_ random: inout SeededGenerator) -> ServiceSettings {
        var breaker = CircuitBreakerSettings()
        breaker.failureRateThreshold = Double.random(in: 1...100, using: &random)
        breaker.slowCallRateThreshold = Double.random(in: 1...100, using: &random)
        breaker.slidingWindowType = Bool.random(using: &random) ? .countBased : .timeBased
        breaker.slidingWindowSize = [1, 2, 5, 20, 100, 1_000, .max, -3].randomElement(using: &random) ?? 20
        breaker.minimumNumberOfCalls = [0, 1, 3, 10].randomElement(using: &random) ?? 10
        breaker.permittedNumberOfCallsInHalfOpenState = Int.random(in: 1...6, using: &random)
        breaker.waitDurationInOpenState = .seconds(Int64.random(in: 1...30, using: &random))
        breaker.maxWaitDurationInHalfOpenState = .seconds(Int64.random(in: 0...60, using: &random))
        breaker.enableExponentialBackoff = Bool.random(using: &random)
        return ServiceSettings(
            maxConcurrent: [nil, 1, 3, 50].randomElement(using: &random) ?? nil,
            rateLimit: Bool.random(using: &random)
                ? RateLimit(calls: Int.random(in: 1...500, using: &random), per: .seconds(1)) : nil,
            circuitBreaker: Int.random(in: 0..<8, using: &random) == 0 ? nil : breaker)
    }

    static func report(_ random: inout SeededGenerator, generation: Int, now: Instant) -> ServiceReport {
        let extremes = [Int.min, -1, 0, 1, 2, 9, .max]
        let results = (0..<Int.random(in: 0...6, using: &random)).map { _ in
            CallResult(
                generation: Int.random(in: 0..<8, using: &random) == 0 ? generation - 1 : generation,
                isProbe: Bool.random(using: &random),
                verdict: CallVerdict.allCases.randomElement(using: &random) ?? .neutral,
                duration: .seconds(Int64.random(in: 0...120, using: &random)),
                at: Int.random(in: 0..<20, using: &random) == 0
                    ? .distantFuture : now + .seconds(Int64.random(in: -5...0, using: &random)))
        }
        return ServiceReport(
            daemon: Int32.random(in: 1...4, using: &random), results: results,
            heldOffUntil: Int.random(in: 0..<20, using: &random) == 0 ? .distantFuture : nil,
            inUse: extremes.randomElement(using: &random) ?? 0,
            inUseUntil: Bool.random(using: &random) ? nil : now + .seconds(Int64.random(in: -5...60, using: &random)),
            wanted: extremes.randomElement(using: &random) ?? 0,
            longestTimeout: [TimeSpan(microseconds: .min), .zero, .seconds(30), TimeSpan(microseconds: .max)]
                .randomElement(using: &random) ?? .zero,
            unusedProbes: extremes.randomElement(using: &random) ?? 0)
    }
}

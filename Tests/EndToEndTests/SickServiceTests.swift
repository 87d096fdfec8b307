import Foundation
import JSON
import SagaTestKit
import Testing

/// What a participant that falls ill sees of several daemons, by its own count.
@Suite(.timeLimit(.minutes(5))) struct SickServiceTests {
    /// A call counts as begun while the breaker is open when it was decided on later than this after the opening, in
    /// seconds.
    ///
    /// A daemon begins nothing at a service that it hasn't asked about for 250 ms
    /// (`EngineConfiguration.serviceFreshness`), so it knows 250 ms after the opening was committed at the latest. The
    /// rest is for writing it: its time is that of the decision. The one that found it out begins nothing meanwhile.
    private let hearing = 0.25 + 0.25

    @Test func threeDaemonsKeepToTheLimitsOfAServiceThatFailsForAWhile() async throws {
        let test = try await SickInstallation()
        let (concurrent, calls, per, probes, attempts) = (6, 60, 2, 3, 4)
        for saga in ["order", "subscription"] {
            try test.define(
                saga,
                settings: """
                    "maxConcurrent": \(concurrent), "rateLimit": {"calls": \(calls), "per": "\(per)s"},
                    "circuitBreaker": {"slidingWindowSize": 10, "minimumNumberOfCalls": 5,
                      "waitDurationInOpenState": "1s", "permittedNumberOfCallsInHalfOpenState": \(probes)}
                    """,
                action: """
                    "timeout": "1s",
                    "retry": {"maximumAttempts": \(attempts), "initialInterval": "100ms", "maximumInterval": "1s"}
                    """)
        }
        let daemons = try await test.daemons(3)
        try test.service.set(.well(50_000))
        _ = try await test.start("order", 60)
        _ = try await test.start("subscription", 60)
        try await test.until("the first calls") { test.service.arrivals.count >= 20 }
        let sick = Date().timeIntervalSince1970
        for mode in [SickService.Mode.failing("503 Service Unavailable"), .hanging, .refusing] {
            try test.service.set(mode)
            try await Task.sleep(for: .seconds(1))
        }
        try test.service.set(.well(50_000))
        let well = Date().timeIntervalSince1970
        try await test.untilCompleted(120)
        await test.stop(daemons)

        let arrivals = test.service.arrivals
        #expect((arrivals.map(\.inside).max() ?? 0) <= concurrent)
        #expect(test.service.most(within: Double(per)) <= calls + max(1, calls / 10))
        let begun = try await test.begun()
        #expect((begun.map(\.attempt).max() ?? 0) <= attempts)
        let byKey = Dictionary(grouping: arrivals, by: \.key).mapValues(\.count)
        #expect(byKey.count == 120, "one key a saga")
        #expect((byKey.values.max() ?? 0) <= attempts)
        let events = try await test.breakerEvents()
        #expect(try await test.query("SELECT count(*)::text FROM saga.service") == [["1"]], "both share the breaker")
        #expect(events.first?.type == "Opened")
        #expect(events.first.map { $0.at > sick && $0.at < well } == true)
        #expect(events.last?.type == "Closed")
        expect(begun, keepTo: probes, in: events)
        let open = try #require(events.first), closed = try #require(events.last)
        // The same by what arrived: on the way when it opened, or a probe.
        let decided = Dictionary(uniqueKeysWithValues: begun.map { (["\($0.saga)", "\($0.attempt)"], $0.at) })
        let whileOpen = arrivals.filter {
            open.at + hearing < decided[[$0.saga, "\($0.attempt)"]] ?? 0 && $0.at < closed.at
        }
        #expect(whileOpen.count <= probes * events.count { $0.type == "HalfOpened" })
        await test.remove()
    }

    /// No call is begun while the breaker is open, and so many at most in each half-open phase.
    private func expect(
        _ begun: [SickInstallation.Begun], keepTo probes: Int, in events: [SickInstallation.BreakerEvent],
        location: SourceLocation = #_sourceLocation
    ) {
        for (index, event) in events.enumerated() {
            let end = index + 1 < events.count ? events[index + 1].at : .infinity
            if event.type == "Opened" {
                let stray = begun.filter { $0.at > event.at + hearing && $0.at < end }
                #expect(stray == [], "begun while open: \(events)", sourceLocation: location)
            }
            if event.type == "HalfOpened" {
                let inPhase = begun.filter { $0.at >= event.at && $0.at < end }
                #expect(inPhase.count <= probes, "\(inPhase) in \(events)", sourceLocation: location)
            }
        }
    }

    private static let quickBreaker = """
        "circuitBreaker": {"slidingWindowSize": 4, "minimumNumberOfCalls": 4, "waitDurationInOpenState": "WAIT",
          "permittedNumberOfCallsInHalfOpenState": 1}
        """

    private func settings(wait: String) -> String { Self.quickBreaker.replacingOccurrences(of: "WAIT", with: wait) }

    /// The permit is back once the call has ended for certain, and another daemon probes with it.
    @Test func aKilledDaemonsProbeGivesItsPermitBack() async throws {
        let test = try await SickInstallation()
        try test.define("order", settings: settings(wait: "1s"))
        let daemons = try await test.daemons(2)
        try test.service.set(.failing("503 Service Unavailable"))
        _ = try await test.start("order", 8)
        try await test.untilBreaker(["Opened"])
        try test.service.set(.hanging)
        let before = test.service.arrivals.count
        try await test.untilBreaker(["Opened", "HalfOpened"])
        try await test.until("the probe arrives") { test.service.arrivals.count > before }
        let probe = try #require(test.service.arrivals.last)
        let owner = try await test.query(
            "SELECT d.pid::text FROM saga.state s JOIN saga.daemon d ON d.id = s.owner WHERE s.id = '\(probe.saga)'")
        let victim = try #require(daemons.first { ["\($0.pid)"] == owner.first }, "\(owner)")
        victim.signal(SIGKILL)
        #expect(await victim.ending().status == -SIGKILL)
        try test.service.set(.well(0))
        // The other daemon's; the victim's own wait until its lease is over.
        let later = try await test.start("order", 3)
        try await test.until("the others end") {
            try await test.steps(later) == ["succeeded", "succeeded", "succeeded"]
        }
        let events = try await test.breakerEvents()
        #expect(events.map(\.type) == ["Opened", "HalfOpened", "Closed"])
        let (halfOpened, closed) = (events[1].at, events[2].at)
        let probes = try await test.begun().filter { $0.at >= halfOpened && $0.at < closed }
        #expect(probes.count == 2, "the lost one, and the one with its permit")
        #expect(probes.last.map { $0.at - (probes.first?.at ?? 0) >= 2 } == true, "not before the first one's timeout")
        for daemon in daemons where daemon !== victim { await test.stop([daemon]) }
        await test.remove()
    }

    @Test func anOpenBreakerStaysOpenWhenAllDaemonsStartAnew() async throws {
        let test = try await SickInstallation()
        try test.define("order", settings: settings(wait: "3s"))
        let first = try await test.daemons(3)
        try test.service.set(.failing("503 Service Unavailable"))
        _ = try await test.start("order", 6)
        try await test.untilBreaker(["Opened"])
        await test.stop(first)
        let before = test.service.arrivals.count
        try test.service.set(.well(0))
        let second = try await test.daemons(3)
        let later = try await test.start("order", 3)
        try await test.until("the new ones wait") {
            try await test.steps(later) == Array(repeating: "deferred", count: 3)
        }
        #expect(test.service.arrivals.count == before)
        try await test.untilCompleted(9)
        let events = try await test.breakerEvents()
        #expect(events.map(\.type) == ["Opened", "HalfOpened", "Closed"])
        expect(try await test.begun(), keepTo: 1, in: events)
        let nextProbe = try #require(
            try await test.query(
                "SELECT extract(epoch FROM (data ->> 'nextProbe')::timestamptz)::text FROM saga.breaker_event "
                    + "WHERE sequence = 1"
            ).first.flatMap { Double($0[0]) })
        #expect(events[1].at >= nextProbe - 0.001, "its text has milliseconds")
        await test.stop(second)
        await test.remove()
    }

    @Test func peopleMoveTheBreakerOfRunningDaemons() async throws {
        let test = try await SickInstallation()
        try test.define(
            "order", settings: settings(wait: "1h"),
            action: """
                "timeout": "2s",
                "retry": {"maximumAttempts": 0, "initialInterval": "20ms", "maximumInterval": "50ms"}
                """)
        let daemons = try await test.daemons(2)
        // Nobody has called it yet: it is known since it was registered.
        try await test.saga("breaker", "force-open", "payment", "--reason", "maintenance", "--actor", "ann")
        let held = try await test.start("order", 6)
        try await test.until("all wait") { try await test.steps(held) == Array(repeating: "deferred", count: 6) }
        #expect(test.service.arrivals == [])
        let listed = try JSON.parse(try await test.saga("breaker", "list", "--format", "json"))
        #expect(listed.arrayValue?.map { $0["state"] } == ["FORCED_OPEN"])
        let overview = try JSON.parse(try await test.saga("status", "--format", "json"))
        #expect(overview["breakers"]?.arrayValue?.map { $0["state"] } == ["FORCED_OPEN"])

        try await test.saga("breaker", "close", "payment", "--reason", "done", "--actor", "ann")
        try await test.untilCompleted(6)

        // Disabled it counts nothing, and every attempt goes out.
        try await test.saga("breaker", "disable", "payment", "--reason", "it must get through", "--actor", "ann")
        try test.service.set(.failing("503 Service Unavailable"))
        let stubborn = try await test.start("order", 2)
        try await test.until("twelve calls in vain") { test.service.arrivals.count >= 6 + 12 }

        // From now on they count again: four failures, and it is open for an hour.
        try await test.saga("breaker", "close", "payment", "--reason", "no use", "--actor", "bob")
        try await test.until("both wait") { try await test.steps(stubborn) == ["deferred", "deferred"] }
        try test.service.set(.well(0))
        try await test.saga("breaker", "reset", "payment", "--reason", "they say it is well", "--actor", "bob")
        try await test.untilCompleted(8)

        let events = try await test.breakerEvents()
        #expect(events.map(\.type) == ["ForcedOpen", "Closed", "Disabled", "Closed", "Opened", "Reset"])
        #expect(events.map { $0.data["actor"] } == ["ann", "ann", "ann", "bob", nil, "bob"])
        #expect(events.first?.data["reason"] == "maintenance")
        await test.stop(daemons)
        await test.remove()
    }

    /// One saga is told, and no other calls either, of whichever daemon.
    @Test func aWishForQuietMovesTheWholeService() async throws {
        let test = try await SickInstallation()
        try test.define(
            "order", settings: #""maxConcurrent": 1"#,
            action: #""timeout": "2s", "retry": {"maximumAttempts": 5, "initialInterval": "10ms", "jitter": "none"}"#)
        let daemons = try await test.daemons(3)
        try test.service.set(.failing("429 Too Many Requests", headers: "Retry-After: 2\r\n"))
        _ = try await test.start("order")
        try await test.until("one was refused") { test.service.arrivals.count == 1 }
        try await test.until("its attempt failed") {
            try await test.query("SELECT type FROM saga.events WHERE type = 'StepAttemptFailed'").count == 1
        }
        try test.service.set(.well(0))
        try await test.until("it is known") {
            try JSON.parse(try await test.saga("breaker", "list", "--format", "json")).arrayValue?
                .first?["heldOffUntil"]?.stringValue != nil
        }
        let others = try await test.start("order", 12)
        try await test.until("they wait") {
            try await test.steps(others) == Array(repeating: "deferred", count: 12)
        }
        try await test.untilCompleted(13)
        let arrivals = test.service.arrivals
        #expect(arrivals.count == 14)
        #expect(arrivals.map(\.inside).max() == 1)
        #expect(arrivals[1].at - arrivals[0].at >= 2, "nobody called meanwhile")
        #expect(try await test.breakerEvents() == [])
        await test.stop(daemons)
        await test.remove()
    }

    @Test func withoutABreakerTheLimitsHold() async throws {
        let test = try await SickInstallation()
        try test.define(
            "order", settings: #""maxConcurrent": 2, "circuitBreaker": false"#,
            action: #""timeout": "2s", "retry": {"maximumAttempts": 1}"#)
        let daemons = try await test.daemons(3)
        try test.service.set(.well(20_000))
        _ = try await test.start("order", 30)
        try await test.untilCompleted(30)
        #expect(test.service.arrivals.map(\.inside).max() == 2)
        try test.service.set(.failing("503 Service Unavailable"))
        _ = try await test.start("order", 30)
        try await test.until("all were called") { test.service.arrivals.count == 60 }
        try await test.until("all ended") { try await test.statuses() == ["completed": 30, "compensated": 30] }
        #expect((test.service.arrivals.map(\.inside).max() ?? 0) <= 2)
        #expect(try await test.breakerEvents() == [])
        await test.stop(daemons)
        await test.remove()
    }

    @Test func whereItSaysSoAnOpenBreakerIsAFailure() async throws {
        let test = try await SickInstallation()
        try test.define(
            "order", settings: #""whenOpen": "fail", "# + settings(wait: "1h"),
            action: #""timeout": "2s", "retry": {"maximumAttempts": 2, "initialInterval": "20ms"}"#)
        let daemons = try await test.daemons(2)
        try test.service.set(.failing("503 Service Unavailable"))
        _ = try await test.start("order", 8)
        try await test.untilBreaker(["Opened"])
        try await test.until("all ended") { try await test.statuses() == ["compensated": 8] }
        let before = test.service.arrivals.count
        let late = try await test.start("order", 4)
        try await test.until("all ended") { try await test.statuses() == ["compensated": 12] }
        #expect(test.service.arrivals.count == before)
        let ends = try await test.query("SELECT saga_id::text, attempts::text, error FROM saga.steps")
        #expect(
            ends.filter { late.contains($0[0]) }.map { Array($0.dropFirst()) }
                == Array(repeating: ["2", "Saga.CircuitOpen"], count: 4))
        await test.stop(daemons)
        await test.remove()
    }
}

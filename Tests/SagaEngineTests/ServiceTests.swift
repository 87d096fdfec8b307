import JSON
import SagaCore
import SagaEngine
import SagaTestKit
import Synchronization
import Testing

private let done = Answer.done(output: .null)
private let sick = Answer.unknown(.init(error: "Saga.HTTP.503", message: "down", isRetryable: true))
private let no = Answer.failed(.init(error: "No", message: "no", isRetryable: false))

/// A participant that counts for itself: how many calls are in at once, and when each came.
final class Witness: StepInvoker {
    struct Arrival {
        let at: Int64
        let call: Call
    }

    private struct State {
        var inside = 0
        var mostInside = 0
        var arrivals: [Arrival] = []
    }

    private let state = Mutex(State())
    private let clock: TestClock
    private let answer: @Sendable (Call) async -> Answer

    init(_ clock: TestClock, _ answer: @escaping @Sendable (Call) async -> Answer) {
        self.clock = clock
        self.answer = answer
    }

    var mostInside: Int { state.withLock { $0.mostInside } }
    var arrivals: [Arrival] { state.withLock { $0.arrivals } }

    func invoke(_ call: Call) async -> Answer {
        state.withLock {
            $0.inside += 1
            $0.mostInside = max($0.mostInside, $0.inside)
            $0.arrivals.append(Arrival(at: clock.now(), call: call))
        }
        let answer = await answer(call)
        state.withLock { $0.inside -= 1 }
        return answer
    }

    /// The most calls that came within any time of this length.
    func most(within length: Int64) -> Int {
        let times = arrivals.map(\.at).sorted()
        var most = 0
        var first = 0
        for (index, time) in times.enumerated() {
            while times[first] <= time - length { first += 1 }
            most = max(most, index - first + 1)
        }
        return most
    }
}

/// Switched from outside while calls come.
final class Switch: Sendable {
    private let state: Mutex<Bool>
    init(_ isOn: Bool) { state = Mutex(isOn) }
    var isOn: Bool {
        get { state.withLock { $0 } }
        set { state.withLock { $0 = newValue } }
    }
}

func calling(
    _ steps: Int, attempts: Int = 20, timeout: TimeSpan = .seconds(30), service: String = "s",
    _ configure: (inout ServiceSettings) -> Void
) -> Definition {
    var settings = ServiceSettings()
    settings.circuitBreaker?.slidingWindowSize = 10
    settings.circuitBreaker?.minimumNumberOfCalls = 5
    settings.circuitBreaker?.waitDurationInOpenState = .milliseconds(200)
    settings.circuitBreaker?.permittedNumberOfCallsInHalfOpenState = 3
    configure(&settings)
    let plain = list((0..<steps).map { "s\($0)" }, retry: quick(attempts: attempts), timeout: timeout)
    return Definition(
        name: plain.name, description: nil, digest: plain.digest, inputSchema: nil, deadline: nil,
        services: [Service(name: service, url: "http://\(service)", settings: settings)], steps: plain.steps,
        graph: plain.graph,
        onCompensationFailure: .halt, output: nil)
}

@Suite(.timeLimit(.minutes(1))) struct ServiceTests {
    /// Runs `count` sagas on three daemons until all have ended.
    private func run(
        _ harness: EngineHarness, _ witness: Witness, sagas count: Int, daemons: Int = 3,
        meanwhile: () async throws -> Void = {}
    ) async throws -> [SagaID] {
        let engines = (0..<daemons).map { _ in harness.engine(witness) }
        let runs = engines.map { engine in Task { await engine.run() } }
        var sagas: [SagaID] = []
        for _ in 0..<count { sagas.append(await harness.store.start(harness.definitionID)) }
        try await meanwhile()
        for saga in sagas { try await harness.wait(for: saga, "ended") { $0.status.isEnded } }
        for engine in engines { await engine.drain() }
        for run in runs { await run.value }
        return sagas
    }

    @Test func anOpenBreakerDefersAndOnlyProbesGoOut() async throws {
        let harness = await EngineHarness(calling(1) { _ in })
        let health = Switch(false)
        let witness = Witness(harness.clock) { _ in health.isOn ? done : sick }
        let sagas = try await run(harness, witness, sagas: 60) {
            await harness.wait("probed twice in vain") {
                await harness.store.breakerEvents("s").count { $0 == "BreakerOpened" } == 3
            }
            let calls = witness.arrivals.count
            health.isOn = true
            // What was out when it opened, and two times three probes.
            #expect(calls <= 60 + 6)
        }
        var states: [SagaState] = []
        for saga in sagas { states.append(try #require(try await harness.state(saga))) }
        #expect(states.allSatisfy { $0.status == .completed })
        #expect(states.allSatisfy { $0.steps[0].action.attempts <= 4 })
        var deferred = 0
        for saga in sagas where await harness.types(saga).contains("StepDeferred") { deferred += 1 }
        #expect(deferred > 0)
        let events = await harness.store.breakerEvents("s")
        #expect(
            events == [
                "BreakerOpened", "BreakerHalfOpened", "BreakerOpened", "BreakerHalfOpened", "BreakerOpened",
                "BreakerHalfOpened", "BreakerClosed",
            ])
    }

    @Test func noMoreCallsAreInThanTheServiceTakes() async throws {
        let harness = await EngineHarness(calling(2) { $0.maxConcurrent = 4 })
        let clock = harness.clock
        let witness = Witness(clock) { _ in
            await clock.sleep(until: clock.now() + 3_000)
            return done
        }
        let sagas = try await run(harness, witness, sagas: 100)
        #expect(witness.mostInside <= 4)
        #expect(witness.arrivals.count == 200)
        for saga in sagas { #expect(try await harness.state(saga)?.status == .completed) }
    }

    @Test func aRateIsKeptByAllDaemonsTogether() async throws {
        let harness = await EngineHarness(calling(1) { $0.rateLimit = RateLimit(calls: 40, per: .milliseconds(500)) })
        let witness = Witness(harness.clock) { _ in done }
        _ = try await run(harness, witness, sagas: 120)
        #expect(witness.arrivals.count == 120)
        #expect(witness.most(within: 500_000) <= 44)
    }

    /// Calls that missed their slot hold permits: they have to get another slot although no permit is free.
    @Test func rateAndPermitsTogetherHoldAndLetAllThrough() async throws {
        let harness = await EngineHarness(
            calling(1) {
                $0.maxConcurrent = 3
                $0.rateLimit = RateLimit(calls: 60, per: .milliseconds(300))
            })
        let clock = harness.clock
        let witness = Witness(clock) { _ in
            await clock.sleep(until: clock.now() + 4_000)
            return done
        }
        let sagas = try await run(harness, witness, sagas: 200)
        #expect(witness.mostInside <= 3)
        #expect(witness.most(within: 300_000) <= 66)
        #expect(witness.arrivals.count == 200)
        for saga in sagas { #expect(try await harness.state(saga)?.status == .completed) }
    }

    /// A call that missed its slot before the breaker opened goes out beside no probe.
    @Test func aLateCallWaitsUntilTheServiceIsWell() async throws {
        let harness = await EngineHarness(
            calling(1) {
                $0.rateLimit = RateLimit(calls: 100, per: .seconds(1))
                $0.circuitBreaker?.permittedNumberOfCallsInHalfOpenState = 1
                $0.circuitBreaker?.waitDurationInOpenState = .milliseconds(500)
            })
        let clock = harness.clock
        let isSick = Switch(true)
        let witness = Witness(clock) { _ in isSick.isOn ? sick : done }
        let late = await harness.store.start(harness.definitionID)
        await harness.store.holdCommits(of: late)
        let sagas = try await run(harness, witness, sagas: 5, daemons: 1) {
            while witness.arrivals.count < 5 { await clock.sleep(until: clock.now() + 1_000) }
            await clock.sleep(until: clock.now() + 200_000)
            await harness.store.releaseCommits()
            while witness.arrivals.count < 8 { await clock.sleep(until: clock.now() + 1_000) }
            isSick.isOn = false
        }
        try await harness.wait(for: late, "ended") { $0.status.isEnded }
        for saga in sagas + [late] { #expect(try await harness.state(saga)?.status == .completed) }
        let probes = witness.arrivals.map(\.at).dropFirst(5).prefix(3)
        for (before, after) in zip(probes, probes.dropFirst()) {
            #expect(after - before >= 500_000, "one in each half-open phase: \(probes)")
        }
    }

    @Test func retryAfterMovesTheWholeService() async throws {
        let harness = await EngineHarness(calling(1) { $0.maxConcurrent = 1 })
        let clock = harness.clock
        let isFirst = Switch(true)
        let witness = Witness(clock) { _ in
            guard isFirst.isOn else { return done }
            isFirst.isOn = false
            return .failed(
                .init(
                    error: "Busy", message: "later", isRetryable: true, retryAfter: .milliseconds(400),
                    health: .failure))
        }
        _ = try await run(harness, witness, sagas: 30)
        let times = witness.arrivals.map(\.at)
        #expect(times.count == 31)
        #expect(times[1] - times[0] >= 400_000)
    }

    @Test func whoWouldRatherFailThanWaitSpendsAnAttempt() async throws {
        let harness = await EngineHarness(
            calling(1, attempts: 1) {
                $0.whenOpen = .fail
                $0.circuitBreaker?.waitDurationInOpenState = .minutes(60)
            })
        let unreachable = Answer.failed(
            .init(error: "Saga.ConnectFailed", message: "refused", isRetryable: true, health: .failure))
        let witness = Witness(harness.clock) { _ in unreachable }
        var late: [SagaID] = []
        _ = try await run(harness, witness, sagas: 10) {
            await harness.wait("opened") { await harness.store.breakerEvents("s") == ["BreakerOpened"] }
            for _ in 0..<5 { late.append(await harness.store.start(harness.definitionID)) }
            for saga in late { try await harness.wait(for: saga, "ended") { $0.status.isEnded } }
        }
        #expect(witness.arrivals.count <= 10)
        for saga in late {
            #expect(try await harness.state(saga)?.failure?.error == "Saga.CircuitOpen")
            #expect(
                await harness.types(saga) == [
                    "SagaStarted", "StepStarted", "StepFailed", "SagaCompensating", "SagaCompensated",
                ])
        }
    }

    @Test func whoeverSaysNoIsHealthy() async throws {
        let harness = await EngineHarness(calling(1) { _ in })
        let witness = Witness(harness.clock) { _ in no }
        _ = try await run(harness, witness, sagas: 50)
        #expect(await harness.store.breakerEvents("s") == [])
        #expect(witness.arrivals.count == 50)
    }

    @Test func compensationsWaitToo() async throws {
        let harness = await EngineHarness(
            calling(2) { $0.circuitBreaker?.waitDurationInOpenState = .milliseconds(300) })
        let health = Switch(false)
        let witness = Witness(harness.clock) { call in
            if call.operation.side == .action { return call.stepName == "s0" ? done : no }
            return health.isOn ? done : sick
        }
        let sagas = try await run(harness, witness, sagas: 20) {
            await harness.wait("opened") { await harness.store.breakerEvents("s").first == "BreakerOpened" }
            health.isOn = true
        }
        var types: [String] = []
        for saga in sagas { types += await harness.types(saga) }
        #expect(types.contains("CompensationDeferred"))
        for saga in sagas { #expect(try await harness.state(saga)?.status == .compensated) }
    }

    @Test func sagasThatWaitLongLeaveMemoryAndComeBackWhenAPersonClosesTheBreaker() async throws {
        let harness = await EngineHarness(
            calling(1) { $0.circuitBreaker?.waitDurationInOpenState = .minutes(60) })
        let health = Switch(false)
        let witness = Witness(harness.clock) { _ in health.isOn ? done : sick }
        let sagas = try await run(harness, witness, sagas: 40) {
            await harness.wait("all parked") {
                var parked = 0
                for saga in await harness.store.sagas() where await harness.store.awaiting(saga) != nil { parked += 1 }
                return parked == 40
            }
            health.isOn = true
            #expect(await harness.store.operate(.close, on: "s")?.type == .breakerClosed)
        }
        for saga in sagas { #expect(try await harness.state(saga)?.status == .completed) }
    }

    @Test func aLostDaemonsCallsHoldTheirPermitsAsLongAsTheyMayLast() async throws {
        let harness = await EngineHarness(calling(1, timeout: .milliseconds(1_500)) { $0.maxConcurrent = 2 })
        let held = Gate()
        let lost = Witness(harness.clock) { _ in
            await held.wait()
            return done
        }
        let zombie = harness.engine(lost) { $0.leaseLength = .milliseconds(60) }
        async let zombieRun: Void = zombie.run()
        var sagas: [SagaID] = []
        for _ in 0..<6 { sagas.append(await harness.store.start(harness.definitionID)) }
        await harness.wait("called") { lost.arrivals.count == 2 }
        await harness.store.ignore(renewalsOf: 1)
        let witness = Witness(harness.clock) { _ in done }
        let heir = harness.engine(witness)
        async let heirRun: Void = heir.run()
        await harness.wait("called again") { !witness.arrivals.isEmpty }
        #expect(witness.arrivals[0].at - lost.arrivals[0].at >= 1_450_000)
        await held.open()
        for saga in sagas { try await harness.wait(for: saga, "ended") { $0.status.isEnded } }
        // The one that had lost its lease works on with permits of its own.
        let next = await harness.store.start(harness.definitionID)
        try await harness.wait(for: next, "ended") { $0.status.isEnded }
        await heir.drain()
        await heirRun
        let last = await harness.store.start(harness.definitionID)
        try await harness.wait(for: last, "ended") { $0.status.isEnded }
        await zombie.drain()
        await zombieRun
    }

    @Test func aServiceNobodyCanWriteStopsNothingElse() async throws {
        let harness = await EngineHarness(calling(1) { $0.maxConcurrent = 2 })
        await harness.store.fail(with: Array(repeating: .unavailable("the database is starting"), count: 8))
        let witness = Witness(harness.clock) { _ in done }
        _ = try await run(harness, witness, sagas: 10)
        #expect(witness.arrivals.count == 10)
    }
}

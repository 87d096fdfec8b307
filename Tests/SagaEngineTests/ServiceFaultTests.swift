import JSON
import SagaCore
import SagaEngine
import SagaTestKit
import Testing

private let done = Answer.done(output: .null)
private let sick = Answer.unknown(.init(error: "Saga.HTTP.503", message: "down", isRetryable: true))
private let unreachable = Answer.failed(
    .init(error: "Saga.ConnectFailed", message: "refused", isRetryable: true, health: .failure))

/// What goes wrong around a service, and what people do meanwhile.
@Suite(.timeLimit(.minutes(1))) struct ServiceFaultTests {
    private func starting(_ count: Int, _ definition: DefinitionID, in harness: EngineHarness) async -> [SagaID] {
        var sagas: [SagaID] = []
        for _ in 0..<count { sagas.append(await harness.store.start(definition)) }
        return sagas
    }

    private func allParked(_ sagas: [SagaID], in harness: EngineHarness) async -> Bool {
        for saga in sagas {
            guard let row = await harness.store.row(saga), row.owner == nil, row.dueAt != nil else { return false }
        }
        return true
    }

    @Test func aServiceThatCantBeReadTakesNoRoomFromOthers() async throws {
        let harness = await EngineHarness(calling(1) { _ in }, other: calling(1, service: "other") { _ in })
        await harness.store.breakService("s")
        let engine = harness.engine(Witness(harness.clock) { _ in done }) {
            $0.maximumSagas = 10
            $0.parkAfter = .milliseconds(200)
            $0.serviceReview = .milliseconds(1_500)
        }
        async let run: Void = engine.run()
        let waiting = await starting(30, harness.definitionID, in: harness)
        await harness.wait("all parked") { await allParked(waiting, in: harness) }
        let healthy = await starting(10, harness.otherID, in: harness)
        for saga in healthy { try await harness.wait(for: saga, "completed") { $0.status == .completed } }
        #expect(await harness.types(waiting[0]) == ["SagaStarted", "StepDeferred"])
        await harness.store.breakService("s", false)
        for saga in waiting { try await harness.wait(for: saga, "completed") { $0.status == .completed } }
        await engine.drain()
        await run
    }

    /// Nobody is put off until a review a minute later when the database was away for some seconds.
    @Test func whileTheDatabaseIsAwaySagasWaitForItAndNotForAReview() async throws {
        let harness = await EngineHarness(calling(1) { _ in })
        await harness.store.breakService("s", with: .unavailable("starting up"))
        let engine = harness.engine(Witness(harness.clock) { _ in done }) { $0.parkAfter = .milliseconds(100) }
        async let run: Void = engine.run()
        let saga = await harness.store.start(harness.definitionID)
        // The pauses between double from 20 ms on: it fails for six times as long as a saga stays in memory.
        await harness.wait("failed seven times") { await harness.store.serviceCalls >= 7 }
        await harness.store.breakService("s", false)
        try await harness.wait(for: saga, "completed") { $0.status == .completed }
        #expect(await harness.types(saga) == ["SagaStarted", "StepStarted", "StepSucceeded", "SagaCompleted"])
        await engine.drain()
        await run
    }

    @Test func whoIsNoProbeAndWouldRatherFailFailsAtOnce() async throws {
        let harness = await EngineHarness(
            calling(1, attempts: 1) {
                $0.whenOpen = .fail
                $0.circuitBreaker?.permittedNumberOfCallsInHalfOpenState = 1
                $0.circuitBreaker?.waitDurationInOpenState = .milliseconds(50)
            })
        let isProbed = Switch(false)
        let held = Gate()
        let witness = Witness(harness.clock) { _ in
            guard isProbed.isOn else { return unreachable }
            await held.wait()
            return done
        }
        let engine = harness.engine(witness)
        async let run: Void = engine.run()
        let first = await starting(5, harness.definitionID, in: harness)
        for saga in first { try await harness.wait(for: saga, "ended") { $0.status.isEnded } }
        #expect(await harness.store.breakerEvents("s") == ["BreakerOpened"])
        isProbed.isOn = true
        await harness.clock.sleep(until: harness.clock.now() + 60_000)
        let probe = await harness.store.start(harness.definitionID)
        await harness.wait("probed") { witness.arrivals.count == 6 }
        let calls = await harness.store.serviceCalls
        let late = await starting(20, harness.definitionID, in: harness)
        for saga in late { try await harness.wait(for: saga, "ended") { $0.status.isEnded } }
        for saga in late {
            #expect(
                await harness.types(saga) == [
                    "SagaStarted", "StepStarted", "StepFailed", "SagaCompensating", "SagaCompensated",
                ])
        }
        // Each may ask once; whoever asks without end asks thousands of times.
        #expect(await harness.store.serviceCalls - calls <= 200)
        await held.open()
        try await harness.wait(for: probe, "completed") { $0.status == .completed }
        await engine.drain()
        await run
    }

    /// It was committed, but too late for its slot, and then the service closed.
    @Test func aCallThatIsNotSentEndsWithItsTimeout() async throws {
        let harness = await EngineHarness(
            calling(1, attempts: 1, timeout: .milliseconds(600)) {
                $0.rateLimit = RateLimit(calls: 10, per: .milliseconds(100))
            })
        let witness = Witness(harness.clock) { _ in done }
        let engine = harness.engine(witness)
        async let run: Void = engine.run()
        let saga = await harness.store.start(harness.definitionID)
        await harness.store.holdCommits(of: saga)
        await harness.wait("decided") { await harness.store.heldCount == 1 }
        #expect(await harness.store.operate(.forceOpen, on: "s") != nil)
        await harness.clock.sleep(until: harness.clock.now() + 150_000)
        await harness.store.releaseCommits()
        try await harness.wait(for: saga, "ended") { $0.status.isEnded }
        #expect(try await harness.state(saga)?.failure?.error == "Saga.ConnectFailed")
        #expect(witness.arrivals.isEmpty)
        await engine.drain()
        await run
    }

    @Test func aCallThatLostItsSlotGoesOutOnceTheLimitIsLifted() async throws {
        let limit = RateLimit(calls: 1, per: .milliseconds(50))
        let definition = calling(1, attempts: 1, timeout: .seconds(5)) { $0.rateLimit = limit }
        let harness = await EngineHarness(definition)
        let engine = harness.engine(Witness(harness.clock) { _ in done })
        async let run: Void = engine.run()
        let saga = await harness.store.start(harness.definitionID)
        await harness.store.holdCommits(of: saga)
        await harness.wait("decided") { await harness.store.heldCount == 1 }
        #expect(await harness.store.operate(.forceOpen, on: "s") != nil)
        await harness.clock.sleep(until: harness.clock.now() + 150_000)
        await harness.store.releaseCommits()
        await harness.wait("waits for a slot") { await engine.load.calls == 1 }
        var settings = definition.services[0].settings
        settings.rateLimit = nil
        await harness.store.apply(settings, to: "s")
        #expect(await harness.store.operate(.close, on: "s") != nil)
        try await harness.wait(for: saga, "completed") { $0.status == .completed }
        await engine.drain()
        await run
    }

    /// They leave memory and come back more than once while one call takes up the service.
    @Test func waitingIsToldOnceAndKeepsItsPlace() async throws {
        let harness = await EngineHarness(calling(1) { $0.maxConcurrent = 1 })
        let held = Gate()
        let engine = harness.engine(
            Witness(harness.clock) { _ in
                await held.wait()
                return done
            }
        ) { $0.parkAfter = .milliseconds(200) }
        async let run: Void = engine.run()
        let sagas = await starting(4, harness.definitionID, in: harness)
        var since: [SagaID: Instant] = [:]
        await harness.wait("came back more than once") {
            for saga in sagas {
                if let known = await harness.store.awaiting(saga) { since[saga] = since[saga] ?? known.since }
            }
            return await harness.store.pulled >= 6
        }
        #expect(since.count == 3)
        var last: [SagaID: Instant] = [:]
        await harness.wait("parked again") {
            for saga in sagas { if let known = await harness.store.awaiting(saga) { last[saga] = known.since } }
            return await harness.store.pulled >= 9
        }
        // From the first time on it is that of the event that told so, a second after it came.
        for (saga, first) in since {
            let since = try #require(last[saga])
            #expect(since >= first && since < first + .seconds(2))
        }
        for saga in sagas {
            #expect(await harness.types(saga).count { $0 == "StepDeferred" } <= 1)
        }
        await held.open()
        for saga in sagas { try await harness.wait(for: saga, "completed") { $0.status == .completed } }
        await engine.drain()
        await run
    }

    @Test(arguments: [true, false]) func whatAPersonWantsOfOneThatWaitsIsDone(inMemory: Bool) async throws {
        let definition = calling(2, attempts: 1) {
            $0.circuitBreaker?.waitDurationInOpenState = inMemory ? .milliseconds(4_000) : .minutes(60)
        }
        let harness = await EngineHarness(definition)
        let engine = harness.engine(Witness(harness.clock) { _ in sick })
        async let run: Void = engine.run()
        let opening = await starting(5, harness.definitionID, in: harness)
        await harness.wait("opened") { await harness.store.breakerEvents("s") == ["BreakerOpened"] }
        let sagas = await starting(3, harness.definitionID, in: harness)
        for saga in sagas {
            try await harness.wait(for: saga, "deferred") { $0.steps[0].action.deferredSince != nil }
            await harness.wait("held so") { (await harness.store.row(saga)?.owner != nil) == inMemory }
        }
        #expect(await harness.store.appendFromOutside(.sagaCancelRequested, data: #"{"actor":"a"}"#, to: sagas[0]))
        try await harness.wait(for: sagas[0], "compensated") { $0.status == .compensated }
        #expect(await harness.store.appendFromOutside(.sagaTerminated, data: #"{"actor":"a"}"#, to: sagas[1]))
        #expect(await harness.store.appendFromOutside(.sagaPaused, data: #"{"actor":"a"}"#, to: sagas[2]))
        await harness.wait("waits for a person and no service") {
            let row = await harness.store.row(sagas[2])
            let awaited = await harness.store.awaiting(sagas[2])
            return row?.owner == nil && row?.dueAt == .distantFuture && awaited == nil
        }
        #expect(await harness.store.operate(.close, on: "s") != nil)
        let other = await harness.store.start(harness.definitionID)
        try await harness.wait(for: other, "called") { $0.steps[0].action.attempts == 1 }
        #expect(try await harness.state(sagas[2])?.steps[0].action.attempts == 0)
        #expect(await harness.store.appendFromOutside(.sagaResumed, data: #"{"actor":"a"}"#, to: sagas[2]))
        try await harness.wait(for: sagas[2], "called") { $0.steps[0].action.attempts == 1 }
        #expect(try await harness.state(sagas[1])?.steps[0].action.attempts == 0)
        _ = opening
        await engine.drain()
        await run
    }

    @Test func aDeadlineTurnsASagaThatWaitsForAService() async throws {
        let plain = calling(1) { $0.circuitBreaker?.waitDurationInOpenState = .minutes(60) }
        let definition = Definition(
            name: plain.name, description: nil, digest: plain.digest, inputSchema: nil, deadline: .milliseconds(500),
            services: plain.services, steps: plain.steps, graph: plain.graph, onCompensationFailure: .halt, output: nil)
        let harness = await EngineHarness(definition)
        let engine = harness.engine(Witness(harness.clock) { _ in done }) { $0.parkAfter = .milliseconds(100) }
        async let run: Void = engine.run()
        let first = await harness.store.start(harness.definitionID)
        try await harness.wait(for: first, "completed") { $0.status == .completed }
        #expect(await harness.store.operate(.forceOpen, on: "s") != nil)
        // Until what the daemon knows doesn't count any more.
        await harness.clock.sleep(until: harness.clock.now() + 260_000)
        let saga = await harness.store.start(harness.definitionID)
        try await harness.wait(for: saga, "ended") { $0.status.isEnded }
        #expect(try await harness.state(saga)?.failure?.error == "Saga.DeadlineExceeded")
        #expect(
            await harness.types(saga) == ["SagaStarted", "StepDeferred", "SagaCompensating", "SagaCompensated"])
        await engine.drain()
        await run
    }

    /// Three steps at once, of a service that takes one call at once.
    private func wide() throws -> Definition {
        let plain = calling(3) { $0.maxConcurrent = 1 }
        return Definition(
            name: plain.name, description: nil, digest: plain.digest, inputSchema: nil, deadline: nil,
            services: plain.services, steps: plain.steps,
            graph: try #require(StepGraph(predecessors: [[], [], []])), onCompensationFailure: .halt, output: nil)
    }

    /// It left memory as often as it was taken up, and wasn't there when the service had a turn for it.
    @Test func aSagaThatFillsTheRoomByItselfStaysInIt() async throws {
        let harness = await EngineHarness(try wide(), other: calling(1) { $0.maxConcurrent = 1 })
        let held = Gate()
        let witness = Witness(harness.clock) { _ in
            await held.wait()
            return done
        }
        let engine = harness.engine(witness) {
            $0.waitingRoom = 1
            $0.parkAfter = .minutes(1)
        }
        async let run: Void = engine.run()
        _ = await harness.store.start(harness.otherID)
        await harness.wait("the service has its one call") { witness.arrivals.count == 1 }
        let saga = await harness.store.start(harness.definitionID)
        try await harness.wait(for: saga, "all three told to wait") { state in
            state.steps.allSatisfy { $0.action.deferredSince != nil }
        }
        await held.open()
        try await harness.wait(for: saga, "completed") { $0.status == .completed }
        #expect(await harness.store.pulled == 0)
        await engine.drain()
        await run
    }

    @Test func parallelStepsOfOneSagaShareAServiceOfOneCall() async throws {
        let harness = await EngineHarness(try wide())
        let clock = harness.clock
        let witness = Witness(clock) { _ in
            await clock.sleep(until: clock.now() + 2_000)
            return done
        }
        let engine = harness.engine(witness)
        async let run: Void = engine.run()
        let sagas = await starting(5, harness.definitionID, in: harness)
        for saga in sagas { try await harness.wait(for: saga, "completed") { $0.status == .completed } }
        #expect(witness.mostInside == 1)
        #expect(witness.arrivals.count == 15)
        await engine.drain()
        await run
    }

    /// The daemon that comes next must not wait for what the last one held.
    @Test func whatADaemonThatStopsHeldIsFreeAtOnce() async throws {
        let harness = await EngineHarness(
            calling(1, attempts: 1, timeout: .minutes(60)) {
                $0.circuitBreaker?.waitDurationInOpenState = .milliseconds(50)
                $0.circuitBreaker?.permittedNumberOfCallsInHalfOpenState = 2
                $0.maxConcurrent = 1
            })
        for _ in 0..<10 {
            let witness = Witness(harness.clock) { _ in done }
            let engine = harness.engine(witness)
            async let run: Void = engine.run()
            let sagas = await starting(6, harness.definitionID, in: harness)
            await harness.wait("called") { !witness.arrivals.isEmpty }
            await engine.drain()
            await run
            let next = harness.engine(Witness(harness.clock) { _ in done })
            async let nextRun: Void = next.run()
            for saga in sagas { try await harness.wait(for: saga, "completed") { $0.status == .completed } }
            await next.drain()
            await nextRun
        }
    }
}

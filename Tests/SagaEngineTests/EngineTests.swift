import JSON
import SagaCore
import SagaEngine
import SagaTestKit
import Testing

private let done = Answer.done(output: .null)
private let no = Answer.failed(.init(error: "No", message: "no", isRetryable: false))
private let busy = Answer.failed(.init(error: "Busy", message: "busy", isRetryable: true))

@Suite(.timeLimit(.minutes(1))) struct EngineTests {
    @Test func aSagaRunsToItsEndAndLeavesMemory() async throws {
        let harness = await EngineHarness(list(["a", "b"]))
        let invoker = ScriptedInvoker { _ in done }
        let engine = harness.engine(invoker)
        async let run: Void = engine.run()
        let saga = await harness.store.start(harness.definitionID)
        try await harness.wait(for: saga, "completed") { $0.status == .completed }
        #expect(
            await harness.types(saga) == [
                "SagaStarted", "StepStarted", "StepSucceeded", "StepStarted", "StepSucceeded", "SagaCompleted",
            ])
        #expect(invoker.calls == ["a #1", "b #1"])
        await harness.wait("out of memory") { await engine.load.sagas == 0 }
        #expect(await harness.store.row(saga)?.status == .completed)
        await engine.drain()
        await run
        #expect(await harness.store.daemonCount() == 0)
    }

    @Test func noopStepsRunInsideTheDaemon() async throws {
        let harness = await EngineHarness(list(["a", "b", "c", "d"], kind: .noop))
        let invoker = ScriptedInvoker { _ in no }
        let engine = harness.engine(invoker)
        async let run: Void = engine.run()
        var sagas: [SagaID] = []
        for _ in 0..<500 { sagas.append(await harness.store.start(harness.definitionID)) }
        for saga in sagas { try await harness.wait(for: saga, "completed") { $0.status == .completed } }
        #expect(invoker.calls == [])
        await engine.drain()
        await run
    }

    @Test func whatFailedIsUndoneInReverse() async throws {
        let harness = await EngineHarness(list(["a", "b", "c"]))
        let invoker = ScriptedInvoker { call in call.stepName == "c" && call.operation.side == .action ? no : done }
        let engine = harness.engine(invoker)
        async let run: Void = engine.run()
        let saga = await harness.store.start(harness.definitionID)
        try await harness.wait(for: saga, "compensated") { $0.status == .compensated }
        #expect(invoker.calls == ["a #1", "b #1", "c #1", "undo b #1", "undo a #1"])
        await engine.drain()
        await run
    }

    @Test func aCallGoesOutOnlyAfterItsDecisionIsCommitted() async throws {
        let harness = await EngineHarness(list(["a"]))
        let store = harness.store
        let invoker = ScriptedInvoker { call in
            let events = await store.history(call.saga)
            return events?.last?.type == EventType.stepStarted.rawValue ? done : no
        }
        let engine = harness.engine(invoker)
        async let run: Void = engine.run()
        let saga = await harness.store.start(harness.definitionID)
        try await harness.wait(for: saga, "ended") { $0.status.isEnded }
        #expect(try await harness.state(saga)?.status == .completed)
        await engine.drain()
        await run
    }

    @Test func aShortBackoffIsWaitedInMemoryAndALongOneParked() async throws {
        let short = await EngineHarness(list(["a"]))
        let twice = ScriptedInvoker { $0.attempt < 3 ? busy : done }
        let engine = short.engine(twice)
        async let run: Void = engine.run()
        let saga = await short.store.start(short.definitionID)
        try await short.wait(for: saga, "completed") { $0.status == .completed }
        #expect(twice.calls == ["a #1", "a #2", "a #3"])
        await engine.drain()
        await run

        let long = await EngineHarness(list(["a"], retry: quick(interval: .minutes(60))))
        let parking = long.engine(ScriptedInvoker { _ in busy })
        async let parked: Void = parking.run()
        let waiting = await long.store.start(long.definitionID)
        try await long.wait("called") { try await long.state(waiting)?.steps[0].action.dueAt != nil }
        await long.wait("parked") { await parking.load.sagas == 0 }
        #expect(await long.store.row(waiting)?.owner == nil)
        let state = try #require(try await long.state(waiting))
        #expect(await long.store.row(waiting)?.dueAt == state.steps[0].action.dueAt)
        #expect(state.status(ofStep: 0) == .backoff)
        await parking.drain()
        await parked
    }

    @Test func aParkedSagaWakesWhenDue() async throws {
        let harness = await EngineHarness(list(["a"], retry: quick(interval: .milliseconds(30))))
        let engine = harness.engine(ScriptedInvoker { $0.attempt == 1 ? busy : done }) { $0.parkAfter = .zero }
        async let run: Void = engine.run()
        let saga = await harness.store.start(harness.definitionID)
        try await harness.wait(for: saga, "completed") { $0.status == .completed }
        await engine.drain()
        await run
    }

    @Test func aPersonsCancelIsActedOnWhileACallIsInFlight() async throws {
        let harness = await EngineHarness(list(["a", "b"]))
        let gate = Gate()
        let invoker = ScriptedInvoker { call in
            if call.operation.side == .action { await gate.wait() }
            return done
        }
        let engine = harness.engine(invoker)
        async let run: Void = engine.run()
        let saga = await harness.store.start(harness.definitionID)
        await harness.wait("called") { invoker.calls == ["a #1"] }
        #expect(await harness.store.appendFromOutside(.sagaCancelRequested, data: #"{"actor":"ann"}"#, to: saga))
        try await harness.wait(for: saga, "turned round") { $0.status == .compensating }
        await gate.open()
        try await harness.wait(for: saga, "compensated") { $0.status == .compensated }
        #expect(invoker.calls == ["a #1", "undo a #1"])
        #expect(
            await harness.types(saga) == [
                "SagaStarted", "StepStarted", "SagaCancelRequested", "SagaCompensating", "StepSucceeded",
                "CompensationStarted", "CompensationSucceeded", "SagaCompensated",
            ])
        await engine.drain()
        await run
    }

    @Test func aCompletedSagaIsUndoneWhenAPersonWantsItBack() async throws {
        let harness = await EngineHarness(list(["a", "b"]))
        let invoker = ScriptedInvoker { _ in done }
        let engine = harness.engine(invoker)
        async let run: Void = engine.run()
        let saga = await harness.store.start(harness.definitionID)
        try await harness.wait(for: saga, "completed") { $0.status == .completed }
        await harness.wait("accepted") {
            await harness.store.appendFromOutside(.sagaCompensationRequested, data: #"{"actor":"ann"}"#, to: saga)
        }
        try await harness.wait(for: saga, "compensated") { $0.status == .compensated }
        #expect(invoker.calls == ["a #1", "b #1", "undo b #1", "undo a #1"])
        await harness.wait("nobody's") { await harness.store.row(saga)?.owner == nil }
        #expect(await harness.store.row(saga)?.status == .compensated)
        await engine.drain()
        await run
    }

    /// The commit that ends the saga is in doubt; before the daemon knows that it is through, the saga is wanted back
    /// and claimed again.
    @Test func aSagaClaimedAgainWhileItsEndIsInDoubtIsNotForgotten() async throws {
        let harness = await EngineHarness(list(["a"]))
        let gate = Gate()
        let invoker = ScriptedInvoker { call in
            if call.operation.side == .action { await gate.wait() }
            return done
        }
        let engine = harness.engine(invoker)
        async let run: Void = engine.run()
        let saga = await harness.store.start(harness.definitionID)
        await harness.wait("called") { invoker.calls == ["a #1"] }
        await harness.store.doubtNextCommits(count: 1, happened: true)
        await harness.store.holdReadBacks()
        await gate.open()
        await harness.wait("completed and wanted back") {
            await harness.store.appendFromOutside(.sagaCompensationRequested, data: #"{"actor":"ann"}"#, to: saga)
        }
        await harness.wait("claimed again") { await harness.store.row(saga)?.owner != nil }
        await harness.store.releaseReadBacks()
        try await harness.wait(for: saga, "compensated") { $0.status == .compensated }
        await engine.drain()
        await run
    }

    @Test func aLateAnswerAfterTerminateIsNotRecorded() async throws {
        let harness = await EngineHarness(list(["a"]))
        let gate = Gate()
        let invoker = ScriptedInvoker { _ in
            await gate.wait()
            return done
        }
        let engine = harness.engine(invoker)
        async let run: Void = engine.run()
        let saga = await harness.store.start(harness.definitionID)
        await harness.wait("called") { invoker.calls == ["a #1"] }
        #expect(await harness.store.appendFromOutside(.sagaTerminated, data: #"{"actor":"ann"}"#, to: saga))
        await gate.open()
        await harness.wait("all calls over") { await engine.load.calls == 0 }
        await engine.drain()
        await run
        #expect(await harness.types(saga) == ["SagaStarted", "StepStarted", "SagaTerminated"])
        #expect(try await harness.state(saga)?.status(ofStep: 0) == .inDoubt)
    }

    @Test func drainingWaitsForCallsAndBeginsNothing() async throws {
        let harness = await EngineHarness(list(["a", "b"]))
        let gate = Gate()
        let invoker = ScriptedInvoker { _ in
            await gate.wait()
            return done
        }
        let engine = harness.engine(invoker)
        async let run: Void = engine.run()
        let saga = await harness.store.start(harness.definitionID)
        await harness.wait("called") { invoker.calls == ["a #1"] }
        async let drained: Void = engine.drain()
        await gate.open()
        await drained
        await run
        #expect(await harness.types(saga) == ["SagaStarted", "StepStarted", "StepSucceeded"])
        #expect(await harness.store.row(saga)?.owner == nil)
        let heir = harness.engine(ScriptedInvoker { _ in done })
        async let again: Void = heir.run()
        try await harness.wait(for: saga, "completed") { $0.status == .completed }
        await heir.drain()
        await again
    }

    /// Also when a person is faster: that it was let go of follows the reload.
    @Test(arguments: [false, true]) func whatIsStillOpenAfterTheDrainIsRecordedAsLost(cancelled: Bool) async throws {
        let harness = await EngineHarness(list(["a"]))
        let gate = Gate()
        let invoker = ScriptedInvoker { _ in
            await gate.wait()
            return done
        }
        let engine = harness.engine(invoker) { $0.drainTimeout = .milliseconds(20) }
        async let run: Void = engine.run()
        let saga = await harness.store.start(harness.definitionID)
        await harness.wait("called") { invoker.calls == ["a #1"] }
        if cancelled { await harness.store.overtake(saga, with: .sagaCancelRequested, data: #"{"actor":"ann"}"#) }
        await engine.drain()
        await run
        await gate.open()
        let state = try #require(try await harness.state(saga))
        #expect(state.steps[0].action.error == EngineError.daemonLost)
        #expect(state.steps[0].outcome == .unknown)
        #expect((state.cancelRequest != nil) == cancelled)
        #expect(await harness.store.row(saga)?.owner == nil)
    }

    @Test func aDeadDaemonsSagasAreTakenOver() async throws {
        let harness = await EngineHarness(list(["a"]))
        let gate = Gate()
        let dead = ScriptedInvoker { _ in
            await gate.wait()
            return done
        }
        let zombie = harness.engine(dead) { $0.leaseLength = .milliseconds(40) }
        let zombieRun = Task { await zombie.run() }
        let saga = await harness.store.start(harness.definitionID)
        await harness.wait("called") { dead.calls == ["a #1"] }
        // The zombie's renewals fail from now on: its lease ends although it still runs.
        let heir = harness.engine(ScriptedInvoker { _ in done }) { $0.leaseLength = .milliseconds(200) }
        await harness.store.ignore(renewalsOf: 1)
        async let run: Void = heir.run()
        try await harness.wait(for: saga, "completed") { $0.status == .completed }
        await gate.open()
        await zombie.drain()
        await zombieRun.value
        #expect(
            await harness.types(saga) == [
                "SagaStarted", "StepStarted", "StepAttemptFailed", "StepStarted", "StepSucceeded", "SagaCompleted",
            ])
        await heir.drain()
        await run
    }

    @Test func aSagaThatCantBeReadIsSetAsideAndHarmsNoOther() async throws {
        let harness = await EngineHarness(list(["a"]))
        let engine = harness.engine(ScriptedInvoker { _ in done })
        let bad = await harness.store.start(harness.definitionID)
        #expect(await harness.store.appendFromOutside(.stepStarted, data: #"{"step":"nowhere"}"#, to: bad))
        let good = await harness.store.start(harness.definitionID)
        async let run: Void = engine.run()
        try await harness.wait(for: good, "completed") { $0.status == .completed }
        await harness.wait("set aside") { await harness.store.row(bad)?.unreadable != nil }
        #expect(await harness.store.row(bad)?.unreadable == "event 2, StepStarted: its definition has no step nowhere")
        await engine.drain()
        await run
    }

    @Test func aRowThatCantBeReadIsSetAsideAmongOthers() async throws {
        let harness = await EngineHarness(list(["a"]))
        var bad: [SagaID] = []
        var good: [SagaID] = []
        for _ in 0..<3 {
            bad.append(await harness.store.start(harness.definitionID))
            good.append(await harness.store.start(harness.definitionID))
        }
        for saga in bad { await harness.store.damage(saga, reason: "its row has the status 8, which is none") }
        let engine = harness.engine(ScriptedInvoker { _ in done })
        async let run: Void = engine.run()
        for saga in good { try await harness.wait(for: saga, "completed") { $0.status == .completed } }
        for saga in bad {
            await harness.wait("set aside") { await harness.store.row(saga)?.unreadable != nil }
            #expect(await harness.store.row(saga)?.unreadable == "its row has the status 8, which is none")
            #expect(await harness.store.row(saga)?.owner == nil)
        }
        await engine.drain()
        await run
    }

    @Test func aSagaInMemoryWhoseRowCantBeReadAnyMoreIsSetAside() async throws {
        let harness = await EngineHarness(list(["a"]))
        let store = harness.store
        let saga = await store.start(harness.definitionID)
        let engine = harness.engine(
            ScriptedInvoker { _ in
                while await store.row(saga)?.unreadable == nil { await Task.yield() }
                return done
            })
        async let run: Void = engine.run()
        await harness.wait("calling") { await engine.load.calls == 1 }
        await store.damage(saga, reason: "its row has the status 8, which is none")
        await harness.wait("set aside") { await store.row(saga)?.unreadable != nil }
        #expect(await store.row(saga)?.owner == nil)
        // The answer comes too late for it.
        await harness.wait("forgotten") { await engine.load == (0, 0) }
        #expect(await harness.types(saga) == ["SagaStarted", "StepStarted"])
        await engine.drain()
        await run
    }

    @Test(arguments: [true, false]) func aCommitInDoubtIsReadBack(happened: Bool) async throws {
        let harness = await EngineHarness(list(["a", "b"]))
        let invoker = ScriptedInvoker { _ in done }
        let engine = harness.engine(invoker)
        await harness.store.doubtNextCommits(count: 3, happened: happened)
        async let run: Void = engine.run()
        let saga = await harness.store.start(harness.definitionID)
        try await harness.wait(for: saga, "completed") { $0.status == .completed }
        #expect(
            await harness.types(saga) == [
                "SagaStarted", "StepStarted", "StepSucceeded", "StepStarted", "StepSucceeded", "SagaCompleted",
            ])
        #expect(invoker.calls == ["a #1", "b #1"])
        await engine.drain()
        await run
    }

    @Test func aClaimWhoseAnswerWasLostLosesNoSaga() async throws {
        let harness = await EngineHarness(list(["a"]))
        let engine = harness.engine(ScriptedInvoker { _ in done })
        await harness.store.loseNextClaim()
        async let run: Void = engine.run()
        let saga = await harness.store.start(harness.definitionID)
        try await harness.wait(for: saga, "completed") { $0.status == .completed }
        await engine.drain()
        await run
    }

    @Test func anOutageIsOutlasted() async throws {
        let harness = await EngineHarness(list(["a", "b"]))
        let engine = harness.engine(ScriptedInvoker { _ in done })
        await harness.store.fail(with: Array(repeating: .unavailable("the database is starting"), count: 5))
        async let run: Void = engine.run()
        let saga = await harness.store.start(harness.definitionID)
        try await harness.wait(for: saga, "completed") { $0.status == .completed }
        await engine.drain()
        await run
    }

    @Test func aBatchThatTheDatabaseRefusesSetsOnlyItsSagaAside() async throws {
        let harness = await EngineHarness(list(["a"]))
        let store = harness.store
        let poison = await store.start(harness.definitionID)
        await store.refuse(poison)
        var others: [SagaID] = []
        for _ in 0..<20 { others.append(await store.start(harness.definitionID)) }
        let engine = harness.engine(ScriptedInvoker { _ in done }) { $0.writers = 1 }
        async let run: Void = engine.run()
        for saga in others { try await harness.wait(for: saga, "completed") { $0.status == .completed } }
        await harness.wait("set aside") { await store.row(poison)?.unreadable != nil }
        await engine.drain()
        await run
    }

    @Test func aTransactionThatIsHeldUpHoldsUpNoOther() async throws {
        let harness = await EngineHarness(list(["a"]))
        let store = harness.store
        let stuck = await store.start(harness.definitionID)
        await store.holdCommits(of: stuck)
        let engine = harness.engine(ScriptedInvoker { _ in done })
        async let run: Void = engine.run()
        await harness.wait("held") { await store.heldCount == 1 }
        // Far fewer than are worth a second transaction by their number.
        let other = await store.start(harness.definitionID)
        try await harness.wait(for: other, "completed") { $0.status == .completed }
        #expect(await harness.types(stuck) == ["SagaStarted"])
        await store.releaseCommits()
        try await harness.wait(for: stuck, "completed") { $0.status == .completed }
        await engine.drain()
        await run
    }

    @Test func memoryIsBounded() async throws {
        let harness = await EngineHarness(list(["a"]))
        let gate = Gate()
        let invoker = ScriptedInvoker { _ in
            await gate.wait()
            return done
        }
        let engine = harness.engine(invoker) {
            $0.maximumSagas = 10
            $0.concurrency = 4
        }
        var sagas: [SagaID] = []
        for _ in 0..<30 { sagas.append(await harness.store.start(harness.definitionID)) }
        async let run: Void = engine.run()
        await harness.wait("full") {
            let load = await engine.load
            return load == (10, 10) && invoker.calls.count == 4
        }
        await gate.open()
        for saga in sagas { try await harness.wait(for: saga, "completed") { $0.status == .completed } }
        await engine.drain()
        await run
    }

    /// The batch is refused for one saga's sake, sent again without it, and then its answer is lost.
    @Test(arguments: [true, false]) func aConflictBesideACommitInDoubtIsNoCommit(happened: Bool) async throws {
        let harness = await EngineHarness(list(["a"]))
        let store = harness.store
        let invoker = ScriptedInvoker { _ in done }
        let engine = harness.engine(invoker) { $0.writers = 1 }
        var sagas: [SagaID] = []
        for _ in 0..<4 { sagas.append(await store.start(harness.definitionID)) }
        await store.overtake(sagas[2], with: .sagaCancelRequested, data: #"{"actor":"ann"}"#)
        await store.doubtNextCommits(count: 1, happened: happened)
        async let run: Void = engine.run()
        for saga in sagas { try await harness.wait(for: saga, "ended") { $0.status.isEnded } }
        for (index, saga) in sagas.enumerated() {
            let types = await harness.types(saga)
            if index == 2 {
                #expect(types == ["SagaStarted", "SagaCancelRequested", "SagaCompensating", "SagaCompensated"])
            } else {
                #expect(types == ["SagaStarted", "StepStarted", "StepSucceeded", "SagaCompleted"])
            }
        }
        #expect(invoker.calls == ["a #1", "a #1", "a #1"])
        await engine.drain()
        await run
    }

    @Test func aCallWhoseTimeIsOverBeforeItsTurnIsNotSent() async throws {
        let harness = await EngineHarness(list(["a"], retry: quick(attempts: 1), timeout: .seconds(2)))
        let gate = Gate()
        let invoker = ScriptedInvoker { _ in
            await gate.wait()
            return done
        }
        let engine = harness.engine(invoker) { $0.concurrency = 1 }
        let first = await harness.store.start(harness.definitionID)
        let second = await harness.store.start(harness.definitionID)
        async let run: Void = engine.run()
        await harness.wait("one out, one queued") { await engine.load.calls == 2 && invoker.calls.count == 1 }
        let over = harness.clock.now() + 2_100_000
        await harness.wait("the time over") { harness.clock.now() > over }
        await gate.open()
        try await harness.wait(for: first, "ended") { $0.status.isEnded }
        try await harness.wait(for: second, "ended") { $0.status.isEnded }
        #expect(invoker.calls == ["a #1"])
        let states = [try await harness.state(first), try await harness.state(second)]
        #expect(states.compactMap { $0?.status }.sorted { $0.rawValue < $1.rawValue } == [.completed, .compensated])
        #expect(states.compactMap { $0?.failure?.error } == [EngineError.connectFailed])
        await engine.drain()
        await run
    }
}

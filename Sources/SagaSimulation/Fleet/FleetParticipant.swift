import JSON
import SagaCore
import SagaEngine

/// All participants of a fleet: they answer as the plan's chance has it, and keep the books.
actor FleetParticipant {
    private var books = ParticipantBooks()
    private let world: FleetWorld
    private nonisolated let executor: SimulatedExecutor
    /// Effects that are to come after their caller has gone.
    private(set) var stragglers = 0

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    init(world: FleetWorld) {
        self.world = world
        executor = world.executor
    }

    /// Answers a call, within its timeout.
    func take(_ call: Call) async -> Answer {
        let world = world
        if world.happens(.unreachable) { return await say(.unreachable, SimulationScript.unreachable, to: call) }
        if world.happens(.participantRefuses) { return await say(.refusal, status(422, "Refused"), to: call) }
        if call.operation.side == .compensation, world.happens(.undoRefused) {
            return await say(.undoRefused, status(422, "UndoRefused"), to: call)
        }
        if world.happens(.tooMany) { return await say(.tooMany, status(429, nil, wait: true), to: call) }
        if world.happens(.timeout) {
            world.ledger.count(.timeout)
            return await hang(call)
        }
        if world.happens(.straggle) {
            world.ledger.count(.straggler)
            straggle(call)
            return await hang(call)
        }
        if world.happens(.unhealthy) {
            if world.dice.chance(300) { enter(call) }
            return await say(.unhealthy, status(503, nil, wait: world.happens(.retryAfter)), to: call)
        }
        let isRefused = enter(call)
        if world.happens(.duplicate) {
            world.ledger.count(.deliveredTwice)
            enter(call)
        }
        if world.happens(.loseResponse) {
            let lost = Answer.unknown(
                .init(error: EngineError.connectionLost, message: "the answer was lost", isRetryable: true))
            return await say(.answerLostByParticipant, lost, to: call)
        }
        let answer = isRefused ? status(409, "AlreadyCompensated") : .done(output: FleetParticipant.output)
        return await say(nil, answer, to: call)
    }

    private static let output = RawJSON(JSON.object(JSONObject([("ok", .bool(true))])))

    private func status(_ status: Int, _ error: String?, wait: Bool = false) -> Answer {
        let plain = Answer.status(status, error: error, outcomes: [:])
        guard wait, world.dice.chance(500) else { return plain }
        world.ledger.count(.retryAfter)
        let span = TimeSpan.milliseconds(Int64(world.dice.roll(50...800)))
        func delayed(_ refusal: Answer.Refusal) -> Answer.Refusal {
            .init(
                error: refusal.error, message: refusal.message, isRetryable: refusal.isRetryable, retryAfter: span,
                health: refusal.health)
        }
        switch plain {
        case .done: return plain
        case .failed(let refusal): return .failed(delayed(refusal))
        case .unknown(let refusal): return .unknown(delayed(refusal))
        }
    }

    private func say(_ kind: FleetKind?, _ answer: Answer, to call: Call) async -> Answer {
        if let kind { world.ledger.count(kind) }
        let most = world.happens(.slowAnswer) ? 500 : 30
        let span = world.dice.milliseconds(1...most)
        if span >= call.timeout { return await hang(call) }
        await world.clock.sleep(for: span)
        return answer
    }

    private func hang(_ call: Call) async -> Answer {
        await world.clock.sleep(for: call.timeout)
        return .unknown(
            .init(error: EngineError.timeout, message: "no answer within the timeout", isRetryable: true))
    }

    private func straggle(_ call: Call) {
        stragglers += 1
        let span = call.timeout + world.dice.milliseconds(1...1_500)
        let world = world
        Task(executorPreference: executor) {
            await world.clock.sleep(for: span)
            await self.arrive(call)
        }
    }

    private func arrive(_ call: Call) {
        stragglers -= 1
        if !world.conditions.isOver { enter(call) }
        world.clock.ring()
    }

    /// Enters what has an effect.
    ///
    /// - Returns: whether it is refused, since it came after its undo.
    @discardableResult
    private func enter(_ call: Call) -> Bool {
        if case .http(let request) = call.request, request.method == "GET" { return false }
        var kind = books.enter(call, at: world.now)
        if kind == .refused {
            world.ledger.count(.stragglerRefused)
            if world.breach == .noGuard { kind = .done }
        }
        world.ledger.enter(call, kind)
        return kind == .refused
    }
}

extension SimulationScript {
    fileprivate static let unreachable = Answer.failed(
        .init(error: EngineError.connectFailed, message: "connection refused", isRetryable: true, health: .failure))
}

extension TimeSpan {
    fileprivate static func + (left: TimeSpan, right: TimeSpan) -> TimeSpan {
        Instant(microseconds: left.microseconds) + right - Instant(microseconds: 0)
    }
}

/// One daemon's way to the participants.
actor FleetInvoker: StepInvoker {
    private let participant: FleetParticipant
    private let daemon: FleetDaemon
    private let world: FleetWorld
    private nonisolated let executor: SimulatedExecutor

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    init(participant: FleetParticipant, daemon: FleetDaemon, world: FleetWorld) {
        self.participant = participant
        self.daemon = daemon
        self.world = world
        executor = world.executor
    }

    func invoke(_ call: Call) async -> Answer {
        if world.conditions.isOver { return FleetInvoker.lost }
        let asked = world.now
        if world.happens(.dieBeforeCall) {
            daemon.die(.diedBeforeCall)
            return FleetInvoker.lost
        }
        if world.happens(.pauseBeforeCall) {
            let span = world.dice.milliseconds(5...3_000)
            daemon.pause(for: span, .pausedBeforeCall)
            await world.clock.sleep(for: span)
        }
        // It may have died meanwhile: what is left of it runs on when all is over.
        if world.conditions.isOver || daemon.isDead { return FleetInvoker.lost }
        let number = world.ledger.send(changed(call), by: daemon.number, askedAt: asked)
        let answer = await participant.take(changed(call))
        world.ledger.end(number, answer)
        if world.happens(.pauseBetweenJobs) { daemon.pauseSoon() }
        if world.happens(.dieAfterCall) { daemon.die(.diedAfterCall) }
        world.clock.ring()
        if world.breach == .repeatedCall, world.dice.chance(50) {
            let number = world.ledger.send(call, by: daemon.number, askedAt: world.now)
            world.ledger.end(number, await participant.take(call))
        }
        return answer
    }

    /// Under the breach of changing keys another key from the second attempt on.
    private func changed(_ call: Call) -> Call {
        guard world.breach == .changingKey, call.attempt > 1 else { return call }
        return Call(
            saga: call.saga, sagaName: call.sagaName, stepName: call.stepName, operation: call.operation,
            attempt: call.attempt, timeout: call.timeout, request: call.request, keyRevision: call.attempt,
            actionKeyRevision: call.actionKeyRevision)
    }

    private static let lost = Answer.unknown(
        .init(error: EngineError.daemonLost, message: "the daemon died", isRetryable: true))
}

import JSON
import Logging
import SagaCore
import SagaEngine

/// Where a simulated run takes place: starts daemons and the saga, does what persons do, and looks when it is over.
actor SimulationRoom {
    /// Before the saga starts, so that a daemon is there and waits.
    private static let warmUp = TimeSpan.seconds(1)
    /// When only time passes for longer, no daemon is there until shortly before its end.
    private static let shortestRest = TimeSpan.minutes(1)

    private struct Daemon {
        let engine: SagaEngine
        let life: DaemonLife
    }

    private let run: SimulatedRun
    private let clock: VirtualClock
    private let origin: Instant
    private let store: InMemoryStore
    private let participant: ScriptedParticipant
    private let crashes: CrashPlan
    private nonisolated let executor: SimulatedExecutor
    private var daemons: [Daemon] = []
    private var signalResults: [SimulationResult.SignalResult] = []

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    init(_ run: SimulatedRun, clock: VirtualClock, executor: SimulatedExecutor) {
        self.run = run
        self.clock = clock
        self.executor = executor
        let origin = SimulatedRun.start + TimeSpan(microseconds: -SimulationRoom.warmUp.microseconds)
        self.origin = origin
        let time: @Sendable () -> Instant = { origin + TimeSpan(microseconds: clock.now()) }
        store = InMemoryStore(clock: time, executor: executor)
        participant = ScriptedParticipant(script: run.script, clock: clock, time: time, executor: executor)
        crashes = CrashPlan(run.crashes)
    }

    /// The whole run, which leaves nothing behind that sleeps.
    func play() async -> Result<SimulationResult, SimulationFault> {
        let definition = await store.register([])
        launchDaemon()
        for outage in run.outages {
            await store.enter(outage.service)
            if outage.from <= .zero { _ = await store.operate(.forceOpen, on: outage.service.name) }
        }
        await clock.sleep(for: SimulationRoom.warmUp)
        let saga = await store.start(
            definition, input: String(decoding: run.input.bytes, as: UTF8.self), id: run.sagaID)
        clock.ring()
        let ending = await follow(saga)
        let result = await result(of: saga, ending)
        await close()
        return result
    }

    // MARK: Daemons

    private func launchDaemon() {
        let life = DaemonLife()
        let store = SimulatedStore(
            store: store, life: life, crashes: crashes, clock: clock, origin: origin, executor: executor)
        let invoker = SimulatedInvoker(
            participant: participant, life: life, crashes: crashes, clock: clock, executor: executor)
        var configuration = EngineConfiguration()
        // The store's own waiting is exact; between two waits as good as no time passes.
        configuration.probeInterval = TimeSpan(microseconds: 100)
        configuration.busyProbeInterval = TimeSpan(microseconds: 100)
        let definition = run.definition
        let engine = SagaEngine(
            configuration: configuration, store: store, invoker: invoker, clock: clock,
            identity: DaemonIdentity(
                host: "simulation", pid: Int32(clamping: daemons.count + 1), version: "simulation"),
            parse: { _ in definition }, logger: Logger(label: "simulation", factory: { _ in SwiftLogNoOpLogHandler() }),
            executor: executor)
        daemons.append(Daemon(engine: engine, life: life))
        Task(executorPreference: executor) { await engine.run() }
    }

    private func close() async {
        for daemon in daemons {
            daemon.life.end()
            daemon.life.release()
            await daemon.engine.drain()
        }
    }

    // MARK: Following

    private func follow(_ saga: SagaID) async -> SimulationResult.Ending {
        var plan = plannedActs[...]
        let end = clockTime(run.horizon)
        while clock.now() < end {
            let rings = clock.rings
            if let last = daemons.last, last.life.isDead { launchDaemon() }
            if let next = plan.first, clockTime(next.at) <= clock.now() {
                plan.removeFirst()
                await perform(next.act, on: saga)
                continue
            }
            if plan.isEmpty, let ending = await ending(of: saga) { return ending }
            let next = min(end, plan.first.map { clockTime($0.at) } ?? end)
            if let due = await restEnd(of: saga, before: next) {
                await rest(until: due)
            } else {
                await clock.watch(until: next, since: rings)
            }
        }
        return await ending(of: saga) ?? .horizon
    }

    /// Until when only time passes for the saga and no daemon need be there; nil if that isn't long.
    private func restEnd(of saga: SagaID, before next: Int64) async -> Int64? {
        guard let row = await store.row(saga), row.owner == nil, await participant.callsInFlight == 0,
            await store.awaiting(saga) == nil
        else { return nil }
        let due = row.dueAt.map { ($0 - origin).microseconds } ?? .max
        let end = min(due, next) - SimulationRoom.warmUp.microseconds
        return end - clock.now() > SimulationRoom.shortestRest.microseconds ? end : nil
    }

    /// The daemon stops as one that is told to, and another starts in time: what a daemon does every second while it
    /// waits would be most of the work of a run that takes days.
    private func rest(until due: Int64) async {
        if let daemon = daemons.last, !daemon.life.isDead { await daemon.engine.drain() }
        await clock.sleep(until: due)
        launchDaemon()
    }

    private enum Act {
        case signal(SimulatedRun.Signal)
        case breaker(BreakerCommand, service: String)
    }

    /// What persons do while the saga runs, in the order of time.
    private var plannedActs: [(at: TimeSpan, act: Act)] {
        var acts: [(at: TimeSpan, act: Act)] = run.signals.map { ($0.at, .signal($0)) }
        for outage in run.outages {
            if outage.from > .zero { acts.append((outage.from, .breaker(.forceOpen, service: outage.service.name))) }
            acts.append((outage.until, .breaker(.close, service: outage.service.name)))
        }
        return acts.enumerated().sorted { ($0.element.at, $0.offset) < ($1.element.at, $1.offset) }.map(\.element)
    }

    private func perform(_ act: Act, on saga: SagaID) async {
        switch act {
        case .signal(let signal): await deliver(signal, to: saga)
        case .breaker(let command, let service):
            _ = await store.operate(command, on: service)
            clock.ring()
        }
    }

    /// The virtual clock's time so long after the start.
    private func clockTime(_ span: TimeSpan) -> Int64 { (SimulatedRun.start + span - origin).microseconds }

    /// nil while the saga goes on.
    private func ending(of saga: SagaID) async -> SimulationResult.Ending? {
        guard let row = await store.row(saga), await participant.callsInFlight == 0,
            await participant.stragglers == 0, row.owner == nil
        else { return nil }
        if row.status.isEnded, row.dueAt == nil { return .ended }
        guard row.dueAt == .distantFuture, await store.awaiting(saga) == nil else { return nil }
        return row.status == .stuck ? .stuck : .waiting
    }

    private func deliver(_ signal: SimulatedRun.Signal, to saga: SagaID) async {
        var refusal: String?
        switch await state(of: saga)?.result(
            of: signal.command, by: Event.Act(actor: "simulation", reason: signal.reason), in: run.definition)
        {
        case .event(let event):
            let recorded = RecordedEvent(sequence: 0, cause: nil, at: SimulatedRun.start, event: event)
            let stored = EventCodec.encode(recorded, definition: run.definition)
            let data = String(decoding: stored.data ?? Array("{}".utf8), as: UTF8.self)
            if await !store.appendFromOutside(event.type, data: data, to: saga) { refusal = "the saga has ended" }
        case .alreadySo(let reason), .refused(let reason): refusal = reason
        case nil: refusal = "the saga can't be read"
        }
        signalResults.append(SimulationResult.SignalResult(signal: signal, refusal: refusal))
        clock.ring()
    }

    // MARK: Result

    private func state(of saga: SagaID) async -> SagaState? {
        let events = (await store.history(saga) ?? []).compactMap {
            try? EventCodec.decode($0, definition: run.definition)
        }
        return SagaState(folding: events, id: saga, key: nil, definition: run.definition)
    }

    private func result(
        of saga: SagaID, _ ending: SimulationResult.Ending
    ) async -> Result<SimulationResult, SimulationFault> {
        guard let row = await store.row(saga), let state = await state(of: saga) else {
            return .failure(SimulationFault(message: "the saga's history can't be read"))
        }
        let events = await store.history(saga) ?? []
        var breakerEvents: [SimulationResult.BreakerLine] = []
        for service in run.definition.services {
            for event in await store.history(ofBreaker: service.name) {
                breakerEvents.append(SimulationResult.BreakerLine(service: service.name, event: event))
            }
        }
        breakerEvents = breakerEvents.enumerated()
            .sorted { ($0.element.event.at, $0.offset) < ($1.element.event.at, $1.offset) }.map(\.element)
        let end = state.endedAt ?? events.last?.at ?? SimulatedRun.start
        return .success(
            SimulationResult(
                saga: saga, ending: ending, status: row.status, state: state, events: events,
                calls: await participant.calls, books: await participant.books, signals: signalResults,
                breakerEvents: breakerEvents, crashes: daemons.count { $0.life.isDead }, duration: end - state.startedAt
            ))
    }
}

import Logging
import SagaCore
import SagaEngine

/// Where a fleet's simulation takes place: does what the plan says, heals the world, looks after what is stuck, and sees
/// that everything ends.
actor FleetRoom {
    private let world: FleetWorld
    private let store: InMemoryStore
    private let participant: FleetParticipant
    private var daemons: [(daemon: FleetDaemon, engine: SagaEngine)] = []
    private var definitions: [DefinitionID] = []
    private var sagas: [SagaID?]
    private nonisolated let executor: SimulatedExecutor

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// How long anything may take to end or to need a person, once nothing goes wrong any more.
    private static let patience = TimeSpan.seconds(60)
    /// A person tries so often, then ends the saga.
    private static let mostTries = 3

    init(_ world: FleetWorld) {
        self.world = world
        executor = world.executor
        store = InMemoryStore(clock: { world.now }, executor: world.executor)
        participant = FleetParticipant(world: world)
        sagas = Array(repeating: nil, count: world.plan.sagaCount)
    }

    func play() async {
        let ledger = world.ledger
        var breaches: Set<InMemoryStore.Breach> = []
        if let breach = world.breach?.ofStore { breaches = [breach] }
        await store.observe(breaching: breaches) { ledger.take($0) }
        for document in world.plan.documents { definitions.append(await store.register(document)) }
        for (at, act) in world.plan.acts {
            let time = at.microseconds
            if world.clock.now() < time { await world.clock.sleep(until: time) }
            await perform(act)
        }
        await world.clock.sleep(until: world.plan.healAt.microseconds)
        await heal()
        await seeEverythingEnd()
        await settle()
        await close()
    }

    // MARK: Acts

    private func perform(_ act: FleetPlan.Act) async {
        switch act {
        case .launch: launch()
        case .startSaga(let place, let definition, let input): await start(place, definition, input)
        case .kill: victim?.daemon.die()
        case .drain:
            guard let victim else { return }
            world.ledger.note(.daemonDrained, victim.daemon.number, 0, "daemon \(victim.daemon.number): drains")
            victim.daemon.leave()
            let engine = victim.engine
            let world = world
            Task(executorPreference: victim.daemon.lane) {
                await engine.drain()
                if !world.conditions.isOver { world.ledger.hasDrained(victim.daemon.number) }
            }
        case .pause(let span): victim?.daemon.pause(for: span)
        case .outage(let span):
            world.ledger.note(.outage, 0, 0, "store: down for \(span.microseconds / 1_000) ms")
            world.conditions.breakStore(until: world.clock.now() + span.microseconds)
            world.clock.ring()
        case .slowStore(let span):
            world.ledger.note(.slowStore, 0, 0, "store: slow for \(span.microseconds / 1_000) ms")
            world.conditions.slowStore(until: world.clock.now() + span.microseconds)
        case .partition(let span):
            guard let victim else { return }
            world.ledger.note(
                .partition, victim.daemon.number, 0,
                "daemon \(victim.daemon.number): cut off for \(span.microseconds / 1_000) ms")
            victim.daemon.cutOff(for: span)
            world.clock.ring()
        case .person(let command, let place):
            guard let saga = sagas[place] else { return }
            await store.carryOut(command, on: saga, in: world)
        case .breaker(let command, let service): await operate(command, on: world.plan.services[service].name)
        }
    }

    private var victim: (daemon: FleetDaemon, engine: SagaEngine)? {
        world.dice.pick(daemons.filter { $0.daemon.isAlive })
    }

    private func operate(_ command: BreakerCommand, on service: String) async {
        guard let event = await store.operate(command, on: service) else { return }
        world.ledger.note(.breakerCommand, 0, 0, "person: \(command.rawValue) \(service), \(event.type.name)")
        world.clock.ring()
    }

    private func start(_ place: Int, _ definition: Int, _ input: Int) async {
        let milliseconds = UInt64(clamping: world.now.microseconds / 1_000)
        let id = SagaID(
            high: milliseconds << 16 | 0x7000 | world.dice.next() >> 52,
            low: 0x8000_0000_0000_0000 | world.dice.next() >> 2)
        world.ledger.add(saga: id, definition: definition)
        sagas[place] = id
        _ = await store.start(definitions[definition], input: "{\"n\":\(input)}", id: id)
        world.clock.ring()
    }

    private func launch() {
        let number = daemons.count
        let daemon = FleetDaemon(number: number, world: world)
        world.ledger.note(.daemonStarted, number, 0, "daemon \(number): starts")
        let documents = world.plan.documents
        let definitions = world.plan.definitions
        let engine = SagaEngine(
            configuration: world.plan.configuration, store: FleetStore(store: store, daemon: daemon, world: world),
            invoker: FleetInvoker(participant: participant, daemon: daemon, world: world),
            clock: FleetClock(clock: world.clock, offset: Int64(number + 1) * 7_000_003_000),
            identity: DaemonIdentity(host: "fleet", pid: Int32(clamping: number), version: "simulation"),
            parse: { bytes in documents.firstIndex(of: bytes).map { definitions[$0] } },
            logger: Logger(label: "simulation", factory: { _ in SwiftLogNoOpLogHandler() }), executor: daemon.lane)
        daemons.append((daemon, engine))
        Task(executorPreference: daemon.lane) { await engine.run() }
    }

    // MARK: The end

    private func heal() async {
        world.ledger.note(nil, 0, 0, "all is well from here on")
        world.conditions.heal()
        for daemon in daemons { daemon.daemon.heal() }
        if !daemons.contains(where: { $0.daemon.isAlive }) { launch() }
        // A breaker that is closed goes on counting.
        for service in world.plan.services where await store.breaker(service.name)?.state != .closed {
            await operate(.reset, on: service.name)
        }
        for saga in sagas.compactMap({ $0 }) { await store.carryOut(.resume, on: saga, in: world) }
        world.clock.ring()
    }

    private func seeEverythingEnd() async {
        if world.breach == .absentPerson { return await wait() }
        var tries = Array(repeating: 0, count: sagas.count)
        var end = world.clock.now() + FleetRoom.patience.microseconds
        while world.clock.now() < end {
            var isOver = true
            for (place, saga) in sagas.enumerated() {
                guard let saga, let row = await store.row(saga), !(row.status.isEnded && row.dueAt == nil) else {
                    continue
                }
                isOver = false
                guard row.owner == nil, row.dueAt == .distantFuture, await store.awaiting(saga) == nil else { continue }
                if row.status != .stuck, row.unreadable == nil, tries[place] == 0 {
                    world.ledger.fail("waits for a person though it is \(row.status.name)", saga: place)
                }
                tries[place] += 1
                await help(saga, place, row.unreadable != nil, tries[place])
                // What even ending it doesn't end isn't waited for any longer.
                if tries[place] <= FleetRoom.mostTries + 1 {
                    end = world.clock.now() + FleetRoom.patience.microseconds
                }
            }
            if isOver { return }
            await world.clock.sleep(for: .milliseconds(50))
        }
        await complain()
    }

    private func wait() async {
        await world.clock.sleep(for: .seconds(20))
        await complain()
    }

    private func complain() async {
        for saga in sagas.compactMap({ $0 }) {
            guard let row = await store.row(saga), !row.status.isEnded || row.dueAt != nil else { continue }
            let due = row.dueAt.map { "\(($0 - world.now).microseconds / 1_000) ms" } ?? "none"
            let owner = row.owner.map { "lease \($0)" } ?? "nobody"
            world.ledger.fail(
                "comes to no end: \(row.status.name), of \(owner), due in \(due)", saga: world.ledger.place(of: saga))
        }
    }

    /// What a person does with a saga that waits for one.
    private func help(_ saga: SagaID, _ place: Int, _ isSetAside: Bool, _ count: Int) async {
        var commands: [OperatorCommand] = [.terminate]
        if count <= FleetRoom.mostTries {
            let steps = (0..<6).map { "s\($0)" }
            commands = [.resume]
            if isSetAside { commands += [.pause, .cancel] }
            switch world.dice.roll(3) {
            case 0: commands.append(.retry)
            case 1: commands += steps.map { .resolve(step: $0, .done, output: nil) }
            default: commands += steps.map { .resolve(step: $0, .undone, output: nil) }
            }
        }
        for command in commands where await store.carryOut(command, on: saga, in: world) {
            if command != .pause { return }
            await store.carryOut(.resume, on: saga, in: world)
            return
        }
    }

    /// Waits for calls and effects that are on their way.
    private func settle() async {
        var rounds = 0
        while await participant.stragglers > 0, rounds < 200 {
            await world.clock.sleep(for: .milliseconds(50))
            rounds += 1
        }
        // A daemon looks at its services once a second at least, and tells of the calls that ended.
        let last = max(world.clock.now(), world.conditions.onTheWayUntil)
        await world.clock.sleep(until: last + 1_200_000)
        for service in world.plan.services {
            if let breaker = await store.breaker(service.name) { world.ledger.end(service.name, breaker) }
        }
        for saga in sagas.compactMap({ $0 }) {
            guard let row = await store.row(saga), let place = world.ledger.place(of: saga) else { continue }
            world.ledger.end(place, status: row.status)
        }
    }

    private func close() async {
        world.conditions.end()
        world.clock.ring()
        for (daemon, engine) in daemons {
            daemon.bury()
            await engine.drain()
        }
    }
}

extension FleetBreach {
    var ofStore: InMemoryStore.Breach? {
        switch self {
        case .noFence: .fence
        case .noFenceOfLeaving: .fenceOfLeaving
        case .noFenceOfSettingAside: .fenceOfSettingAside
        case .noFenceOfServices: .fenceOfServices
        case .foreignRows: .rowOwner
        case .earlyTakeOver: .leaseEnd
        case .noOwnershipOfWaiting: .ownershipOfWaiting
        case .noSequenceLock: .sequence
        case .noOwnership: .ownership
        case .noCompareAndSet: .compareAndSet
        case .wrongStatus: .status
        case .lyingCommit, .lyingServiceWrite, .earlyAnswer, .noGuard, .changingKey, .repeatedCall, .absentPerson: nil
        }
    }
}

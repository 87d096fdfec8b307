import SagaCore
import SagaEngine

/// One daemon's way to the store: slow, cut, ambiguous, as the plan has it.
actor FleetStore: SagaStore {
    private let store: InMemoryStore
    private let daemon: FleetDaemon
    private let world: FleetWorld
    /// Services whose change is in doubt, by what it was decided on.
    private var doubtful: [ServiceID: (version: Int64, name: String)] = [:]
    private nonisolated let executor: SimulatedExecutor

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    init(store: InMemoryStore, daemon: FleetDaemon, world: FleetWorld) {
        self.store = store
        self.daemon = daemon
        self.world = world
        executor = world.executor
    }

    // MARK: The way there and back

    /// - Parameter isRare: whether this is asked so seldom that it has to go wrong more often, for it to go wrong at all.
    private func travel(isRare: Bool = false) async throws(StoreError) {
        let clock = world.clock
        if world.happens(.pauseOnTheWay, times: isRare ? 20 : 1) {
            let span = world.dice.milliseconds(5...3_000)
            daemon.pause(for: span, .pausedOnTheWay)
            world.conditions.isOnTheWay(until: clock.now() + span.microseconds)
            await clock.sleep(for: span)
        }
        if world.conditions.isOver { throw .leaseLost }
        var latency = Int64(100 + world.dice.roll(world.conditions.isHealed ? 300 : 1_500))
        if world.happens(.slow) { latency += Int64(world.dice.roll(300_000)) }
        if world.conditions.isStoreSlow(at: clock.now()) { latency += Int64(world.dice.roll(100_000)) }
        await clock.sleep(until: clock.now() + latency)
        if world.conditions.isOver { throw .leaseLost }
        if world.conditions.isStoreDown(at: clock.now()) { throw .unavailable("the store is down") }
        if daemon.isCutOff(at: clock.now()) { throw .unavailable("the store can't be reached") }
    }

    private func comeBack() throws(StoreError) {
        guard world.happens(.loseAnswer) else { return }
        world.ledger.note(.answerLost, daemon.number, 0, "daemon \(daemon.number): an answer of the store is lost")
        throw .unavailable("the answer was lost")
    }

    // MARK: Leases

    func join(_ identity: DaemonIdentity, leaseLength: TimeSpan) async throws(StoreError) -> Lease {
        try await travel()
        let lease = try await store.join(identity, leaseLength: leaseLength)
        try comeBack()
        return lease
    }

    func renew(_ lease: Lease) async throws(StoreError) -> Instant {
        let sent = world.clock.now()
        try await travel()
        world.ledger.tookToRead(TimeSpan(microseconds: world.clock.now() - sent))
        if world.happens(.loseRenewal) {
            world.ledger.note(.renewalLost, daemon.number, 0, "daemon \(daemon.number): a renewal is lost")
            throw .unavailable("the renewal doesn't get through")
        }
        let reading = try await store.renew(lease)
        try comeBack()
        return reading
    }

    func leave(_ lease: Lease) async throws(StoreError) {
        world.ledger.triesToLeave(lease.daemon)
        try await travel(isRare: true)
        try await store.leave(lease)
        world.clock.ring()
        try comeBack()
    }

    func takeOverLost(_ lease: Lease) async throws(StoreError) -> Int {
        try await travel()
        let count = try await store.takeOverLost(lease)
        if count > 0 {
            world.ledger.note(.leaseTakenOver, count, 0, "daemon \(daemon.number): takes over from \(count)")
            world.clock.ring()
        }
        try comeBack()
        return count
    }

    // MARK: Claims

    /// Waits in virtual time for exactly as long as nothing is due.
    func waitForDueSagas(
        _ lease: Lease, every interval: TimeSpan, upTo limit: TimeSpan
    ) async throws(StoreError) -> Bool {
        try await travel()
        let end = world.clock.now() + limit.microseconds
        while true {
            if world.conditions.isOver { throw .leaseLost }
            if world.conditions.isStoreDown(at: world.clock.now()) || daemon.isCutOff(at: world.clock.now()) {
                throw .unavailable("the connection was lost")
            }
            let rings = world.clock.rings
            if try await store.waitForDueSagas(lease, every: interval, upTo: limit) { return true }
            guard world.clock.now() < end, !Task.isCancelled else { return false }
            let due = await store.nextDue(for: lease.daemon).map { ($0 - SimulatedRun.start).microseconds } ?? end
            await world.clock.watch(until: min(due, end), since: rings)
        }
    }

    func claim(_ lease: Lease, limit: Int, ownLimit: Int) async throws(StoreError) -> [SagaID] {
        try await travel()
        let ids = try await store.claim(lease, limit: limit, ownLimit: ownLimit)
        try comeBack()
        return ids
    }

    func reclaim(_ lease: Lease, except known: [SagaID: Int]) async throws(StoreError) {
        try await travel()
        try await store.reclaim(lease, except: known)
        world.clock.ring()
        try comeBack()
    }

    func load(_ ids: [SagaID], ownedBy owner: Lease?) async throws(StoreError) -> LoadedSagas {
        try await travel()
        return try await store.load(ids, ownedBy: owner)
    }

    func definition(_ id: DefinitionID) async throws(StoreError) -> [UInt8]? {
        try await travel()
        return try await store.definition(id)
    }

    func setAside(_ saga: SagaID, reason: String, under lease: Lease) async throws(StoreError) {
        try await travel(isRare: true)
        try await store.setAside(saga, reason: reason, under: lease)
        world.ledger.setAside(saga)
        world.ledger.note(.setAside, daemon.number, 0, "store: saga \(world.name(saga)) set aside, \(reason)")
        world.clock.ring()
        try comeBack()
    }

    // MARK: Commits

    func commit(_ appends: [Append], under lease: Lease) async throws(StoreError) -> Set<SagaID> {
        if world.happens(.dieBeforeCommit) {
            daemon.die(.diedBeforeCommit)
            throw .unavailable("the daemon is dead")
        }
        if world.happens(.pauseBeforeCommit) {
            let span = world.dice.milliseconds(5...3_000)
            daemon.pause(for: span, .pausedBeforeCommit)
            await world.clock.sleep(for: span)
        }
        try await travel()
        let kind = doubtKind
        try await meddle(appends, isDoubtful: kind != nil)
        if let kind { throw try await doubt(kind, appends, lease) }
        if world.breach == .lyingCommit, world.dice.chance(50) { return [] }
        if world.breach == .earlyAnswer, world.dice.chance(100) {
            later(.milliseconds(Int64(world.dice.roll(1...200))), appends, lease)
            return []
        }
        let conflicts: Set<SagaID>
        do throws(StoreError) { conflicts = try await store.commit(appends, under: lease) } catch {
            if error == .leaseLost {
                world.ledger.note(
                    .writeUnderLostLease, daemon.number, 0, "store: refuses a batch of daemon \(daemon.number)")
            }
            throw error
        }
        if !conflicts.isEmpty { world.ledger.count(.conflict) }
        for append in appends {
            if case .park? = append.row?.hold { world.ledger.count(.parked) }
        }
        world.clock.ring()
        if world.happens(.pauseBetweenJobs) { daemon.pauseSoon() }
        if world.happens(.dieAfterCommit) { daemon.die(.diedAfterCommit) }
        return conflicts
    }

    /// Persons who are faster, content that is refused, rows that are locked.
    private func meddle(_ appends: [Append], isDoubtful: Bool) async throws(StoreError) {
        if world.happens(.conflict, times: isDoubtful ? 5 : 1), let append = world.dice.pick(appends) {
            let command = world.dice.pick([OperatorCommand.cancel, .pause, .resume, .retry, .terminate]) ?? .cancel
            await store.carryOut(command, on: append.saga, in: world)
        }
        if world.happens(.refuse), let append = world.dice.pick(appends) { world.conditions.poison(append.saga) }
        if appends.contains(where: { world.conditions.isPoisoned($0.saga) }) {
            world.ledger.note(.commitRefused, daemon.number, 0, "store: refuses content of daemon \(daemon.number)")
            throw .refused("22P05: untranslatable character")
        }
        if world.happens(.block) {
            world.ledger.note(.commitBlocked, daemon.number, 0, "store: a row is locked for daemon \(daemon.number)")
            throw .blocked("55P03: lock not available")
        }
    }

    /// How the connection is lost while committing; nil when it isn't.
    private var doubtKind: FleetPlan.Fault? {
        [.doubtDone, .doubtUndone, .doubtLater].first { world.happens($0) }
    }

    /// It has happened, never will, or is under way still.
    ///
    /// What stood in the way was found before, and isn't sent again.
    private func doubt(
        _ kind: FleetPlan.Fault, _ appends: [Append], _ lease: Lease
    ) async throws(StoreError) -> StoreError {
        let conflicts: Set<SagaID>
        switch kind {
        case .doubtDone:
            conflicts = try await store.commit(appends, under: lease)
            world.clock.ring()
            world.ledger.note(.commitDoubtfulDone, daemon.number, 0, "store: in doubt, was done")
        case .doubtUndone:
            conflicts = await store.taken(appends)
            world.ledger.note(.commitDoubtfulUndone, daemon.number, 0, "store: in doubt, wasn't done")
        default:
            conflicts = await store.taken(appends)
            let rest = appends.filter { !conflicts.contains($0.saga) }
            world.ledger.note(.commitDoubtfulLater, daemon.number, 0, "store: in doubt, still under way")
            later(.milliseconds(Int64(world.dice.roll(1...50))), rest, lease)
        }
        if !conflicts.isEmpty { world.ledger.count(.doubtWithConflict) }
        return .inDoubt("the connection was lost", conflicts: conflicts)
    }

    private func later(_ span: TimeSpan, _ appends: [Append], _ lease: Lease) {
        let (world, store) = (world, store)
        Task(executorPreference: world.executor) {
            await world.clock.sleep(for: span)
            if world.conditions.isOver { return }
            _ = try? await store.commit(appends, under: lease)
            world.clock.ring()
        }
    }

    func readBack(_ appends: [Append], under lease: Lease) async throws(StoreError) -> ReadBack {
        try await travel()
        let readBack = try await store.readBack(appends, under: lease)
        try comeBack()
        return readBack
    }

    // MARK: Services

    func service(_ service: Service, under lease: Lease) async throws(StoreError) -> StoredService {
        try await travel()
        return try await store.service(service, under: lease)
    }

    func service(_ id: ServiceID, newerThan version: Int64) async throws(StoreError) -> StoredService? {
        let doubt = doubtful.removeValue(forKey: id)
        do throws(StoreError) {
            try await travel()
            let stored = try await store.service(id, newerThan: version)
            if let doubt, let stored, stored.version > doubt.version + 1 { world.ledger.blur(doubt.name) }
            return stored
        } catch {
            if let doubt { world.ledger.blur(doubt.name) }
            throw error
        }
    }

    func write(_ update: ServiceUpdate, under lease: Lease) async throws(StoreError) -> Bool {
        try await travel()
        if world.happens(.serviceDoubt) {
            world.ledger.note(.serviceWriteDoubtful, daemon.number, 0, "store: a service's change is in doubt")
            let (store, world) = (store, world)
            switch world.dice.roll(3) {
            case 0:
                if try await store.write(update, under: lease) {
                    doubtful[update.id] = (update.expectedVersion, await store.name(of: update.id))
                }
            case 1:
                world.ledger.blur(await store.name(of: update.id))
                Task(executorPreference: world.executor) {
                    await world.clock.sleep(for: .milliseconds(Int64(world.dice.roll(1...40))))
                    if !world.conditions.isOver { _ = try? await store.write(update, under: lease) }
                }
            default: break
            }
            throw .inDoubt("the connection was lost")
        }
        if world.breach == .lyingServiceWrite, world.dice.chance(50) { return true }
        let isWritten = try await store.write(update, under: lease)
        if !isWritten { world.ledger.count(.serviceWriteRaced) }
        return isWritten
    }

    func awaitedServices() async throws(StoreError) -> [Service] {
        try await travel()
        return try await store.awaitedServices()
    }

    func claimWaiting(
        _ lease: Lease, for service: ServiceID, limit: Int, fewestAttemptsFirst: Bool
    ) async throws(StoreError) -> [SagaID] {
        try await travel()
        let ids = try await store.claimWaiting(
            lease, for: service, limit: limit, fewestAttemptsFirst: fewestAttemptsFirst)
        if !ids.isEmpty { world.ledger.count(.wokenForService) }
        try comeBack()
        return ids
    }
}

extension FleetWorld {
    /// A saga by its place.
    func name(_ saga: SagaID) -> String { ledger.place(of: saga).map(String.init) ?? "?" }
}

extension InMemoryStore {
    /// A person does something to a saga: decided on and appended at once.
    ///
    /// - Returns: whether it was accepted.
    @discardableResult
    func carryOut(_ command: OperatorCommand, on saga: SagaID, in world: FleetWorld) -> Bool {
        guard let row = rows[saga] else { return false }
        let definition = world.plan.definitions[Int(row.definition.number) - 1]
        let events = row.events.compactMap { try? EventCodec.decode($0, definition: definition) }
        guard let state = SagaState(folding: events, id: saga, key: nil, definition: definition),
            case .event(let event) = state.result(
                of: command, by: Event.Act(actor: "person", reason: nil), in: definition)
        else {
            world.ledger.count(.refusedCommand)
            return false
        }
        let recorded = RecordedEvent(sequence: 0, cause: nil, at: world.now, event: event)
        let stored = EventCodec.encode(recorded, definition: definition)
        let data = String(decoding: stored.data ?? Array("{}".utf8), as: UTF8.self)
        let kind: FleetKind? =
            switch command {
            case .cancel: .cancel
            case .pause: .pause
            case .resume: .resume
            case .retry, .retryPatched: .retry
            case .resolve: .resolve
            case .terminate: .terminate
            case .compensate: .compensate
            }
        guard appendFromOutside(event.type, data: data, to: saga) else { return false }
        if let kind { world.ledger.count(kind) }
        world.clock.ring()
        return true
    }
}

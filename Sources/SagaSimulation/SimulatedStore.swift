import SagaCore
import SagaEngine

/// A daemon's way to the store that all daemons of a simulation share.
actor SimulatedStore: SagaStore {
    private let store: InMemoryStore
    private let life: DaemonLife
    private let crashes: CrashPlan
    private let clock: VirtualClock
    /// What the store's clock shows at the virtual clock's zero.
    private let origin: Instant
    private nonisolated let executor: SimulatedExecutor

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    init(
        store: InMemoryStore, life: DaemonLife, crashes: CrashPlan, clock: VirtualClock, origin: Instant,
        executor: SimulatedExecutor
    ) {
        self.store = store
        self.life = life
        self.crashes = crashes
        self.clock = clock
        self.origin = origin
        self.executor = executor
    }

    private func live() async throws(StoreError) {
        guard await life.holds() else { throw .leaseLost }
    }

    // MARK: What can kill a daemon, or wakes one

    func commit(_ appends: [Append], under lease: Lease) async throws(StoreError) -> Set<SagaID> {
        try await live()
        let sequences = Set(appends.flatMap { $0.events.map(\.sequence) })
        func dieIf(_ point: (Int) -> CrashPoint) {
            let points = sequences.map(point)
            if crashes.isDue(where: { points.contains($0) }) { life.end() }
        }
        dieIf { .beforeCommit(sequence: $0) }
        if life.isDead { clock.ring() }
        try await live()
        let conflicts = try await store.commit(appends, under: lease)
        dieIf { .afterCommit(sequence: $0) }
        clock.ring()
        try await live()
        return conflicts
    }

    /// Waits in virtual time for exactly as long as nothing is due; ten limits without are one look.
    func waitForDueSagas(
        _ lease: Lease, every interval: TimeSpan, upTo limit: TimeSpan
    ) async throws(StoreError) -> Bool {
        let end = clock.now() + 10 * limit.microseconds
        while true {
            try await live()
            let rings = clock.rings
            if try await store.waitForDueSagas(lease, every: interval, upTo: limit) { return true }
            guard clock.now() < end, !Task.isCancelled else { return false }
            let due = await store.nextDue(for: lease.daemon).map { ($0 - origin).microseconds } ?? end
            await clock.watch(until: min(due, end), since: rings)
        }
    }

    func takeOverLost(_ lease: Lease) async throws(StoreError) -> Int {
        try await live()
        let count = try await store.takeOverLost(lease)
        if count > 0 { clock.ring() }
        return count
    }

    func leave(_ lease: Lease) async throws(StoreError) {
        try await live()
        try await store.leave(lease)
        clock.ring()
    }

    func reclaim(_ lease: Lease, except known: [SagaID: Int]) async throws(StoreError) {
        try await live()
        try await store.reclaim(lease, except: known)
        clock.ring()
    }

    func setAside(_ saga: SagaID, reason: String, under lease: Lease) async throws(StoreError) {
        try await live()
        try await store.setAside(saga, reason: reason, under: lease)
        clock.ring()
    }

    // MARK: The rest

    func join(_ daemon: DaemonIdentity, leaseLength: TimeSpan) async throws(StoreError) -> Lease {
        try await live()
        return try await store.join(daemon, leaseLength: leaseLength)
    }

    func renew(_ lease: Lease) async throws(StoreError) -> Instant {
        try await live()
        return try await store.renew(lease)
    }

    func claim(_ lease: Lease, limit: Int, ownLimit: Int) async throws(StoreError) -> [SagaID] {
        try await live()
        return try await store.claim(lease, limit: limit, ownLimit: ownLimit)
    }

    func load(_ ids: [SagaID], ownedBy owner: Lease?) async throws(StoreError) -> LoadedSagas {
        try await live()
        return try await store.load(ids, ownedBy: owner)
    }

    func definition(_ id: DefinitionID) async throws(StoreError) -> [UInt8]? {
        try await live()
        return try await store.definition(id)
    }

    func readBack(_ appends: [Append], under lease: Lease) async throws(StoreError) -> ReadBack {
        try await live()
        return try await store.readBack(appends, under: lease)
    }

    func service(_ service: Service, under lease: Lease) async throws(StoreError) -> StoredService {
        try await live()
        return try await store.service(service, under: lease)
    }

    func service(_ id: ServiceID, newerThan version: Int64) async throws(StoreError) -> StoredService? {
        try await live()
        return try await store.service(id, newerThan: version)
    }

    func write(_ update: ServiceUpdate, under lease: Lease) async throws(StoreError) -> Bool {
        try await live()
        return try await store.write(update, under: lease)
    }

    func awaitedServices() async throws(StoreError) -> [Service] {
        try await live()
        return try await store.awaitedServices()
    }

    func claimWaiting(
        _ lease: Lease, for service: ServiceID, limit: Int, fewestAttemptsFirst: Bool
    ) async throws(StoreError) -> [SagaID] {
        try await live()
        return try await store.claimWaiting(
            lease, for: service, limit: limit, fewestAttemptsFirst: fewestAttemptsFirst)
    }
}

import SagaCore
import SagaEngine

/// A store in memory that keeps the promises of the real one: the contract suite runs against both.
public actor InMemoryStore: SagaStore {
    struct Row {
        let key: String?
        let definition: DefinitionID
        var status: SagaStatus
        var owner: Int32?
        var dueAt: Instant?
        var endedAt: Instant?
        var events: [StoredEvent]
        var unreadable: String?
        var awaiting: AwaitedService?
    }

    private struct Daemon {
        var epoch: Int32
        var leaseUntil: Instant
    }

    struct ServiceRow {
        let service: Service
        var stored: StoredService
        var events: [BreakerEvent] = []
    }

    var rows: [SagaID: Row] = [:]
    private var observer: (@Sendable (Change) -> Void)?
    private var breaches: Set<Breach> = []
    var services: [ServiceRow] = []
    private var daemons: [Int32: Daemon] = [:]
    private var documents: [DefinitionID: [UInt8]] = [:]
    private var nextDaemon: Int32 = 1
    private var nextSaga: UInt64 = 1
    var clock: @Sendable () -> Instant
    private var failures: [StoreError] = []
    private var ignoredRenewals: Set<Int32> = []
    private var losesNextClaim = false
    private var overtaking: [SagaID: (EventType, String)] = [:]
    private var doubts = 0
    private var doubtfulHappen = false
    private var refused: Set<SagaID> = []
    private var damages: [SagaID: String] = [:]
    private var held: Set<SagaID> = []
    private var heldCommits: [CheckedContinuation<Void, Never>] = []
    private var holdsReadBacks = false
    private var heldReadBacks: [CheckedContinuation<Void, Never>] = []
    var brokenServices: [String: StoreError] = [:]
    /// Reads and writes of services' rows so far.
    public internal(set) var serviceCalls = 0
    /// Sagas taken up so far since their service had room.
    public internal(set) var pulled = 0
    private nonisolated let executor: any SerialExecutor

    public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// - Parameters:
    ///   - clock: what stands for the database's clock.
    ///   - executor: where the store runs.
    public init(clock: @escaping @Sendable () -> Instant, executor: any SerialExecutor) {
        self.clock = clock
        self.executor = executor
    }

    /// - Parameter breaches: promises that it doesn't keep from now on.
    func observe(breaching breaches: Set<Breach>, _ observer: @escaping @Sendable (Change) -> Void) {
        self.breaches = breaches
        self.observer = observer
    }

    func breaks(_ breach: Breach) -> Bool { !breaches.isEmpty && breaches.contains(breach) }

    func tell(_ change: Change) { observer?(change) }

    // MARK: What a starter and an operator do

    public func register(_ document: [UInt8]) -> DefinitionID {
        let id = DefinitionID(Int32(documents.count + 1))
        documents[id] = document
        return id
    }

    /// - Parameter id: whose it is to be; nil takes the next of a row.
    public func start(
        _ definition: DefinitionID, key: String? = nil, input: String = "{}", id: SagaID? = nil
    ) -> SagaID {
        let id = id ?? SagaID(high: 0x0190_0000_0000_7000, low: 0x8000_0000_0000_0000 + nextSaga)
        nextSaga += 1
        let now = clock()
        let start = StoredEvent(
            sequence: 1, cause: nil, type: EventType.sagaStarted.rawValue, at: now,
            data: Array("{\"input\":\(input)}".utf8))
        rows[id] = Row(key: key, definition: definition, status: .pending, dueAt: now, events: [start])
        tell(.appended(id, [start], by: nil))
        return id
    }

    /// Appends what came from outside after the last event and lets a daemon look.
    ///
    /// False when the saga has ended, or for a wish to undo one that hasn't completed.
    public func appendFromOutside(_ type: EventType, data: String, to saga: SagaID) -> Bool {
        guard var row = rows[saga] else { return false }
        guard type == .sagaCompensationRequested ? row.status == .completed : row.endedAt == nil else { return false }
        let now = clock()
        let event = StoredEvent(
            sequence: row.events.count + 1, cause: nil, type: type.rawValue, at: now, data: Array(data.utf8))
        row.events.append(event)
        if type == .sagaTerminated {
            row.status = .terminated
            row.endedAt = now
            row.owner = nil
            row.dueAt = nil
        } else {
            row.dueAt = now
            if type == .sagaCompensationRequested {
                row.status = .compensating
                row.endedAt = nil
            }
        }
        rows[saga] = row
        tell(.appended(saga, [event], by: nil))
        if type == .sagaTerminated { tell(.released(saga)) }
        return true
    }

    /// The saga's row, for tests.
    public func row(_ saga: SagaID) -> (status: SagaStatus, owner: Int32?, dueAt: Instant?, unreadable: String?)? {
        rows[saga].map { ($0.status, $0.owner, $0.dueAt, $0.unreadable) }
    }

    /// The saga's history, for tests; never one of the failures asked for.
    public func history(_ saga: SagaID) -> [StoredEvent]? { rows[saga]?.events }

    public func daemonCount() -> Int { daemons.count }

    /// Lets the next calls that a daemon makes fail, in order.
    public func fail(with errors: [StoreError]) { failures += errors }

    /// A daemon whose renewals from now on don't get through.
    public func ignore(renewalsOf daemon: Int32) { ignoredRenewals.insert(daemon) }

    /// The next `count` commits end in doubt, having happened or not.
    public func doubtNextCommits(count: Int, happened: Bool) {
        doubts = count
        doubtfulHappen = happened
    }

    /// Something comes from outside right before the daemon's first append to this saga.
    public func overtake(_ saga: SagaID, with type: EventType, data: String) { overtaking[saga] = (type, data) }

    /// The next claim that finds something is committed and its answer lost.
    public func loseNextClaim() { losesNextClaim = true }

    /// Whatever is appended to this saga is refused, as content that no trying again mends.
    public func refuse(_ saga: SagaID) { refused.insert(saga) }

    /// This saga's row can't be read from now on. One that a daemon has in memory is looked at again.
    public func damage(_ saga: SagaID, reason: String) {
        damages[saga] = reason
        if rows[saga]?.endedAt == nil { rows[saga]?.dueAt = clock() }
    }

    /// A commit with this saga waits until `releaseCommits`, as on a row that somebody has locked.
    public func holdCommits(of saga: SagaID) { held.insert(saga) }

    /// How many commits are held.
    public var heldCount: Int { heldCommits.count }

    public func releaseCommits() {
        held = []
        for commit in heldCommits { commit.resume() }
        heldCommits = []
    }

    /// Reading a commit back waits until `releaseReadBacks`, as behind a server that is still at that commit.
    public func holdReadBacks() { holdsReadBacks = true }

    public func releaseReadBacks() {
        holdsReadBacks = false
        for readBack in heldReadBacks { readBack.resume() }
        heldReadBacks = []
    }

    // MARK: SagaStore

    public func join(_ daemon: DaemonIdentity, leaseLength: TimeSpan) throws(StoreError) -> Lease {
        try failIfAsked()
        let id = nextDaemon
        nextDaemon += 1
        daemons[id] = Daemon(epoch: 1, leaseUntil: clock() + leaseLength)
        let lease = Lease(daemon: id, epoch: 1, length: leaseLength)
        tell(.joined(lease, daemon))
        return lease
    }

    public func renew(_ lease: Lease) throws(StoreError) -> Instant {
        try failIfAsked()
        if ignoredRenewals.contains(lease.daemon) { throw .unavailable("the renewal doesn't get through") }
        try fence(lease)
        tell(.acted(.renew, under: lease))
        daemons[lease.daemon]?.leaseUntil = clock() + lease.length
        return clock()
    }

    public func leave(_ lease: Lease) throws(StoreError) {
        try failIfAsked()
        if !breaks(.fenceOfLeaving) { try fence(lease) }
        tell(.acted(.leave, under: lease))
        free(lease.daemon)
    }

    public func takeOverLost(_ lease: Lease) throws(StoreError) -> Int {
        try failIfAsked()
        let now = breaks(.leaseEnd) ? clock() + .milliseconds(100) : clock()
        let lost = daemons.filter { $0.key != lease.daemon && $0.value.leaseUntil < now }.keys.sorted()
        for daemon in lost { free(daemon) }
        return lost.count
    }

    /// Looks once: whoever asks comes again.
    public func waitForDueSagas(
        _ lease: Lease, every interval: TimeSpan, upTo limit: TimeSpan
    ) throws(StoreError) -> Bool {
        try failIfAsked()
        return rows.contains { isDue($0.value, for: lease.daemon) }
    }

    public func claim(_ lease: Lease, limit: Int, ownLimit: Int) throws(StoreError) -> [SagaID] {
        try failIfAsked()
        try fence(lease)
        tell(.acted(.claim, under: lease))
        let due = rows.filter { isDue($0.value, for: lease.daemon) }
        let others = due.filter { $0.value.owner == nil || breaks(.ownership) }
            .sorted { ($0.value.dueAt ?? .distantFuture, $0.key) < ($1.value.dueAt ?? .distantFuture, $1.key) }.map(
                \.key)
        let isLost = losesNextClaim && !due.isEmpty
        if isLost { losesNextClaim = false }
        let ids = (others.prefix(limit) + due.filter { $0.value.owner != nil }.map(\.key).sorted().prefix(ownLimit))
            .sorted()
        for id in ids {
            rows[id]?.owner = lease.daemon
            rows[id]?.dueAt = nil
            rows[id]?.unreadable = nil
            rows[id]?.awaiting = nil
        }
        if !ids.isEmpty { tell(.claimed(ids, by: lease.daemon)) }
        if isLost { throw .unavailable("the connection was lost after the commit") }
        return ids
    }

    public func reclaim(_ lease: Lease, except known: [SagaID: Int]) throws(StoreError) {
        try failIfAsked()
        try fence(lease)
        tell(.acted(.reclaim, under: lease))
        for (id, row) in rows where row.owner == lease.daemon && row.dueAt == nil {
            if let sequence = known[id] {
                guard row.events.contains(where: { $0.sequence == sequence + 1 && (17...23).contains($0.type) }) else {
                    continue
                }
            }
            rows[id]?.dueAt = clock()
        }
    }

    public func load(_ ids: [SagaID], ownedBy owner: Lease?) throws(StoreError) -> LoadedSagas {
        try failIfAsked()
        var readable: [StoredSaga] = []
        var unreadable: [UnreadableSaga] = []
        for id in ids {
            guard let row = rows[id], owner == nil || row.owner == owner?.daemon else { continue }
            if let reason = damages[id] {
                unreadable.append(UnreadableSaga(id: id, reason: reason))
            } else {
                readable.append(
                    StoredSaga(
                        id: id, key: row.key, definition: row.definition, status: row.status, events: row.events))
            }
        }
        return LoadedSagas(readable: readable, unreadable: unreadable)
    }

    public func definition(_ id: DefinitionID) throws(StoreError) -> [UInt8]? {
        try failIfAsked()
        return documents[id]
    }

    public func commit(_ appends: [Append], under lease: Lease) async throws(StoreError) -> Set<SagaID> {
        while appends.contains(where: { held.contains($0.saga) }) {
            await withCheckedContinuation { heldCommits.append($0) }
        }
        try failIfAsked()
        try fence(lease)
        tell(.acted(.commit, under: lease))
        if appends.contains(where: { refused.contains($0.saga) }) { throw .refused("22P05: untranslatable character") }
        for append in appends {
            if let (type, data) = overtaking.removeValue(forKey: append.saga) {
                _ = appendFromOutside(type, data: data, to: append.saga)
            }
        }
        if doubts > 0 {
            doubts -= 1
            let taken = taken(appends)
            if doubtfulHappen { _ = write(appends, under: lease) }
            throw .inDoubt("the connection was lost", conflicts: taken)
        }
        return write(appends, under: lease)
    }

    private func write(_ appends: [Append], under lease: Lease) -> Set<SagaID> {
        var conflicts: Set<SagaID> = []
        for append in appends {
            guard var row = rows[append.saga] else { continue }
            if let first = append.events.first, first.sequence <= row.events.count, !breaks(.sequence) {
                conflicts.insert(append.saga)
                continue
            }
            row.events += append.events
            if !append.events.isEmpty { tell(.appended(append.saga, append.events, by: lease.daemon)) }
            if let change = append.row, row.owner == lease.daemon || breaks(.rowOwner) {
                tell(.changedRow(append.saga, by: lease.daemon))
                apply(change, to: &row)
                if row.owner == nil { tell(.released(append.saga)) }
            }
            rows[append.saga] = row
        }
        return conflicts
    }

    public func readBack(_ appends: [Append], under lease: Lease) async throws(StoreError) -> ReadBack {
        if holdsReadBacks { await withCheckedContinuation { heldReadBacks.append($0) } }
        try failIfAsked()
        guard var daemon = daemons[lease.daemon] else { throw .leaseLost }
        daemon.epoch += 1
        daemons[lease.daemon] = daemon
        let raised = Lease(daemon: lease.daemon, epoch: daemon.epoch, length: lease.length)
        tell(.raised(raised))
        let first = appends.first { !$0.events.isEmpty }
        let isThere = first.map { append in
            rows[append.saga]?.events.contains {
                $0.sequence == append.events[0].sequence && $0.type == append.events[0].type
            } ?? false
        }
        return ReadBack(wasCommitted: isThere ?? false, lease: raised)
    }

    public func setAside(_ saga: SagaID, reason: String, under lease: Lease) throws(StoreError) {
        try failIfAsked()
        if !breaks(.fenceOfSettingAside) { try fence(lease) }
        tell(.acted(.setAside, under: lease))
        guard rows[saga]?.owner == lease.daemon else { return }
        tell(.changedRow(saga, by: lease.daemon))
        rows[saga]?.owner = nil
        rows[saga]?.dueAt = .distantFuture
        rows[saga]?.unreadable = reason
        tell(.released(saga))
    }

    /// All sagas, for tests.
    public func sagas() -> [SagaID] { rows.keys.sorted() }

    /// When the next saga is due that this daemon may take; nil when none will be by itself.
    public func nextDue(for daemon: Int32) -> Instant? {
        rows.values.filter { $0.owner == nil || $0.owner == daemon }.compactMap(\.dueAt).min()
    }

    /// What a saga that nobody runs waits for, for tests.
    public func awaiting(_ saga: SagaID) -> AwaitedService? { rows[saga]?.awaiting }

    // MARK: Rows

    private func apply(_ change: Append.RowChange, to row: inout Row) {
        if !breaks(.status) { row.status = change.status }
        switch change.hold {
        case .keep: break
        case .park(let dueAt, let lastSequence, let awaiting):
            row.owner = nil
            row.awaiting = awaiting
            row.dueAt =
                row.events.count > lastSequence ? clock() : min(row.dueAt ?? .distantFuture, dueAt ?? .distantFuture)
        case .end(let at):
            row.owner = nil
            row.dueAt = nil
            row.endedAt = at
        }
    }

    private func isDue(_ row: Row, for daemon: Int32) -> Bool {
        if breaks(.ownership), row.owner != nil, row.owner != daemon { return true }
        guard let dueAt = row.dueAt, dueAt <= clock() else { return false }
        return row.owner == nil || row.owner == daemon
    }

    func fence(_ lease: Lease) throws(StoreError) {
        if breaks(.fence) { return }
        guard daemons[lease.daemon]?.epoch == lease.epoch else { throw .leaseLost }
    }

    private func free(_ daemon: Int32) {
        daemons[daemon] = nil
        tell(.freed(daemon))
        for id in rows.keys where rows[id]?.owner == daemon {
            rows[id]?.owner = nil
            rows[id]?.dueAt = clock()
        }
    }

    func failIfAsked() throws(StoreError) {
        if !failures.isEmpty { throw failures.removeFirst() }
    }
}

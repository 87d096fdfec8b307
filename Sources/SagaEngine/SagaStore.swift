import SagaCore

/// Where sagas are kept. Every call states its lease; one that lost its lease can write nothing.
public protocol SagaStore: ServiceStore {
    /// Enters a daemon: a new row with a lease of `length` from now.
    func join(_ daemon: DaemonIdentity, leaseLength: TimeSpan) async throws(StoreError) -> Lease

    /// Extends the lease and returns the database's clock.
    func renew(_ lease: Lease) async throws(StoreError) -> Instant

    /// Gives up the lease and every saga it holds.
    func leave(_ lease: Lease) async throws(StoreError)

    /// Ends the leases of daemons whose time has passed and frees their sagas; returns how many daemons.
    func takeOverLost(_ lease: Lease) async throws(StoreError) -> Int

    /// Waits until `claim` would find something: asks at once and then `every` so often, for at most `limit`; a
    /// cancelled task ends it too. Returns whether there is something.
    ///
    /// An idle daemon does nothing else all day, so this has to cost next to nothing.
    func waitForDueSagas(_ lease: Lease, every interval: TimeSpan, upTo limit: TimeSpan) async throws(StoreError)
        -> Bool

    /// Takes up to `limit` sagas that are due and nobody's, and all of its own that were changed from outside.
    ///
    /// - Parameter ownLimit: at most so many of its own.
    func claim(_ lease: Lease, limit: Int, ownLimit: Int) async throws(StoreError) -> [SagaID]

    /// Makes the sagas that this daemon's row owns due for it, but for those in `known` whose history an operator hasn't
    /// carried on beyond the sequence given: what was claimed without the daemon's learning of it (the answer was lost),
    /// or couldn't be set aside, comes back with the next claim.
    func reclaim(_ lease: Lease, except known: [SagaID: Int]) async throws(StoreError)

    /// Sagas with all their events; those that aren't there are left out. One that can't be read holds up no other.
    ///
    /// - Parameter owner: leaves out those that this lease doesn't own; nil takes all.
    func load(_ ids: [SagaID], ownedBy owner: Lease?) async throws(StoreError) -> LoadedSagas

    /// The definition of this number; nil when there is none.
    func definition(_ id: DefinitionID) async throws(StoreError) -> [UInt8]?

    /// Commits all appends in one transaction, but for those whose place in their saga's history is taken:
    /// these are returned and nothing of them is written.
    func commit(_ appends: [Append], under lease: Lease) async throws(StoreError) -> Set<SagaID>

    /// After `inDoubt`: whether the commit happened. When it says no it never will. The lease goes on at a higher
    /// epoch, so that whatever was still under way at the old one is refused.
    func readBack(_ appends: [Append], under lease: Lease) async throws(StoreError) -> ReadBack

    /// Sets a saga aside that can't be folded or written, until a person acts.
    func setAside(_ saga: SagaID, reason: String, under lease: Lease) async throws(StoreError)
}

extension SagaStore {
    /// Takes up to `limit` sagas that are due and nobody's, and up to a thousand of its own.
    public func claim(_ lease: Lease, limit: Int) async throws(StoreError) -> [SagaID] {
        try await claim(lease, limit: limit, ownLimit: 1_000)
    }

    /// Sagas with all their events, whoever owns them.
    public func load(_ ids: [SagaID]) async throws(StoreError) -> LoadedSagas {
        try await load(ids, ownedBy: nil)
    }
}

/// A definition's number in its database.
public struct DefinitionID: Hashable, Sendable {
    public let number: Int32

    public init(_ number: Int32) {
        self.number = number
    }
}

/// Who a daemon is, for people.
public struct DaemonIdentity: Sendable, Hashable {
    public let host: String
    public let pid: Int32
    public let version: String

    public init(host: String, pid: Int32, version: String) {
        self.host = host
        self.pid = pid
        self.version = version
    }
}

/// One incarnation of a daemon: its row, the epoch at which it may write, and how long a renewal lasts.
public struct Lease: Sendable, Hashable {
    public let daemon: Int32
    public let epoch: Int32
    public let length: TimeSpan

    public init(daemon: Int32, epoch: Int32, length: TimeSpan) {
        self.daemon = daemon
        self.epoch = epoch
        self.length = length
    }
}

/// What reading a commit in doubt back has shown.
public struct ReadBack: Sendable, Hashable {
    public let wasCommitted: Bool
    /// At the epoch that holds from now on.
    public let lease: Lease

    public init(wasCommitted: Bool, lease: Lease) {
        self.wasCommitted = wasCommitted
        self.lease = lease
    }
}

/// What loading sagas gives, both in the order in which they were asked for.
public struct LoadedSagas: Sendable, Hashable {
    public let readable: [StoredSaga]
    /// Whose row or events hold what no program writes.
    public let unreadable: [UnreadableSaga]

    public init(readable: [StoredSaga], unreadable: [UnreadableSaga] = []) {
        self.readable = readable
        self.unreadable = unreadable
    }
}

/// A saga that can't be loaded, however often one tries.
public struct UnreadableSaga: Sendable, Hashable {
    public let id: SagaID
    /// In words for a person.
    public let reason: String

    public init(id: SagaID, reason: String) {
        self.id = id
        self.reason = reason
    }
}

/// A saga as the store has it.
public struct StoredSaga: Sendable, Hashable {
    public let id: SagaID
    public let key: String?
    public let definition: DefinitionID
    /// The status on its row.
    public let status: SagaStatus
    public let events: [StoredEvent]

    public init(id: SagaID, key: String?, definition: DefinitionID, status: SagaStatus, events: [StoredEvent]) {
        self.id = id
        self.key = key
        self.definition = definition
        self.status = status
        self.events = events
    }
}

/// What one decision writes of one saga.
public struct Append: Sendable, Hashable {
    public let saga: SagaID
    /// In order; the first one's sequence is the lock. Empty when only the row changes.
    public let events: [StoredEvent]
    /// What becomes of the saga's row; nil leaves it.
    public let row: RowChange?

    public struct RowChange: Sendable, Hashable {
        public let status: SagaStatus
        public let hold: Hold

        public init(status: SagaStatus, hold: Hold) {
            self.status = status
            self.hold = hold
        }
    }

    /// Whether the daemon keeps the saga in memory.
    public enum Hold: Sendable, Hashable {
        case keep
        /// Any daemon takes it up at this time; nil waits for a person, or for the service it awaits to have room. A
        /// history that goes on behind `lastSequence` makes it due at once: someone appended what the daemon hasn't seen.
        case park(dueAt: Instant?, lastSequence: Int, awaiting: AwaitedService?)
        case end(at: Instant)
    }

    public init(saga: SagaID, events: [StoredEvent], row: RowChange?) {
        self.saga = saga
        self.events = events
        self.row = row
    }
}

/// Why the store didn't do what it was asked.
public enum StoreError: Error, Sendable, Hashable {
    /// Certainly not done: no connection, a conflict that passes, a server that is starting. Try again.
    case unavailable(String)
    /// The connection was lost while committing: ask `readBack`, but for `conflicts`, which were found before and of
    /// which nothing was sent the last time.
    case inDoubt(String, conflicts: Set<SagaID> = [])
    /// Certainly not done: somebody holds a lock on one of the sagas, or it was too much for the time. Try less at once.
    case blocked(String)
    /// The daemon's lease was taken over: everything it holds is another's.
    case leaseLost
    /// The database refuses this content: trying again gives the same.
    case refused(String)
}

extension StoreError: CustomStringConvertible {
    /// The reason, as log lines have it.
    public var description: String {
        switch self {
        case .unavailable(let reason), .inDoubt(let reason, _), .blocked(let reason), .refused(let reason): reason
        case .leaseLost: "the lease was lost"
        }
    }
}

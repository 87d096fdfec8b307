import SagaCore

/// Where daemons share what they know of services: one row each, changed by compare-and-set, so that nothing is locked
/// while the core decides.
public protocol ServiceStore: Sendable {
    /// The service as it stands, entered with its definition's settings if the database doesn't know it yet.
    func service(_ service: Service, under lease: Lease) async throws(StoreError) -> StoredService

    /// The service as it stands, if somebody changed it since `version`; nil when it is still the same.
    func service(_ id: ServiceID, newerThan version: Int64) async throws(StoreError) -> StoredService?

    /// Writes a state decided on `update.expectedVersion`, which then is the next version; false, and nothing is done,
    /// when somebody wrote meanwhile.
    func write(_ update: ServiceUpdate, under lease: Lease) async throws(StoreError) -> Bool

    /// The services that sagas which nobody runs wait for, in a constant order.
    func awaitedServices() async throws(StoreError) -> [Service]

    /// Takes up to `limit` sagas that wait for the service: the longest waiting first, or those that spent the fewest
    /// attempts.
    func claimWaiting(_ lease: Lease, for service: ServiceID, limit: Int, fewestAttemptsFirst: Bool)
        async throws(StoreError) -> [SagaID]
}

/// A service's number in its database.
public struct ServiceID: Hashable, Sendable {
    public let number: Int32

    public init(_ number: Int32) {
        self.number = number
    }
}

/// A service as the store has it.
public struct StoredService: Sendable, Hashable {
    public let id: ServiceID
    public let version: Int64
    /// Of the definition that was applied last.
    public let settings: ServiceSettings
    public let state: ServiceState

    public init(id: ServiceID, version: Int64, settings: ServiceSettings, state: ServiceState) {
        self.id = id
        self.version = version
        self.settings = settings
        self.state = state
    }
}

/// What becomes of a service.
public struct ServiceUpdate: Sendable, Hashable {
    public let id: ServiceID
    /// The version that the new state was decided on.
    public let expectedVersion: Int64
    public let state: ServiceState
    public let events: [BreakerEvent]

    public init(id: ServiceID, expectedVersion: Int64, state: ServiceState, events: [BreakerEvent]) {
        self.id = id
        self.expectedVersion = expectedVersion
        self.state = state
        self.events = events
    }
}

/// What a parked saga waits for.
public struct AwaitedService: Sendable, Hashable {
    public let id: ServiceID
    /// Spent by the waiting operation.
    public let attempts: Int
    public let since: Instant

    public init(id: ServiceID, attempts: Int, since: Instant) {
        self.id = id
        self.attempts = attempts
        self.since = since
    }
}

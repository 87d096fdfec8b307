import SagaCore
import SagaEngine

/// The services in memory, with the same compare-and-set.
extension InMemoryStore {
    public func service(_ service: Service, under lease: Lease) throws(StoreError) -> StoredService {
        try failIfAsked()
        try fence(lease)
        tell(.acted(.enterService, under: lease))
        try read(service.name)
        return enter(service)
    }

    /// The service as it stands, entered if the store doesn't know it yet.
    @discardableResult
    public func enter(_ service: Service) -> StoredService {
        if let row = services.first(where: { $0.service.name == service.name && $0.service.url == service.url }) {
            return row.stored
        }
        let stored = StoredService(
            id: ServiceID(Int32(services.count + 1)), version: 1, settings: service.settings,
            state: ServiceState(at: clock()))
        services.append(ServiceRow(service: service, stored: stored))
        return stored
    }

    public func service(_ id: ServiceID, newerThan version: Int64) throws(StoreError) -> StoredService? {
        try failIfAsked()
        let row = services.first { $0.stored.id == id && $0.stored.version > version }
        try read(row?.service.name)
        return row?.stored
    }

    private func read(_ name: String?) throws(StoreError) {
        serviceCalls += 1
        if let name, let error = brokenServices[name] { throw error }
    }

    public func write(_ update: ServiceUpdate, under lease: Lease) throws(StoreError) -> Bool {
        try failIfAsked()
        if !breaks(.fenceOfServices) { try fence(lease) }
        tell(.acted(.writeService, under: lease))
        try read(nil)
        return write(update)
    }

    private func write(_ update: ServiceUpdate) -> Bool {
        guard let index = services.firstIndex(where: { $0.stored.id == update.id }),
            services[index].stored.version == update.expectedVersion || breaks(.compareAndSet)
        else { return false }
        services[index].stored = StoredService(
            id: update.id, version: services[index].stored.version + 1, settings: services[index].stored.settings,
            state: update.state)
        services[index].events += update.events
        tell(.wroteService(services[index].service.name, update.events))
        return true
    }

    public func awaitedServices() throws(StoreError) -> [Service] {
        try failIfAsked()
        let awaited = Set(rows.values.filter { $0.owner == nil && $0.dueAt != nil }.compactMap { $0.awaiting?.id })
        return services.filter { awaited.contains($0.stored.id) }.map(\.service)
    }

    public func claimWaiting(
        _ lease: Lease, for service: ServiceID, limit: Int, fewestAttemptsFirst: Bool
    ) throws(StoreError) -> [SagaID] {
        try failIfAsked()
        try fence(lease)
        tell(.acted(.claimWaiting, under: lease))
        var waiting: [(attempts: Int, since: Instant, id: SagaID)] = []
        for (id, row) in rows {
            if breaks(.ownershipOfWaiting), row.owner != nil {
                waiting.append((0, clock(), id))
                continue
            }
            guard row.owner == nil, row.dueAt != nil, let awaiting = row.awaiting, awaiting.id == service else {
                continue
            }
            waiting.append((fewestAttemptsFirst ? awaiting.attempts : 0, awaiting.since, id))
        }
        let ids = waiting.sorted { $0 < $1 }.prefix(limit).map(\.id).sorted()
        pulled += ids.count
        for id in ids {
            rows[id]?.owner = lease.daemon
            rows[id]?.dueAt = nil
            rows[id]?.unreadable = nil
            rows[id]?.awaiting = nil
        }
        if !ids.isEmpty { tell(.claimed(ids, by: lease.daemon)) }
        return ids
    }

    /// What a person does to a breaker; nil when there is no such service or it is so already.
    public func operate(_ command: BreakerCommand, on name: String) -> BreakerEvent? {
        guard let row = services.first(where: { $0.service.name == name }) else { return nil }
        var state = row.stored.state
        let act = Event.Act(actor: "op", reason: nil)
        guard let event = state.operate(command, by: act, settings: row.stored.settings, now: clock()) else {
            return nil
        }
        _ = write(
            ServiceUpdate(id: row.stored.id, expectedVersion: row.stored.version, state: state, events: [event]))
        return event
    }

    func name(of id: ServiceID) -> String { services.first { $0.stored.id == id }?.service.name ?? "" }

    /// A breaker as it stands.
    func breaker(_ name: String) -> CircuitBreaker? {
        services.first { $0.service.name == name }?.stored.state.breaker
    }

    /// The names of a breaker's events, for tests.
    public func breakerEvents(_ name: String) -> [String] {
        services.first { $0.service.name == name }?.events.map(\.type.name) ?? []
    }

    /// A breaker's events.
    public func history(ofBreaker name: String) -> [BreakerEvent] {
        services.first { $0.service.name == name }?.events ?? []
    }

    // MARK: What a test does to services

    /// The service's row can't be read, or can again.
    public func breakService(
        _ name: String, _ isBroken: Bool = true,
        with error: StoreError = .refused("saga.service: the state isn't an object")
    ) {
        brokenServices[name] = isBroken ? error : nil
    }

    /// A definition with other settings is applied.
    public func apply(_ settings: ServiceSettings, to name: String) {
        guard let index = services.firstIndex(where: { $0.service.name == name }) else { return }
        let stored = services[index].stored
        services[index].stored = StoredService(
            id: stored.id, version: stored.version + 1, settings: settings, state: stored.state)
    }
}

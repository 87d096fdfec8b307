import SagaCore

/// Keeps what this daemon knows of services and what all others know the same.
///
/// While a service matters here it exchanges ten times a second, and at once when something fails or somebody waits.
/// The next exchange tells of all that came during one that is under way.
extension SagaEngine {
    func runDesk() async {
        while phase == .working || phase == .draining, !Task.isCancelled {
            await attend()
            let next = nextAttendance()
            deskWakesAt = next
            let sleep = task { await $0.clock.sleep(until: next) }
            deskSleep = sleep
            await withTaskCancellationHandler {
                await sleep.value
            } onCancel: {
                sleep.cancel()
            }
        }
    }

    /// Somebody has begun to wait, or a turn comes sooner than was known.
    func wakeDesk() {
        if nextAttendance() < deskWakesAt { deskSleep?.cancel() }
    }

    private func nextAttendance() -> Int64 {
        let now = clock.now()
        var next = lookedForParked + 1_000_000
        for gate in gateOrder where gate.isActive {
            var at = now + configuration.serviceInterval.microseconds / 2
            if !gate.room.isEmpty || !gate.late.isEmpty {
                // Those that are due were tried just now: looking at once again would find the same.
                for slot in [gate.slots.first, gate.nextSlot].compactMap({ $0 }) {
                    let slotAt = databaseClock.monotonic(of: slot)
                    if slotAt > now { at = min(at, slotAt) }
                }
            }
            next = min(next, at)
        }
        return max(next, now + 1_000)
    }

    /// Looks once at every service that matters.
    func attend() async {
        guard lease != nil, leaseHolds else { return }
        if clock.now() >= lookedForParked + 1_000_000, phase == .working { await lookForParked() }
        let interval = configuration.serviceInterval.microseconds
        for gate in gateOrder where gate.isActive {
            let now = clock.now()
            let isSlotDue = gate.nextSlot.map { $0 <= self.now() } ?? false
            let isProbeDue = gate.breaker == .open && gate.nextProbe.map { $0 <= self.now() } ?? false
            if gate.readAt <= now - interval || isSlotDue && !gate.room.isEmpty || isProbeDue { requestExchange(gate) }
            pull(gate)
            serve(gate)
            review(gate)
        }
        dispatchCalls()
    }

    /// Those that have waited long are told so, and leave memory.
    private func review(_ gate: ServiceGate) {
        let now = clock.now()
        for waiter in gate.room where waiter.reviewAt <= now && waiter.ticket == nil {
            waiter.reviewAt = now + configuration.parkAfter.microseconds
            proceed(waiter.runner)
        }
    }

    // MARK: Exchange

    /// Exchanges as soon as the one under way is through.
    func requestExchange(_ gate: ServiceGate) {
        if gate.isExchanging {
            gate.mustExchange = true
            return
        }
        gate.isExchanging = true
        // A failure long ago, after which nobody wanted anything, says nothing of now.
        if let failing = gate.failing, clock.now() - failing.last > 2_000_000 { gate.failing = nil }
        task(with: gate) { await $0.exchange($1) }
    }

    private func exchange(_ gate: ServiceGate) async {
        var failures = 0
        repeat {
            gate.mustExchange = false
            let incarnation = incarnation
            guard let lease, phase != .stopped else { break }
            do throws(StoreError) {
                try await exchangeOnce(gate, lease: lease)
                guard incarnation == self.incarnation else { continue }
                failures = 0
                pull(gate)
                serve(gate)
                dispatchCalls()
                wakeDesk()
            } catch {
                guard incarnation == self.incarnation else { continue }
                handle(error, doing: "sharing the state of service \(gate.service.name)", under: lease)
                failures += 1
                // A database that is away says nothing of the service, and is back before anybody's review would be.
                if case .refused = error { gate.failing = (gate.failing?.since ?? clock.now(), clock.now()) }
                await clock.sleep(until: clock.now() + min(1_000_000, 20_000 << min(failures - 1, 6)))
                gate.mustExchange = gate.isActive
            }
        } while gate.mustExchange
        gate.isExchanging = false
    }

    /// Tells the others and learns from them: decided on what was last read, and anew on what somebody wrote meanwhile.
    private func exchangeOnce(_ gate: ServiceGate, lease: Lease) async throws(StoreError) {
        let incarnation = incarnation
        var stored: StoredService
        let isKnown = gate.stored != nil
        if let known = gate.stored {
            stored = known
        } else {
            stored = try await store.service(gate.service, under: lease)
        }
        guard incarnation == self.incarnation else { return }
        let report = gate.report(
            daemon: lease.daemon, parked: parkedWanted(gate), mayBegin: phase == .working, now: now())
        do throws(StoreError) {
            var isNewest = !isKnown
            while true {
                var state = stored.state
                let grant = state.exchange(report, settings: stored.settings, now: now())
                if !grant.changed, isNewest {
                    return take(grant, stored, gate, incarnation: incarnation)
                }
                if grant.changed {
                    let update = ServiceUpdate(
                        id: stored.id, expectedVersion: stored.version, state: state, events: grant.events)
                    if try await write(update, lease: lease) {
                        let written = StoredService(
                            id: stored.id, version: stored.version + 1, settings: stored.settings, state: state)
                        log(grant.events, of: gate)
                        return take(grant, written, gate, incarnation: incarnation)
                    }
                }
                if let newer = try await store.service(stored.id, newerThan: stored.version) {
                    stored = newer
                } else if grant.changed {
                    throw StoreError.unavailable("the service's row can't be written")
                }
                isNewest = true
                guard incarnation == self.incarnation else { return }
            }
        } catch {
            if incarnation == self.incarnation { gate.restore(report) }
            throw error
        }
    }

    /// Writes once; after a lost connection the row tells whether it was written.
    private func write(_ update: ServiceUpdate, lease: Lease) async throws(StoreError) -> Bool {
        do throws(StoreError) { return try await store.write(update, under: lease) } catch {
            guard case .inDoubt = error else { throw error }
            let newer = try await store.service(update.id, newerThan: update.expectedVersion)
            return newer?.version == update.expectedVersion + 1 && newer?.state == update.state
        }
    }

    private func take(
        _ grant: ServiceGrant, _ stored: StoredService, _ gate: ServiceGate, incarnation: Int
    ) {
        guard incarnation == self.incarnation else { return }
        gate.stored = stored
        // From the answer on: counted from the question, nobody would ever begin on a database that is slow to answer.
        gate.readAt = clock.now()
        gate.took(grant, now: now())
    }

    private func log(_ events: [BreakerEvent], of gate: ServiceGate) {
        for event in events {
            logger.log(
                level: event.type == .breakerOpened ? .warning : .info, "circuit breaker",
                metadata: [
                    "service": "\(gate.service.name)", "event": "\(event.type.name)",
                    "data": "\(event.data.text)",
                ])
        }
    }

    // MARK: Parked sagas

    /// Finds out which services have sagas that nobody runs waiting for them.
    private func lookForParked() async {
        lookedForParked = clock.now()
        do throws(StoreError) {
            let awaited = try await store.awaitedServices()
            for gate in gateOrder { gate.hasParked = false }
            for service in awaited { gate(of: service).hasParked = true }
        } catch {
            handle(error, doing: "looking for waiting sagas")
        }
    }

    /// How many of the parked ones the service may have room for.
    private func parkedWanted(_ gate: ServiceGate) -> Int {
        guard gate.hasParked, phase == .working else { return 0 }
        return max(0, pullSize(gate) - gate.room.count)
    }

    private func pullSize(_ gate: ServiceGate) -> Int {
        if gate.breaker == .halfOpen || gate.breaker == .open {
            return gate.settings.circuitBreaker?.permittedNumberOfCallsInHalfOpenState ?? 0
        }
        var size = min(configuration.claimSize, configuration.concurrency)
        if let limit = gate.settings.maxConcurrent { size = min(size, 2 * limit) }
        if let limit = gate.settings.rateLimit {
            // What may go within a second.
            let perSecond = Double(limit.calls) * 1_000_000 / Double(max(1, limit.per.microseconds))
            size = min(size, max(1, Int(min(perSecond, 1e6))))
        }
        return size
    }

    /// Takes up as many of the parked ones as the service has turns for.
    private func pull(_ gate: ServiceGate) {
        guard gate.hasParked, !gate.isPulling, phase == .working, let stored = gate.stored,
            gate.closedUntil(now()) == nil, gate.breaker != .open
        else { return }
        let isHalfOpen = gate.breaker == .halfOpen
        let wanted = isHalfOpen ? gate.probes : pullSize(gate) - gate.room.count
        let limit = min(wanted, configuration.mostWaiting - runners.count, loadSize)
        guard limit > 0 else { return }
        gate.isPulling = true
        task(with: gate) { await $0.pull($1, stored.id, limit: limit, fewestAttemptsFirst: isHalfOpen) }
    }

    private func pull(_ gate: ServiceGate, _ id: ServiceID, limit: Int, fewestAttemptsFirst: Bool) async {
        defer {
            gate.isPulling = false
            serve(gate)
        }
        guard let lease, leaseHolds else { return }
        let incarnation = incarnation
        do throws(StoreError) {
            let ids = try await store.claimWaiting(
                lease, for: id, limit: limit, fewestAttemptsFirst: fewestAttemptsFirst)
            guard incarnation == self.incarnation else { return }
            if ids.count < limit { gate.hasParked = false }
            if !ids.isEmpty { try await takeUp(ids, lease: lease) }
        } catch {
            mustReclaim = true
            handle(error, doing: "taking up sagas that wait for service \(gate.service.name)", under: lease)
        }
    }

    /// What a daemon that leaves still has to tell: whatever was granted to it is free again.
    func closeDesk() async {
        let end = clock.now() + 5_000_000
        for gate in gateOrder {
            for waiter in Array(gate.room) { leave(waiter) }
            while gate.isExchanging, clock.now() < end { await clock.sleep(until: clock.now() + 2_000) }
            guard let lease, !gate.isExchanging, gate.stored != nil else { continue }
            // Nobody else is to begin one meanwhile.
            gate.isExchanging = true
            defer { gate.isExchanging = false }
            do throws(StoreError) { try await exchangeOnce(gate, lease: lease) } catch {
                handle(error, doing: "sharing the state of service \(gate.service.name)", under: lease)
            }
        }
    }
}

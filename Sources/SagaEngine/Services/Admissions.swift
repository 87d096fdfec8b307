import SagaCore

/// Lets calls begin as their services allow, and those that have to wait in their turn.
extension SagaEngine {
    /// The gate of a service; a service is one per name and URL.
    func gate(of service: Service) -> ServiceGate {
        let key = ServiceKey(name: service.name, url: service.url)
        if let gate = gates[key] { return gate }
        let gate = ServiceGate(service: service)
        gates[key] = gate
        gateOrder.append(gate)
        return gate
    }

    struct ServiceKey: Hashable {
        let name: String
        let url: String
    }

    /// Decides with the services asked; what was admitted is in use from here on.
    func decideGuarded(_ runner: SagaRunner, _ input: SagaInput) -> Decision {
        let definition = runner.definition
        guard !definition.services.isEmpty, phase == .working else {
            return decide(
                runner.state, input, now: now(), definition: definition, beginsOperations: phase == .working)
        }
        for waiter in runner.waiters.values { waiter.isAsked = false }
        admitted = []
        let now = now()
        let decision = decide(runner.state, input, now: now, definition: definition) { operation, service, attempts in
            let gate = self.gate(of: service)
            gate.service = service
            return self.admit(runner, operation, attempts, gate, now)
        }
        // What it waited for it wants no more.
        for waiter in runner.waiters.values.filter({ !$0.isAsked }) { leave(waiter) }
        // An expression failed: no call was made.
        for (key, gate) in admitted where !decision.calls.contains(where: { self.key($0) == key }) {
            _ = gate.release(key, .neutral, duration: .zero, at: now)
        }
        return decision
    }

    private func admit(
        _ runner: SagaRunner, _ operation: OperationReference, _ attempts: Int, _ gate: ServiceGate, _ now: Instant
    ) -> Admission {
        let timeout = runner.definition.operation(operation)?.timeout ?? .zero
        gate.note(timeout: timeout)
        let key = ServiceGate.CallKey(saga: runner.id, operation: operation, attempt: attempts + 1)
        let known = runner.waiters[operation]
        known?.isAsked = true
        if let known, let ticket = known.ticket, gate.isValid(ticket, now) {
            known.ticket = nil
            leave(known)
            gate.use(ticket, for: key, until: now + timeout)
            admitted.append((key, gate))
            return .admitted
        }
        if let known { returnTicket(known) }
        let isFresh = isFresh(gate)
        if isFresh {
            if let closed = gate.closedUntil(now) {
                if closed.isBreaker, gate.settings.whenOpen == .fail { return refuse(known, closed.reason) }
                let until = closed.until ?? now + configuration.serviceReview
                return put(
                    off: known ?? enter(runner, operation, attempts, timeout, gate), until: until, closed.reason)
            }
            if !gate.mustQueue, let ticket = gate.ticket(now, timeout: timeout) {
                if let known { leave(known) }
                gate.use(ticket, for: key, until: now + timeout)
                admitted.append((key, gate))
                return .admitted
            }
            if let known, known.isReported, !gate.isReporting, gate.breaker == .halfOpen,
                gate.settings.whenOpen == .fail
            {
                return refuse(known, "the circuit breaker of \(gate.service.name) is half-open and has no call left")
            }
        }
        let waiter = known ?? enter(runner, operation, attempts, timeout, gate)
        requestExchange(gate)
        if waiter.deferredUntil == nil, isFresh, clock.now() - waiter.entered >= 1_000_000 || isCrowded(waiter) {
            return put(off: waiter, until: gate.nextSlot ?? now + .seconds(1), limitReason(gate))
        }
        if isUnreachable(gate), waiter.deferredUntil.map({ $0 <= now }) ?? true {
            return put(
                off: waiter, until: now + configuration.serviceReview,
                "what is known of \(gate.service.name) can't be read or written")
        }
        return .wait
    }

    /// So many wait in memory that those who have been told so leave it at once.
    ///
    /// But for the saga that is first: with more operations than a room holds it would leave as often as it comes, and
    /// nobody be there when a turn does.
    private func isCrowded(_ waiter: Waiter) -> Bool {
        waiter.gate.room.first?.runner !== waiter.runner
            && (waiter.gate.room.count > configuration.waitingRoom || runners.count > configuration.mostWaiting)
    }

    /// Its row can't be read or written for so long that nobody should wait for it in memory.
    private func isUnreachable(_ gate: ServiceGate) -> Bool {
        gate.failing.map { clock.now() - $0.since >= configuration.parkAfter.microseconds } ?? false
    }

    /// Whether what is known of the service counts still.
    private func isFresh(_ gate: ServiceGate) -> Bool {
        gate.stored != nil && clock.now() - gate.readAt < configuration.serviceFreshness.microseconds
    }

    private func limitReason(_ gate: ServiceGate) -> String {
        if gate.breaker == .halfOpen { return "the circuit breaker of \(gate.service.name) is half-open" }
        return "\(gate.service.name) is at its limit of calls"
    }

    private func refuse(_ waiter: Waiter?, _ reason: String) -> Admission {
        if let waiter { leave(waiter) }
        return .refused(Answer.Refusal(error: EngineError.circuitOpen, message: reason, isRetryable: true))
    }

    private func put(off waiter: Waiter, until: Instant, _ reason: String) -> Admission {
        waiter.deferredUntil = until
        return .deferred(until: until, reason: reason)
    }

    private func enter(
        _ runner: SagaRunner, _ operation: OperationReference, _ attempts: Int, _ timeout: TimeSpan,
        _ gate: ServiceGate
    ) -> Waiter {
        let waiter = Waiter(
            runner: runner, gate: gate, operation: operation, attempts: attempts, timeout: timeout,
            since: runner.state[operation].deferredSince ?? now(), entered: clock.now())
        // That it waits was told when it came into another room; until when it was to be says nothing of this one.
        if case .deferred(let until) = runner.state[operation].phase { waiter.deferredUntil = min(until, now()) }
        runner.waiters[operation] = waiter
        gate.room.append(waiter)
        wakeDesk()
        return waiter
    }

    private func returnTicket(_ waiter: Waiter) {
        guard let ticket = waiter.ticket else { return }
        waiter.ticket = nil
        waiter.gate.giveBack(ticket)
    }

    /// It doesn't wait any more.
    func leave(_ waiter: Waiter) {
        returnTicket(waiter)
        waiter.runner.waiters[waiter.operation] = nil
        if waiter.gate.room.first === waiter {
            waiter.gate.room.removeFirst()
        } else if let index = waiter.gate.room.firstIndex(where: { $0 === waiter }) {
            waiter.gate.room.remove(at: index)
        }
    }

    /// The saga leaves memory.
    func leaveRooms(_ runner: SagaRunner) {
        for waiter in runner.waiters.values { leave(waiter) }
    }

    /// What the saga's row names as awaited, once all that waits in it has been told so and may take long.
    ///
    /// Nil while it should stay in memory. A service that could never be read has no number to name.
    func awaitedService(_ runner: SagaRunner) -> AwaitedService?? {
        let parkAfter = configuration.parkAfter
        let now = now()
        for waiter in runner.waiters.values {
            guard waiter.ticket == nil, let until = waiter.deferredUntil else { return nil }
            let waited = TimeSpan(microseconds: clock.now() - waiter.entered)
            let isLong = until >= now + parkAfter || waited >= parkAfter
            guard isLong || isCrowded(waiter) else { return nil }
        }
        let first = runner.waiters.values.filter { $0.gate.stored != nil }
            .min { ($0.operation.step, $0.attempts) < ($1.operation.step, $1.attempts) }
        guard let first, let id = first.gate.stored?.id else { return .some(nil) }
        first.gate.hasParked = true
        return AwaitedService(id: id, attempts: first.attempts, since: first.since)
    }

    // MARK: Turns

    /// Hands out the turns that are left: in half-open to whoever has spent the fewest attempts, else to the first.
    func serve(_ gate: ServiceGate) {
        if gate.room.isEmpty, gate.late.isEmpty { return }
        let now = now()
        while let call = gate.late.first {
            guard gate.takeSlot(for: key(call), now) else { break }
            gate.late.removeFirst()
            callQueue.prepend(call)
        }
        guard isFresh(gate) else {
            if isUnreachable(gate) { tellClosed(gate, isRefused: false) }
            return requestExchange(gate)
        }
        // A daemon that stops begins nothing.
        guard phase == .working else { return }
        if let closed = gate.closedUntil(now) {
            return tellClosed(gate, isRefused: closed.isBreaker && gate.settings.whenOpen == .fail)
        }
        // Parked ones may have spent fewer attempts: they come first.
        if gate.breaker == .halfOpen, gate.isPulling { return }
        while let waiter = nextWaiter(gate), let ticket = gate.ticket(now, timeout: waiter.timeout) {
            waiter.ticket = ticket
            proceed(waiter.runner)
        }
        // Those that would rather fail than wait learn that no probe was left for them.
        if gate.breaker == .halfOpen, gate.settings.whenOpen == .fail {
            for waiter in gate.room where waiter.ticket == nil && waiter.isReported { proceed(waiter.runner) }
        }
    }

    private func nextWaiter(_ gate: ServiceGate) -> Waiter? {
        guard gate.breaker == .halfOpen else { return gate.room.first { $0.ticket == nil } }
        var best: Waiter?
        for waiter in gate.room where waiter.ticket == nil && waiter.attempts < best?.attempts ?? .max {
            best = waiter
        }
        return best
    }

    /// Those that wait without an event saying so get one, or fail.
    private func tellClosed(_ gate: ServiceGate, isRefused: Bool) {
        for waiter in gate.room where waiter.deferredUntil == nil || isRefused { proceed(waiter.runner) }
    }

    /// Has the saga decide anew, now or once the commit under way is through.
    func proceed(_ runner: SagaRunner) {
        if runner.isCommitting, runner.inbox.contains(.proceed) { return }
        advance(runner, .proceed)
    }

    // MARK: The ends of calls

    func key(_ call: Call) -> ServiceGate.CallKey {
        .init(saga: call.saga, operation: call.operation, attempt: call.attempt)
    }

    /// The gate that a call goes through; nil when it has none.
    func gate(of call: Call) -> ServiceGate? {
        guard case .http(let request) = call.request else { return nil }
        return gates[ServiceKey(name: request.service.name, url: request.service.url)]
    }

    /// A call has ended, or won't be made.
    ///
    /// - Parameter answer: nil for one that was never made.
    func release(_ call: Call, _ answer: Answer?, duration: TimeSpan) {
        guard let gate = gate(of: call) else { return }
        let now = now()
        let verdict = answer?.verdict ?? .neutral
        var isUrgent = gate.release(key(call), verdict, duration: duration, at: now)
        // With a refusal that tells of a healthy service it is about this call alone.
        if verdict == .failure, let wait = answer?.retryAfter {
            gate.holdOff(until: now + wait)
            isUrgent = true
        }
        if isUrgent || gate.othersWait || gate.lacksSlots { requestExchange(gate) }
        if gate.hasLimits, !gate.room.isEmpty { serve(gate) }
    }
}

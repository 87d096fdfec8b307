import SagaCore

/// Takes up sagas that are due.
extension SagaEngine {
    func claimDue() async {
        while phase == .working, !Task.isCancelled {
            let took = await claimOnce()
            // A few at a time cost as much each as many at once.
            if took < max(1, configuration.claimSize / 4) {
                await clock.sleep(until: clock.now() + probeInterval.microseconds)
            }
        }
    }

    private var probeInterval: TimeSpan {
        lastFound < clock.now() - 1_000_000 ? configuration.probeInterval : configuration.busyProbeInterval
    }

    /// Waits a while for sagas to be due and takes them; returns how many.
    func claimOnce() async -> Int {
        guard let lease, leaseHolds, phase == .working else { return 0 }
        let incarnation = incarnation
        do throws(StoreError) {
            let isReclaiming = mustReclaim
            if isReclaiming {
                mustReclaim = false
                try await store.reclaim(lease, except: runners.mapValues(\.state.sequence))
            }
            // Asked anew each second at least, since the lease may be another by then.
            guard try await store.waitForDueSagas(lease, every: probeInterval, upTo: .seconds(1)) else { return 0 }
            lastFound = clock.now()
            guard phase == .working, incarnation == self.incarnation else { return 0 }
            // First what is this daemon's already, so that it can't hoard what it can't load.
            let room = isReclaiming ? 0 : configuration.maximumSagas - runners.count
            if room <= 0 { await clock.sleep(until: clock.now() + 50_000) }
            let limit = max(0, min(room, loadSize))
            let ids = try await store.claim(lease, limit: limit, ownLimit: loadSize)
            guard incarnation == self.incarnation, !ids.isEmpty else { return 0 }
            try await takeUp(ids, lease: lease)
            loadSize = configuration.claimSize
            return ids.count
        } catch {
            // What was claimed is this daemon's now, and nobody else looks for it.
            mustReclaim = true
            loadSize = max(1, loadSize / 2)
            handle(error, doing: "claiming", under: lease)
            await clock.sleep(until: clock.now() + 100_000)
            return 0
        }
    }

    /// Loads sagas that this daemon's row owns now. One that is in memory already was changed from outside.
    func takeUp(_ ids: [SagaID], lease: Lease) async throws(StoreError) {
        let incarnation = incarnation
        var missing: [SagaID] = []
        for id in ids where !settingAside.contains(id) {
            if let runner = runners[id] { reload(runner) } else { missing.append(id) }
        }
        if missing.isEmpty { return }
        let loaded: LoadedSagas
        do throws(StoreError) { loaded = try await store.load(missing, ownedBy: lease) } catch {
            guard case .refused(let reason) = error, missing.count == 1 else { throw error }
            return await setAside(missing[0], reason, lease: lease)
        }
        for saga in loaded.unreadable {
            guard incarnation == self.incarnation else { return }
            if runners[saga.id] == nil { await setAside(saga.id, saga.reason, lease: lease) }
        }
        guard incarnation == self.incarnation else { return }
        for saga in loaded.readable where runners[saga.id] == nil {
            try await takeUp(saga, lease: lease, incarnation: incarnation)
        }
    }

    /// - Parameter incarnation: that of the claim; the lease may go while the one before is taken up.
    private func takeUp(_ saga: StoredSaga, lease: Lease, incarnation: Int) async throws(StoreError) {
        guard incarnation == self.incarnation else { return }
        let definition = try await definition(saga.definition)
        guard incarnation == self.incarnation else { return }
        guard let definition else {
            return await setAside(saga.id, "its definition can't be read by this program", lease: lease)
        }
        do throws(EventCodecError) {
            // Claimed twice over, as by an operator's nudge while it was loaded.
            if let runner = runners[saga.id] { return reload(runner) }
            let state = try fold(saga, definition: definition)
            let runner = SagaRunner(
                state: state, definition: definition, definitionID: saga.definition, rowStatus: saga.status)
            runners[saga.id] = runner
            advance(runner, .takenUp(ownCalls: []))
        } catch {
            await setAside(saga.id, error.message, lease: lease)
        }
    }

    func fold(_ saga: StoredSaga, definition: Definition) throws(EventCodecError) -> SagaState {
        var events: [RecordedEvent] = []
        events.reserveCapacity(saga.events.count)
        for (index, event) in saga.events.enumerated() {
            guard event.sequence == index + 1 else { throw EventCodecError("event \(index + 1) is missing") }
            events.append(try EventCodec.decode(event, definition: definition))
        }
        guard let state = SagaState(folding: events, id: saga.id, key: saga.key, definition: definition) else {
            throw EventCodecError("its history doesn't begin with SagaStarted")
        }
        return state
    }

    func setAside(_ saga: SagaID, _ reason: String, lease: Lease) async {
        logger.error("saga set aside", metadata: ["saga": "\(saga)", "reason": "\(reason)"])
        settingAside.insert(saga)
        defer { settingAside.remove(saga) }
        do throws(StoreError) { try await store.setAside(saga, reason: reason, under: lease) } catch {
            mustReclaim = true
            handle(error, doing: "setting a saga aside", under: lease)
        }
    }

    /// The definition of that number; nil when there is none or this program can't read it.
    private func definition(_ id: DefinitionID) async throws(StoreError) -> Definition? {
        if let known = definitions[id] { return known }
        guard let bytes = try await store.definition(id), let definition = parse(bytes) else { return nil }
        definitions[id] = definition
        return definition
    }

    /// Reads a saga's history anew, because something was appended from outside, then goes on from there.
    func reload(_ runner: SagaRunner) {
        if runner.isCommitting {
            runner.mustReload = true
            return
        }
        runner.mustReload = false
        runner.isCommitting = true
        let incarnation = incarnation
        task(with: runner) { await $0.reloadNow($1, incarnation: incarnation) }
    }

    private func reloadNow(_ runner: SagaRunner, incarnation: Int) async {
        while incarnation == self.incarnation, runners[runner.id] === runner {
            do throws(StoreError) {
                let loaded = try await store.load([runner.id], ownedBy: lease)
                guard incarnation == self.incarnation, runners[runner.id] === runner else { return }
                runner.isCommitting = false
                if let fault = loaded.unreadable.first { return await giveUp(runner, fault.reason) }
                guard let saga = loaded.readable.first else { return endedFromOutside(runner) }
                try adopt(saga, runner)
                return
            } catch {
                if case .refused(let reason) = error, incarnation == self.incarnation, runners[runner.id] === runner {
                    return await giveUp(runner, reason)
                }
                handle(error, doing: "reloading a saga")
                await clock.sleep(until: clock.now() + 200_000)
            }
        }
    }

    /// It can be read no more: it leaves memory and waits for a person.
    private func giveUp(_ runner: SagaRunner, _ reason: String) async {
        forget(runner)
        if let lease { await setAside(runner.id, reason, lease: lease) }
    }

    /// The saga is this daemon's no more: a person has ended it. Answers that wait to be recorded came too late.
    private func endedFromOutside(_ runner: SagaRunner) {
        logger.info("saga was ended from outside", metadata: ["saga": "\(runner.id)"])
        for case .answered(let operation, let attempt, let answer) in runner.inbox {
            let step = runner.definition.steps[operation.step].name
            noteLate(answer, saga: runner.id, step: step, attempt: attempt)
        }
        forget(runner)
    }

    private func adopt(_ saga: StoredSaga, _ runner: SagaRunner) throws(StoreError) {
        do throws(EventCodecError) {
            let state = try fold(saga, definition: runner.definition)
            runner.rowStatus = saga.status
            runner.state = state
            if !runner.mustReload { advance(runner, .takenUp(ownCalls: runner.ownCalls)) }
            takeInbox(runner)
        } catch {
            forget(runner)
            if let lease { task { await $0.setAside(saga.id, error.message, lease: lease) } }
        }
    }

    /// - Parameter used: the lease that the call stated; nil for a call that states none.
    func handle(_ error: StoreError, doing what: String, under used: Lease? = nil) {
        switch error {
        case .leaseLost: noteLost(used)
        case .unavailable(let reason), .inDoubt(let reason, _), .refused(let reason), .blocked(let reason):
            noteFailure(doing: what, reason)
        }
    }
}

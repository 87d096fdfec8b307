import DequeModule
import SagaCore

/// Group commit: the decisions of many sagas in one transaction, the next batch filling while one commits.
extension SagaEngine {
    func enqueue(_ append: Append) {
        if queue.isEmpty { queuedSince = clock.now() }
        queue.append(append)
        wakeWriter()
    }

    /// Each transaction costs the same whatever it holds, so a writer takes what there is only when no other is at
    /// work, or when it is a batch worth a transaction of its own, or when the other one is held up.
    private var isBatchDue: Bool {
        guard !queue.isEmpty else { return false }
        return writersAtWork == 0 || queue.count >= configuration.joinSize
            || clock.now() - queuedSince >= configuration.joinAfter.microseconds
    }

    /// Wakes one writer if there is a batch for it, else sees to it that what is queued doesn't wait for long.
    private func wakeWriter() {
        guard !isWriterWoken, !writerWaiters.isEmpty else { return }
        if isBatchDue {
            isWriterWoken = true
            writerWaiters.removeLast().resume()
        } else if !queue.isEmpty, !isJoinDue {
            isJoinDue = true
            task {
                await $0.clock.sleep(until: $0.queuedSince + $0.configuration.joinAfter.microseconds)
                $0.isJoinDue = false
                $0.wakeWriter()
            }
        }
    }

    func write() async {
        while phase != .stopped {
            guard isBatchDue else {
                await withCheckedContinuation { writerWaiters.append($0) }
                isWriterWoken = false
                continue
            }
            await writeOnce()
        }
    }

    func wakeWriters() {
        for waiter in writerWaiters { waiter.resume() }
        writerWaiters = []
    }

    /// Commits one batch, however often it takes.
    private func writeOnce() async {
        var batch: [Append] = []
        var bytes = 0
        while batch.count < configuration.batchSize, bytes < configuration.batchBytes, let next = queue.popFirst() {
            for event in next.events { bytes += event.data?.count ?? 0 }
            batch.append(next)
        }
        queuedSince = clock.now()
        writersAtWork += 1
        wakeWriter()
        await commit(batch, incarnation: incarnation)
        writersAtWork -= 1
    }

    private func commit(_ appends: [Append], incarnation: Int) async {
        var batch = appends
        var failures: Int64 = 0
        while incarnation == self.incarnation, let lease, phase != .stopped, !batch.isEmpty {
            do throws(StoreError) {
                let conflicts = try await store.commit(batch, under: lease)
                noteAnswer()
                return settle(batch, conflicts: conflicts, incarnation: incarnation)
            } catch {
                switch error {
                // Reading a commit back raises the epoch; until that is known here, ask again.
                case .leaseLost where incarnation == self.incarnation && (self.lease != lease || readBacksUnderWay > 0):
                    await clock.sleep(until: clock.now() + 10_000)
                    continue
                case .leaseLost: return lost(lease, incarnation: incarnation)
                case .refused(let reason):
                    return await isolate(batch, reason: reason, incarnation: incarnation)
                case .blocked(let reason):
                    return await divide(batch, reason: reason, incarnation: incarnation)
                case .unavailable(let reason):
                    noteFailure(doing: "committing", reason)
                case .inDoubt(let reason, let conflicts):
                    logger.warning(
                        "a commit is in doubt", metadata: ["reason": "\(reason)", "sagas": "\(batch.count)"])
                    settle(batch.filter { conflicts.contains($0.saga) }, conflicts: conflicts, incarnation: incarnation)
                    batch.removeAll { conflicts.contains($0.saga) }
                    switch await readBack(batch, lease: lease, incarnation: incarnation) {
                    case true?: return settle(batch, conflicts: [], incarnation: incarnation)
                    case false?: continue
                    case nil: return
                    }
                }
                failures += 1
                await clock.sleep(until: clock.now() + min(1_000_000, 20_000 << min(failures - 1, 6)))
            }
        }
    }

    /// Asks until it is known whether the batch was committed; nil when the lease went meanwhile.
    private func readBack(_ batch: [Append], lease: Lease, incarnation: Int) async -> Bool? {
        readBacksUnderWay += 1
        defer { readBacksUnderWay -= 1 }
        while incarnation == self.incarnation, phase != .stopped {
            do throws(StoreError) {
                let readBack = try await store.readBack(batch, under: lease)
                guard incarnation == self.incarnation, let held = self.lease else { return nil }
                if held.epoch < readBack.lease.epoch { self.lease = readBack.lease }
                return readBack.wasCommitted
            } catch {
                if case .leaseLost = error {
                    if incarnation == self.incarnation { loseLease() }
                    return nil
                }
                handle(error, doing: "reading a commit back")
                await clock.sleep(until: clock.now() + 200_000)
            }
        }
        return nil
    }

    /// Somebody holds a lock on one of the batch's sagas, or it was too much for the time: the others go on without it.
    private func divide(_ batch: [Append], reason: String, incarnation: Int) async {
        guard batch.count == 1, let append = batch.first else {
            let half = batch.count / 2
            await commit(Array(batch[..<half]), incarnation: incarnation)
            return await commit(Array(batch[half...]), incarnation: incarnation)
        }
        guard incarnation == self.incarnation, phase != .stopped else { return }
        logger.warning("a saga is locked by somebody", metadata: ["saga": "\(append.saga)", "reason": "\(reason)"])
        if queue.isEmpty { await clock.sleep(until: clock.now() + 100_000) }
        if incarnation == self.incarnation { enqueue(append) }
    }

    private func lost(_ lease: Lease, incarnation: Int) {
        if incarnation == self.incarnation { noteLost(lease) }
    }

    private func settle(_ batch: [Append], conflicts: Set<SagaID>, incarnation: Int) {
        guard incarnation == self.incarnation else { return }
        for append in batch {
            guard let runner = runners[append.saga] else { continue }
            if conflicts.contains(append.saga) { discard(append, of: runner) } else { committed(runner) }
        }
        dispatchCalls()
    }

    /// The place in the history was taken: what was decided is void, the answers in hand are decided anew.
    private func discard(_ append: Append, of runner: SagaRunner) {
        logger.debug("saga was changed from outside", metadata: ["saga": "\(runner.id)"])
        for call in runner.callsAfterCommit { release(call, nil, duration: .zero) }
        runner.callsAfterCommit = []
        runner.isLeaving = false
        runner.isCommitting = false
        if let input = runner.inputUnderWay {
            // Being taken up anew follows the reload by itself, but not that a daemon that stops has let go of calls.
            if case .takenUp(runner.ownCalls) = input {} else { runner.inbox.prepend(input) }
        }
        runner.inputUnderWay = nil
        reload(runner)
    }

    /// A batch that the database refuses: finds the saga it is about and sets that one aside.
    private func isolate(_ batch: [Append], reason: String, incarnation: Int) async {
        guard batch.count == 1, let append = batch.first else {
            let half = batch.count / 2
            await commit(Array(batch[..<half]), incarnation: incarnation)
            return await commit(Array(batch[half...]), incarnation: incarnation)
        }
        guard incarnation == self.incarnation, let lease else { return }
        if let runner = runners[append.saga] { forget(runner) }
        await setAside(append.saga, reason, lease: lease)
    }
}

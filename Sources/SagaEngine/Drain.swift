import SagaCore

/// Stops a daemon without losing anything it knows.
extension SagaEngine {
    /// Takes no new work, waits for the calls in flight up to the drain timeout, records what is still open as
    /// `Saga.DaemonLost`, gives up the lease and lets `run` return.
    public func drain() async {
        guard phase == .working else {
            if phase == .idle { stop() }
            return
        }
        phase = .draining
        let (sagas, calls) = load
        logger.info("draining", metadata: ["sagas": "\(sagas)", "calls": "\(calls)"])
        await wait(upTo: configuration.drainTimeout) { $0.load.calls == 0 && $0.nothingIsCommitting }
        for number in callsOut.keys.sorted() { callsOut[number]?.cancel() }
        for call in callQueue { release(call, nil, duration: .zero) }
        callQueue = []
        // Also what a commit under way is about to let out.
        for runner in runners.values.sorted(by: { $0.id < $1.id })
        where !runner.ownCalls.isEmpty || !runner.callsAfterCommit.isEmpty {
            advance(runner, .takenUp(ownCalls: []))
        }
        await wait(upTo: .seconds(5)) { $0.nothingIsCommitting }
        await closeDesk()
        await leave()
        stop()
    }

    private var nothingIsCommitting: Bool { !runners.values.contains { $0.isCommitting } }

    private func wait(upTo limit: TimeSpan, until isDone: (isolated SagaEngine) -> Bool) async {
        let end = clock.now() + limit.microseconds
        while !isDone(self), clock.now() < end { await clock.sleep(until: clock.now() + 5_000) }
    }

    private func leave() async {
        guard let lease else { return }
        do throws(StoreError) {
            try await store.leave(lease)
            logger.info("left", metadata: ["daemon": "\(lease.daemon)"])
        } catch {
            logger.warning("the lease couldn't be given up; it ends by itself", metadata: ["reason": "\(error)"])
        }
        incarnation += 1
        self.lease = nil
        runners = [:]
    }

    private func stop() {
        phase = .stopped
        timerSleep?.cancel()
        deskSleep?.cancel()
        for waiter in stopWaiters { waiter.resume() }
        for waiter in readyWaiters { waiter.resume(returning: false) }
        stopWaiters = []
        readyWaiters = []
    }
}

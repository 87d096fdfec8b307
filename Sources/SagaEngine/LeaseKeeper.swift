import HeapModule
import SagaCore

/// Holds the daemon's lease, follows the database's clock and takes over from daemons that are gone.
extension SagaEngine {
    func keepLease() async {
        var failures = 0
        while phase == .working || phase == .draining, !Task.isCancelled {
            let pause: Int64
            if await renewOnce() {
                failures = 0
                pause = configuration.leaseLength.microseconds / 3
            } else {
                failures += 1
                // From 50 ms, doubling, at most a second: the database may be starting.
                pause = min(1_000_000, 50_000 << Int64(min(failures - 1, 5)))
            }
            await clock.sleep(until: clock.now() + pause)
        }
    }

    /// Joins or renews once, then looks for daemons that are gone; returns whether the lease holds.
    func renewOnce() async -> Bool {
        var used: Lease?
        do throws(StoreError) {
            let sent = clock.now()
            if let lease {
                used = lease
                let reading = try await store.renew(lease)
                guard self.lease?.daemon == lease.daemon else { return false }
                databaseClock.synchronise(reading: reading, sent: sent, received: clock.now())
            } else {
                let lease = try await store.join(identity, leaseLength: configuration.leaseLength)
                let asked = clock.now()
                let reading = try await store.renew(lease)
                databaseClock.synchronise(reading: reading, sent: asked, received: clock.now())
                self.lease = lease
                logger.info("joined", metadata: ["daemon": "\(lease.daemon)"])
            }
            leaseEnd = sent + configuration.leaseLength.microseconds
            becomeReady()
            if let lease {
                let count = try await store.takeOverLost(lease)
                if count > 0 { logger.warning("took over from lost daemons", metadata: ["daemons": "\(count)"]) }
            }
            dispatchCalls()
            return true
        } catch {
            switch error {
            // Unless a commit was read back meanwhile, which raises the epoch.
            case .leaseLost: if used == lease { loseLease() }
            case .unavailable(let reason), .inDoubt(let reason), .refused(let reason):
                logger.warning("the lease can't be renewed", metadata: ["reason": "\(reason)"])
            }
            return false
        }
    }

    /// Whether a call may go out: the lease can't have ended elsewhere.
    var leaseHolds: Bool { lease != nil && clock.now() < leaseEnd - configuration.leaseLength.microseconds / 20 }

    /// Another daemon has taken over: drops everything in memory. Their calls' answers are the other's to judge.
    func loseLease() {
        guard let lost = lease else { return }
        logger.warning(
            "lost the lease; starting over", metadata: ["daemon": "\(lost.daemon)", "sagas": "\(runners.count)"])
        lease = nil
        leaseEnd = .min
        incarnation += 1
        runners = [:]
        for index in queues.indices { queues[index] = [] }
        callQueue = []
        for task in callsOut.values { task.cancel() }
        timers = Heap()
    }

    private func becomeReady() {
        for waiter in readyWaiters { waiter.resume() }
        readyWaiters = []
    }
}

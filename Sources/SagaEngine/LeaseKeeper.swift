import HeapModule
import SagaCore

/// Holds the daemon's lease and follows the database's clock.
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

    /// Joins or renews once; returns whether the lease holds.
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
            noteAnswer()
            becomeReady()
            dispatchCalls()
            return true
        } catch {
            switch error {
            case .leaseLost: noteLost(used)
            case .unavailable(let reason), .inDoubt(let reason, _), .refused(let reason), .blocked(let reason):
                noteFailure(doing: "renewing the lease", reason)
            }
            return false
        }
    }

    /// Whether a call may go out: the lease can't have ended elsewhere.
    var leaseHolds: Bool { lease != nil && clock.now() < leaseEnd - configuration.leaseLength.microseconds / 20 }

    /// The store says that `used` has no lease any more. That is so unless reading a commit back has raised the epoch, or
    /// is about to.
    func noteLost(_ used: Lease?) {
        if used == lease, readBacksUnderWay == 0 { loseLease() }
    }

    /// Another daemon has taken over: drops everything in memory. Their calls' answers are the other's to judge.
    func loseLease() {
        guard let lost = lease else { return }
        logger.warning(
            "lost the lease; starting over", metadata: ["daemon": "\(lost.daemon)", "sagas": "\(runners.count)"])
        lease = nil
        leaseEnd = .min
        incarnation += 1
        for runner in runners.values { runner.waiters = [:] }
        runners = [:]
        queue = []
        callQueue = []
        for number in callsOut.keys.sorted() { callsOut[number]?.cancel() }
        timers = Heap()
        for gate in gateOrder { gate.startOver() }
    }

    private func becomeReady() {
        for waiter in readyWaiters { waiter.resume(returning: true) }
        readyWaiters = []
    }
}

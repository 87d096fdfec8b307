import SagaCore

/// Takes over from daemons that are gone. A service of its own: what it waits for must not hold up the lease.
extension SagaEngine {
    func takeOver() async {
        while phase == .working, !Task.isCancelled {
            await takeOverOnce()
            await clock.sleep(until: clock.now() + configuration.leaseLength.microseconds / 3)
        }
    }

    /// Looks once for daemons whose lease has ended and frees their sagas.
    func takeOverOnce() async {
        guard let lease, leaseHolds else { return }
        do throws(StoreError) {
            let count = try await store.takeOverLost(lease)
            if count > 0 { logger.warning("took over from lost daemons", metadata: ["daemons": "\(count)"]) }
        } catch {
            handle(error, doing: "taking over", under: lease)
        }
    }
}

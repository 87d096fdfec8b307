import JSON
import Logging
import SagaCore

/// Posts alerts that are due until each is taken: at least once, in no order.
///
/// It stands beside the engine and shares nothing with it: a receiver that hangs holds up no saga.
public struct AlertDelivery: Sendable {
    /// What one round came to.
    public struct Round: Sendable, Hashable {
        public internal(set) var delivered = 0
        public internal(set) var failed = 0
        /// Why the store couldn't be asked.
        public internal(set) var storeFailure: StoreError?

        public init(delivered: Int = 0, failed: Int = 0, storeFailure: StoreError? = nil) {
            self.delivered = delivered
            self.failed = failed
            self.storeFailure = storeFailure
        }
    }

    /// Posts at once.
    static let parallelPosts = 4
    /// How long a claim holds: three times what a post may take.
    static let leaseLength = TimeSpan.seconds(30)
    /// Every so many failures of one alert are told.
    static let failuresPerWarning = 10
    /// The delays between the posts of one alert.
    ///
    /// Spread, so that daemons don't come back together.
    static let backoff = RetryPolicy(
        maximumAttempts: 0, initialInterval: .seconds(1), backoffCoefficient: 2, maximumInterval: .minutes(5),
        jitter: .equal)

    private let store: any AlertStore
    private let sender: any AlertSender
    private let clock: any Clock<Duration>
    private let logger: Logger

    /// - Parameter clock: paces the rounds; what is due only the store's clock says.
    public init(store: any AlertStore, sender: any AlertSender, clock: any Clock<Duration>, logger: Logger) {
        self.store = store
        self.sender = sender
        self.clock = clock
        self.logger = logger
    }

    /// Runs rounds until the task is cancelled: a second apart, or at once while there is more and it is taken.
    public func run() async {
        var wasAway = false
        while !Task.isCancelled {
            let round = await runOnce()
            if let failure = round.storeFailure, !wasAway, !Task.isCancelled {
                logger.warning("alerts wait for the database", metadata: ["reason": "\(failure)"])
            }
            wasAway = round.storeFailure != nil
            if round.delivered == Self.parallelPosts { continue }
            try? await clock.sleep(for: .seconds(1))
        }
    }

    /// Claims what is due, posts it and notes what came of it.
    public func runOnce() async -> Round {
        let due: [DueAlert]
        do throws(StoreError) {
            due = try await store.claimAlerts(limit: Self.parallelPosts, leaseLength: Self.leaseLength)
        } catch {
            return Round(storeFailure: error)
        }
        return await withTaskGroup(of: Bool.self) { group in
            for alert in due { group.addTask { await deliver(alert) } }
            var round = Round()
            for await wasDelivered in group {
                if wasDelivered { round.delivered += 1 } else { round.failed += 1 }
            }
            return round
        }
    }

    /// Posts one alert; returns whether it was taken.
    private func deliver(_ alert: DueAlert) async -> Bool {
        let answer = await sender.send(alert.event)
        // What was broken off, whoever is next posts again once the lease is over.
        if Task.isCancelled, answer != .taken { return false }
        do throws(StoreError) {
            switch answer {
            case .taken:
                try await store.remove(alert)
                return true
            case .gone:
                logger.error("an alert is dropped: its receiver is gone for good", metadata: metadata(of: alert))
                try await store.remove(alert)
            case .failed(let reason):
                tell(alert, reason)
                try await store.postpone(alert, by: delay(after: alert))
            }
        } catch {
            // The lease ends, and the alert is posted again.
            logger.debug("what came of an alert wasn't noted", metadata: ["reason": "\(error)"])
        }
        return answer == .taken
    }

    private func tell(_ alert: DueAlert, _ reason: String) {
        guard alert.attempt == 1 || alert.attempt % Self.failuresPerWarning == 0 else { return }
        var metadata = metadata(of: alert)
        metadata["attempt"] = "\(alert.attempt)"
        metadata["reason"] = "\(reason)"
        logger.warning("an alert wasn't taken; it is posted again", metadata: metadata)
    }

    private func metadata(of alert: DueAlert) -> Logger.Metadata {
        let event = try? JSON.parse(alert.event)
        var metadata: Logger.Metadata = [:]
        for key in ["id", "type"] { metadata[key] = event?[key]?.stringValue.map { "\($0)" } }
        return metadata
    }

    private func delay(after alert: DueAlert) -> TimeSpan {
        let key = SagaID(high: UInt64(bitPattern: alert.number), low: 0)
        let fraction = jitterFraction(saga: key, step: 0, isCompensation: false, attempt: alert.attempt)
        return Self.backoff.delay(afterFailures: alert.attempt, fraction: fraction)
    }
}

import Logging
import SagaCore

/// Gives up alerts that nobody has taken for a week, so that they don't pile up where no daemon posts any.
public struct AlertExpiry: Sendable {
    /// How long an alert waits to be taken.
    static let age = TimeSpan.minutes(7 * 24 * 60)

    private let store: any AlertStore
    private let clock: any Clock<Duration>
    private let logger: Logger

    public init(store: any AlertStore, clock: any Clock<Duration>, logger: Logger) {
        self.store = store
        self.clock = clock
        self.logger = logger
    }

    /// Looks at once and then every hour, until the task is cancelled.
    public func run() async {
        while !Task.isCancelled {
            await runOnce()
            try? await clock.sleep(for: .seconds(3_600))
        }
    }

    /// Drops what is too old, and says so.
    public func runOnce() async {
        do throws(StoreError) {
            let dropped = try await store.dropAlerts(olderThan: Self.age)
            if dropped.count == 0 { return }
            // Where no daemon has --alert-url nothing was lost that anybody asked for.
            logger.log(
                level: dropped.attempted > 0 ? .error : .info, "alerts were dropped undelivered after 7 days",
                metadata: ["alerts": "\(dropped.count)", "attempted": "\(dropped.attempted)"])
        } catch {
            logger.debug("old alerts weren't looked for", metadata: ["reason": "\(error)"])
        }
    }
}

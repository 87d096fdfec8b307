import SagaCore

/// How a daemon's engine works; the defaults are what `sagad` uses.
public struct EngineConfiguration: Sendable {
    /// Calls in flight at once.
    public var concurrency = 256
    /// Sagas in memory at once: no more are claimed while there are as many.
    public var maximumSagas = 4_096
    /// Sagas claimed at once.
    public var claimSize = 256
    /// Between two looks for sagas that are due, while there are none.
    public var probeInterval = TimeSpan.milliseconds(10)
    /// The same while something has been due within the last second: another start is likely.
    public var busyProbeInterval = TimeSpan.milliseconds(5)
    /// How long a lease lasts after its renewal was sent; renewed three times as often.
    public var leaseLength = TimeSpan.seconds(10)
    /// A saga that waits longer leaves memory.
    public var parkAfter = TimeSpan.seconds(5)
    /// Sagas in one transaction.
    public var batchSize = 512
    /// Bytes of events in one transaction, but for the last saga's that fits.
    public var batchBytes = 8 << 20
    /// Transactions at once.
    public var writers = 2
    /// So many sagas that wait are worth a second transaction beside the one under way.
    public var joinSize = 128
    /// None waits longer than this for a transaction under way.
    public var joinAfter = TimeSpan.milliseconds(20)
    /// How often at least daemons share what they know of a service that they call or wait for.
    public var serviceInterval = TimeSpan.milliseconds(100)
    /// What was learnt of a service counts so long.
    public var serviceFreshness = TimeSpan.milliseconds(250)
    /// A saga that waits for several services, or for one without knowing until when, is looked at so often.
    public var serviceReview = TimeSpan.seconds(60)
    /// Operations that wait for one service in memory.
    public var waitingRoom = 1_024
    /// How long stopping waits for calls in flight.
    public var drainTimeout = TimeSpan.seconds(30)

    /// With more sagas in memory none comes or stays there that only waits for a service: others must find room.
    var mostWaiting: Int { maximumSagas - maximumSagas / 4 }

    public init() {}
}

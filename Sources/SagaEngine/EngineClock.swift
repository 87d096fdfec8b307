import SagaCore

/// A clock that only goes forward and also runs while the machine sleeps. Its zero means nothing.
public protocol EngineClock: Sendable {
    /// Microseconds since some fixed point.
    func now() -> Int64

    /// Returns at `deadline` (in the same microseconds) or when the task is cancelled.
    nonisolated(nonsending) func sleep(until deadline: Int64) async
}

/// The database's clock as a daemon follows it: a reading, counted on by the monotonic clock.
///
/// It isn't ahead of the database, however slow a reading is: nothing is due before its time, nor recorded at a time yet
/// to come. It never goes back: a later reading that is behind holds it until time has caught up.
struct DatabaseClock {
    private var offset: Int64?
    private var latest = Int64.min

    /// Notes that the database's clock read `reading` between the monotonic times `sent` and `received`.
    ///
    /// All that is certain of a reading is that the database's time was no less when it came. A slow one, which bears
    /// out what is known already, says nothing new.
    mutating func synchronise(reading: Instant, sent: Int64, received: Int64) {
        let least = reading.microseconds &- received
        if let offset, offset >= least, offset <= reading.microseconds &- sent { return }
        offset = least
    }

    /// The database's time at monotonic time `now`.
    mutating func time(at now: Int64) -> Instant {
        latest = max(latest, now &+ (offset ?? 0))
        return Instant(microseconds: latest)
    }

    /// The monotonic time of a database time.
    func monotonic(of instant: Instant) -> Int64 {
        let (difference, overflow) = instant.microseconds.subtractingReportingOverflow(offset ?? 0)
        return overflow ? .max : difference
    }
}

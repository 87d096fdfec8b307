import Logging

/// What a daemon says of a database that fails: a line when it begins, one each half minute while it lasts, one when it
/// is over, each with how many calls have failed.
struct DatabaseTrouble {
    /// Microseconds between two lines.
    private static let pause: Int64 = 30_000_000
    /// Without a failure for so long it is over: what fails and goes well in turn is one trouble.
    private static let calm: Int64 = 5_000_000

    private var beganAt: Int64?
    private var toldAt: Int64 = 0
    private var failedAt: Int64 = 0
    /// Of this trouble.
    private var failures = 0
    /// Since the daemon began.
    private(set) var allFailures = 0

    /// A call has failed.
    ///
    /// - Returns: what to log; nil when it was said a moment ago.
    mutating func failed(doing what: String, _ reason: String, now: Int64) -> Logger.Metadata? {
        failures += 1
        allFailures += 1
        failedAt = now
        if beganAt == nil {
            beganAt = now
        } else if now - toldAt < Self.pause {
            return nil
        }
        toldAt = now
        return ["doing": "\(what)", "reason": "\(reason)", "failures": "\(failures)"]
    }

    /// The database does what it is asked.
    ///
    /// - Returns: what to log when it didn't before, and has now for a while.
    mutating func answered(now: Int64) -> Logger.Metadata? {
        guard let began = beganAt, now - failedAt >= Self.calm else { return nil }
        defer { self = DatabaseTrouble(allFailures: allFailures) }
        let milliseconds = (failedAt - began) / 1_000
        return ["failures": "\(failures)", "after": "\(milliseconds / 1_000).\(milliseconds % 1_000 / 100)s"]
    }

    init(allFailures: Int = 0) {
        self.allFailures = allFailures
    }
}

extension SagaEngine {
    /// A call of the store has failed and is made again.
    func noteFailure(doing what: String, _ reason: String) {
        guard let metadata = trouble.failed(doing: what, reason, now: clock.now()) else { return }
        logger.warning("the database fails; tried again", metadata: metadata)
    }

    /// A renewal or a commit went through.
    func noteAnswer() {
        guard let metadata = trouble.answered(now: clock.now()) else { return }
        logger.notice("the database answers again", metadata: metadata)
    }
}

import SagaCore

/// From where on the doctor speaks up.
public struct DoctorLimits: Sendable {
    /// How far the machine's clock and the database's may be apart.
    public var clock = TimeSpan.seconds(1)
    /// How long the server works on one question.
    public var statement = TimeSpan.seconds(60)
    /// How long a check waits for somebody's lock.
    public var lock = TimeSpan.seconds(2)
    /// The same once it is known that somebody holds one.
    public var lockRepeated = TimeSpan.milliseconds(200)
    /// Dead tuples that aren't worth a word, whatever the table's size.
    public var deadTuples: Int64 = 10_000
    /// How many times what autovacuum sleeps a table may wait for it, and a snapshot be old.
    public var naptimes = 5
    /// How long a transaction may be open, prepared ones too.
    public var transaction = TimeSpan.minutes(10)
    /// Per cent of the connections that may be in use.
    public var connections = 85
    /// How much WAL a replication slot that is in use may keep, and how far a standby may be behind, in bytes.
    public var retainedWAL: Int64 = 10 << 30
    /// How many transactions old what a standby's queries look at may be.
    public var feedbackAge: Int64 = 1_000_000
    /// How long a standby may be behind.
    public var lag = TimeSpan.minutes(1)
    /// The age in transactions from which on wraparound is a warning.
    public var age: Int64 = 1_000_000_000
    /// The age in transactions from which on wraparound is an error: where vacuum's own failsafe begins.
    public var criticalAge: Int64 = 1_600_000_000
    /// How long a saga may be due without being taken up.
    public var overdue = TimeSpan.seconds(30)
    /// How much later than its events say a saga may be due. What waits for several services is looked at every minute.
    public var forgotten = TimeSpan.minutes(10)
    /// How long ago a daemon that works may have recorded something last.
    public var work = TimeSpan.seconds(30)
    /// For how long it is looked whether sagas that are due are taken up.
    public var look = TimeSpan.seconds(1)
    /// How long a daemon's lease may be over before others have taken over from it.
    public var lostLease = TimeSpan.minutes(1)
    /// How far ahead of the database's clock a lease may end: it is 10 s long.
    public var leaseAhead = TimeSpan.minutes(3)
    /// How long a service may be held back by its breaker.
    public var breaker = TimeSpan.minutes(10)
    /// How long an alert may wait for its receiver.
    public var alert = TimeSpan.minutes(10)
    /// How long a day may be over while sagas of it haven't ended.
    public var pinned = TimeSpan.minutes(30 * 24 * 60)
    /// Of a sample: so many sagas that haven't ended, and as many of the newest.
    public var sample = 500
    /// How many sagas are read in one transaction. Planning such a question costs as much as hundreds of them.
    public var batch = 500

    public init() {}
}

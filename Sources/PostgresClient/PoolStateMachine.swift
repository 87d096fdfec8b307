/// How a pool hands out its connections: values in, actions out, no I/O.
///
/// The pool feeds it what happens, under a lock, and carries out the returned actions after letting go of the lock.
///
/// Callers wait in the order in which they came. A connection is opened when somebody waits for it and there is room.
/// When one can't be opened, the first who waits is told; if there is no other connection, all who wait. The next
/// attempt is put off, longer with every failure, and until one succeeds there is only one attempt at a time; who
/// comes meanwhile waits for its outcome, or for a connection in use.
struct PoolStateMachine<Connection, Waiter> {
    typealias Instant = ContinuousClock.Instant

    /// What the pool is to do.
    struct Actions {
        var grants: [(waiter: Waiter, outcome: Result<Connection, PostgresError>)] = []
        /// How many connections to begin opening; each ends in `opened(_:)` or `failedToOpen(_:at:backoff:)`.
        var opens = 0
        /// When to call `retryIsDue()`.
        var retryAt: Instant?
        var closes: [Connection] = []
        /// Whether the last leased connection of a closed pool has come back.
        var isDrained = false
    }

    /// What becomes of a caller that wants a connection.
    enum Checkout {
        case leased(Connection)
        case refused(PostgresError)
        /// The caller waits under this number.
        case waiting(UInt64, Actions)
    }

    /// Where openings stand.
    ///
    /// `working` → `backingOff` when one fails; `backingOff` → `probing` when the time is over and somebody waits;
    /// `probing` → `working` when the probe succeeds, → `backingOff` when it fails.
    private enum Reach {
        case working
        case backingOff(timerIsSet: Bool, until: Instant)
        case probing
    }

    private let maximum: Int
    private var idle: [Connection] = []
    private var leased = 0
    private var opening = 0
    private var reach = Reach.working
    private(set) var consecutiveFailures = 0
    private var waiters: [UInt64: Waiter] = [:]
    /// The waiters' numbers in their order, with those that have left still in it.
    private var queue: [UInt64] = []
    private var queueHead = 0
    private var nextNumber: UInt64 = 0
    private(set) var isClosed = false

    init(maximum: Int) {
        self.maximum = maximum
    }

    /// How many numbers the queue holds, those of callers that have left included.
    var queueLength: Int { queue.count - queueHead }

    /// Whether nothing is in anybody's hands.
    var isDrained: Bool { leased == 0 }

    // MARK: Callers

    /// Takes an idle connection if there is one and nobody waits before the caller.
    mutating func leaseIdle() -> Checkout? {
        if isClosed { return .refused(.poolClosed) }
        guard waiters.isEmpty, let connection = idle.popLast() else { return nil }
        leased += 1
        return .leased(connection)
    }

    /// Takes a connection or lets the caller wait for one.
    mutating func checkOut(_ waiter: Waiter, at now: Instant) -> Checkout {
        if let checkout = leaseIdle() { return checkout }
        let number = nextNumber
        nextNumber &+= 1
        waiters[number] = waiter
        queue.append(number)
        return .waiting(number, open(at: now))
    }

    /// Takes a caller out of the queue; nil when it has been served already.
    mutating func abandon(_ number: UInt64) -> Waiter? {
        let waiter = waiters.removeValue(forKey: number)
        // While no connection comes free the queue must not grow with those who gave up.
        if queue.count - queueHead > 2 * waiters.count + 64 {
            queue = queue[queueHead...].filter { waiters[$0] != nil }
            queueHead = 0
        }
        return waiter
    }

    /// Takes a leased connection back: to the first who waits, else to the idle ones.
    mutating func giveBack(_ connection: Connection) -> Actions {
        leased -= 1
        return place(connection)
    }

    /// Notes that a leased connection is gone.
    mutating func lose(at now: Instant) -> Actions {
        leased -= 1
        if isClosed { return Actions(isDrained: leased == 0) }
        return open(at: now)
    }

    // MARK: Openings

    /// Takes in a connection that was opened.
    mutating func opened(_ connection: Connection, at now: Instant) -> Actions {
        opening -= 1
        consecutiveFailures = 0
        reach = .working
        var actions = place(connection)
        if !isClosed { actions.opens = open(at: now).opens }
        return actions
    }

    /// Notes that a connection couldn't be opened.
    ///
    /// - Parameter backoff: how long to put off the next attempt, given how many have failed in a row.
    mutating func failedToOpen(_ error: PostgresError, at now: Instant, backoff: (Int) -> Duration) -> Actions {
        opening -= 1
        var actions = Actions()
        if isClosed { return actions }
        consecutiveFailures += 1
        let until = now + backoff(consecutiveFailures)
        reach = .backingOff(timerIsSet: false, until: until)
        if leased == 0, idle.isEmpty, opening == 0 {
            while let waiter = popWaiter() { actions.grants.append((waiter, .failure(error))) }
        } else if let waiter = popWaiter() {
            actions.grants.append((waiter, .failure(error)))
        }
        actions.retryAt = open(at: now).retryAt
        return actions
    }

    /// Notes that the time of `Actions.retryAt` has come.
    mutating func retryIsDue(at now: Instant) -> Actions {
        if isClosed { return Actions() }
        if case .backingOff(_, let until) = reach { reach = .backingOff(timerIsSet: false, until: until) }
        return open(at: now)
    }

    // MARK: The end

    /// Refuses those who wait and come, and closes what is idle.
    mutating func close() -> Actions {
        var actions = Actions(closes: idle, isDrained: leased == 0)
        isClosed = true
        idle = []
        while let waiter = popWaiter() { actions.grants.append((waiter, .failure(.poolClosed))) }
        return actions
    }

    // MARK: Steps

    private mutating func place(_ connection: Connection) -> Actions {
        if isClosed { return Actions(closes: [connection], isDrained: leased == 0) }
        guard let waiter = popWaiter() else {
            idle.append(connection)
            return Actions()
        }
        leased += 1
        return Actions(grants: [(waiter, .success(connection))])
    }

    /// Begins as many openings as there are callers to serve and room for.
    private mutating func open(at now: Instant) -> Actions {
        let wanted = min(waiters.count - opening, maximum - leased - idle.count - opening)
        if wanted <= 0 { return Actions() }
        switch reach {
        case .working:
            opening += wanted
            return Actions(opens: wanted)
        case .probing:
            return Actions()
        case .backingOff(_, let until) where until <= now && opening == 0:
            reach = .probing
            opening += 1
            return Actions(opens: 1)
        case .backingOff(let timerIsSet, let until):
            if timerIsSet || opening > 0 { return Actions() }
            reach = .backingOff(timerIsSet: true, until: until)
            return Actions(retryAt: until)
        }
    }

    private mutating func popWaiter() -> Waiter? {
        while queueHead < queue.count {
            let number = queue[queueHead]
            queueHead += 1
            if queueHead == queue.count || queueHead >= 1_024 {
                queue.removeFirst(queueHead)
                queueHead = 0
            }
            if let waiter = waiters.removeValue(forKey: number) { return waiter }
        }
        return nil
    }
}

extension PostgresError {
    static let poolClosed = PostgresError(.poolClosed, "the connection pool is closed")
}

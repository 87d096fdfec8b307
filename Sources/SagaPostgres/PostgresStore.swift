import Logging
import PostgresClient
import SagaCore
import SagaEngine
import Synchronization

/// The store of sagas in PostgreSQL. Works behind PgBouncer in transaction mode.
public struct PostgresStore: SagaStore {
    let pool: PostgresPool
    /// Nothing that holds the daemon's lease waits longer for an answer.
    let timeout: Duration
    let wideLooks = WideLooks()

    public init(pool: PostgresPool, timeout: Duration = .seconds(10)) {
        self.pool = pool
        self.timeout = timeout
    }

    /// Runs `statements` as one transaction in one round trip, refused whole under a stale epoch.
    func fenced(_ lease: Lease, _ statements: [PostgresStatement]) async throws(PostgresError) -> [PostgresResult] {
        Array(
            try await pool.transaction([FenceStatement(lease: lease).statement] + statements, timeout: timeout)
                .dropFirst())
    }
}

/// When to look for work in the partitions of all days, not only in those that sagas start in now: to open fifty costs
/// as much as fifty looks into one.
///
/// The process's own clock paces these looks and decides nothing: what is due goes by the database's.
final class WideLooks: Sendable {
    private struct State {
        var last: ContinuousClock.Instant?
        var mayHaveMore = true
    }

    private static let pause = Duration.seconds(1)

    private let state = Mutex(State())

    /// Whether the next look for what is due is to be wide: once a second.
    func isDue() -> Bool {
        state.withLock { state in
            let now = ContinuousClock.now
            if let last = state.last, now - last < Self.pause { return false }
            state.last = now
            return true
        }
    }

    /// Whether the next claim has to be wide: the last wide look found something, or the last wide claim left something of
    /// other days.
    var mayHaveMore: Bool {
        get { state.withLock { $0.mayHaveMore } }
        set { state.withLock { $0.mayHaveMore = newValue } }
    }
}

/// The first statement of everything that a daemon writes.
struct FenceStatement {
    let lease: Lease

    /// A batch that hangs half sent may not hold up a takeover for long: the server ends it. Nor may a transaction that
    /// somebody leaves open over one saga hold up the batch of all others.
    var statement: PostgresStatement {
        PostgresStatement(
            """
            SELECT saga.fence($1, $2), set_config('idle_in_transaction_session_timeout', $3, true),
                set_config('lock_timeout', '500ms', true)
            """,
            [
                .int4(lease.daemon), .int4(lease.epoch),
                .text("\(max(1, lease.length.microseconds / 2_000 - 1))"),
            ])
    }
}

extension StoreError {
    /// What a failure of a call that isn't a commit comes to.
    init(_ error: PostgresError) {
        switch error.kind {
        case .server(let state) where state == "SG001": self = .leaseLost
        // Data exceptions, violated constraints, exceeded limits: this content will never be taken.
        case .server(let state) where ["22", "23", "54"].contains(state.prefix(2)): self = .refused(error.description)
        case .decoding, .invalidRequest: self = .refused(error.description)
        case .server, .connectFailed, .connectionLost, .timeout, .cancelled, .poolClosed:
            self = .unavailable(error.description)
        }
    }
}

extension SagaID {
    var uuid: PostgresUUID { PostgresUUID(high: high, low: low) }

    init(_ uuid: PostgresUUID) { self.init(high: uuid.high, low: uuid.low) }
}

extension Instant {
    var timestamp: PostgresTimestamp { PostgresTimestamp(microsecondsSince1970: microseconds) }

    init(_ timestamp: PostgresTimestamp) { self.init(microseconds: timestamp.microsecondsSince1970) }
}

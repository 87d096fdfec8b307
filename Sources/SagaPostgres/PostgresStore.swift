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
    let probes = ProbeCount()

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

/// How many times a daemon has looked for work.
final class ProbeCount: Sendable {
    private let count = Atomic<UInt32>(0)

    func next() -> UInt32 { count.wrappingAdd(1, ordering: .relaxed).oldValue }
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

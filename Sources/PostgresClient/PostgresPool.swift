import Logging
import Synchronization

/// A pool of connections to one database.
///
/// It connects when first asked to, keeps what it has opened, and replaces what breaks. It takes no care of a
/// session's settings: use `SET LOCAL`, and nothing that outlives a transaction, as behind PgBouncer.
///
/// A connection that can't be made is reported at once to the callers that wait for it. After that the next attempt is
/// put off, from 25 ms up to 1 s with jitter; a call that comes meanwhile waits for it.
///
/// Timeouts count from the call and include the wait for a connection.
public final class PostgresPool: Sendable {
    typealias Instant = ContinuousClock.Instant
    private typealias Waiter = CheckedContinuation<Result<PostgresConnection, PostgresError>, Never>

    private struct State {
        var machine: PoolStateMachine<PostgresConnection, Waiter>
        /// Those who wait in `close()` for the leased connections.
        var closers: [CheckedContinuation<Void, Never>] = []
        /// Why no connection could be made; nil since one could.
        var failure: PostgresError?
    }

    private let configuration: PostgresConfiguration
    private let logger: Logger
    private let state: Mutex<State>

    /// Makes a pool without connecting yet.
    public init(_ configuration: PostgresConfiguration, logger: Logger) {
        self.configuration = configuration
        self.logger = logger
        state = Mutex(State(machine: PoolStateMachine(maximum: configuration.maximumConnections)))
    }

    // MARK: Requests

    /// Runs one statement, in a transaction of its own.
    ///
    /// - Parameter timeout: how long it may take, the wait for a connection included; then it is cancelled.
    /// - Throws: `PostgresError`. Of kind `.connectionLost` when the statement may have been done.
    public nonisolated(nonsending) func query(
        _ sql: String,
        _ parameters: [PostgresValue] = [],
        timeout: Duration? = nil
    ) async throws(PostgresError) -> PostgresResult {
        let request = try Request.query(PostgresStatement(sql, parameters))
        do throws(PostgresError) {
            return try request.single(try await perform(request, until: Request.deadline(timeout)))
        } catch {
            throw error.withoutIndex
        }
    }

    /// Runs several statements in one round trip: as one transaction, unless they say BEGIN or COMMIT themselves.
    ///
    /// One that they leave open is rolled back.
    ///
    /// - Returns: a result per statement.
    /// - Throws: the first statement's error, with its index; those behind it were not run.
    public nonisolated(nonsending) func pipeline(
        _ statements: [PostgresStatement],
        timeout: Duration? = nil
    ) async throws(PostgresError) -> [PostgresResult] {
        try await perform(Request.pipeline(statements), until: Request.deadline(timeout))
    }

    /// Runs BEGIN, the statements and COMMIT in one round trip.
    ///
    /// The statements must not end the transaction themselves.
    ///
    /// - Returns: a result per statement, without those of BEGIN and COMMIT.
    /// - Throws: the first statement's error, with its index, after a rollback; `.connectionLost` when it isn't known
    ///   whether the transaction was committed.
    public nonisolated(nonsending) func transaction(
        _ statements: [PostgresStatement],
        timeout: Duration? = nil
    ) async throws(PostgresError) -> [PostgresResult] {
        try await perform(Request.transaction(statements), until: Request.deadline(timeout))
    }

    /// Runs a script of several statements without parameters; outside an explicit transaction the whole script is one.
    ///
    /// COPY from or to the client isn't supported.
    ///
    /// - Throws: the first error; the statements behind it were not run.
    public nonisolated(nonsending) func execute(
        script: String,
        timeout: Duration? = nil
    ) async throws(PostgresError) {
        _ = try await perform(Request.script(script), until: Request.deadline(timeout))
    }

    /// Lends one connection to the body, for transactions that need the caller's decisions.
    ///
    /// A transaction that the body leaves open is rolled back. The connection must not be used after the body has
    /// returned.
    ///
    /// - Throws: `PostgresError` when there is no connection to be had, and what the body throws.
    public nonisolated(nonsending) func withConnection<T: Sendable>(
        _ body: nonisolated(nonsending) (PostgresConnection) async throws -> T
    ) async throws -> T {
        let connection = try await leaseAlive()
        do {
            let value = try await body(connection)
            await giveBackReset(connection)
            return value
        } catch {
            await giveBackReset(connection)
            throw error
        }
    }

    /// Refuses further calls, waits for those under way and closes every connection.
    ///
    /// Must not be called from within `withConnection`.
    public func close() async {
        let actions = state.withLock { $0.machine.close() }
        await carryOut(actions)
        await withCheckedContinuation { continuation in
            let isDrained = state.withLock { state in
                if state.machine.isDrained { return true }
                state.closers.append(continuation)
                return false
            }
            if isDrained { continuation.resume() }
        }
    }

    /// Runs a request on a connection of the pool.
    ///
    /// One that turns out to have died while idle, before anything was sent on it, is replaced and the request sent on
    /// another.
    private nonisolated(nonsending) func perform(
        _ request: Request,
        until deadline: Instant?
    ) async throws(PostgresError) -> [PostgresResult] {
        if request.isEmpty { return [] }
        var attempts = 0
        while true {
            let connection = try await lease(until: deadline)
            do throws(PostgresError) {
                let results = try await connection.perform(request, until: deadline, endingTransactions: true)
                await giveBack(connection)
                return results
            } catch {
                await giveBack(connection)
                guard error.nothingWasSent else { throw error }
                attempts += 1
                if attempts > configuration.maximumConnections { throw Self.endedAtOnce }
            }
        }
    }

    /// Every connection of the pool may have died while idle; when even new ones do, the server is to blame.
    private static let endedAtOnce = PostgresError(
        .connectFailed,
        "the server ends every connection before anything is sent on it"
    )

    // MARK: Leases

    private nonisolated(nonsending) func leaseAlive() async throws(PostgresError) -> PostgresConnection {
        for _ in 0...configuration.maximumConnections {
            let connection = try await lease(until: nil)
            if await connection.isAlive() { return connection }
            await giveBack(connection)
        }
        throw Self.endedAtOnce
    }

    private nonisolated(nonsending) func lease(
        until deadline: Instant?
    ) async throws(PostgresError) -> PostgresConnection {
        if Task.isCancelled {
            throw PostgresError(.cancelled, "the task was cancelled before anything was sent")
        }
        switch state.withLock({ $0.machine.leaseIdle() }) {
        case .leased(let connection): return connection
        case .refused(let error): throw error
        case .waiting, nil: return try await waitForLease(until: deadline)
        }
    }

    private nonisolated(nonsending) func waitForLease(
        until deadline: Instant?
    ) async throws(PostgresError) -> PostgresConnection {
        let ticket = WaitTicket()
        let timer = deadline.map { deadline in
            Task {
                try? await Task.sleep(until: deadline, clock: .continuous)
                if !Task.isCancelled { self.abandon(ticket, .timeout, self.nothingWasFree) }
            }
        }
        defer { timer?.cancel() }
        let outcome = await withTaskCancellationHandler {
            await withCheckedContinuation { (waiter: Waiter) in
                let checkout = state.withLock { state in
                    let checkout = state.machine.checkOut(waiter, at: .now)
                    if case .waiting(let number, _) = checkout { ticket.set(number) }
                    return checkout
                }
                switch checkout {
                case .leased(let connection): waiter.resume(returning: .success(connection))
                case .refused(let error): waiter.resume(returning: .failure(error))
                case .waiting(_, let actions):
                    begin(actions)
                    // What came before the number was set found nobody to wake.
                    if Task.isCancelled { abandon(ticket, .cancelled, Self.cancelledWaiting) }
                    if let deadline, deadline <= .now { abandon(ticket, .timeout, nothingWasFree) }
                }
            }
        } onCancel: {
            abandon(ticket, .cancelled, Self.cancelledWaiting)
        }
        return try outcome.get()
    }

    /// Who waits in vain should hear why: it may be that none can be made.
    private var nothingWasFree: String {
        let reason = state.withLock { $0.failure }.map { "; the last attempt to connect: \($0)" } ?? ""
        return "no connection was free within the timeout\(reason)"
    }
    private static let cancelledWaiting = "the task was cancelled while waiting for a connection"

    private func abandon(_ ticket: WaitTicket, _ kind: PostgresError.Kind, _ message: String) {
        guard let number = ticket.number, let waiter = state.withLock({ $0.machine.abandon(number) }) else { return }
        var error = PostgresError(kind, message)
        error.nothingWasSent = true
        waiter.resume(returning: .failure(error))
    }

    private nonisolated(nonsending) func giveBackReset(_ connection: PostgresConnection) async {
        if connection.isInTransaction { await connection.reset() }
        await giveBack(connection)
    }

    private nonisolated(nonsending) func giveBack(_ connection: PostgresConnection) async {
        let actions = state.withLock { state in
            connection.isOpen ? state.machine.giveBack(connection) : state.machine.lose(at: .now)
        }
        await carryOut(actions)
    }

    // MARK: Actions

    private typealias Actions = PoolStateMachine<PostgresConnection, Waiter>.Actions

    private nonisolated(nonsending) func carryOut(_ actions: Actions) async {
        for connection in actions.closes { await connection.close() }
        begin(actions)
    }

    /// Does of the actions what needs no waiting.
    private func begin(_ actions: Actions) {
        for (waiter, outcome) in actions.grants { waiter.resume(returning: outcome) }
        for _ in 0..<actions.opens {
            Task { await self.open() }
        }
        if let instant = actions.retryAt {
            Task {
                try? await Task.sleep(until: instant, clock: .continuous)
                self.begin(self.state.withLock { $0.machine.retryIsDue(at: .now) })
            }
        }
        if actions.isDrained {
            for closer in state.withLock({ state in
                defer { state.closers = [] }
                return state.closers
            }) { closer.resume() }
        }
    }

    private func open() async {
        let actions: Actions
        do throws(PostgresError) {
            let connection = try await PostgresConnection.open(configuration, logger: logger)
            actions = state.withLock { state in
                state.failure = nil
                return state.machine.opened(connection, at: .now)
            }
        } catch {
            // Whoever asks for a connection is told, and knows what it means; here it would be said twice.
            logger.debug("can't connect to postgres: \(error)")
            actions = state.withLock { state in
                state.failure = error
                return state.machine.failedToOpen(error, at: .now, backoff: Self.backoff)
            }
        }
        await carryOut(actions)
    }

    /// The wait after a number of failed attempts: 50 ms, doubled up to 1 s, of which half is random.
    private static func backoff(after failures: Int) -> Duration {
        let full = Duration.milliseconds(50 << min(5, max(0, failures - 1)))
        return min(.seconds(1), full) * Double.random(in: 0.5...1)
    }
}

/// A waiting caller's number in the queue, once it has one.
private final class WaitTicket: Sendable {
    private let value = Mutex<UInt64?>(nil)

    var number: UInt64? { value.withLock { $0 } }

    func set(_ number: UInt64) {
        value.withLock { $0 = number }
    }
}

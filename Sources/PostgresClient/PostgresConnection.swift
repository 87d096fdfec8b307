import CLibpq
import Glibc
import Logging
import Synchronization

/// One connection to a server, which runs its requests one after the other on a thread of its own.
///
/// Whoever gets one from `PostgresPool.withConnection` may hold a transaction open on it between calls.
public actor PostgresConnection {
    /// The server's version as `server_version_num` has it, 150018 for 15.18.
    public nonisolated var serverVersion: Int { version.load(ordering: .relaxed) }

    /// Whether the connection stands, as far as is known; the server may have gone since it was last heard of.
    public nonisolated var isOpen: Bool { state.load(ordering: .acquiring) != State.closed.rawValue }

    /// Whether a transaction is open, a failed one included.
    public nonisolated var isInTransaction: Bool { state.load(ordering: .acquiring) == State.inTransaction.rawValue }

    /// The actor runs on its connection's thread.
    public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private enum State: Int {
        case closed
        case idle
        case inTransaction
    }

    /// How long a rollback may take that a failed request leaves behind.
    private static let rollbackTimeout: Duration = .seconds(5)

    private let executor: ConnectionExecutor
    private let logger: Logger
    private let version = Atomic(0)
    private let state = Atomic(State.closed.rawValue)
    private var handle: ConnectionHandle?
    /// The server has refused a write since it takes none.
    private var isReadOnly = false

    private init(executor: ConnectionExecutor, logger: Logger) {
        self.executor = executor
        self.logger = logger
    }

    deinit {
        executor.stop()
    }

    /// Connects.
    ///
    /// - Throws: `.connectFailed`.
    static func open(
        _ configuration: PostgresConfiguration,
        logger: Logger
    ) async throws(PostgresError) -> PostgresConnection {
        let connection = PostgresConnection(executor: try ConnectionExecutor(), logger: logger)
        try await connection.connect(configuration)
        return connection
    }

    private func connect(_ configuration: PostgresConfiguration) throws(PostgresError) {
        let opened = try ConnectionOpening(configuration, logger: logger).open()
        version.store(Int(PQserverVersion(opened.raw)), ordering: .relaxed)
        handle = consume opened
        publishState()
    }

    /// Ends the connection, if it is still open.
    public func close() {
        handle = nil
        publishState()
    }

    /// What the server reports of itself and the session: `server_version`, `server_encoding`, `TimeZone` and others.
    ///
    /// - Returns: nil for a parameter that the server doesn't report, and when the connection is closed.
    public func parameterStatus(_ name: String) -> String? {
        guard let raw = handle?.raw else { return nil }
        return PQparameterStatus(raw, name).map { String(cString: $0) }
    }

    /// Which server of the connection string's it is: `HOST:PORT`, or the folder of a unix socket.
    ///
    /// - Returns: nil when the connection is closed.
    public func server() -> String? {
        guard let raw = handle?.raw else { return nil }
        let server = ServerAddress(currentOf: raw)
        return server.host.hasPrefix("/") || server.port.isEmpty ? server.host : "\(server.host):\(server.port)"
    }

    /// The process that the server named when it was connected to; a pooler names one of its own making.
    ///
    /// - Returns: nil when the connection is closed.
    public func serverProcess() -> Int32? {
        guard let raw = handle?.raw else { return nil }
        return PQbackendPID(raw)
    }

    // MARK: Requests

    /// Runs one statement.
    ///
    /// - Parameter timeout: how long it may take; then it is cancelled at the server.
    /// - Throws: `PostgresError`; the connection stays usable unless its kind is `.connectionLost`.
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

    /// Runs several statements in one round trip.
    ///
    /// Outside a transaction they are one, unless they say BEGIN or COMMIT.
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
    /// - Throws: the first statement's error, after a rollback.
    public nonisolated(nonsending) func transaction(
        _ statements: [PostgresStatement],
        timeout: Duration? = nil
    ) async throws(PostgresError) -> [PostgresResult] {
        try await perform(Request.transaction(statements), until: Request.deadline(timeout))
    }

    /// Runs a script of several statements without parameters, as `psql` would; outside an explicit transaction the
    /// whole script is one.
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

    /// Runs a request on the connection's thread; cancels it there when the calling task is cancelled.
    nonisolated(nonsending) func perform(
        _ request: Request,
        until deadline: ContinuousClock.Instant?,
        endingTransactions: Bool = false
    ) async throws(PostgresError) -> [PostgresResult] {
        if request.isEmpty { return [] }
        let interruption = Interruption()
        let outcome = await withTaskCancellationHandler {
            await run(request, until: deadline, interruption, endingTransactions)
        } onCancel: {
            interruption.cancel()
            executor.wake()
        }
        return try outcome.get()
    }

    private func run(
        _ request: Request,
        until deadline: ContinuousClock.Instant?,
        _ interruption: Interruption,
        _ endsTransactions: Bool
    ) -> Result<[PostgresResult], PostgresError> {
        guard let raw = usableConnection() else {
            var error = PostgresError(.connectionLost, "the connection had been closed before the request was sent")
            error.nothingWasSent = true
            return .failure(error)
        }
        var exchange = Exchange(on: raw, executor: executor, deadline: deadline, interruption: interruption)
        if let reason = exchange.reasonNotToBegin() { return .failure(reason) }
        var outcome: Result<[PostgresResult], PostgresError>
        do throws(PostgresError) {
            outcome = .success(try request.run(&exchange))
        } catch {
            outcome = .failure(error)
            if error.kind == .connectionLost { drop(error.message) }
        }
        if exchange.mustDrop { drop("a cancel request is still on its way") }
        if request.endsItsTransaction || endsTransactions { endTransaction() }
        if case .failure(let error) = outcome, error.isReadOnly { isReadOnly = true }
        dropIfReadOnly()
        publishState()
        return outcome
    }

    /// Whether the connection stands, after a look at what came in while it was idle.
    func isAlive() -> Bool { usableConnection() != nil }

    /// Rolls back what a caller left open.
    func reset() {
        endTransaction()
        dropIfReadOnly()
        publishState()
    }

    private func usableConnection() -> OpaquePointer? {
        guard let raw = handle?.raw else { return nil }
        if handle?.consumeIdleInput() == true { return raw }
        drop(handle?.errorMessage ?? "")
        return nil
    }

    private func endTransaction() {
        guard let raw = handle?.raw, PQtransactionStatus(raw) != PQTRANS_IDLE else { return }
        var exchange = Exchange(
            on: raw,
            executor: executor,
            deadline: .now + Self.rollbackTimeout,
            interruption: nil
        )
        do throws(PostgresError) {
            _ = try Request.rollback.run(&exchange)
            if exchange.mustDrop || PQtransactionStatus(raw) != PQTRANS_IDLE { drop("rollback took no effect") }
        } catch {
            drop(error.message)
        }
    }

    /// Not while its transaction is somebody's.
    private func dropIfReadOnly() {
        guard isReadOnly, let raw = handle?.raw, PQtransactionStatus(raw) == PQTRANS_IDLE else { return }
        drop("the server takes no writes")
    }

    private func drop(_ reason: String) {
        if handle == nil { return }
        handle = nil
        publishState()
        logger.debug("postgres connection dropped: \(reason)")
    }

    private func publishState() {
        var current = State.closed
        if let raw = handle?.raw {
            current = PQtransactionStatus(raw) == PQTRANS_IDLE ? .idle : .inTransaction
        }
        state.store(current.rawValue, ordering: .releasing)
    }
}

import CLibpq
import Glibc

/// One request and its answer on a connection, with what may end it early: a deadline and the caller's cancellation.
///
/// It runs on the connection's thread and waits there in `poll(2)`, always ready to read while it still has something
/// to write, so that large parameters can't deadlock with large results.
struct Exchange: ~Copyable {
    typealias Instant = ContinuousClock.Instant

    /// How long the server may take to answer a cancel request before the connection is given up.
    static let cancelGrace: Duration = .seconds(1)

    private let connection: OpaquePointer
    private let executor: ConnectionExecutor
    private let deadline: Instant?
    private let interruption: Interruption?
    /// Whether the answer was whole but the connection must not be used again.
    private(set) var mustDrop = false
    /// Set once the request is being cancelled.
    private var cancellation: Cancellation?

    private struct Cancellation {
        let kind: PostgresError.Kind
        let request: CancelRequest
        let answerBy: Instant
    }

    init(
        on connection: OpaquePointer,
        executor: ConnectionExecutor,
        deadline: Instant?,
        interruption: Interruption?
    ) {
        self.connection = connection
        self.executor = executor
        self.deadline = deadline
        self.interruption = interruption
    }

    /// Why the request must not even begin, if so.
    func reasonNotToBegin() -> PostgresError? {
        if interruption?.isCancelled == true {
            return PostgresError(.cancelled, "the task was cancelled before anything was sent")
        }
        if let deadline, deadline <= .now {
            return PostgresError(.timeout, "the time was over before anything was sent")
        }
        return nil
    }

    // MARK: Requests

    /// Sends the statements and one sync as a pipeline, and collects a result per statement.
    ///
    /// - Throws: the first error of the pipeline, or why the connection can't be used any more.
    mutating func runPipeline(
        _ statements: borrowing [PostgresStatement],
        _ parameters: borrowing [EncodedParameters]
    ) throws(PostgresError) -> [PostgresResult] {
        for index in 0..<statements.count {
            try queue(statements[index].sql, parameters[index])
        }
        if PQpipelineSync(connection) == 0 { throw lost() }
        var results: [PostgresResult] = []
        results.reserveCapacity(statements.count)
        var firstError: PostgresError?
        var index = 0
        var isSynced = false
        while !isSynced {
            guard let result = try nextResult() else {
                if PQstatus(connection) != CONNECTION_OK { throw ended(firstError) }
                index += 1
                // Each statement ends with one null; more of them mean that no sync is coming.
                if index > statements.count + 1 { throw lost(firstError) }
                continue
            }
            switch PQresultStatus(result.raw) {
            case PGRES_PIPELINE_SYNC:
                PQclear(result.raw)
                isSynced = true
            case PGRES_TUPLES_OK, PGRES_COMMAND_OK, PGRES_EMPTY_QUERY:
                results.append(PostgresResult(ResultStorage(result)))
            case PGRES_PIPELINE_ABORTED:
                PQclear(result.raw)
            case let status:
                var error = Self.failure(result, status)
                if index < statements.count { error.statementIndex = index }
                firstError = firstError ?? error
                // COPY has its own messages, which a pipeline can't get past.
                if status != PGRES_FATAL_ERROR { throw lost(firstError) }
            }
        }
        settleCancellation()
        if let firstError { throw explained(firstError) }
        return results
    }

    /// Sends a script of several statements with the simple protocol and discards their results.
    ///
    /// - Throws: the first error, or why the connection can't be used any more.
    mutating func runScript(_ script: String) throws(PostgresError) {
        if PQexitPipelineMode(connection) == 0 { throw lost() }
        if PQsendQuery(connection, script) == 0 { throw lost() }
        var firstError: PostgresError?
        while let result = try nextResult() {
            let status = PQresultStatus(result.raw)
            switch status {
            case PGRES_TUPLES_OK, PGRES_COMMAND_OK, PGRES_EMPTY_QUERY:
                PQclear(result.raw)
            default:
                let error = Self.failure(result, status)
                firstError = firstError ?? error
                if status != PGRES_FATAL_ERROR { throw lost(firstError) }
            }
        }
        if PQstatus(connection) != CONNECTION_OK { throw ended(firstError) }
        if PQenterPipelineMode(connection) == 0 { throw lost(firstError) }
        settleCancellation()
        if let firstError { throw explained(firstError) }
    }

    // MARK: Steps

    private func queue(_ sql: String, _ parameters: borrowing EncodedParameters) throws(PostgresError) {
        let count = parameters.types.count
        let isQueued = parameters.bytes.withUnsafeBytes { bytes in
            withUnsafeTemporaryAllocation(of: UnsafePointer<CChar>?.self, capacity: max(1, count)) { values in
                withUnsafeTemporaryAllocation(of: Int32.self, capacity: max(1, count)) { formats in
                    for index in 0..<count {
                        let offset = parameters.offsets[index]
                        let value = offset < 0 ? nil : bytes.baseAddress?.advanced(by: offset)
                        values.initializeElement(at: index, to: value?.assumingMemoryBound(to: CChar.self))
                        formats.initializeElement(at: index, to: 1)
                    }
                    return PQsendQueryParams(
                        connection,
                        sql,
                        Int32(count),
                        parameters.types,
                        values.baseAddress,
                        parameters.lengths,
                        formats.baseAddress,
                        1
                    ) == 1
                }
            }
        }
        if !isQueued { throw lost() }
    }

    /// Waits for the next result; nil between statements and when the connection has ended.
    private mutating func nextResult() throws(PostgresError) -> LibpqPointer? {
        var unsent = PQflush(connection)
        while unsent == 1 || PQisBusy(connection) == 1 {
            if PQstatus(connection) != CONNECTION_OK { break }
            let isReadable = try wait(toWrite: unsent == 1)
            if isReadable {
                // A TLS record holds up to 16 KiB and one read takes 8 KiB at least: a second read leaves nothing of
                // it behind, where poll(2) wouldn't see it.
                let isRead =
                    PQconsumeInput(connection) == 1 && (PQsslInUse(connection) == 0 || PQconsumeInput(connection) == 1)
                if !isRead {
                    if PQstatus(connection) == CONNECTION_OK { throw lost() }
                    // libpq still holds what was read before the end, and then the reason.
                    break
                }
            }
            unsent = PQflush(connection)
        }
        if unsent < 0, PQstatus(connection) == CONNECTION_OK { throw lost() }
        return PQgetResult(connection).map(LibpqPointer.init)
    }

    /// Waits until the socket is ready, the request is to be cancelled, or the connection is to be given up.
    ///
    /// - Returns: whether there is something to read.
    private mutating func wait(toWrite: Bool) throws(PostgresError) -> Bool {
        while true {
            try cancelIfDue()
            let events = Int16(POLLIN) | (toWrite ? Int16(POLLOUT) : 0)
            var descriptors = (
                pollfd(fd: PQsocket(connection), events: events, revents: 0),
                pollfd(fd: executor.wakeDescriptor, events: Int16(POLLIN), revents: 0)
            )
            let timeout = pollTimeout(until: cancellation?.answerBy ?? deadline)
            let count = withUnsafeMutableBytes(of: &descriptors) { bytes in
                poll(bytes.assumingMemoryBound(to: pollfd.self).baseAddress, 2, timeout)
            }
            if count < 0, errno != EINTR { throw lost() }
            if count <= 0 { continue }
            if descriptors.1.revents != 0 { executor.consumeWakeUps() }
            if descriptors.0.revents != 0 { return descriptors.0.revents & Int16(POLLIN | POLLHUP | POLLERR) != 0 }
        }
    }

    private mutating func cancelIfDue() throws(PostgresError) {
        if let cancellation {
            if cancellation.answerBy <= .now { throw givenUp(cancellation) }
            return
        }
        if interruption?.isCancelled == true {
            beginCancelling(.cancelled)
        } else if let deadline, deadline <= .now {
            beginCancelling(.timeout)
        }
    }

    private mutating func beginCancelling(_ kind: PostgresError.Kind) {
        cancellation = Cancellation(
            kind: kind,
            request: CancelRequest(for: connection, waking: executor),
            answerBy: .now + Self.cancelGrace
        )
    }

    /// Waits until a cancel request has been taken: one that is still on its way could strike the next statement.
    private mutating func settleCancellation() {
        guard let cancellation else { return }
        while !cancellation.request.hasFinished {
            let timeout = pollTimeout(until: cancellation.answerBy)
            if timeout == 0 {
                // The answer is whole, so the outcome is known; only the connection can't be kept.
                mustDrop = true
                return
            }
            var descriptor = pollfd(fd: executor.wakeDescriptor, events: Int16(POLLIN), revents: 0)
            if poll(&descriptor, 1, timeout) > 0 { executor.consumeWakeUps() }
        }
    }

    // MARK: Errors

    private static func failure(_ result: LibpqPointer, _ status: ExecStatusType) -> PostgresError {
        defer { PQclear(result.raw) }
        if status == PGRES_FATAL_ERROR { return PostgresError(result.raw) }
        let name = PQresStatus(status).map { String(cString: $0) } ?? "unknown"
        return PostgresError(
            .connectionLost,
            "the server answered with \(name), which this client doesn't take part in"
        )
    }

    /// The server's answer to our own cancel request is told as what led to it.
    private func explained(_ error: PostgresError) -> PostgresError {
        guard let cancellation, error.sqlState == "57014" else { return error }
        var explained = error
        explained.kind = cancellation.kind
        explained.message =
            cancellation.kind == .timeout
            ? "not done within the timeout; the server cancelled it" : "cancelled by the task; the server confirmed it"
        return explained
    }

    /// What the connection's end means after the errors so far.
    ///
    /// A statement that the server had refused before is the answer, since nothing behind it was run; otherwise the
    /// outcome is unknown.
    private mutating func ended(_ error: PostgresError?) -> PostgresError {
        guard let error, case .server = error.kind, !error.isFatal else { return lost(error) }
        mustDrop = true
        return explained(error)
    }

    /// The connection's end in the middle of a request, with the server's parting words if there were any.
    private func lost(_ error: PostgresError? = nil) -> PostgresError {
        var lost = PostgresError(.connectionLost, "connection lost")
        if let error {
            lost.message = "connection lost: \(error.message)"
            lost.sqlState = error.sqlState
            lost.statementIndex = error.statementIndex
        } else if let message = PQerrorMessage(connection), message.pointee != 0 {
            lost.message = "connection lost: \(String(cString: message).onOneLine)"
        }
        return lost
    }

    private func givenUp(_ cancellation: Cancellation) -> PostgresError {
        let reason = cancellation.kind == .timeout ? "not done within the timeout" : "cancelled by the task"
        return PostgresError(.connectionLost, "\(reason), and no answer to the cancel request within 1 s")
    }
}

/// The milliseconds that `poll(2)` may wait until an instant: 0 when it has passed, -1 without one, a day at most.
func pollTimeout(until instant: ContinuousClock.Instant?) -> Int32 {
    guard let instant else { return -1 }
    let left = ContinuousClock.now.duration(to: instant)
    if left <= .zero { return 0 }
    let (seconds, attoseconds) = left.components
    if seconds >= 86_400 { return 86_400_000 }
    // Rounded up: to wake a little early would mean to wake twice.
    return Int32(seconds * 1_000 + attoseconds / 1_000_000_000_000_000 + 1)
}

import CLibpq
import Glibc
import Logging

/// The owner of a `PGconn`: finishes it with its own end.
struct ConnectionHandle: ~Copyable {
    let raw: OpaquePointer
    private let notices: Unmanaged<NoticeSink>

    /// Takes over a connection and sends its notices to the logger.
    init(_ raw: OpaquePointer, logger: Logger) {
        self.raw = raw
        self.notices = Unmanaged.passRetained(NoticeSink(logger))
        PQsetNoticeReceiver(
            raw,
            { sink, result in
                guard let sink, let result else { return }
                Unmanaged<NoticeSink>.fromOpaque(sink).takeUnretainedValue().receive(result)
            },
            notices.toOpaque()
        )
    }

    deinit {
        PQfinish(raw)
        notices.release()
    }

    /// Whether the connection still stands, as far as libpq knows.
    var isUsable: Bool { PQstatus(raw) == CONNECTION_OK }

    /// libpq's last message, on one line.
    var errorMessage: String { PQerrorMessage(raw).map { String(cString: $0).onOneLine } ?? "" }

    /// Takes in what came while the connection was idle: notices, parameter changes, or its end.
    ///
    /// - Returns: whether the connection still stands and the server hasn't said that it ends it.
    func consumeIdleInput() -> Bool {
        // A server that went away leaves a parting error and then the end of the stream: two reads, rarely more.
        for _ in 0..<16 {
            guard PQstatus(raw) == CONNECTION_OK else { return false }
            var descriptor = pollfd(fd: PQsocket(raw), events: Int16(POLLIN), revents: 0)
            let count = poll(&descriptor, 1, 0)
            if count < 0, errno == EINTR { continue }
            if count == 0 { return true }
            if PQconsumeInput(raw) == 0 { return false }
            // Parses what was read; nobody listens, so there is hardly ever a notification.
            while let notification = PQnotifies(raw) { PQfreemem(notification) }
            // The end of the stream may come a little later.
            if notices.takeUnretainedValue().hasHeardTheEnd { return false }
        }
        return PQstatus(raw) == CONNECTION_OK
    }
}

/// Where the server's notices go; libpq calls it on the connection's thread.
private final class NoticeSink {
    /// Whether the server has ended the session between two requests, which libpq takes for a notice.
    private(set) var hasHeardTheEnd = false

    private let logger: Logger

    init(_ logger: Logger) {
        self.logger = logger
    }

    func receive(_ result: OpaquePointer) {
        let severity = DiagnosticField.severity.read(from: result)
        if severity == "FATAL" || severity == "PANIC" { hasHeardTheEnd = true }
        guard logger.logLevel <= .debug else { return }
        let message = DiagnosticField.message.read(from: result)?.onOneLine ?? ""
        var metadata: Logger.Metadata = [:]
        metadata["sqlState"] = DiagnosticField.sqlState.read(from: result).map { .string($0) }
        metadata["severity"] = severity.map { .string($0) }
        logger.debug("postgres notice: \(message)", metadata: metadata)
    }
}

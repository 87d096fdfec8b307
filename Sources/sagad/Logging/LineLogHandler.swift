import Glibc
import Logging
import SagaCore
import Synchronization

/// Writes each event at once, as one line, to standard error.
struct LineLogHandler: LogHandler {
    var logLevel: Logger.Level
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?
    private let format: LogFormat

    init(format: LogFormat, level: Logger.Level) {
        self.format = format
        logLevel = level
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var all = metadata
        if let provided = metadataProvider?.get() { all.merge(provided) { _, new in new } }
        if let own = event.metadata { all.merge(own) { _, new in new } }
        if let error = event.error, all["error"] == nil { all["error"] = "\(error)" }
        StandardError.write(
            format.line(time: .wallClock, level: event.level, message: event.message.description, metadata: all)
        )
    }
}

/// Standard error, a whole line at a time.
enum StandardError {
    private static let turn = Mutex(())

    static func write(_ line: [UInt8]) {
        turn.withLock { _ in
            var rest = line[...]
            while !rest.isEmpty {
                let count = rest.withUnsafeBytes { Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
                if count < 0, errno == EINTR { continue }
                // Nobody reads any more: a daemon works on without its log.
                if count <= 0 { return }
                rest = rest.dropFirst(count)
            }
        }
    }

    static func write(line: String) { write(Array("\(line)\n".utf8)) }
}

extension Instant {
    /// The wall clock, for log lines alone: nothing is decided by it.
    fileprivate static var wallClock: Instant {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Instant(microseconds: Int64(time.tv_sec) &* 1_000_000 &+ Int64(time.tv_nsec) / 1_000)
    }
}

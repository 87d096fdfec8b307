import Glibc
import JSON
import SagaDatabase

/// The program's standard output and standard error.
enum Output {
    /// Writes a line to standard output.
    static func line(_ text: String) { write(Array("\(text)\n".utf8), to: STDOUT_FILENO) }

    /// Writes lines to standard output.
    static func lines(_ lines: [String]) {
        if !lines.isEmpty { line(lines.joined(separator: "\n")) }
    }

    /// Writes one JSON document on a line to standard output.
    static func json(_ document: RawJSON) { write(document.bytes + [UInt8(ascii: "\n")], to: STDOUT_FILENO) }

    /// Writes a line to standard error.
    static func error(_ text: String) { write(Array("\(text)\n".utf8), to: STDERR_FILENO) }

    /// Writes to standard error as it is.
    static func rawError(_ text: String) { write(Array(text.utf8), to: STDERR_FILENO) }

    /// Writes to standard output as it is.
    static func raw(_ text: String) { write(Array(text.utf8), to: STDOUT_FILENO) }

    /// Nothing stays in a buffer: whoever reads along sees each line when it was written.
    private static func write(_ bytes: [UInt8], to descriptor: Int32) {
        bytes.withUnsafeBytes { buffer in
            var offset = 0
            while offset < buffer.count {
                let written = Glibc.write(descriptor, buffer.baseAddress.map { $0 + offset }, buffer.count - offset)
                if written > 0 {
                    offset += written
                } else if errno == EAGAIN {
                    var poll = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                    _ = Glibc.poll(&poll, 1, -1)
                } else if errno != EINTR {
                    giveUp(descriptor, errno)
                }
            }
        }
    }

    /// Ends the program: quietly when whoever was to read it has gone, else (a full disk) with the reason.
    private static func giveUp(_ descriptor: Int32, _ code: Int32) -> Never {
        if code == EPIPE { exit(ExitStatus.done) }
        if descriptor != STDERR_FILENO { error("saga: can't write the result: \(String(cString: strerror(code)))") }
        exit(ExitStatus.refused)
    }
}

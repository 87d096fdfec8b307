import Foundation
import Synchronization

/// A run of one of the project's built programs, found beside the test bundle.
public final class TestProgram: Sendable {
    /// How a run ended.
    public struct Ending: Equatable, Sendable {
        /// The exit code; a signal's number, negative, when it ended the program.
        public let status: Int32
        public let output: String
        public let errors: String

        public init(status: Int32, output: String, errors: String) {
            self.status = status
            self.output = output
            self.errors = errors
        }
    }

    private let process: Process
    private let output: Collector
    private let errors: Collector

    /// Starts the program.
    ///
    /// - Parameter environment: added to a small one that holds nothing of the caller's.
    public init(_ name: String, _ arguments: [String], environment: [String: String] = [:], folder: String? = nil)
        throws
    {
        let here = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
        let process = Process()
        process.executableURL = here.appendingPathComponent(name)
        process.arguments = arguments
        process.environment = ["PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "HOME": "/nonexistent"].merging(environment) {
            $1
        }
        if let folder { process.currentDirectoryURL = URL(fileURLWithPath: folder) }
        let (out, err) = (Pipe(), Pipe())
        // Another program that a test starts meanwhile must not hold the pipes open.
        for handle in [
            out.fileHandleForReading, out.fileHandleForWriting, err.fileHandleForReading, err.fileHandleForWriting,
        ] {
            _ = fcntl(handle.fileDescriptor, F_SETFD, FD_CLOEXEC)
        }
        process.standardOutput = out
        process.standardError = err
        process.standardInput = FileHandle.nullDevice
        output = Collector(out.fileHandleForReading)
        errors = Collector(err.fileHandleForReading)
        try process.run()
        self.process = process
    }

    /// A test that failed half-way leaves no program behind.
    deinit {
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    }

    public var pid: Int32 { process.processIdentifier }

    /// What it has written to standard error so far.
    public var errorsSoFar: String { errors.text }

    public func signal(_ number: Int32) { kill(process.processIdentifier, number) }

    /// Waits until standard output has a whole line, and returns the first.
    public func firstLine() async -> String? { await output.firstLine() }

    /// Waits until standard error holds `text`; false when the program ended before.
    public func waitForError(_ text: String) async -> Bool { await errors.wait(for: text) }

    /// Waits for the program's end.
    public func ending() async -> Ending {
        let (process, output, errors) = (process, output, errors)
        return await withCheckedContinuation { continuation in
            Thread.detachNewThread {
                process.waitUntilExit()
                let status = process.terminationStatus
                continuation.resume(
                    returning: Ending(
                        status: process.terminationReason == .exit ? status : -status, output: output.whole(),
                        errors: errors.whole()))
            }
        }
    }

    /// Ends it with SIGTERM and waits.
    public func stop() async -> Ending {
        signal(SIGTERM)
        return await ending()
    }

    /// Runs a program to its end.
    public static func run(
        _ name: String, _ arguments: [String], environment: [String: String] = [:], folder: String? = nil
    ) async throws -> Ending {
        try await TestProgram(name, arguments, environment: environment, folder: folder).ending()
    }
}

/// Reads a pipe on a thread of its own, so that the program never waits for its reader.
private final class Collector: Sendable {
    private struct State {
        var bytes: [UInt8] = []
        var isOver = false
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())
    private let isDone = DispatchGroup()

    init(_ handle: FileHandle) {
        let descriptor = fcntl(handle.fileDescriptor, F_DUPFD_CLOEXEC, 0)
        isDone.enter()
        Thread.detachNewThread { [self] in
            var buffer = [UInt8](repeating: 0, count: 65_536)
            while true {
                let count = read(descriptor, &buffer, buffer.count)
                if count < 0, errno == EINTR { continue }
                let waiters = state.withLock { state in
                    if count > 0 { state.bytes += buffer[..<count] } else { state.isOver = true }
                    defer { state.waiters = [] }
                    return state.waiters
                }
                for waiter in waiters { waiter.resume() }
                if count <= 0 { break }
            }
            close(descriptor)
            isDone.leave()
        }
    }

    var text: String { state.withLock { String(decoding: $0.bytes, as: UTF8.self) } }

    func whole() -> String {
        isDone.wait()
        return text
    }

    func firstLine() async -> String? {
        while true {
            let (bytes, isOver) = state.withLock { ($0.bytes, $0.isOver) }
            if let end = bytes.firstIndex(of: UInt8(ascii: "\n")) {
                return String(decoding: bytes[..<end], as: UTF8.self)
            }
            if isOver { return nil }
            await change(from: bytes.count)
        }
    }

    func wait(for wanted: String) async -> Bool {
        while true {
            let (bytes, isOver) = state.withLock { ($0.bytes, $0.isOver) }
            if String(decoding: bytes, as: UTF8.self).contains(wanted) { return true }
            if isOver { return false }
            await change(from: bytes.count)
        }
    }

    /// Returns when there is more than the `seen` bytes, or nothing more to come.
    private func change(from seen: Int) async {
        await withCheckedContinuation { continuation in
            let isNow = state.withLock { state in
                if state.isOver || state.bytes.count != seen { return true }
                state.waiters.append(continuation)
                return false
            }
            if isNow { continuation.resume() }
        }
    }
}

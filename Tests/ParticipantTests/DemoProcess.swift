import Foundation

/// A run of the built `order-demo` program.
final class DemoProcess: Sendable {
    /// How a run ended.
    struct Ending: Equatable, Sendable {
        let status: Int32
        let standardError: String
    }

    /// The line on standard output once all services listen; nil when the program ended before.
    let announcement: String?

    private let process: Process
    private let standardError: Pipe

    /// Starts the program and returns when it listens or has ended.
    init(_ arguments: [String]) async throws {
        // The program is built into the folder of the test bundle.
        let folder = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
        let process = Process()
        process.executableURL = folder.appendingPathComponent("order-demo")
        process.arguments = arguments
        let output = Pipe()
        let errors = Pipe()
        process.standardOutput = output
        process.standardError = errors
        process.standardInput = FileHandle.nullDevice
        try process.run()
        self.process = process
        standardError = errors
        announcement = await Self.onThread { Self.firstLine(of: output.fileHandleForReading) }
    }

    /// A test that failed half-way leaves no program behind.
    deinit {
        if process.isRunning { signal(SIGKILL) }
    }

    func signal(_ number: Int32) {
        kill(process.processIdentifier, number)
    }

    /// Waits for the end of the program.
    func ending() async -> Ending {
        let (process, errors) = (process, standardError.fileHandleForReading)
        return await Self.onThread {
            let text = String(decoding: errors.readDataToEndOfFile(), as: UTF8.self)
            process.waitUntilExit()
            return Ending(
                status: process.terminationReason == .exit ? process.terminationStatus : -process.terminationStatus,
                standardError: text
            )
        }
    }

    /// Ends the program with SIGTERM.
    func stop() async -> Ending {
        signal(SIGTERM)
        return await ending()
    }

    private static func firstLine(of handle: FileHandle) -> String? {
        var line: [UInt8] = []
        while let byte = handle.readData(ofLength: 1).first {
            guard byte != UInt8(ascii: "\n") else { return String(decoding: line, as: UTF8.self) }
            line.append(byte)
        }
        return nil
    }

    /// Reading a pipe and waiting for a process block, which the cooperative pool must not.
    private static func onThread<T: Sendable>(_ body: @escaping @Sendable () -> T) async -> T {
        await withCheckedContinuation { continuation in
            Thread.detachNewThread { continuation.resume(returning: body()) }
        }
    }
}

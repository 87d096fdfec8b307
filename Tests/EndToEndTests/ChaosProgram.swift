import Foundation
import Testing

/// A run of one of the harness's programs in `Tests/Chaos`, against the programs built beside the test bundle.
enum ChaosProgram {
    struct Ending {
        let status: Int32
        /// Standard output and standard error, as they came.
        let report: String
    }

    /// Runs it to its end.
    ///
    /// A test that is cancelled, by its time limit, ends the run and with it whatever that has started.
    static func run(_ name: String, _ arguments: [String]) async throws -> Ending {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Chaos")
        let programs = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
        let report = FileManager.default.temporaryDirectory.appendingPathComponent("saga-\(name)-\(UUID().uuidString)")
        try Data().write(to: report)
        defer { try? FileManager.default.removeItem(at: report) }
        let output = try FileHandle(forWritingTo: report)
        let process = Process()
        process.executableURL = folder.appendingPathComponent(name)
        process.arguments = ["--programs", programs.path] + arguments
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = output
        let ended = AsyncStream<Void> { continuation in
            process.terminationHandler = { _ in continuation.finish() }
        }
        try process.run()
        let pid = process.processIdentifier
        await withTaskCancellationHandler {
            // Not from within the task: a cancelled one would no longer wait for the end.
            await Task { for await _ in ended {} }.value
        } onCancel: {
            kill(pid, SIGTERM)
        }
        try output.close()
        return Ending(
            status: process.terminationReason == .exit ? process.terminationStatus : -process.terminationStatus,
            report: String(decoding: try Data(contentsOf: report), as: UTF8.self))
    }
}

import Foundation
import SagaDatabase
import Testing

/// A folder to run the built `saga demo` in.
struct DemoFolder {
    let path: String
    /// In the environment of everything that a demo here starts, and of nothing else.
    let mark: String

    init() throws {
        let name = "saga-demo-\(UUID().uuidString)"
        path = URL(fileURLWithPath: NSTemporaryDirectory()).appendingPathComponent(name).path
        mark = "SAGA_DEMO_TEST=\(name)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    var home: String { "\(path)/.saga/demo" }

    /// Removes it and the private cluster that was made for it.
    func remove() async {
        try? await EmbeddedCluster(home: home, environment: environment).erase()
        try? FileManager.default.removeItem(atPath: path)
    }

    func demo(_ arguments: String..., program: String? = nil) throws -> DemoRunning {
        let bundle = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
        let program = program ?? bundle.appendingPathComponent("saga").path
        return try DemoRunning([program, "demo"] + arguments, folder: path, environment: environment)
    }

    /// Runs a command as a person pastes it into a shell, elsewhere and without the demo's variables.
    func paste(_ command: String) throws -> DemoRunning {
        try DemoRunning(["/bin/sh", "-c", command], folder: "/", environment: ["PATH": "/usr/bin:/bin"])
    }

    /// The processes that a demo here has started, by name.
    func processes() -> [String] {
        let all = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return all.filter { Int($0) != nil }.compactMap { process in
            guard let variables = FileManager.default.contents(atPath: "/proc/\(process)/environ"),
                variables.split(separator: 0).contains(where: { $0.elementsEqual(mark.utf8) }),
                let name = FileManager.default.contents(atPath: "/proc/\(process)/comm")
            else { return nil }
            return String(decoding: name, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
        }.sorted()
    }

    /// Waits until nothing that a demo here has started is left; what is left after half a minute.
    func remains() async throws -> [String] {
        let end = ContinuousClock.now + .seconds(30)
        while !processes().isEmpty, ContinuousClock.now < end { try await Task.sleep(for: .milliseconds(20)) }
        return processes()
    }

    private var environment: [String: String] {
        let parts = mark.split(separator: "=", maxSplits: 1).map(String.init)
        return ["PATH": "/usr/bin:/bin:/usr/sbin:/sbin", parts[0]: parts[1]]
    }
}

/// A process whose output goes to files.
final class DemoRunning: Sendable {
    private let process: Process
    private let output: String
    private let errors: String

    init(_ command: [String], folder: String, environment: [String: String]) throws {
        let base = URL(fileURLWithPath: NSTemporaryDirectory()).appendingPathComponent("saga-demo-\(UUID().uuidString)")
            .path
        (output, errors) = (base + ".out", base + ".err")
        for file in [output, errors] { _ = FileManager.default.createFile(atPath: file, contents: nil) }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: command[0])
        process.arguments = Array(command.dropFirst())
        process.environment = environment
        process.currentDirectoryURL = URL(fileURLWithPath: folder)
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = try FileHandle(forWritingTo: URL(fileURLWithPath: output))
        process.standardError = try FileHandle(forWritingTo: URL(fileURLWithPath: errors))
        try process.run()
        self.process = process
    }

    deinit {
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
        for file in [output, errors] { try? FileManager.default.removeItem(atPath: file) }
    }

    /// What it has written to standard output so far.
    var outputSoFar: String { Self.text(output) }

    func signal(_ number: Int32) { kill(process.processIdentifier, number) }

    /// Waits until standard output holds `text`; false when it ended before.
    func waitForOutput(_ text: String) async throws -> Bool {
        while true {
            let isOver = !process.isRunning
            if outputSoFar.contains(text) { return true }
            if isOver { return false }
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    /// Waits for its end; a signal's number is negative.
    func ending() async throws -> (status: Int32, output: String, errors: String) {
        while process.isRunning { try await Task.sleep(for: .milliseconds(20)) }
        let status = process.terminationReason == .exit ? process.terminationStatus : -process.terminationStatus
        return (status, outputSoFar, Self.text(errors))
    }

    private static func text(_ file: String) -> String {
        String(decoding: FileManager.default.contents(atPath: file) ?? Data(), as: UTF8.self)
    }
}

import Foundation
import Glibc
import SagaCore
import SagaDatabase
import SagaPostgres

/// The `sagad` that a run starts where no daemon is alive; it ends with the run.
struct BenchDaemon: Sendable {
    private let child: DemoChild
    /// Holds its log and the empty folder of definitions that it is given.
    private let folder: String

    /// Long enough for a machine that is busy, and for a cluster that is made anew.
    static let patience = Duration.seconds(60)
    /// Long enough for its own `--drain 2s`, and to stop a cluster that it was the last to use.
    private static let stopPatience = Duration.seconds(20)

    /// Starts the `sagad` that lies beside this program on the database that this call means.
    ///
    /// - Parameter database: the value of `--database`; handed on in the environment, since it may hold a password.
    /// - Throws: `CommandFailure`.
    init(database: String?) throws(CommandFailure) {
        let program = try Self.program()
        let parent = variable("TMPDIR").flatMap { $0.isEmpty ? nil : $0 } ?? "/tmp"
        var template = Array("\(parent)/saga-bench-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw CommandFailure("can't make a folder in \(parent): \(String(cString: strerror(errno)))")
        }
        folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        guard mkdir("\(folder)/sagas", 0o700) == 0 else {
            throw CommandFailure("can't make \(folder)/sagas: \(String(cString: strerror(errno)))")
        }
        var environment = ProcessInfo.processInfo.environment
        if let database { environment["SAGA_DATABASE_URL"] = database }
        child = try DemoChild(
            "sagad",
            [program, "--sagas", "\(folder)/sagas", "--drain", "2s"],
            environment: environment,
            log: "\(folder)/sagad.log"
        )
        Output.error("no daemon is alive: started sagad for the bench (log in \(child.log))")
    }

    /// - Throws: `CommandFailure` with its last words when it has ended.
    func check() async throws(CommandFailure) {
        guard let status = await child.ended() else { return }
        let reason = child.lastWords ?? "exit status \(status)"
        throw CommandFailure(
            "sagad has ended: \(reason) (\(child.log))",
            status: status == ExitStatus.unavailable ? status : ExitStatus.refused
        )
    }

    /// Returns once `isReady` says so.
    ///
    /// - Throws: `CommandFailure` when it has ended or takes too long, and what `isReady` throws.
    func wait(until isReady: () async throws -> Bool) async throws {
        let end = ContinuousClock.now + Self.patience
        while try await !isReady() {
            try await check()
            guard ContinuousClock.now < end else {
                throw CommandFailure("sagad isn't ready within \(Self.patience) (\(child.log))")
            }
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    /// Drains it; to be called from a task that isn't cancelled.
    ///
    /// - Parameter failure: how the run ended; a log that it tells people to look at is kept.
    func stop(after failure: (any Error)? = nil) async {
        await child.stop(within: Self.stopPatience)
        if let failure = failure as? CommandFailure, failure.message.contains(child.log) { return }
        try? FileManager.default.removeItem(atPath: folder)
    }

    private static func program() throws(CommandFailure) -> String {
        guard let real = realpath("/proc/self/exe", nil) else {
            throw CommandFailure("can't find this program's folder")
        }
        defer { free(real) }
        let own = String(cString: real)
        let folder = own.lastIndex(of: "/").map { String(own[..<$0]) } ?? ""
        guard access("\(folder)/sagad", X_OK) == 0 else {
            throw CommandFailure("no daemon is alive, and there is no sagad beside saga in \(folder) to be started")
        }
        return "\(folder)/sagad"
    }
}

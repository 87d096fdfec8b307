import ArgumentParser
import Foundation
import Glibc
import Logging
import SagaCore
import SagaDatabase
import UnixSignals

/// The orchestrator daemon.
@main
struct Sagad: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sagad",
        abstract: "Run sagas: the orchestrator daemon.",
        discussion: """
            Brings the database's schema up to date, registers the definitions of --sagas and runs sagas until SIGTERM \
            or SIGINT. Any number of daemons may run against one database; each takes over from any that is gone. A \
            second signal ends it at once.

            Exits 0 when drained, 1 for an invalid definition, a newer schema or a missing environment variable, 64 \
            for wrong usage, 69 when the database can't be reached.
            """,
        version: programVersion
    )

    @Option(
        help: ArgumentHelp(
            "The database: a libpq URL or keyword string.",
            discussion: "Without it SAGA_DATABASE_URL, then the PG* variables, then the embedded cluster.",
            valueName: "url"
        )
    )
    var database: String?

    @Option(help: ArgumentHelp("The folder of definitions. (default: sagas, when it is there)", valueName: "dir"))
    var sagas: String?

    @Option(help: ArgumentHelp("Calls in flight at once.", valueName: "n"))
    var concurrency = 256

    @Option(help: ArgumentHelp("How much is logged to standard error.", valueName: "level"))
    var logLevel = Logger.Level.info

    @Option(help: ArgumentHelp("How log lines are written.", valueName: "format"))
    var logFormat = LogFormat.text

    @Option(help: ArgumentHelp("How long stopping waits for calls in flight.", valueName: "duration"))
    var drain = DurationOption(.seconds(30), "30s")

    @Option(help: ArgumentHelp("How long the database is waited for at the start.", valueName: "duration"))
    var connectTimeout = DurationOption(.seconds(10), "10s")

    @Option(
        help: ArgumentHelp(
            "Where alerts are posted as CloudEvents: sagas that are stuck or past their deadline, open breakers.",
            discussion: "${env:NAME} stands for a variable of the environment.",
            valueName: "url"
        )
    )
    var alertURL: String?

    @Option(
        help: ArgumentHelp(
            "A header of these posts, such as 'Authorization: Bearer ${env:TOKEN}'; may be given several times.",
            valueName: "name: value"
        )
    )
    var alertHeader: [String] = []

    @Option(
        help: ArgumentHelp(
            "How long ended sagas are kept, such as 30d; then whole days of them are dropped. (default: for good)",
            valueName: "duration"
        )
    )
    var retain: DurationOption?

    static func main() async {
        do throws(UnreadableArguments) {
            await main(try ProgramArguments.current())
        } catch {
            StandardError.write(line: "sagad: \(error)")
            Glibc.exit(ExitStatus.usage)
        }
    }

    func validate() throws {
        guard (1...100_000).contains(concurrency) else { throw ValidationError("--concurrency is 1 to 100000") }
        guard connectTimeout.span > .zero else { throw ValidationError("--connect-timeout is more than 0") }
        guard alertHeader.isEmpty || alertURL != nil else { throw ValidationError("--alert-header needs --alert-url") }
    }

    func run() async throws {
        // Whoever reads the log may go away; a connection that is gone is told by its call.
        signal(SIGPIPE, SIG_IGN)
        let process = ProcessInfo.processInfo
        let (format, level) = (logFormat, logLevel)
        let logger = Logger(label: "sagad") { _ in LineLogHandler(format: format, level: level) }
        let daemon = Daemon(
            settings: DaemonSettings(
                database: database,
                sagas: sagas,
                concurrency: concurrency,
                drain: drain.span,
                connectTimeout: connectTimeout.span,
                alertURL: alertURL,
                alertHeaders: alertHeader,
                retain: retain?.span,
                environment: process.environment,
                currentDirectory: FileManager.default.currentDirectoryPath
            ),
            logger: logger,
            announce: { line in
                var logger = logger
                logger.logLevel = min(level, .notice)
                logger.notice("\(line)")
            },
            reportFinding: { Self.report($0, format: format, logger: logger) }
        )
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
        let watcher = Task { await Self.stop(daemon, on: signals, logger) }
        defer { watcher.cancel() }
        do {
            try await daemon.run()
        } catch let failure as StartFailure {
            if let message = failure.message { Self.fail(message, format: format, logger: logger) }
            throw ExitCode(failure.status)
        }
    }

    /// The first signal drains; the second ends the process at once, whatever it is doing.
    private static func stop(_ daemon: Daemon, on signals: UnixSignalsSequence, _ logger: Logger) async {
        var isStopping = false
        for await signal in signals {
            if isStopping { _exit(ExitStatus.refused) }
            isStopping = true
            logger.info("stopping", metadata: ["signal": "\(signal)"])
            // Not waited for here: the second signal must be heard.
            Task { await daemon.stop() }
        }
    }

    private static func report(_ finding: Finding, format: LogFormat, logger: Logger) {
        guard format == .json else { return finding.lines.forEach { StandardError.write(line: $0) } }
        var metadata: Logger.Metadata = [
            "file": "\(finding.file ?? "")", "line": "\(finding.line)", "column": "\(finding.column)",
            "code": "\(finding.code)",
        ]
        if let hint = finding.hint { metadata["hint"] = "\(hint)" }
        logger.log(level: finding.severity == .error ? .error : .warning, "\(finding.message)", metadata: metadata)
    }

    private static func fail(_ message: String, format: LogFormat, logger: Logger) {
        switch format {
        case .text: StandardError.write(line: "sagad: \(message)")
        case .json: logger.critical("\(message)")
        }
    }
}

import ArgumentParser
import PostgresClient
import SagaDatabase
import SagaPostgres
import Synchronization

/// `saga doctor`: examines the installation.
struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Check the installation: server, settings, daemons, sagas.",
        discussion: """
            Reads only, and may be run at any time by any role; what the role may not see is told as not checked. \
            saga_reader with pg_monitor sees all. Exits with 1 if there is any error, with --strict also if there is \
            any warning or anything that couldn't be looked at, but for what only pg_monitor may see. docs/operations.md \
            has every finding by its code.
            """
    )

    @Flag(help: "Compare every saga with its events, not just a sample.")
    var deep = false
    @Flag(help: "Exit with 1 for warnings too, and for what couldn't be looked at.")
    var strict = false
    @OptionGroup var database: DatabaseOptions
    @OptionGroup var format: FormatOptions

    func run() async throws {
        let interruption = InterruptionNote()
        defer { interruption.end() }
        let report: DoctorReport
        do {
            report = try await database.withDatabase { pool in
                try await examine(Doctor(pool: pool, programVersion: programVersion, isDeep: deep), interruption)
            }
        } catch let error as PostgresError {
            throw failure(error, interruption)
        }
        if format.isJSON {
            Output.json(report.json)
        } else {
            Output.lines(DoctorReportText(report: report, terminal: .output).lines)
        }
        if let cut = report.cut { throw failure(cut.reason, interruption) }
        let isStrictlyBad = report.warnings > 0 || report.isBlind
        if report.errors > 0 || strict && isStrictlyBad { throw ExitCode(ExitStatus.refused) }
    }

    /// Examines until a signal comes; what was found by then is kept.
    private func examine(_ doctor: Doctor, _ interruption: InterruptionNote) async throws -> DoctorReport {
        let ending = Ending()
        let examination = Task {
            defer { ending.isThere.store(true, ordering: .releasing) }
            return try await doctor.examine()
        }
        while !ending.isThere.load(ordering: .acquiring), !interruption.isNoted {
            try? await Task.sleep(for: .milliseconds(10))
        }
        examination.cancel()
        return try await examination.value
    }

    /// Whether the examination is over.
    private final class Ending: Sendable {
        let isThere = Atomic(false)
    }

    /// Why the examination isn't whole. It only reads, so whatever became of its last question, nothing was done.
    private func failure(_ error: PostgresError, _ interruption: InterruptionNote) -> any Error {
        if let status = interruption.exitStatus { return CommandFailure("interrupted", status: status) }
        guard error.kind == .connectionLost else { return CommandFailure(error) ?? error }
        return CommandFailure(
            "the connection to the database was lost: \(error.message)", status: ExitStatus.unavailable)
    }
}

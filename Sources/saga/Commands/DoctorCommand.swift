import ArgumentParser
import SagaDatabase
import SagaPostgres

/// `saga doctor`: examines the installation.
struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Check the installation: server, settings, daemons, sagas.",
        discussion: """
            Reads only, and may be run at any time by any role; what the role may not see is told as not checked. \
            saga_reader with pg_monitor sees all. Exits with 1 if there is any error, with --strict also if there is \
            any warning. docs/operations.md has every finding by its code.
            """
    )

    @Flag(help: "Compare every saga with its events, not just a sample.")
    var deep = false
    @Flag(help: "Exit with 1 for warnings too.")
    var strict = false
    @OptionGroup var database: DatabaseOptions
    @OptionGroup var format: FormatOptions

    func run() async throws {
        let report = try await database.withDatabase { pool in
            try await Doctor(pool: pool, programVersion: programVersion, isDeep: deep).examine()
        }
        if format.isJSON {
            Output.json(report.json)
        } else {
            Output.lines(DoctorReportText(report: report, terminal: .output).lines)
        }
        if report.errors > 0 || strict && report.warnings > 0 { throw ExitCode(ExitStatus.refused) }
    }
}

import ArgumentParser
import SagaCore
import SagaDatabase

/// `saga validate PATH…`: checks definition files, without a database.
struct ValidateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "validate",
        abstract: "Check definition files.",
        discussion: """
            Every fault of every file is told on standard error as FILE:LINE:COL: error: what is wrong; what would be \
            right. Exits with 1 if there is any error, with --strict also if there is any warning. Needs no database.
            """
    )

    @Argument(help: ArgumentHelp("Definition files, or folders of them.", valueName: "path"))
    var paths: [String]
    @Flag(help: "Exit with 1 for warnings too.")
    var strict = false
    @OptionGroup var format: FormatOptions

    func run() async throws {
        let files = try DefinitionFiles.read(paths)
        let output = FindingsOutput(fileCount: files.count, findings: DefinitionSet.check(files).findings)
        if format.isJSON { output.printJSON() } else { output.printText() }
        if output.hasErrors || strict && !output.findings.isEmpty { throw ExitCode(ExitStatus.refused) }
        if !format.isJSON { Output.line(files.count == 1 ? "1 file is valid" : "\(files.count) files are valid") }
    }
}

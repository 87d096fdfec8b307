import ArgumentParser
import Glibc
import SagaCore
import SagaSimulation

/// `saga init NAME`: writes a definition to begin with.
struct InitCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init",
        abstract: "Write a definition to begin with, valid as it stands.",
        discussion: """
            Writes sagas/NAME.json, and scenarios for saga test into sagas/tests/NAME.test.json; and, unless they are \
            there, saga.schema.json and saga-test.schema.json, by which editors complete and check both. Folders are \
            made as needed. A file that is there is left alone, but the definition with --force. Needs no database.
            """
    )

    @Argument(help: ArgumentHelp("The saga's name: a letter, then letters, digits, _ and -.", valueName: "name"))
    var name: String
    @Option(help: ArgumentHelp("The file to write instead of sagas/NAME.json.", valueName: "file"))
    var output: String?
    @Flag(help: "Replace a file that is there.")
    var force = false

    func validate() throws {
        if output?.isEmpty ?? false { throw ValidationError("--output is the path of a file") }
    }

    func run() throws {
        let text = StartingDefinition.text(named: name)
        if let fault = DefinitionParser.parse(Array(text.utf8)).findings.first {
            throw CommandFailure([fault.message, fault.hint].compactMap { $0 }.joined(separator: "; "))
        }
        let path = output ?? "sagas/\(name).json"
        let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? ""
        try NewFile.makeFolder(folder)
        guard try NewFile.write(text, to: path, replacing: force) else {
            throw CommandFailure("\(path) is there already; --force replaces it")
        }
        Output.line("wrote \(path)".sanitized)
        let file = String(path.dropFirst(folder.count))
        let stem = file.hasSuffix(".json") ? String(file.dropLast(5)) : file
        let scenarios = "\(folder)tests/\(stem)\(TestFiles.suffix)"
        try NewFile.makeFolder(scenarios)
        for (text, path) in [
            (StartingScenarios.text(of: file), scenarios), (DefinitionSchema.text, "\(folder)saga.schema.json"),
            (ScenarioSchema.text, "\(folder)saga-test.schema.json"),
        ] where try NewFile.write(text, to: path, replacing: false) {
            Output.line("wrote \(path)".sanitized)
        }
        let sagas = folder.isEmpty ? "." : folder == "/" ? folder : String(folder.dropLast())
        let next = ["  saga validate \(path)", "  saga test \(scenarios)", "  sagad --sagas \(sagas)"]
        Output.lines(["", "next:"] + next.map(\.sanitized))
    }
}

/// Files that this program writes into the user's folders.
private enum NewFile {
    /// Makes a folder and those that it lies in; nothing for an empty path.
    static func makeFolder(_ path: String) throws(CommandFailure) {
        var made = ""
        for part in path.split(separator: "/", omittingEmptySubsequences: false).dropLast() {
            made += "\(part)/"
            if mkdir(made, 0o777) != 0, errno != EEXIST, errno != EISDIR {
                throw CommandFailure("can't make \(made): \(String(cString: strerror(errno)))")
            }
        }
    }

    /// - Returns: false if there is a file already, and it is not to be replaced.
    static func write(_ text: String, to path: String, replacing: Bool) throws(CommandFailure) -> Bool {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | (replacing ? O_TRUNC : O_EXCL), 0o666)
        if descriptor < 0, errno == EEXIST { return false }
        guard descriptor >= 0 else { throw failure(path) }
        defer { close(descriptor) }
        let bytes = Array(text.utf8)
        var offset = 0
        while offset < bytes.count {
            let count = bytes[offset...].withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno != EINTR { throw failure(path) }
            offset += max(count, 0)
        }
        return true
    }

    private static func failure(_ path: String) -> CommandFailure {
        CommandFailure("can't write \(path): \(String(cString: strerror(errno)))")
    }
}

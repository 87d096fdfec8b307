import ArgumentParser
import SagaCore
import SagaDatabase
import SagaPostgres

/// `saga graph NAME|FILE|ID|KEY`: the graph of a definition, or of one saga.
struct GraphCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "graph",
        abstract: "Draw the graph of a definition, or of a saga coloured by what happened.",
        discussion: """
            Prints a Mermaid flowchart. A file is drawn without a database; else a definition of that name is drawn, \
            else the saga of that id or key.
            """
    )

    /// The languages that graphs are drawn in.
    enum Language: String, ExpressibleByArgument, CaseIterable {
        case mermaid
    }

    @Argument(help: ArgumentHelp("What to draw.", valueName: "name|file|id|key"))
    var subject: String
    @Option(name: .customLong("as"), help: "The language: mermaid.")
    var language = Language.mermaid
    @OptionGroup var database: DatabaseOptions

    func run() async throws {
        if DefinitionFiles.isFile(subject) { return try drawFile() }
        if subject.hasSuffix(".json") { _ = try FileBytes.read(subject) }
        let graph = try await database.withDatabase { pool in
            if let document = try await DefinitionRegistry(pool: pool).document(of: subject) {
                guard let definition = DefinitionParser.parse(document, checks: .stored).definition else {
                    throw CommandFailure("this program can't read the definition \(subject)")
                }
                return MermaidGraph(definition)
            }
            return try await graphOfSaga(SagaReader(pool: pool))
        }
        Output.line(graph.text)
    }

    private func drawFile() throws {
        let parsed = DefinitionParser.parse(try FileBytes.read(subject), file: subject)
        FindingsOutput(fileCount: 1, findings: parsed.findings).printText()
        guard let definition = parsed.definition else { throw ExitCode(ExitStatus.refused) }
        Output.line(MermaidGraph(definition).text)
    }

    private func graphOfSaga(_ reader: SagaReader) async throws -> MermaidGraph {
        guard let id = try await reader.find(subject), let record = try await reader.load(id) else {
            throw CommandFailure("nothing is named \"\(subject)\": no file, no definition, no saga's id or key")
        }
        switch record.read() {
        case .readable(let state, let definition): return MermaidGraph(definition, state: state)
        case .unreadable(let reason): throw CommandFailure("the saga can't be read: \(reason)")
        }
    }
}

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
            Prints a Mermaid flowchart, or with --as svg a picture: one SVG file that browsers show as it is. A file \
            is drawn without a database; else a definition of that name is drawn, else the saga of that id or key.
            """
    )

    /// The languages that graphs are drawn in.
    enum Language: String, ExpressibleByArgument, CaseIterable {
        case mermaid, svg

        /// - Parameter state: of a saga that runs on this definition; nil draws the definition alone.
        func text(_ definition: Definition, state: SagaState? = nil) -> String {
            switch self {
            case .mermaid: MermaidGraph(definition, state: state).text
            case .svg: SVGGraph(definition, state: state).text
            }
        }
    }

    @Argument(help: ArgumentHelp("What to draw.", valueName: "name|file|id|key"))
    var subject: String
    @Option(name: .customLong("as"), help: "The language: mermaid or svg.")
    var language = Language.mermaid
    @OptionGroup var database: DatabaseOptions

    func run() async throws {
        if DefinitionFiles.isFile(subject) { return try drawFile() }
        if subject.hasSuffix(".json") { _ = try FileBytes.read(subject) }
        let text = try await database.withDatabase { pool in
            if let document = try await DefinitionRegistry(pool: pool).document(of: subject) {
                guard let definition = DefinitionParser.parse(document, checks: .stored).definition else {
                    throw CommandFailure("this program can't read the definition \(subject)")
                }
                return language.text(definition)
            }
            return try await graphOfSaga(SagaReader(pool: pool))
        }
        Output.line(text)
    }

    private func drawFile() throws {
        let parsed = DefinitionParser.parse(try FileBytes.read(subject), file: subject)
        FindingsOutput(fileCount: 1, findings: parsed.findings).printText()
        guard let definition = parsed.definition else { throw ExitCode(ExitStatus.refused) }
        Output.line(language.text(definition))
    }

    private func graphOfSaga(_ reader: SagaReader) async throws -> String {
        guard let id = try await reader.find(subject), let record = try await reader.load(id) else {
            if let dropped = try await reader.dropped(subject) { throw CommandFailure(dropped, named: subject) }
            throw CommandFailure("nothing is named \"\(subject)\": no file, no definition, no saga's id or key")
        }
        switch record.read() {
        case .readable(let state, let definition): return language.text(definition, state: state)
        case .unreadable(let reason): throw CommandFailure("the saga can't be read: \(reason)")
        }
    }
}

import ArgumentParser
import SagaPostgres

/// `saga status [ID|KEY]`: the overview, or one saga in full.
struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show how things stand: all sagas at a glance, or one in full."
    )

    @Argument(help: ArgumentHelp("A saga's id or key. Without it the overview is shown.", valueName: "id|key"))
    var saga: String?
    @OptionGroup var database: DatabaseOptions
    @OptionGroup var format: FormatOptions

    func run() async throws {
        try await database.withDatabase { pool in
            let reader = SagaReader(pool: pool)
            if let saga { try await show(saga, reader) } else { try await showOverview(reader) }
        }
    }

    private func show(_ saga: String, _ reader: SagaReader) async throws {
        let record = try await reader.requireRecord(saga)
        if format.isJSON {
            Output.json(record.statusDocument.json)
        } else {
            Output.lines(
                StatusText(document: record.statusDocument, now: record.readAt, terminal: .output).lines
            )
        }
    }

    private func showOverview(_ reader: SagaReader) async throws {
        let (overview, now) = try await reader.overview()
        if format.isJSON {
            Output.json(overview.json)
        } else {
            Output.lines(OverviewText(overview: overview, now: now, terminal: .output).lines)
        }
    }
}

import ArgumentParser
import SagaCore
import SagaEngine
import SagaPostgres

/// `saga events ID|KEY`: a saga's history.
struct EventsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "events",
        abstract: "Print a saga's events in order.",
        discussion: "With --format json each is a CloudEvents 1.0 object on a line of its own."
    )

    @OptionGroup var saga: SagaArgument
    @Flag(help: "Go on with new events until the saga ends.")
    var follow = false
    @OptionGroup var database: DatabaseOptions
    @OptionGroup var format: FormatOptions

    func run() async throws {
        try await database.withDatabase { pool in
            let reader = SagaReader(pool: pool)
            let record = try await reader.requireRecord(saga.saga)
            let printer = EventPrinter(record, isJSON: format.isJSON)
            printer.show(record.events)
            guard follow else { return }
            var follower = SagaFollower(record, reader: reader)
            while !follower.isEnded { printer.show(try await follower.poll()) }
        }
    }
}

/// Prints one saga's events as they come.
struct EventPrinter {
    private let record: SagaRecord
    private let isJSON: Bool
    private let text: EventText

    init(_ record: SagaRecord, isJSON: Bool) {
        self.record = record
        self.isJSON = isJSON
        let names = DefinitionParser.parse(record.document, checks: .stored).definition?.steps.map(\.name) ?? []
        text = EventText(stepNames: names, terminal: .output)
    }

    func show(_ events: [StoredEvent]) {
        for event in events {
            if isJSON {
                let cloudEvent = CloudEvent(
                    event,
                    saga: record.id,
                    sagaName: record.saga,
                    correlationID: record.correlationID
                )
                Output.json(cloudEvent.json)
            } else {
                Output.line(text.line(event))
            }
        }
    }
}

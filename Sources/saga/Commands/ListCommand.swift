import ArgumentParser
import JSON
import SagaPostgres

/// `saga list`: sagas, newest first.
struct ListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "List sagas, newest first.")

    @OptionGroup var filters: FilterOptions
    @Option(help: ArgumentHelp("At most so many.", valueName: "n"))
    var limit = 50
    @OptionGroup var database: DatabaseOptions
    @OptionGroup var format: FormatOptions

    func validate() throws {
        guard limit > 0 else { throw ValidationError("--limit is 1 or more") }
    }

    func run() async throws {
        let filter = filters.filter(limit: limit)
        let (sagas, now) = try await database.withDatabase { pool in try await SagaReader(pool: pool).list(filter) }
        if format.isJSON {
            var writer = JSONWriter()
            writer.beginArray()
            for saga in sagas { saga.write(to: &writer) }
            writer.endArray()
            Output.json(writer.finished())
        } else {
            Output.lines(ListText(sagas: sagas, now: now, terminal: .output).lines)
        }
    }
}

import ArgumentParser
import JSON
import SagaCore
import SagaPostgres

/// `saga list`: sagas, newest first.
struct ListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "List sagas, newest first.")

    @Option(help: ArgumentHelp("Only those of this definition.", valueName: "name"))
    var saga: String?
    @Option(
        help: ArgumentHelp(
            "Only those of this status; may be repeated.",
            discussion: SagaStatus.allCases.map(\.name).joined(separator: ", "),
            valueName: "status"
        ),
        completion: .list(SagaStatus.allCases.map(\.name)),
        transform: { text in
            guard let status = SagaStatus(name: text) else {
                let names = SagaStatus.allCases.map(\.name).joined(separator: ", ")
                throw ValidationError("\"\(text)\" is no status; there are \(names)")
            }
            return status
        }
    )
    var status: [SagaStatus] = []
    @Option(
        help: ArgumentHelp(
            "Only those started no longer ago than this, such as 90s, 15m, 1h or 7d.",
            valueName: "time"
        ),
        transform: { text in
            do throws(DurationError) { return try TimeSpan(parsing: text) } catch {
                throw ValidationError(error.description)
            }
        }
    )
    var since: TimeSpan?
    @Option(help: ArgumentHelp("At most so many.", valueName: "n"))
    var limit = 50
    @OptionGroup var database: DatabaseOptions
    @OptionGroup var format: FormatOptions

    func validate() throws {
        guard limit > 0 else { throw ValidationError("--limit is 1 or more") }
    }

    func run() async throws {
        let filter = SagaFilter(saga: saga, statuses: status, since: since, limit: limit)
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

import ArgumentParser
import JSON
import Logging
import SagaPostgres

/// `saga migrate`: brings the schema up to date.
struct MigrateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate",
        abstract: "Bring the database's schema up to date.",
        discussion: "Safe to run at any time and by several at once; sagad does it too when it starts."
    )

    @OptionGroup var database: DatabaseOptions
    @OptionGroup var format: FormatOptions

    func run() async throws {
        let (from, to) = try await database.withDatabase(startsCluster: true) { pool in
            let migrator = Migrator(
                pool: pool,
                logger: Logger(label: "saga", factory: { _ in SwiftLogNoOpLogHandler() })
            )
            return try await migrator.migrate()
        }
        if format.isJSON {
            var writer = JSONWriter()
            writer.beginObject()
            writer.field("from", from)
            writer.field("to", to)
            writer.endObject()
            Output.json(writer.finished())
        } else {
            Output.line(from == to ? "schema version \(to): up to date" : "schema version \(from) -> \(to)")
        }
    }
}

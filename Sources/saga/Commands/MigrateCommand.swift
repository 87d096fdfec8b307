import ArgumentParser
import JSON
import Logging
import SagaEngine
import SagaPostgres

/// `saga migrate`: brings the schema up to date.
struct MigrateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate",
        abstract: "Bring the database's schema up to date.",
        discussion: """
            Makes the partitions of the days to come, too. Safe to run at any time and by several at once; sagad does it \
            when it starts.
            """
    )

    @OptionGroup var database: DatabaseOptions
    @OptionGroup var format: FormatOptions

    func run() async throws {
        let (from, to) = try await database.withDatabase(startsCluster: true) { pool in
            let migrator = Migrator(
                pool: pool,
                logger: Logger(label: "saga", factory: { _ in SwiftLogNoOpLogHandler() })
            )
            let versions = try await migrator.migrate()
            try await PartitionDesk(pool: pool).ensure(days: RetentionKeeper.daysAhead)
            return versions
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

import ArgumentParser
import SagaCore
import SagaDatabase
import SagaEngine
import SagaPostgres

/// `saga prune`: drops days whose sagas have all ended.
struct PruneCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "prune",
        abstract: "Drop the histories of sagas that ended long ago, a whole day of starts at a time.",
        discussion: """
            A day (UTC) goes once every saga that was started on it has ended longer ago than --older-than; what keeps \
            an older one is named. Keys stay for good: a repeated start gives the old id and starts nothing. \
            `sagad --retain` does the same every hour.

            Exits 1 when a day could not be dropped because somebody reads or writes for long.
            """
    )

    /// How often a day that others hold is tried, a second apart.
    private static let tries = 10

    @Option(
        help: ArgumentHelp("How long ended sagas are kept. (default: 30d)", valueName: "duration"),
        transform: FilterOptions.span
    )
    var olderThan: TimeSpan?
    @Flag(help: "Only say what would be dropped, and what keeps the rest.")
    var dryRun = false
    @OptionGroup var database: DatabaseOptions
    @OptionGroup var format: FormatOptions

    func run() async throws {
        let age = olderThan ?? .minutes(30 * 24 * 60)
        let results = try await database.withDatabase { pool in
            let desk = PartitionDesk(pool: pool)
            var results: [PruneResult] = []
            for partition in try await desk.aged(age) {
                var outcome = PruneResult.Outcome(partition)
                if !dryRun, outcome == .droppable { outcome = try await drop(partition, age, desk) }
                results.append(PruneResult(partition: partition, outcome: outcome))
            }
            if !dryRun { try await desk.dropBreakerEvents(olderThan: age) }
            return results
        }
        if format.isJSON {
            Output.json(PruneResult.json(results))
        } else {
            Output.lines(PruneText(results: results, age: age, isDryRun: dryRun, terminal: .output).lines)
        }
        if results.contains(where: { $0.outcome == .busy }) { throw ExitCode(ExitStatus.refused) }
    }

    private func drop(
        _ partition: AgedPartition, _ age: TimeSpan, _ desk: PartitionDesk
    ) async throws -> PruneResult.Outcome {
        for attempt in 1...Self.tries {
            switch try await desk.drop(partition, endedBefore: age) {
            case .dropped: return .dropped
            case .kept: return .kept
            case .busy: if attempt < Self.tries { try await Task.sleep(for: .seconds(1)) }
            }
        }
        return .busy
    }
}

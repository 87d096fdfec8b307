import ArgumentParser
import Glibc
import SagaDatabase

/// The command line: validate, start, look, steer.
@main
struct SagaCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "saga",
        abstract: "Durable sagas on PostgreSQL: define, start, watch and steer them.",
        discussion: """
            EXAMPLES:
              saga validate sagas/ && saga apply sagas/
              saga start order --input @order.json --key order-42 --wait
              saga status order-42

            The database is --database, else SAGA_DATABASE_URL, else the PG* variables, else the embedded cluster of \
            SAGA_HOME (.saga). All calls but migrate, demo and bench need it running; none but bench needs a daemon.

            EXIT STATUS:
              0   done
              1   what was asked for is wrong or not there
              3   start --wait: the saga was compensated
              4   start --wait: the saga is stuck or was terminated
              64  wrong usage
              69  the database can't be reached or used now; try again
              130 interrupted
            """,
        version: programVersion,
        groupedSubcommands: [
            CommandGroup(
                name: "Setting up",
                subcommands: [
                    MigrateCommand.self, DoctorCommand.self, PruneCommand.self, DemoCommand.self, BenchCommand.self,
                ]
            ),
            CommandGroup(
                name: "Definitions",
                subcommands: [
                    InitCommand.self, ValidateCommand.self, SimulateCommand.self, TestCommand.self, ApplyCommand.self,
                    GraphCommand.self,
                    SchemaCommand.self,
                ]
            ),
            CommandGroup(name: "Sagas", subcommands: [StartCommand.self]),
            CommandGroup(
                name: "Looking",
                subcommands: [StatusCommand.self, ListCommand.self, EventsCommand.self, WatchCommand.self]
            ),
            CommandGroup(
                name: "Steering",
                subcommands: [
                    CancelCommand.self, CompensateCommand.self, RetryCommand.self, ResolveCommand.self,
                    TerminateCommand.self, PauseCommand.self, ResumeCommand.self, BreakerCommand.self,
                ]
            ),
        ]
    )

    static func main() async {
        // A reader that has seen enough, such as `head`, ends the program without a word.
        signal(SIGPIPE, SIG_DFL)
        do {
            var command = try parseAsRoot(try ProgramArguments.current())
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch {
            guard let failure = CommandFailure(error) else { exit(withError: error) }
            Output.error("saga: \(failure.message)")
            Glibc.exit(failure.status)
        }
    }
}

import ArgumentParser
import JSON
import PostgresClient
import SagaCore
import SagaDatabase
import SagaPostgres

/// `saga start NAME`: starts a saga.
struct StartCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "start",
        abstract: "Start a saga and print its id.",
        discussion: """
            A key makes a start repeatable: the same key with the same saga and input gives the saga that was started \
            first. With --wait the saga is followed to its end: exit code 0 when completed, 3 when compensated, 4 when \
            stuck or terminated. Ctrl-C leaves it running.
            """
    )

    @Argument(help: ArgumentHelp("The definition's name.", valueName: "name"))
    var name: String
    @Option(help: ArgumentHelp("The input: JSON, @FILE, or - for standard input.", valueName: "json|@file|-"))
    var input = "{}"
    @Option(help: ArgumentHelp("Your own name for it, 1 to 255 bytes, unique in the database.", valueName: "key"))
    var key: String?
    @Flag(help: "Follow it to its end.")
    var wait = false
    @OptionGroup var database: DatabaseOptions
    @OptionGroup var format: FormatOptions

    func run() async throws {
        let input = try JSONArgument.read(self.input, what: "the input")
        let status = try await database.withDatabase { pool in
            let started = try await start(input, pool)
            guard wait else {
                try await show(started, pool)
                return ExitStatus.done
            }
            if !format.isJSON { Output.line(started.id.description) }
            let end = try await waitForEnd(of: started.id, pool)
            if format.isJSON { Output.json(end.json) }
            return SagaWaiter.exitStatus(end.status)
        }
        if status != ExitStatus.done { throw ExitCode(status) }
    }

    private func start(_ input: RawJSON, _ pool: PostgresPool) async throws -> SagaStarter.Started {
        do throws(PostgresError) {
            return try await SagaStarter(pool: pool).start(name, input: input, key: key)
        } catch {
            // The server's sentence says all, but for what was probably meant.
            guard error.sqlState == "22023", let names = try? await DefinitionRegistry(pool: pool).names(),
                !names.contains(name)
            else { throw error }
            if names.isEmpty {
                throw CommandFailure("no saga is named \"\(name)\": none is registered yet, see saga apply")
            }
            let hint = NameHint.didYouMean(name, among: names).map { "; \($0)" } ?? ""
            throw CommandFailure("no saga is named \"\(name)\"\(hint)")
        }
    }

    /// Whatever ends the waiting, the saga goes on, and its id isn't lost.
    private func waitForEnd(of id: SagaID, _ pool: PostgresPool) async throws -> StatusDocument {
        do {
            return try await SagaWaiter(reader: SagaReader(pool: pool)).wait(for: id)
        } catch {
            guard let failure = CommandFailure(error) else { throw error }
            throw CommandFailure(
                "saga \(id) is started, but can't be followed: \(failure.message)",
                status: failure.status
            )
        }
    }

    private func show(_ started: SagaStarter.Started, _ pool: PostgresPool) async throws {
        guard format.isJSON else { return Output.line(started.id.description) }
        var writer = JSONWriter()
        writer.beginObject()
        writer.field("id", started.id.description)
        writer.field("saga", name)
        // The saga is started: who may not read definitions gets its id all the same.
        writer.field("version", try? await SagaStarter(pool: pool).version(of: started))
        writer.field("key", key)
        writer.field("created", started.isNew)
        writer.endObject()
        Output.json(writer.finished())
    }
}

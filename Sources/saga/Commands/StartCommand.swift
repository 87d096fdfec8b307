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
            An input that breaks the definition's schema is refused, with every fault and its place. A key makes a \
            start repeatable: the same key with the same saga and input gives the saga that was started first. With \
            --wait the saga is followed to its end: exit code 0 when completed, 3 when compensated, 4 when stuck or \
            terminated. Ctrl-C leaves it running.
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
            let end = try await waitForEnd(of: started, pool)
            if format.isJSON { Output.json(end.json) }
            return SagaWaiter.exitStatus(end.status)
        }
        if status != ExitStatus.done { throw ExitCode(status) }
    }

    /// What the daemon would refuse later is refused here, with every fault on a line of its own.
    private func checkInput(_ input: RawJSON, _ pool: PostgresPool) async throws {
        guard let bytes = try await inputSchema(pool), let json = try? JSON.parse(bytes),
            let faults = InputSchema(json)?.faults(of: input), !faults.isEmpty
        else { return }
        // A known key gives the id of the saga that was started with it, whatever the schema is by now.
        if let key, await isKnown(key, SagaReader(pool: pool)) { return }
        try InputFaults.refuse(faults, schemaOf: name)
    }

    /// Whether a saga was started with the key, be its history dropped or not.
    private func isKnown(_ key: String, _ reader: SagaReader) async -> Bool {
        if (try? await reader.find(key)) != nil { return true }
        return (try? await reader.dropped(key)) != nil
    }

    private func inputSchema(_ pool: PostgresPool) async throws -> [UInt8]? {
        do throws(PostgresError) {
            return try await SagaStarter(pool: pool).inputSchema(of: name)
        } catch {
            // Whoever may start sagas but not ask for this leaves it to the daemon.
            if error.sqlState == "42501" { return nil }
            throw error
        }
    }

    private func start(_ input: RawJSON, _ pool: PostgresPool) async throws -> SagaStarter.Started {
        try await checkInput(input, pool)
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
    private func waitForEnd(of started: SagaStarter.Started, _ pool: PostgresPool) async throws -> StatusDocument {
        let reader = SagaReader(pool: pool)
        do {
            return try await SagaWaiter(reader: reader).wait(for: started.id)
        } catch {
            if let key, !started.isNew, let dropped = try? await reader.dropped(key) {
                throw CommandFailure(dropped, named: key)
            }
            guard let failure = CommandFailure(error) else { throw error }
            throw CommandFailure(
                "saga \(started.id) is started, but can't be followed: \(failure.message)",
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

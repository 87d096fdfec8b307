import ArgumentParser
import JSON
import PostgresClient
import SagaCore
import SagaPostgres

/// `saga breaker`: the circuit breakers of services.
struct BreakerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "breaker",
        abstract: "Look at services' circuit breakers and limits, and move breakers by hand.",
        discussion: """
            A breaker belongs to a service: one per name and URL in a database, shared by all daemons. They act on a \
            change within a second.
            """,
        subcommands: [
            BreakerList.self, BreakerForceOpen.self, BreakerClose.self, BreakerDisable.self, BreakerReset.self,
            BreakerEvents.self,
        ]
    )
}

/// `saga breaker list`.
struct BreakerList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "Print every service: its breaker, its limits, and how many sagas wait for it."
    )

    @OptionGroup var database: DatabaseOptions
    @OptionGroup var format: FormatOptions

    func run() async throws {
        let documents = try await database.withDatabase { pool in
            try await BreakerDesk(pool: pool).records().map(\.document)
        }
        guard format.isJSON else {
            for line in BreakerText(documents: documents, terminal: .output).lines { Output.line(line) }
            return
        }
        var writer = JSONWriter()
        writer.beginArray()
        for document in documents { writer.raw(document.json) }
        writer.endArray()
        Output.json(writer.finished())
    }
}

/// `saga breaker events [NAME]`.
struct BreakerEvents: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "events",
        abstract: "Print what happened to the breakers, oldest first: when, by which counts, or by whom.",
        discussion: "With --format json each is a CloudEvents 1.0 object on a line of its own."
    )

    @Argument(help: ArgumentHelp("The service's name; left out, all services.", valueName: "name"))
    var name: String?
    @Option(help: ArgumentHelp("The service's URL, where several have the name.", valueName: "url"))
    var url: String?
    @Option(help: ArgumentHelp("At most the last so many.", valueName: "n"))
    var limit = 50
    @OptionGroup var database: DatabaseOptions
    @OptionGroup var format: FormatOptions

    func validate() throws {
        guard (1...1_000_000).contains(limit) else { throw ValidationError("--limit is a number from 1 to 1000000") }
    }

    func run() async throws {
        let events = try await database.withDatabase { pool in
            let desk = BreakerDesk(pool: pool)
            if let name { _ = try await desk.require(name, url: url) }
            return try await desk.events(named: name, url: url, limit: limit)
        }
        for recorded in events {
            if format.isJSON {
                let event = BreakerCloudEvent(
                    service: recorded.service, url: recorded.url, number: Int(recorded.serviceID.number),
                    sequence: recorded.sequence, event: recorded.event)
                Output.json(event.json)
            } else {
                Output.line(BreakerText.line(recorded.event, of: recorded.service, for: .output))
            }
        }
    }
}

/// What the calls that move a breaker have in common.
struct BreakerOptions: ParsableArguments {
    @Argument(help: ArgumentHelp("The service's name.", valueName: "name"))
    var name: String
    @Option(help: ArgumentHelp("The service's URL, where several have the name.", valueName: "url"))
    var url: String?
    @OptionGroup var reason: RequiredReason
    @OptionGroup var actor: ActorOption
    @OptionGroup var database: DatabaseOptions
    @OptionGroup var format: FormatOptions

    /// Does it on the breaker's latest state and tells what came of it.
    func perform(_ command: BreakerCommand.Move) async throws {
        let act = Event.Act.byUser(actor.actor, reason: reason.reason)
        let (record, event) = try await database.withDatabase { pool in
            let desk = BreakerDesk(pool: pool)
            let record = try await desk.require(name, url: url)
            if let fault = record.fault, command != .reset {
                throw CommandFailure("\(name): \(fault); only reset mends it".sanitized)
            }
            return (record, try await desk.perform(command, on: record, by: act))
        }
        if format.isJSON {
            var writer = JSONWriter()
            writer.beginObject()
            writer.field("service", record.name)
            writer.field("url", record.url)
            writer.field("changed", event != nil)
            writer.field("event", event?.type.name)
            writer.endObject()
            return Output.json(writer.finished())
        }
        let state = record.fault == nil ? record.stored.state.breaker.state.rawValue : "unreadable"
        let result = event.map { "\($0.type.name), was \(state)" } ?? "is \(state) already"
        Output.line("\(record.name) at \(record.url): \(result)".sanitized)
    }
}

extension BreakerCommand {
    typealias Move = SagaCore.BreakerCommand
}

/// `saga breaker force-open NAME`.
struct BreakerForceOpen: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "force-open",
        abstract: "Let no call to the service out, and no probe, until close or reset."
    )

    @OptionGroup var options: BreakerOptions
    func run() async throws { try await options.perform(.forceOpen) }
}

/// `saga breaker close NAME`.
struct BreakerClose: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "close",
        abstract: "Let calls out again, with fresh counts, from any other state."
    )

    @OptionGroup var options: BreakerOptions
    func run() async throws { try await options.perform(.close) }
}

/// `saga breaker disable NAME`.
struct BreakerDisable: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "disable",
        abstract: "Let all calls out and count nothing, until close or reset. Limits hold."
    )

    @OptionGroup var options: BreakerOptions
    func run() async throws { try await options.perform(.disable) }
}

/// `saga breaker reset NAME`.
struct BreakerReset: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reset",
        abstract: "Close the breaker, forget its counts, and lift a participant's Retry-After."
    )

    @OptionGroup var options: BreakerOptions
    func run() async throws { try await options.perform(.reset) }
}

extension BreakerDesk {
    /// The one service that is meant.
    ///
    /// - Throws: `CommandFailure` when there is none or more than one; `PostgresError`.
    func require(_ name: String, url: String?) async throws -> Record {
        let found = try await records(named: name, url: url)
        guard let record = found.first else {
            let names = try await records().map(\.name)
            let known = names.isEmpty ? "none is known yet" : "known are " + Set(names).sorted().joined(separator: ", ")
            let place = url.map { " at \($0)" } ?? ""
            throw CommandFailure("no service is named \(name)\(place); \(known)".sanitized)
        }
        guard found.count == 1 else {
            let urls = found.map(\.url).joined(separator: ", ")
            throw CommandFailure(
                "\(found.count) services are named \(name): say which with --url, of \(urls)".sanitized)
        }
        return record
    }
}

extension BreakerDesk.Record {
    var document: BreakerDocument {
        BreakerDocument(
            service: name, url: url, settings: stored.settings, state: stored.state, fault: fault, waiting: waiting,
            readAt: readAt)
    }
}

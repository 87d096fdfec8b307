import ArgumentParser
@preconcurrency import Glibc
import JSON
import Logging
import PostgresClient

/// The participants of the order saga as real HTTP services with a database of their own.
@main
struct OrderDemo: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "order-demo",
        abstract: "The order saga's four services, to try sagas against.",
        discussion: """
            Serves inventory, payment, shipping and notification on loopback, each with its own tables in one \
            database. When all listen, one line of JSON on standard output names their ports.

            A call scripts its own misfortune: card "declined" is refused (402), sku "sold-out" is out of stock (409), \
            country "ZZ" has no carrier (422), card "lost-answer" is charged without an answer, card "slow" answers \
            late, card "refund-fails-first" has its first refund turned away (503).
            """
    )

    @Option(help: "The services' own database: a libpq URL or keyword string.")
    var database: String

    @Flag(help: "Serve all four services.")
    var all = false

    @Option(help: "Serve this service alone.")
    var service: ServiceName?

    @Option(help: "The port of --service; 0 is any free one. (default: 7001, 7003, 7005 or 7007)")
    var port: Int?

    @Option(help: "The ports of --all, in the order inventory,payment,shipping,notification; 0 is any free one.")
    var ports = PortList(ports: ServiceName.allCases.map(\.defaultPort))

    @Option(help: "The units on hand of every SKU but \"sold-out\".")
    var stock: Int64 = 1_000_000

    @Option(help: "The part of calls, 0 to 1, answered 503 before any effect.")
    var errorRate = 0.0

    @Option(help: "The part of calls, 0 to 1, whose effect is there and whose answer is lost.")
    var lostRate = 0.0

    @Option(help: "How long every call takes at least.")
    var delay = TimeOption(duration: .zero, defaultValueDescription: "0ms")

    @Option(help: "How long a slow answer takes, and a lost one until its connection is closed.")
    var hold = TimeOption(duration: .milliseconds(400), defaultValueDescription: "400ms")

    @Option(help: "Chooses the calls that the rates hit: the same seed hits the same calls.")
    var seed: UInt64 = 1

    @Option(help: "How much is logged to standard error.")
    var logLevel = Logger.Level.error

    func validate() throws {
        guard all != (service != nil) else { throw ValidationError("give either --all or --service NAME") }
        guard !all || port == nil else { throw ValidationError("--port goes with --service; --all has --ports") }
        guard port.map({ (0...65_535).contains($0) }) ?? true else { throw ValidationError("--port is 0 to 65535") }
        guard stock >= 0 else { throw ValidationError("--stock is 0 or more") }
        for (name, rate) in [("--error-rate", errorRate), ("--lost-rate", lostRate)] {
            guard (0...1).contains(rate) else { throw ValidationError("\(name) is 0 to 1") }
        }
    }

    func run() async throws {
        let level = logLevel
        LoggingSystem.bootstrap { label in
            var handler = StreamLogHandler.standardError(label: label)
            handler.logLevel = level
            return handler
        }
        let logger = Logger(label: "order-demo")
        let pool = PostgresPool(
            PostgresConfiguration(database, applicationName: "order-demo", maximumConnections: 8),
            logger: logger
        )
        let host = ServiceHost(seats: seats, pool: pool, faults: faults, logger: logger)
        do {
            try await host.install()
        } catch {
            fail("the database can't be used: \(error.message)")
            throw ExitCode(error.kind == .connectFailed ? 69 : 1)
        }
        let names = host.seats.map(\.service.name.rawValue)
        do {
            try await host.run { ports in announce(names, ports) }
        } catch let error as ListenError {
            fail("\(error)")
            throw ExitCode(1)
        }
        await pool.close()
    }

    private var seats: [ServiceHost.Seat] {
        if let service {
            return [ServiceHost.Seat(service: participant(service), port: port ?? service.defaultPort)]
        }
        return zip(ServiceName.allCases, ports.ports).map { ServiceHost.Seat(service: participant($0), port: $1) }
    }

    private func participant(_ name: ServiceName) -> any ParticipantService {
        switch name {
        case .inventory: InventoryService(initialStock: stock)
        case .payment: PaymentService()
        case .shipping: ShippingService()
        case .notification: NotificationService()
        }
    }

    private var faults: Faults {
        Faults(
            errorRate: errorRate,
            lostRate: lostRate,
            delay: delay.duration,
            hold: hold.duration,
            seed: seed
        )
    }
}

/// Prints the one line that says that all services listen: `{"inventory":7001,"payment":7003,…}`.
private func announce(_ names: [String], _ ports: [Int]) {
    var line = JSONObject()
    for (name, port) in zip(names, ports) {
        line[name] = .number(JSONNumber(port))
    }
    print(JSON.object(line).text)
    fflush(stdout)
}

private func fail(_ message: String) {
    fputs("order-demo: \(message)\n", stderr)
}

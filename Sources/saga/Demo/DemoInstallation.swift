import JSON
import Logging
import PostgresClient
import SagaCore
import SagaDatabase
import SagaPostgres

/// What the demo runs on: a private PostgreSQL with two databases, the four services and a daemon.
actor DemoInstallation {
    nonisolated let home: DemoHome
    private let programs: DemoPrograms
    private let definition: DemoDefinition
    private var use: ClusterUse?
    private var pool: PostgresPool?
    private var services: DemoChild?
    private var daemon: DemoChild?
    private var ports: [DemoService: Int] = [:]

    private static let participants = "participants"
    /// Long enough for a machine that is busy with other things.
    private static let patience = Duration.seconds(30)

    init(home: DemoHome, programs: DemoPrograms, definition: DemoDefinition) {
        self.home = home
        self.programs = programs
        self.definition = definition
    }

    /// Starts everything, telling of each part on standard output.
    ///
    /// What was started has to be stopped also when this fails.
    ///
    /// - Throws: `CommandFailure` and what else it knows to tell, `CancellationError`.
    func start() async throws {
        try await home.clear()
        let use = try await home.cluster.start()
        self.use = use
        try Task.checkCancellation()
        try await home.cluster.createDatabase(Self.participants)
        let services = try DemoChild(
            "order-demo",
            [
                programs.orderDemo, "--all", "--ports", "0,0,0,0", "--stock", "1000", "--hold", "250ms", "--database",
                use.connectionString(database: Self.participants),
            ],
            environment: home.environment,
            log: home.servicesLog,
            readsOutput: true
        )
        self.services = services
        try await register(use)
        ports = try await listening(services)
        let places = DemoService.allCases.map { "\($0.rawValue) :\(ports[$0] ?? 0)" }
        Output.line("  order-demo  \(places.joined(separator: ", "))")
        try await startDaemon()
    }

    /// Stops everything, the last started first.
    ///
    /// To be called from a task that isn't cancelled.
    func stop() async {
        await daemon?.stop(within: .seconds(6))
        await services?.stop(within: .seconds(4))
        await pool?.close()
        await use?.leave()
        (daemon, services, pool, use) = (nil, nil, nil, nil)
    }

    /// - Throws: `CommandFailure` when one of the processes has ended.
    func check() async throws {
        for child in [services, daemon] {
            guard let child, let status = await child.ended() else { continue }
            throw Self.failure("\(child.name) has ended", child, status)
        }
    }

    /// The pool of the orchestrator's database.
    ///
    /// - Throws: `CommandFailure` before the start.
    func database() throws(CommandFailure) -> PostgresPool {
        guard let pool else { throw CommandFailure("the demo's database isn't there") }
        return pool
    }

    /// What the services say that they hold.
    ///
    /// - Throws: `CommandFailure`.
    func books() throws(CommandFailure) -> [DemoBooks] {
        var books: [DemoBooks] = []
        for service in DemoService.allCases {
            let answer = try LoopbackRequest.get(port: ports[service] ?? 0, path: "/books")
            books.append(try DemoBooks(service: service, json: answer))
        }
        return books
    }

    // MARK: Parts

    private func register(_ use: ClusterUse) async throws {
        let logger = Logger(label: "saga", factory: { _ in SwiftLogNoOpLogHandler() })
        let configuration = PostgresConfiguration(
            use.connectionString(),
            applicationName: "saga demo",
            maximumConnections: 2
        )
        let pool = PostgresPool(configuration, logger: logger)
        self.pool = pool
        _ = try await Migrator(pool: pool, logger: logger).migrate()
        _ = try await DefinitionRegistry(pool: pool).apply(
            [(definition.definition, definition.document)],
            activate: true
        )
    }

    private func listening(_ services: DemoChild) async throws -> [DemoService: Int] {
        guard let line = try await services.line(within: Self.patience) else {
            guard let status = await services.ended() else {
                throw CommandFailure("the participant services don't listen within \(Self.patience) (\(services.log))")
            }
            throw Self.failure("the participant services didn't start", services, status)
        }
        let json = try? JSON.parse(line)
        var ports: [DemoService: Int] = [:]
        for service in DemoService.allCases {
            guard let port = json?[service.rawValue]?.int64Value, (1...65_535).contains(port) else {
                throw CommandFailure("the participant services don't say where they listen")
            }
            ports[service] = Int(port)
        }
        return ports
    }

    /// The daemon is a user of the private cluster: should this process be killed, the daemon stops the cluster.
    private func startDaemon() async throws {
        try home.write(definition.document, to: "\(home.sagas)/\(definition.definition.name).json")
        var environment = home.environment
        environment["SAGA_HOME"] = home.path
        for (service, port) in ports { environment[service.variable] = "http://127.0.0.1:\(port)" }
        let daemon = try DemoChild(
            "sagad",
            [programs.sagad, "--sagas", home.sagas, "--drain", "2s"],
            environment: environment,
            log: home.daemonLog
        )
        self.daemon = daemon
        let reader = SagaReader(pool: try database())
        let end = ContinuousClock.now + Self.patience
        while try await !reader.hasLiveDaemon() {
            if let status = await daemon.ended() { throw Self.failure("sagad didn't start", daemon, status) }
            guard ContinuousClock.now < end else {
                throw CommandFailure("sagad isn't ready within \(Self.patience) (\(daemon.log))")
            }
            try await Task.sleep(for: .milliseconds(20))
        }
        Output.line("  sagad       runs the saga \(definition.definition.name) \(definition.definition.digest.version)")
    }

    private static func failure(_ what: String, _ child: DemoChild, _ status: Int32) -> CommandFailure {
        let reason = child.lastWords ?? "exit status \(status)"
        let code = status == ExitStatus.unavailable ? ExitStatus.unavailable : ExitStatus.refused
        return CommandFailure("\(what): \(reason) (\(child.log))", status: code)
    }
}

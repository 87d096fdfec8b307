import Glibc
import Logging
import PostgresClient
import SagaCore
import SagaDatabase
import SagaEngine
import SagaHTTP
import SagaPostgres

/// What the command line says about the daemon.
struct DaemonSettings: Sendable {
    let database: String?
    let sagas: String?
    let concurrency: Int
    let drain: TimeSpan
    let connectTimeout: TimeSpan
    var alertURL: String?
    var alertHeaders: [String] = []
    /// For how long ended sagas are kept; nil for good.
    var retain: TimeSpan?
    let environment: [String: String]
    let currentDirectory: String
}

/// The daemon's life: checks what it is given, gets its database ready, runs sagas until it is told to stop.
actor Daemon {
    private let settings: DaemonSettings
    private let logger: Logger
    /// Gets one line about a cluster that is started; it is said at every log level.
    private let announce: @Sendable (String) -> Void
    private let reportFinding: @Sendable (Finding) -> Void
    private var preparation: Task<Void, any Error>?
    private var engine: SagaEngine?
    private var alerts: Task<Void, Never>?
    private var retention: Task<Void, Never>?
    private var isStopping = false

    init(
        settings: DaemonSettings,
        logger: Logger,
        announce: @escaping @Sendable (String) -> Void,
        reportFinding: @escaping @Sendable (Finding) -> Void
    ) {
        self.settings = settings
        self.logger = logger
        self.announce = announce
        self.reportFinding = reportFinding
    }

    /// Runs until `stop` has been called and everything is drained and given up.
    ///
    /// - Throws: `StartFailure` when it can't begin.
    func run() async throws {
        let environment = ServiceEnvironment(settings.environment)
        let alertTarget = try alertTarget(environment)
        let folder = try DefinitionFolder(settings.sagas)
        for finding in folder.findings { reportFinding(finding) }
        if folder.hasErrors { throw StartFailure(nil) }
        for (definition, _) in folder.definitions { try DatabasePreparation.checkEnvironment(definition, environment) }
        let invokerConfiguration = try httpConfiguration()

        guard let (connectionString, use) = try await openDatabase() else { return }
        do {
            try await prepare(connectionString, definitions: folder.definitions, environment: environment)
            if !isStopping {
                try await work(connectionString, invokerConfiguration, environment, alertTarget)
            }
        } catch {
            await use?.leave()
            throw error
        }
        if await use?.leave() == true { logger.info("stopped the embedded cluster") }
    }

    /// Takes no new work, waits for what is under way and lets `run` return.
    ///
    /// During the start it ends that.
    func stop() async {
        isStopping = true
        preparation?.cancel()
        alerts?.cancel()
        retention?.cancel()
        await engine?.drain()
    }

    /// The connection string, and this daemon's part in the cluster if it is the embedded one; nil when it was told to
    /// stop meanwhile.
    private func openDatabase() async throws(StartFailure) -> (String, ClusterUse?)? {
        switch try location() {
        case .server(let connectionString): return isStopping ? nil : (connectionString, nil)
        case .embedded(let cluster):
            if isStopping { return nil }
            let use = try await start(cluster)
            return (use.connectionString(), use)
        }
    }

    private func location() throws(StartFailure) -> DatabaseLocation {
        do throws(DatabaseLocationError) {
            return try DatabaseLocation.resolve(
                option: settings.database,
                environment: settings.environment,
                currentDirectory: settings.currentDirectory
            )
        } catch {
            throw StartFailure(error)
        }
    }

    private func start(_ cluster: EmbeddedCluster) async throws(StartFailure) -> ClusterUse {
        do throws(EmbeddedClusterError) {
            return try await cluster.start(announce: announce)
        } catch {
            throw StartFailure(error)
        }
    }

    private func prepare(
        _ connectionString: String,
        definitions: [(definition: Definition, document: [UInt8])],
        environment: ServiceEnvironment
    ) async throws {
        guard !isStopping else { return }
        let preparation = DatabasePreparation(
            connectionString: connectionString,
            connectTimeout: settings.connectTimeout,
            definitions: definitions,
            environment: environment,
            logger: logger
        )
        let task = Task { try await preparation.run() }
        self.preparation = task
        do {
            try await task.value
        } catch {
            // Told to stop during the start: nothing was begun, so nothing failed.
            if !isStopping { throw error }
        }
    }

    private func work(
        _ connectionString: String,
        _ invokerConfiguration: HTTPInvokerConfiguration,
        _ environment: ServiceEnvironment,
        _ alertTarget: AlertTarget?
    ) async throws {
        guard let thread = EngineThread() else {
            throw StartFailure("can't start the engine's thread: \(String(cString: strerror(errno)))")
        }
        // Two batches, the lease, the probe, and two for loading.
        let pool = PostgresPool(
            PostgresConfiguration(connectionString, applicationName: "sagad", maximumConnections: 6),
            logger: logger
        )
        let invoker = HTTPInvoker(configuration: invokerConfiguration, environment: environment, logger: logger)
        var configuration = EngineConfiguration()
        configuration.concurrency = settings.concurrency
        configuration.drainTimeout = settings.drain
        let engine = SagaEngine(
            configuration: configuration,
            store: PostgresStore(pool: pool),
            invoker: invoker,
            clock: BootClock(thread: thread),
            identity: DaemonIdentity(host: Self.hostName(), pid: getpid(), version: programVersion),
            parse: { [logger] in Self.definition($0, logger) },
            logger: logger,
            executor: thread
        )
        self.engine = engine
        let alertServices = AlertServices(
            target: alertTarget,
            http: invokerConfiguration,
            connectionString: connectionString,
            store: PostgresStore(pool: pool),
            logger: logger
        )
        let alerts = Task { await alertServices.run() }
        self.alerts = alerts
        let keeper = RetentionKeeper(
            store: PostgresStore(pool: pool), age: settings.retain, clock: ContinuousClock(), logger: logger)
        let retention = Task { await keeper.run() }
        self.retention = retention
        let target = ConnectionTarget(connectionString).description
        let ready = Task { [logger] in
            guard await engine.waitUntilReady() else { return }
            logger.info("ready", metadata: ["version": "\(programVersion)", "database": "\(target)"])
        }
        await engine.run()
        self.engine = nil
        await ready.value
        alerts.cancel()
        retention.cancel()
        await alerts.value
        await retention.value
        await invoker.shutdown()
        await pool.close()
        logger.info("stopped")
    }

    /// Where alerts go; nil without `--alert-url`.
    private func alertTarget(_ environment: ServiceEnvironment) throws(StartFailure) -> AlertTarget? {
        guard let url = settings.alertURL else { return nil }
        do throws(UnusableAlertTarget) {
            return try AlertTarget(
                url: url,
                headers: settings.alertHeaders,
                environment: environment,
                userAgent: "saga/\(programVersion)"
            )
        } catch {
            throw StartFailure(error)
        }
    }

    private func httpConfiguration() throws(StartFailure) -> HTTPInvokerConfiguration {
        var configuration = HTTPInvokerConfiguration(userAgent: "saga/\(programVersion)")
        configuration.maximumConnectionsPerHost = settings.concurrency
        guard let file = settings.environment["SSL_CERT_FILE"], !file.isEmpty else { return configuration }
        do throws(UnreadableTrustRoots) {
            try configuration.addTrustRoots(fromPEMFile: file)
        } catch {
            throw StartFailure("SSL_CERT_FILE: \(error)")
        }
        return configuration
    }

    /// A registered definition; nil when this program can't read it.
    private static func definition(_ document: [UInt8], _ logger: Logger) -> Definition? {
        let parsed = DefinitionParser.parse(document, checks: .stored)
        if let definition = parsed.definition {
            for warning in parsed.findings {
                logger.warning(
                    "\(warning.message)",
                    metadata: ["definition": "\(definition.name)", "version": "\(definition.digest.version)"]
                )
            }
        }
        return parsed.definition
    }

    private static func hostName() -> String {
        var names = utsname()
        guard uname(&names) == 0 else { return "unknown" }
        return withUnsafeBytes(of: &names.nodename) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
}

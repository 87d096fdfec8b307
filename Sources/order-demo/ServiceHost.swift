import Hummingbird
import Logging
import NIOCore
import PostgresClient
import SagaSchema
import ServiceLifecycle
import Synchronization

/// Runs services as HTTP servers on loopback until the process is told to end.
struct ServiceHost: Sendable {
    /// A service and the port that it listens on; 0 is any free one.
    struct Seat: Sendable {
        let service: any ParticipantService
        let port: Int
    }

    let seats: [Seat]
    let pool: PostgresPool
    let faults: Faults
    let logger: Logger

    /// Installs the guard and the services' own tables.
    ///
    /// The lock on the guard's first line makes processes that start together take turns.
    ///
    /// - Throws: `PostgresError`.
    func install() async throws(PostgresError) {
        let scripts = [SagaSchema.participant] + seats.map(\.service.installation)
        try await pool.execute(script: scripts.joined(separator: "\n"))
    }

    /// Serves until SIGTERM or SIGINT, then finishes the calls in flight.
    ///
    /// - Parameter onListening: Called once with the port of every service, in the order of `seats`, when all listen.
    /// - Throws: `ListenError` when a port can't be had.
    func run(onListening: @escaping @Sendable ([Int]) -> Void) async throws {
        let ports = Mutex([Int?](repeating: nil, count: seats.count))
        let listening: @Sendable (Int, Int) -> Void = { seat, port in
            let all = ports.withLock { ports -> [Int]? in
                ports[seat] = port
                let known = ports.compactMap { $0 }
                return known.count == ports.count ? known : nil
            }
            if let all { onListening(all) }
        }
        let servers = seats.enumerated().map { index, seat in
            ServiceGroupConfiguration.ServiceConfiguration(
                service: ServiceServer(
                    port: seat.port,
                    application: ServiceApplication(
                        service: seat.service,
                        database: GuardedDatabase(pool: pool),
                        faults: faults
                    ),
                    logger: logger,
                    onListening: { listening(index, $0) }
                ),
                failureTerminationBehavior: .gracefullyShutdownGroup
            )
        }
        var configuration = ServiceGroupConfiguration(
            services: servers,
            gracefulShutdownSignals: [.sigterm, .sigint],
            logger: logger
        )
        configuration.maximumGracefulShutdownDuration = .seconds(10)
        try await ServiceGroup(configuration: configuration).run()
    }
}

/// One service's HTTP server.
private struct ServiceServer: Service {
    let port: Int
    let application: ServiceApplication
    let logger: Logger
    let onListening: @Sendable (Int) -> Void

    func run() async throws {
        let server = Application(
            router: application.router(),
            configuration: ApplicationConfiguration(address: .hostname("127.0.0.1", port: port)),
            onServerRunning: { channel in onListening(channel.localAddress?.port ?? port) },
            logger: logger
        )
        do {
            try await server.run()
        } catch let error as IOError {
            throw ListenError(service: application.service.name, port: port, errorNumber: error.errnoCode)
        }
    }
}

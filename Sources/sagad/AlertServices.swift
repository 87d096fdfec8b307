import Logging
import PostgresClient
import SagaEngine
import SagaHTTP
import SagaPostgres

/// What the daemon does about alerts: it posts them where `--alert-url` says, and gives up old ones in any case.
///
/// All of it runs beside the engine; posting has a database connection of its own.
struct AlertServices {
    /// nil when this daemon posts none.
    let target: AlertTarget?
    let http: HTTPInvokerConfiguration
    let connectionString: String
    /// The engine's, for one statement an hour.
    let store: PostgresStore
    let logger: Logger

    /// Runs until the task is cancelled; then a post in flight is dropped, and made again by whoever is next.
    func run() async {
        await withTaskGroup { group in
            let expiry = AlertExpiry(store: store, clock: ContinuousClock(), logger: logger)
            group.addTask { await expiry.run() }
            if let target { group.addTask { await deliver(to: target) } }
        }
    }

    private func deliver(to target: AlertTarget) async {
        let pool = PostgresPool(
            PostgresConfiguration(connectionString, applicationName: "sagad alerts", maximumConnections: 1),
            logger: logger)
        var http = http
        // A connection that is being made can't be broken off, and stopping waits for it.
        http.connectTimeout = .seconds(5)
        let sender = HTTPAlertSender(target: target, configuration: http)
        let delivery = AlertDelivery(
            store: PostgresStore(pool: pool), sender: sender, clock: ContinuousClock(), logger: logger)
        await delivery.run()
        await sender.shutdown()
        await pool.close()
    }
}

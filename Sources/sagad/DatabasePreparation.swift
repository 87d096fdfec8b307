import Logging
import PostgresClient
import SagaCore
import SagaDatabase
import SagaEngine
import SagaHTTP
import SagaPostgres

/// Makes a database ready for the daemon: reaches it, brings its schema up to date and registers definitions.
struct DatabasePreparation {
    let connectionString: String
    let connectTimeout: TimeSpan
    let definitions: [(definition: Definition, document: [UInt8])]
    let environment: ServiceEnvironment
    let logger: Logger

    /// - Throws: `StartFailure`; `CancellationError` when the task was cancelled.
    func run() async throws {
        // What goes wrong is told once, at the end: the pool would log each attempt.
        let pool = PostgresPool(
            PostgresConfiguration(
                connectionString,
                applicationName: "sagad",
                connectTimeout: connectTimeout.duration,
                maximumConnections: 1
            ),
            logger: Logger(label: "sagad", factory: { _ in SwiftLogNoOpLogHandler() })
        )
        do {
            try await prepare(pool)
            await pool.close()
        } catch {
            await pool.close()
            throw error
        }
    }

    private func prepare(_ pool: PostgresPool) async throws {
        let end = ContinuousClock.now + connectTimeout.duration
        var isTold = false
        while true {
            do {
                try await reach(pool, until: end)
                try await migrate(pool)
                try await checkRights(pool)
                try await register(pool)
                return
            } catch let error as PostgresError {
                try Task.checkCancellation()
                guard Self.isPassing(error) else { throw failure(error) }
                guard ContinuousClock.now < end else { throw failure(error, waited: connectTimeout.duration) }
                if !isTold {
                    logger.notice("the database isn't ready; tried again", metadata: ["reason": "\(error)"])
                    isTold = true
                }
                try await Task.sleep(for: .milliseconds(100))
            }
        }
    }

    /// Whether the database may be well in a moment: it restarts, fails over and takes no writes yet, or is behind a pooler
    /// that has lost it, which says so in class 08.
    private static func isPassing(_ error: PostgresError) -> Bool {
        error.kind == .connectionLost || error.isRetryable || error.isServerUnavailable || error.isReadOnly
    }

    /// Asks until the server answers or the time is over.
    ///
    /// A server that refuses who asks is not asked again.
    private func reach(_ pool: PostgresPool, until end: ContinuousClock.Instant) async throws {
        // Why it couldn't connect says more than that the time was over while waiting to try again.
        var reason: PostgresError?
        while true {
            do throws(PostgresError) {
                let left = ContinuousClock.now.duration(to: end)
                _ = try await pool.query("SELECT 1", timeout: max(.milliseconds(1), left))
                return
            } catch {
                try Task.checkCancellation()
                if error.kind != .timeout { reason = error }
                let isOver = error.kind == .timeout || ContinuousClock.now >= end
                let isPassing = error.isRetryable || error.kind == .connectionLost
                if isOver { throw failure(reason ?? error, waited: connectTimeout.duration) }
                guard isPassing, !Self.lacksPassword(error) else { throw failure(error) }
                try await Task.sleep(for: .milliseconds(50))
            }
        }
    }

    private func migrate(_ pool: PostgresPool) async throws {
        do {
            let (from, to) = try await Migrator(pool: pool, logger: logger).migrate()
            if from != to { logger.info("the schema is up to date", metadata: ["from": "\(from)", "to": "\(to)"]) }
            // A role that runs sagas may lack the right to: then they go into the default partition.
            _ = try? await PartitionDesk(pool: pool).ensure(days: RetentionKeeper.daysAhead)
        } catch MigrationError.failed(_, _, let cause) where Self.isPassing(cause) {
            throw cause
        } catch let error as MigrationError {
            throw StartFailure(error.description)
        }
    }

    /// A role that may look and steer may not run sagas; better told now than by every batch.
    private func checkRights(_ pool: PostgresPool) async throws {
        let result = try await pool.query(
            """
            SELECT current_user::text, has_table_privilege('saga.daemon', 'INSERT')
                AND has_table_privilege('saga.daemon', 'DELETE') AND has_table_privilege('saga.event', 'INSERT')
                AND has_table_privilege('saga.state', 'UPDATE') AND has_table_privilege('saga.alert', 'INSERT')
                AND has_table_privilege('saga.alert', 'DELETE')
            """)
        guard let row = result.rows.first, try !row.decode(1, as: Bool.self) else { return }
        throw StartFailure(
            "the role \(try row.decode(0, as: String.self)) may not run sagas; connect as the owner of the schema saga")
    }

    private func register(_ pool: PostgresPool) async throws {
        let registry = DefinitionRegistry(pool: pool)
        let (changes, changedServices) = try await registry.apply(definitions, activate: false)
        for service in changedServices {
            logger.notice(
                "a service's settings changed for every definition that calls it",
                metadata: ["service": "\(service.name)", "url": "\(service.url)"])
        }
        for ((definition, _), change) in zip(definitions, changes) where change != .unchanged {
            logger.info(
                "definition registered",
                metadata: [
                    "name": "\(definition.name)", "version": "\(definition.digest.version)",
                    "change": "\(change.rawValue)",
                ]
            )
        }
        for document in try await registry.documents() {
            let parsed = DefinitionParser.parse(document, checks: .stored)
            if let definition = parsed.definition {
                try Self.checkEnvironment(definition, environment)
            } else {
                logger.error(
                    "a registered definition can't be read by this program",
                    metadata: ["name": "\(parsed.name ?? "?")"]
                )
            }
        }
    }

    /// Checks that every variable a definition's services ask for is set.
    ///
    /// - Throws: `StartFailure` that names the variable, never a value.
    static func checkEnvironment(_ definition: Definition, _ environment: ServiceEnvironment) throws(StartFailure) {
        for service in definition.services {
            do throws(MissingVariable) {
                try environment.check(service)
            } catch {
                throw StartFailure("saga \(definition.name), service \(service.name): \(error)")
            }
        }
    }

    private func failure(_ error: PostgresError, waited: Duration? = nil) -> StartFailure {
        StartFailure(error, target: ConnectionTarget(connectionString), waited: waited)
    }

    /// libpq finds this out by itself, so there is no SQLSTATE that says that asking again is useless.
    private static func lacksPassword(_ error: PostgresError) -> Bool {
        error.sqlState == nil && error.message.contains("no password supplied")
    }
}

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
        // Why it isn't ready says more than that the time was over while it was asked again.
        var reason: PostgresError?
        while true {
            do {
                try await reach(pool, until: end, after: reason)
                try await migrate(pool)
                try await checkRights(pool)
                try await register(pool)
                return
            } catch let error as PostgresError {
                try Task.checkCancellation()
                guard Self.isPassing(error) else { throw failure(error) }
                let error = error.isReadOnly ? await explained(error, pool) : error
                guard ContinuousClock.now < end else { throw failure(error, waited: connectTimeout.duration) }
                reason = error
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

    /// Of several hosts one takes no writes: which, and whether as a standby.
    private func explained(_ error: PostgresError, _ pool: PostgresPool) async -> PostgresError {
        let asked = try? await pool.withConnection { connection in
            let result = try await connection.query("SELECT pg_is_in_recovery()", timeout: .seconds(1))
            return (await connection.server(), try result.rows.first?.decode(0, as: Bool.self) ?? false)
        }
        guard case (let server?, let isStandby)? = asked else { return error }
        var error = error
        error.message =
            isStandby
            ? "\(server) is a standby and takes no writes; name the primary, or all hosts with "
                + "target_session_attrs=read-write"
            : "\(server) takes no writes: \(error.message)"
        return error
    }

    /// Asks until the server answers or the time is over.
    ///
    /// A server that refuses who asks is not asked again.
    ///
    /// - Parameter failure: why it couldn't be used before.
    private func reach(
        _ pool: PostgresPool, until end: ContinuousClock.Instant, after failure: PostgresError?
    ) async throws {
        // Why it couldn't connect says more than that the time was over while waiting to try again.
        var reason = failure
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
                if isOver { throw self.failure(reason ?? error, waited: connectTimeout.duration) }
                guard isPassing, !Self.lacksPassword(error) else { throw self.failure(error) }
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

    /// A role that may look and steer may not run sagas, and a standby takes no writes; better told now than by every
    /// batch.
    private func checkRights(_ pool: PostgresPool) async throws {
        let result = try await pool.query(
            """
            SELECT current_user::text, has_table_privilege('saga.daemon', 'INSERT')
                AND has_table_privilege('saga.daemon', 'DELETE') AND has_table_privilege('saga.event', 'INSERT')
                AND has_table_privilege('saga.state', 'UPDATE') AND has_table_privilege('saga.alert', 'INSERT')
                AND has_table_privilege('saga.alert', 'DELETE')
            """)
        guard let row = result.rows.first, try row.decode(1, as: Bool.self) else {
            let role = try result.rows.first?.decode(0, as: String.self) ?? "?"
            throw StartFailure("the role \(role) may not run sagas; connect as the owner of the schema saga")
        }
        // Where all is registered already nothing else would be written before the first lease.
        _ = try await pool.query("DELETE FROM saga.daemon WHERE false")
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

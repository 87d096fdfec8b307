import ArgumentParser
import Foundation
import Logging
import PostgresClient
import SagaDatabase
import SagaPostgres

/// `--database`, of every call that needs one.
struct DatabaseOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The database: a libpq URL or keyword string.",
            discussion: "Without it SAGA_DATABASE_URL, then the PG* variables, then the embedded cluster.",
            valueName: "url"
        )
    )
    var database: String?

    /// Lends the database to `body`.
    ///
    /// - Parameters:
    ///   - startsCluster: whether the embedded cluster is made and started when it doesn't run.
    ///   - maximumConnections: how many connections the pool may open.
    /// - Throws: what `CommandFailure` knows to tell, and what the body throws.
    func withDatabase<Result: Sendable>(
        startsCluster: Bool = false,
        maximumConnections: Int = 2,
        _ body: (PostgresPool) async throws -> Result
    ) async throws -> Result {
        let process = ProcessInfo.processInfo
        let location = try DatabaseLocation.resolve(
            option: database,
            environment: process.environment,
            currentDirectory: FileManager.default.currentDirectoryPath
        )
        switch location {
        case .server(let connection): return try await withPool(connection, maximumConnections, body)
        case .embedded(let cluster):
            let use = startsCluster ? try await cluster.start() : try await cluster.connectIfRunning()
            do {
                let result = try await withPool(use.connectionString(), maximumConnections, body)
                await use.leave()
                return result
            } catch {
                await use.leave()
                throw error
            }
        }
    }

    private func withPool<Result: Sendable>(
        _ connection: String,
        _ maximumConnections: Int,
        _ body: (PostgresPool) async throws -> Result
    ) async throws -> Result {
        let pool = PostgresPool(
            PostgresConfiguration(connection, applicationName: "saga", maximumConnections: maximumConnections),
            logger: Logger(label: "saga", factory: { _ in SwiftLogNoOpLogHandler() })
        )
        do {
            let result = try await body(pool)
            await pool.close()
            return result
        } catch {
            await pool.close()
            throw error
        }
    }
}

import Foundation

/// PgBouncer before a test's server, if it is installed.
public enum TestPooler {
    private static let program = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer", "/usr/local/bin/pgbouncer"]
        .first { FileManager.default.isExecutableFile(atPath: $0) }

    /// Whether there is a PgBouncer on this machine.
    public static var isInstalled: Bool { program != nil }

    /// Starts a pooler with two server connections for a database.
    ///
    /// - Parameters:
    ///   - url: what `TestPostgres.database()` gave.
    ///   - mode: `transaction`, `session` or `statement`.
    /// - Returns: a connection string that goes through the pooler, and the process to stop.
    public static func start(
        for url: String, on postgres: TestPostgres, mode: String = "transaction"
    ) async throws -> (connectionString: String, process: TestCompanion) {
        let server = try await postgres.directory()
        guard let program, let database = url.split(separator: "/").dropFirst().first?.split(separator: "?").first
        else {
            throw TestPostgres.Failure(description: "no pgbouncer, or no database in \(url)")
        }
        let directory = "\(server)/pooler-\(database)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: false)
        try FileManager.default.setAttributes([.posixPermissions: 0o777], ofItemAtPath: directory)
        let settings = """
            [databases]
            \(database) = host=\(server) user=postgres
            [pgbouncer]
            listen_addr =
            listen_port = 6432
            unix_socket_dir = \(directory)
            auth_type = any
            pool_mode = \(mode)
            default_pool_size = 2
            """
        try settings.write(toFile: "\(directory)/pgbouncer.ini", atomically: false, encoding: .utf8)
        let process = try await postgres.startCompanion([program, "-q", "\(directory)/pgbouncer.ini"])
        return ("host=\(directory) port=6432 user=app dbname=\(database)", process)
    }
}

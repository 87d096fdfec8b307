import Glibc
import Logging
import PostgresClient

/// Makes, starts and stops a cluster's server.
///
/// Whoever calls keeps others away by a lock.
struct ClusterServer {
    private let cluster: EmbeddedCluster
    private let folders: ClusterFolders

    init(_ cluster: EmbeddedCluster) {
        self.cluster = cluster
        folders = ClusterFolders(cluster)
    }

    /// Starts the server unless it runs, after making the cluster unless there is one.
    ///
    /// - Throws: `EmbeddedClusterError`.
    func ensureRunning(announce: (String) -> Void) async throws(EmbeddedClusterError) {
        if cluster.isRunning { return }
        let user = try ServerUser.current()
        try folders.make(for: user)
        let madeBy = FilePath.text(of: "\(cluster.dataDirectory)/PG_VERSION").map { String($0.prefix { $0 != "\n" }) }
        let programs = try await PostgresPrograms.find(
            version: madeBy,
            user: user,
            environment: cluster.environment
        )
        let version = try await programs.majorVersion(cluster.environment) ?? ""
        let verb = madeBy == nil ? "creating and starting" : "starting"
        announce("\(verb) a private PostgreSQL \(version) cluster in \(cluster.directory)")
        if madeBy == nil { try await initialise(programs) }
        try await clearRemains(programs)
        try await start(programs)
    }

    /// Stops the server if there is one; open transactions are rolled back.
    ///
    /// - Throws: `EmbeddedClusterError`.
    func stop() async throws(EmbeddedClusterError) {
        guard isAlive || cluster.isRunning else { return }
        let version = FilePath.text(of: "\(cluster.dataDirectory)/PG_VERSION").map { String($0.prefix { $0 != "\n" }) }
        let programs = try await PostgresPrograms.find(
            version: version,
            user: try ServerUser.current(),
            environment: cluster.environment
        )
        try await stop(programs)
    }

    /// Makes a database unless it is there; waits for a server that is recovering.
    ///
    /// - Throws: `.program` with the server's reason.
    func createDatabase(_ name: String) async throws(EmbeddedClusterError) {
        let pool = PostgresPool(
            PostgresConfiguration(
                cluster.connectionString(database: "postgres"),
                applicationName: "saga",
                maximumConnections: 1
            ),
            logger: Logger(label: "saga.cluster", factory: { _ in SwiftLogNoOpLogHandler() })
        )
        let end = ContinuousClock.now + .seconds(60)
        var failure: PostgresError?
        repeat {
            do throws(PostgresError) {
                let known = try await pool.query(
                    "SELECT FROM pg_catalog.pg_database WHERE datname = $1",
                    [.text(name)],
                    timeout: .seconds(30)
                )
                if known.rows.isEmpty { try await make(name, pool) }
                failure = nil
            } catch {
                failure = error
            }
        } while failure?.isRetryable == true && ContinuousClock.now < end && !Task.isCancelled
        await pool.close()
        if let failure { throw .program("making the database \(name)", reason: failure.description) }
    }

    private func make(_ name: String, _ pool: PostgresPool) async throws(PostgresError) {
        let quoted = name.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"")
        do throws(PostgresError) {
            _ = try await pool.query("CREATE DATABASE \"\(quoted)\"", timeout: .seconds(60))
        } catch {
            // Another one was quicker: 42P04, or 23505 when both were at it at the same time.
            guard error.sqlState == "42P04" || error.isUniqueViolation else { throw error }
        }
    }

    // MARK: The server's programs

    /// In a folder aside first, so that a cluster is either whole or not there.
    private func initialise(_ programs: PostgresPrograms) async throws(EmbeddedClusterError) {
        let unfinished = "\(cluster.dataDirectory).new"
        try await asServerUser(["/bin/rm", "-rf", "--", unfinished], programs.user)
        try await programs.run(
            "initdb",
            [
                "-D", unfinished, "-U", EmbeddedCluster.superuser, "-E", "UTF8", "--locale=C", "--auth-local=trust",
                "--auth-host=reject",
            ],
            environment: cluster.environment,
            limit: .seconds(100)
        )
        try await asServerUser(["/bin/mv", "-T", "--", unfinished, cluster.dataDirectory], programs.user)
    }

    private func start(_ programs: PostgresPrograms) async throws(EmbeddedClusterError) {
        let settings = [
            "listen_addresses=", "unix_socket_directories=\(cluster.socketDirectory)", "unix_socket_permissions=0700",
            "port=\(EmbeddedCluster.port)",
        ]
        // pg_ctl hands this to a shell.
        let options = settings.map { "-c '\($0)'" }.joined(separator: " ")
        let arguments = [
            "start", "-D", cluster.dataDirectory, "-l", cluster.logFile, "-w", "-t", "90", "-s", "-o", options,
        ]
        let end = ContinuousClock.now + .seconds(10)
        while true {
            let logged = FilePath.size(of: cluster.logFile)
            do throws(EmbeddedClusterError) {
                return try await programs.run(
                    "pg_ctl",
                    arguments,
                    environment: cluster.environment,
                    limit: .seconds(100)
                )
            } catch {
                guard let reason = logReason(from: logged) else { throw error }
                // The children of a server that was killed need a moment to notice.
                let isPassing = reason.contains("shared memory block")
                guard isPassing, ContinuousClock.now < end, !Task.isCancelled else {
                    throw .program("starting PostgreSQL", reason: "\(reason) (\(cluster.logFile))")
                }
                try? await Task.sleep(for: .milliseconds(100))
            }
        }
    }

    private func stop(_ programs: PostgresPrograms) async throws(EmbeddedClusterError) {
        try await programs.run(
            "pg_ctl",
            ["stop", "-D", cluster.dataDirectory, "-m", "fast", "-w", "-t", "60", "-s"],
            environment: cluster.environment,
            limit: .seconds(70)
        )
    }

    /// What the server wrote about its failure to start.
    private func logReason(from offset: Int64) -> String? {
        let descriptor = open(cluster.logFile, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        return FilePath.text(of: descriptor, from: offset).flatMap { ProgramRun.reason(in: $0) }
    }

    private func asServerUser(_ command: [String], _ user: ServerUser) async throws(EmbeddedClusterError) {
        try await user.run(command, environment: cluster.environment, limit: .seconds(60))
    }

    // MARK: What an earlier server left

    /// The process that `postmaster.pid` names, if it is this cluster's server and not a later process of that number,
    /// as after a reboot: a server works in its data folder.
    private var serverProcess: pid_t? {
        guard let text = FilePath.text(of: pidFile), let line = text.split(separator: "\n").first,
            let process = pid_t(line), process > 1
        else { return nil }
        var its = stat()
        var data = stat()
        guard stat("/proc/\(process)/cwd", &its) == 0, stat(cluster.dataDirectory, &data) == 0,
            its.st_dev == data.st_dev, its.st_ino == data.st_ino,
            let name = FilePath.text(of: "/proc/\(process)/comm"),
            name.hasPrefix("postgres") || name.hasPrefix("postmaster")
        else { return nil }
        return process
    }

    private var isAlive: Bool { serverProcess != nil }

    private var pidFile: String { "\(cluster.dataDirectory)/postmaster.pid" }

    /// Stops a server that nobody can reach (its socket was cleaned away, or it was being stopped), and removes the
    /// files by which a dead one would keep the next from starting when its process number is in use again.
    private func clearRemains(_ programs: PostgresPrograms) async throws(EmbeddedClusterError) {
        if isAlive { try await stop(programs) }
        let remains = [pidFile, cluster.socketPath, "\(cluster.socketPath).lock"].filter { FilePath.exists($0) }
        if remains.isEmpty { return }
        try await asServerUser(["/bin/rm", "-f", "--"] + remains, programs.user)
    }
}

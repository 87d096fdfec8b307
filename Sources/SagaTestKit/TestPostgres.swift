import Foundation
import Logging
import PostgresClient
import Synchronization

/// A private PostgreSQL cluster for tests, on a unix socket only.
///
/// It lives in a folder of its own below `/tmp`. A watchdog process stops the server and removes the folder when the
/// test process ends, however that happens.
public final class TestPostgres: Sendable {
    /// The cluster that the tests of one process share; each takes a database of its own.
    ///
    /// Tests that stop or reconfigure a server make their own.
    public static let shared = TestPostgres()

    /// How `stop(mode:)` ends the server, as `pg_ctl` names it.
    public enum StopMode: String, Sendable {
        /// Waits for the clients.
        case smart
        /// Ends the clients' sessions.
        case fast
        /// Ends everything at once; the next start recovers from the log.
        case immediate
    }

    /// Why the cluster couldn't be had.
    public struct Failure: Error, CustomStringConvertible {
        /// What was tried, and what it printed.
        public let description: String
    }

    private let settings: [String]
    private let hostBasedAuthentication: String
    private let starting = Mutex<Task<Cluster, any Error>?>(nil)
    private let nextDatabase = Atomic(1)

    /// Describes a cluster; it is made when first needed.
    ///
    /// - Parameters:
    ///   - settings: configuration beyond the defaults for tests, each `name=value`.
    ///   - hostBasedAuthentication: the lines of `pg_hba.conf`.
    public init(settings: [String] = [], hostBasedAuthentication: String = "local all all trust") {
        self.settings = settings
        self.hostBasedAuthentication = hostBasedAuthentication
    }

    /// Makes a fresh empty database.
    ///
    /// - Returns: its connection string, a libpq URL for the cluster's superuser.
    public func database() async throws -> String {
        let cluster = try await cluster()
        let name = "test_\(nextDatabase.add(1, ordering: .relaxed).oldValue)"
        try await cluster.run("CREATE DATABASE \(name)")
        return cluster.url(database: name)
    }

    /// The cluster's folder, which holds the server's socket; the server's user owns it.
    public func directory() async throws -> String { try await cluster().directory }

    /// Starts a server that was stopped, and waits until it takes connections.
    public func start() async throws { try await cluster().start() }

    /// Stops the server and waits until it has ended.
    public func stop(mode: StopMode) async throws { try await cluster().stop(mode) }

    /// Starts a program beside the server, as the server's user: a pooler, a proxy.
    ///
    /// Its arguments must hold no single quotes.
    public func startCompanion(_ command: [String]) async throws -> TestCompanion {
        try await cluster().server.startCompanion(command)
    }

    private func cluster() async throws -> Cluster {
        let task = starting.withLock { task in
            if let task { return task }
            let new = Task { [settings, hostBasedAuthentication] in
                try await Cluster(settings: settings, hostBasedAuthentication: hostBasedAuthentication)
            }
            task = new
            return new
        }
        return try await task.value
    }
}

/// A process that runs beside a test's server and ends at the latest with the test process.
public final class TestCompanion: Sendable {
    private let process: pid_t
    private let lifeline: Int32

    fileprivate init(process: pid_t, lifeline: Int32) {
        self.process = process
        self.lifeline = lifeline
    }

    /// Ends the process and waits for its end.
    ///
    /// To be called once.
    public func stop() async {
        close(lifeline)
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            Thread.detachNewThread { [process] in
                var status: Int32 = 0
                while waitpid(process, &status, 0) < 0, errno == EINTR {}
                continuation.resume()
            }
        }
    }
}

/// A cluster on disk and its server.
private final class Cluster: Sendable {
    let directory: String
    let server: ServerPrograms

    init(settings: [String], hostBasedAuthentication: String) async throws {
        let server = try ServerPrograms.find()
        self.server = server
        directory = try server.makeDirectory()
        try server.watch(directory)
        let data = "\(directory)/data"
        try await server.run(
            "initdb",
            ["-N", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "-D", data]
        )
        let configuration =
            [
                "listen_addresses=''", "unix_socket_directories='\(directory)'", "fsync=off", "max_connections=200",
                "shared_buffers='64MB'", "log_min_messages=warning",
            ] + settings
        try server.append(configuration.joined(separator: "\n") + "\n", to: "\(data)/postgresql.conf")
        try server.write(hostBasedAuthentication + "\n", to: "\(data)/pg_hba.conf")
        try await start()
    }

    /// Runs one statement as the superuser, on a connection that is gone afterwards: a smart stop waits for clients.
    func run(_ sql: String) async throws {
        let pool = PostgresPool(
            PostgresConfiguration(
                url(database: "postgres"),
                applicationName: "test-maintenance",
                maximumConnections: 1
            ),
            logger: Logger(label: "test-postgres", factory: { _ in SwiftLogNoOpLogHandler() })
        )
        do {
            _ = try await pool.query(sql)
        } catch {
            await pool.close()
            throw error
        }
        await pool.close()
    }

    func url(database: String) -> String { "postgresql:///\(database)?host=\(directory)&user=postgres" }

    func start() async throws {
        try await server.run(
            "pg_ctl",
            ["-D", "\(directory)/data", "-l", "\(directory)/log", "-w", "-t", "60", "start"]
        )
    }

    func stop(_ mode: TestPostgres.StopMode) async throws {
        try await server.run("pg_ctl", ["-D", "\(directory)/data", "-m", mode.rawValue, "-w", "-t", "60", "stop"])
    }
}

/// PostgreSQL's server programs, and the user to run them as: they refuse to run as root.
private struct ServerPrograms: Sendable {
    private let folder: String
    private let isRoot = getuid() == 0

    static func find() throws -> ServerPrograms {
        let base = "/usr/lib/postgresql"
        let versions = ((try? FileManager.default.contentsOfDirectory(atPath: base)) ?? [])
            .sorted { $0.compare($1, options: .numeric) == .orderedDescending }
        let path = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map(String.init)
        for folder in versions.map({ "\(base)/\($0)/bin" }) + path
        where access("\(folder)/initdb", X_OK) == 0 && access("\(folder)/pg_ctl", X_OK) == 0 {
            return ServerPrograms(folder: folder)
        }
        throw TestPostgres.Failure(description: "no initdb below /usr/lib/postgresql or in PATH: install PostgreSQL")
    }

    /// Makes the cluster's folder.
    ///
    /// Its path is short, as a socket's must be.
    func makeDirectory() throws -> String {
        var template = Array("/tmp/pg-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw TestPostgres.Failure(description: "no folder in /tmp: \(String(cString: strerror(errno)))")
        }
        let path = template.withUnsafeBufferPointer { $0.baseAddress.map { String(cString: $0) } ?? "" }
        try handOver(path)
        return path
    }

    /// Runs a program to its end without blocking Swift's threads.
    func run(_ program: String, _ arguments: [String]) async throws {
        let command = asServerUser(["\(folder)/\(program)"] + arguments)
        let result: Result<Void, any Error> = await withCheckedContinuation { continuation in
            Thread.detachNewThread {
                continuation.resume(returning: Result { try Self.runToEnd(command) })
            }
        }
        try result.get()
    }

    /// Starts the process that cleans up after this one.
    func watch(_ directory: String) throws {
        let stop = asServerUser(["\(folder)/pg_ctl", "-D", "\(directory)/data", "-m", "immediate", "-w", "stop"])
        _ = try Self.supervise(script: "cat; \(stop.joined(separator: " ")); rm -rf \(directory)")
    }

    /// Starts a program as the server's user; a shell beside it ends it.
    func startCompanion(_ command: [String]) throws -> TestCompanion {
        let quoted = asServerUser(command).map { "'\($0)'" }.joined(separator: " ")
        return try Self.supervise(script: "\(quoted) </dev/null & cat; kill $!; wait $!")
    }

    /// Starts a shell whose standard input ends when this process does, or when the returned companion is stopped.
    private static func supervise(script: String) throws -> TestCompanion {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else {
            throw TestPostgres.Failure(description: "no pipe: \(String(cString: strerror(errno)))")
        }
        // Only this process may hold the writing end.
        _ = fcntl(ends[1], F_SETFD, FD_CLOEXEC)
        defer { close(ends[0]) }
        let command = ["/bin/sh", "-c", "trap '' INT TERM HUP; \(script)"]
        return TestCompanion(
            process: try spawn(command, standardInput: ends[0], output: "/dev/null"),
            lifeline: ends[1]
        )
    }

    func append(_ text: String, to path: String) throws {
        try write((try String(contentsOfFile: path, encoding: .utf8)) + text, to: path)
    }

    func write(_ text: String, to path: String) throws {
        try text.write(toFile: path, atomically: false, encoding: .utf8)
    }

    private func handOver(_ path: String) throws {
        guard isRoot else { return }
        guard let user = getpwnam("postgres"), chown(path, user.pointee.pw_uid, user.pointee.pw_gid) == 0 else {
            throw TestPostgres.Failure(description: "as root a user \"postgres\" is needed to run the server")
        }
    }

    private func asServerUser(_ command: [String]) -> [String] {
        isRoot ? ["/usr/sbin/runuser", "-u", "postgres", "--"] + command : command
    }

    private static func runToEnd(_ command: [String]) throws {
        let output = "/tmp/pg-test-\(getpid())-\(UInt32.random(in: .min ... .max)).log"
        defer { unlink(output) }
        let process = try spawn(command, standardInput: nil, output: output)
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0, errno == EINTR {}
        if status != 0 {
            let printed = (try? String(contentsOfFile: output, encoding: .utf8)) ?? ""
            throw TestPostgres.Failure(description: "\(command.joined(separator: " ")) failed:\n\(printed)")
        }
    }

    private static func spawn(_ command: [String], standardInput: Int32?, output: String) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        if let standardInput {
            posix_spawn_file_actions_adddup2(&actions, standardInput, 0)
        } else {
            posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        }
        posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        var arguments: [UnsafeMutablePointer<CChar>?] = command.map { strdup($0) }
        defer { arguments.forEach { free($0) } }
        arguments.append(nil)
        var process: pid_t = 0
        let code = posix_spawn(&process, command[0], &actions, nil, &arguments, environ)
        guard code == 0 else {
            throw TestPostgres.Failure(description: "\(command[0]): \(String(cString: strerror(code)))")
        }
        return process
    }
}

import Glibc
import Logging
import PostgresClient
import Synchronization
import Testing

@testable import SagaDatabase

/// Each test has a cluster of its own; one at a time, since starting servers is what costs here.
@Suite("The embedded cluster", .serialized)
struct EmbeddedClusterTests {
    @Test("is made, started, left and started again with what it holds")
    func startsAndStops() async throws {
        try await TemporaryHome.with { home in
            let cluster = home.cluster
            let lines = Lines()
            let use = try await cluster.start(announce: lines.add)
            let version = try await query("SHOW server_version_num", use.connectionString()).prefix(2)
            _ = try await query("CREATE TABLE kept (x int)", use.connectionString())
            #expect(try await query("SHOW listen_addresses", use.connectionString()) == "")
            #expect(try await query("SHOW server_encoding", use.connectionString()) == "UTF8")
            #expect(await use.leave())
            #expect(!cluster.isRunning)
            let again = try await cluster.start(announce: lines.add)
            #expect(try await query("SELECT count(*)::text FROM kept", again.connectionString()) == "0")
            #expect(await again.leave())
            #expect(
                lines.all == [
                    "creating and starting a private PostgreSQL \(version) cluster in \(cluster.directory)",
                    "starting a private PostgreSQL \(version) cluster in \(cluster.directory)",
                ]
            )
        }
    }

    @Test("its last user stops it")
    func lastUserStops() async throws {
        try await TemporaryHome.with { home in
            let lines = Lines()
            let first = try await home.cluster.start(announce: lines.add)
            let second = try await home.cluster.start(announce: lines.add)
            let third = try await home.cluster.connectIfRunning()
            #expect(lines.all.count == 1)
            #expect(await first.leave() == false)
            #expect(await first.leave() == false)
            #expect(await second.leave() == false)
            #expect(try await query("SELECT 'there'", third.connectionString()) == "there")
            #expect(await third.leave())
            #expect(!home.cluster.isRunning)
        }
    }

    @Test("is started once by many at the same time, and stopped once")
    func manyAtOnce() async throws {
        try await TemporaryHome.with { home in
            let lines = Lines()
            let uses = try await withThrowingTaskGroup(of: ClusterUse.self) { group in
                for _ in 0..<8 { group.addTask { try await home.cluster.start(announce: lines.add) } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(lines.all.count == 1)
            #expect(try await query("SELECT current_database()", uses[7].connectionString()) == "saga")
            let stops = await withTaskGroup(of: Bool.self) { group in
                for use in uses { group.addTask { await use.leave() } }
                return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(stops == 1)
            #expect(!home.cluster.isRunning)
        }
    }

    @Test("is adopted when its users are gone without leaving")
    func adopts() async throws {
        try await TemporaryHome.with { home in
            try await abandon(home.cluster)
            #expect(home.cluster.isRunning)
            let lines = Lines()
            let use = try await home.cluster.start(announce: lines.add)
            #expect(lines.all == [])
            #expect(await use.leave())
        }
    }

    @Test("comes back after its server was killed, also when another process has its number")
    func survivesKilling() async throws {
        try await TemporaryHome.with { home in
            let cluster = home.cluster
            try await abandon(cluster)
            let pidFile = "\(cluster.dataDirectory)/postmaster.pid"
            let text = try #require(FilePath.text(of: pidFile))
            let process = try #require(text.split(separator: "\n").first.flatMap { pid_t($0) })
            kill(process, SIGKILL)
            // What a reboot leaves: the number now belongs to a process of the server's user that does other things.
            let other = try await Sleeper.start(home.environment)
            let lines = text.split(separator: "\n", omittingEmptySubsequences: false).dropFirst()
            try write(([String(other.process)] + lines.map(String.init)).joined(separator: "\n"), to: pidFile)
            let use = try await cluster.start(announce: { _ in })
            #expect(try await query("SELECT 'there'", use.connectionString()) == "there")
            #expect(await use.leave())
            other.stop()
        }
    }

    @Test("is restarted when its socket is gone")
    func survivesCleaning() async throws {
        try await TemporaryHome.with { home in
            try await abandon(home.cluster)
            unlink(home.cluster.socketPath)
            let use = try await home.cluster.start(announce: { _ in })
            #expect(try await query("SELECT 'there'", use.connectionString()) == "there")
            #expect(await use.leave())
        }
    }

    @Test("isn't started by those who may not")
    func refusesWhenNotRunning() async throws {
        try await TemporaryHome.with { home in
            let cluster = home.cluster
            let line =
                "no database: no embedded cluster running for \(home.folder)/.saga; start sagad or give --database"
            await #expect(throws: EmbeddedClusterError.notRunning(home: cluster.home)) {
                try await cluster.connectIfRunning()
            }
            #expect(throws: EmbeddedClusterError.notRunning(home: cluster.home)) {
                try cluster.connectionStringIfRunning()
            }
            #expect(EmbeddedClusterError.notRunning(home: cluster.home).description == line)
            #expect(FilePath.names(in: home.folder) == [])
        }
    }

    @Test("says which version is missing")
    func refusesOtherVersions() async throws {
        try await TemporaryHome.with { home in
            let use = try await home.cluster.start(announce: { _ in })
            #expect(await use.leave())
            try write("9\n", to: "\(home.cluster.dataDirectory)/PG_VERSION")
            await #expect(throws: EmbeddedClusterError.noPrograms(version: "9")) {
                try await home.cluster.start(announce: { _ in })
            }
        }
    }

    @Test("says why its server doesn't start")
    func tellsTheServersReason() async throws {
        try await TemporaryHome.with { home in
            let cluster = home.cluster
            let use = try await cluster.start(announce: { _ in })
            #expect(await use.leave())
            try write("max_connections = none\n", to: "\(cluster.dataDirectory)/postgresql.auto.conf")
            let error = await #expect(throws: EmbeddedClusterError.self) {
                try await cluster.start(announce: { _ in })
            }
            let file = "\(cluster.dataDirectory)/postgresql.auto.conf"
            let line = "configuration file \"\(file)\" contains errors (\(cluster.logFile))"
            #expect(error?.description == "no database: starting PostgreSQL failed: \(line)")
        }
    }

    @Test("says what can't be written")
    func refusesUnwritableHomes() async throws {
        // Nobody makes folders in /sys, root included.
        let cluster = EmbeddedCluster(home: "/sys/saga/home", environment: [:])
        let error = await #expect(throws: EmbeddedClusterError.self) { try await cluster.start(announce: { _ in }) }
        #expect(error?.description.hasPrefix("no database: /sys/saga: can't be made: ") == true)
        let file = EmbeddedCluster(home: "/etc/passwd/home", environment: [:])
        await #expect(throws: EmbeddedClusterError.path("/etc/passwd", reason: "can't be made: Not a directory")) {
            try await file.start(announce: { _ in })
        }
    }

    @Test("has a short socket for a long SAGA_HOME, and refuses a long socket")
    func boundsSocketPaths() async throws {
        let long = EmbeddedCluster(home: "/" + String(repeating: "long/", count: 60), environment: [:])
        #expect(long.socketPath.utf8.count < 60)
        try await TemporaryHome.with { home in
            let base = "/tmp/" + String(repeating: "x", count: 90)
            let cluster = EmbeddedCluster(
                home: home.cluster.home,
                environment: home.environment,
                socketBase: base
            )
            await #expect(
                throws: EmbeddedClusterError.path(
                    cluster.socketPath,
                    reason: "too long for a socket, which has 107 bytes"
                )
            ) {
                try await cluster.start(announce: { _ in })
            }
        }
    }

    @Test("refuses a socket folder that another user has put there", .enabled(if: geteuid() == 0))
    func refusesForeignSocketFolders() async throws {
        try await TemporaryHome.with { home in
            let cluster = home.cluster
            mkdir(cluster.socketDirectory, 0o777)
            await #expect(
                throws: EmbeddedClusterError.path(
                    cluster.socketDirectory,
                    reason: "belongs to another user (uid 0); remove it"
                )
            ) {
                try await cluster.start(announce: { _ in })
            }
            rmdir(cluster.socketDirectory)
        }
    }

    @Test("is erased whole, but not while it is in use")
    func erases() async throws {
        try await TemporaryHome.with { home in
            let cluster = home.cluster
            let use = try await cluster.start(announce: { _ in })
            await #expect(
                throws: EmbeddedClusterError.path(cluster.home, reason: "the embedded cluster is in use")
            ) {
                try await cluster.erase()
            }
            #expect(await use.leave())
            try await cluster.erase()
            #expect(!FilePath.exists(cluster.directory))
            #expect(!FilePath.exists(cluster.socketDirectory))
        }
    }

    @Test("gets further databases, once each")
    func createsDatabases() async throws {
        try await TemporaryHome.with { home in
            let use = try await home.cluster.start(announce: { _ in })
            for _ in 0..<2 { try await home.cluster.createDatabase("the \"shop\"") }
            let name = try await query("SELECT current_database()", use.connectionString(database: "the \"shop\""))
            #expect(name == "the \"shop\"")
            #expect(await use.leave())
        }
    }

    // MARK: What the tests share

    /// Starts the cluster as a process does that then crashes.
    private func abandon(_ cluster: EmbeddedCluster) async throws {
        _ = try await cluster.start(announce: { _ in })
    }

    private func query(_ sql: String, _ connectionString: String) async throws -> String {
        let pool = PostgresPool(
            PostgresConfiguration(connectionString, applicationName: "test", maximumConnections: 1),
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        )
        let result: PostgresResult
        do {
            result = try await pool.query(sql)
        } catch {
            await pool.close()
            throw error
        }
        await pool.close()
        return try result.rows.first?.decode(0, as: String.self) ?? ""
    }

    private func write(_ text: String, to path: String) throws {
        let descriptor = open(path, O_WRONLY | O_TRUNC)
        try #require(descriptor >= 0)
        defer { close(descriptor) }
        #expect(Glibc.write(descriptor, text, text.utf8.count) == text.utf8.count)
    }
}

/// Lines that were announced, from any task.
private final class Lines: Sendable {
    private let lines = Mutex<[String]>([])

    var all: [String] { lines.withLock { $0 } }

    func add(_ line: String) {
        lines.withLock { $0.append(line) }
    }
}

/// A process of the server's user that does nothing.
private struct Sleeper {
    let process: pid_t
    private let pidFile: String

    static func start(_ environment: [String: String]) async throws -> Sleeper {
        let file = "/tmp/saga-sleeper-\(getpid())"
        try await ServerUser.current().run(
            ["/bin/sh", "-c", "sleep 600 & echo $! >\(file)"],
            environment: environment,
            limit: .seconds(10)
        )
        let text = try #require(FilePath.text(of: file))
        let process = try #require(text.split(separator: "\n").first.flatMap { pid_t($0) })
        return Sleeper(process: process, pidFile: file)
    }

    func stop() {
        kill(process, SIGTERM)
        unlink(pidFile)
    }
}

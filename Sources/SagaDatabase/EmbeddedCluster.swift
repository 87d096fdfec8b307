import Crypto
import Glibc
import PostgresClient

/// A private PostgreSQL cluster on a unix socket, for whoever has no database yet.
///
/// Each of its users holds a shared lock on the file `users` in SAGA_HOME; the last to leave stops the server. What
/// somebody left running without leaving, by a crash, the next user adopts.
public struct EmbeddedCluster: Sendable {
    /// The absolute path of SAGA_HOME.
    public let home: String

    /// The cluster's folder, which holds the data and the server's log.
    ///
    /// `postgres` in SAGA_HOME; as root `/var/lib/saga/HASH`, since the server's user can't enter a private folder.
    public let directory: String

    /// The private folder of the server's socket.
    public let socketDirectory: String

    let environment: [String: String]

    /// The database that sagas are kept in.
    public static let database = "saga"
    /// The cluster's superuser, who needs no password on the private socket.
    static let superuser = "postgres"
    /// Part of the socket's name; nothing listens on a port.
    static let port = 5432
    /// The longest path of a socket, in bytes (`sun_path` less its end).
    static let maximumSocketPath = 107

    /// Names the cluster of a SAGA_HOME; nothing is made.
    ///
    /// - Parameters:
    ///   - home: the absolute path of SAGA_HOME, which need not exist.
    ///   - environment: where programs are looked for, and what they get to see.
    public init(home: String, environment: [String: String]) {
        self.init(home: home, environment: environment, socketBase: "/tmp")
    }

    init(home: String, environment: [String: String], socketBase: String) {
        let home = FilePath.resolved(FilePath.absolute(home, from: "/"))
        let digits = Array("0123456789abcdef".utf8)
        let bytes = SHA256.hash(data: Array(home.utf8)).prefix(6)
        let hash = String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
        let uid = (try? ServerUser.current())?.uid ?? geteuid()
        self.home = home
        self.environment = environment
        directory = geteuid() == 0 ? "/var/lib/saga/\(hash)" : "\(home)/postgres"
        socketDirectory = "\(socketBase)/saga-\(uid)-\(hash)"
    }

    /// The connection string of one of the cluster's databases, whether or not the server runs.
    public func connectionString(database: String = EmbeddedCluster.database) -> String {
        "postgresql:///\(Self.percentEncoded(database))?host=\(Self.percentEncoded(socketDirectory))"
            + "&port=\(Self.port)&user=\(Self.superuser)"
    }

    /// Joins the cluster's users, after making and starting it if need be.
    ///
    /// Safe against any number of processes that do the same. It makes the database `saga`.
    /// - Parameter announce: gets one line when a server is started; nothing when it runs already.
    /// - Throws: `EmbeddedClusterError`.
    public func start(
        announce: (String) -> Void = EmbeddedCluster.announceOnStandardError
    ) async throws(EmbeddedClusterError) -> ClusterUse {
        try ClusterFolders(self).makeHome()
        let users = try FileLock(path: "\(home)/users", creating: true)
        // Waits for one who is stopping it.
        try await users.take(.shared, within: Self.patience)
        do throws(EmbeddedClusterError) {
            let starting = try FileLock(path: "\(home)/start.lock", creating: true)
            try await starting.take(.exclusive, within: Self.patience)
            try await ClusterServer(self).ensureRunning(announce: announce)
            try await createDatabase(Self.database)
        } catch {
            // The server may run by now, and nobody else may be there to stop it.
            await ClusterUse(cluster: self, users: users).leave()
            throw error
        }
        return ClusterUse(cluster: self, users: users)
    }

    /// Joins the cluster's users if its server runs.
    ///
    /// - Throws: `.notRunning`, or another `EmbeddedClusterError` when that can't be found out.
    public func connectIfRunning() async throws(EmbeddedClusterError) -> ClusterUse {
        guard FilePath.exists("\(home)/users"), isRunning else { throw .notRunning(home: home) }
        let users = try FileLock(path: "\(home)/users", creating: false)
        try await users.take(.shared, within: Self.patience)
        // Whoever held the lock may just have stopped it.
        guard isRunning else { throw .notRunning(home: home) }
        return ClusterUse(cluster: self, users: users)
    }

    /// The connection string, if the server runs.
    ///
    /// It may be stopped at any time unless its users are joined.
    ///
    /// - Throws: `.notRunning`.
    public func connectionStringIfRunning(
        database: String = EmbeddedCluster.database
    ) throws(EmbeddedClusterError) -> String {
        guard isRunning else { throw .notRunning(home: home) }
        return connectionString(database: database)
    }

    /// Whether a server takes connections on the private socket.
    public var isRunning: Bool {
        (try? ClusterFolders(self).checkSocketDirectory()) != nil && PrivateSocket.isListening(socketPath)
    }

    /// Stops the server and removes all that it keeps, but for SAGA_HOME itself.
    ///
    /// - Throws: `.busy` while the cluster has other users.
    public func erase() async throws(EmbeddedClusterError) {
        try ClusterFolders(self).makeHome()
        let users = try FileLock(path: "\(home)/users", creating: true)
        guard try users.take(.exclusive) else { throw .path(home, reason: "the embedded cluster is in use") }
        try await ClusterServer(self).stop()
        try await ClusterFolders(self).remove()
    }

    /// Makes a database in the running cluster, unless it is there already.
    ///
    /// - Throws: `.program` with the server's reason.
    public func createDatabase(_ name: String) async throws(EmbeddedClusterError) {
        try await ClusterServer(self).createDatabase(name)
    }

    /// Writes a line to standard error.
    public static func announceOnStandardError(_ line: String) {
        let bytes = Array("\(line)\n".utf8)
        _ = bytes.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }

    var dataDirectory: String { "\(directory)/data" }
    var logFile: String { "\(directory)/server.log" }
    var socketPath: String { "\(socketDirectory)/.s.PGSQL.\(Self.port)" }

    /// Longer than starting, after a crash, and stopping take together.
    private static let patience = Duration.seconds(120)

    private static func percentEncoded(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        let bytes = text.utf8.flatMap { byte -> [UInt8] in
            let isPlain =
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
                    true
                default: false
                }
            return isPlain ? [byte] : [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// One user's part in a running embedded cluster, until it leaves or its process ends.
public actor ClusterUse {
    public nonisolated let cluster: EmbeddedCluster
    private var users: FileLock?

    init(cluster: EmbeddedCluster, users: consuming FileLock) {
        self.cluster = cluster
        self.users = consume users
    }

    /// The connection string of one of the cluster's databases.
    public nonisolated func connectionString(database: String = EmbeddedCluster.database) -> String {
        cluster.connectionString(database: database)
    }

    /// Leaves the users; the last one stops the server.
    ///
    /// To be called after the last connection is closed.
    ///
    /// A server that can't be stopped in order goes on, and the next user adopts it.
    /// - Returns: whether the server was stopped.
    @discardableResult
    public func leave() async -> Bool {
        guard let lock = users.take(), (try? lock.take(.exclusive)) == true else { return false }
        // Nobody can join meanwhile.
        return (try? await ClusterServer(cluster).stop()) != nil
    }
}

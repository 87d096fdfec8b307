/// Why the private cluster can't be had.
///
/// Programs exit with `ExitStatus.unavailable`.
public enum EmbeddedClusterError: Error, Sendable, Hashable, CustomStringConvertible {
    /// Nobody has started the cluster, and the call may not. The value is SAGA_HOME.
    case notRunning(home: String)
    /// No PostgreSQL server is installed, or none of the version that has made the cluster.
    case noPrograms(version: String?)
    /// As root the server runs as this user, which isn't there.
    case noServerUser(String)
    /// A folder or file can't be made or used.
    case path(String, reason: String)
    /// A file that keeps users apart stayed locked for longer than starting and stopping may take.
    case busy(String)
    /// A server program failed or took too long.
    case program(String, reason: String)

    /// One line that says what is wrong.
    public var description: String {
        switch self {
        case .notRunning(let home):
            "no database: no embedded cluster running for \(home); start sagad or give --database"
        case .noPrograms(nil):
            "no database: PostgreSQL's server programs (initdb, pg_ctl) aren't in PATH nor below /usr/lib/postgresql; "
                + "install PostgreSQL or give --database"
        case .noPrograms(let version?):
            "no database: the embedded cluster is of PostgreSQL \(version), whose server programs aren't installed"
        case .noServerUser(let name):
            "no database: as root the embedded cluster runs as the user \(name), which doesn't exist"
        case .path(let path, let reason):
            "no database: \(path): \(reason)"
        case .busy(let path):
            "no database: another process is starting or stopping the embedded cluster (\(path) stays locked)"
        case .program(let program, let reason):
            "no database: \(program) failed: \(reason)"
        }
    }
}

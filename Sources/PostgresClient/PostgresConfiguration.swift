/// Where a pool connects to, and how.
public struct PostgresConfiguration: Sendable {
    /// A libpq connection URL or keyword string, or a plain database name; empty means the `PG*` variables and libpq's
    /// defaults.
    ///
    /// It may hold a password: never log it.
    public var connectionString: String

    /// The `application_name` of every connection, unless the connection string or `PGAPPNAME` gives one.
    public var applicationName: String

    /// How long one server may take to accept a connection.
    ///
    /// With several hosts each gets this long, as libpq's `connect_timeout` works; a `connect_timeout` in the
    /// connection string takes this value's place.
    public var connectTimeout: Duration

    /// How many connections a pool opens at most; at least 1.
    public var maximumConnections: Int

    /// Describes a server to connect to.
    ///
    /// - Parameters:
    ///   - connectionString: a libpq URL or keyword string; empty means the `PG*` variables and libpq's defaults.
    ///   - applicationName: the name the server shows for these connections in `pg_stat_activity`.
    ///   - connectTimeout: the time one host may take.
    ///   - maximumConnections: the pool's size; values below 1 count as 1.
    public init(
        _ connectionString: String,
        applicationName: String,
        connectTimeout: Duration = .seconds(5),
        maximumConnections: Int = 4
    ) {
        self.connectionString = connectionString
        self.applicationName = applicationName
        self.connectTimeout = connectTimeout
        self.maximumConnections = max(1, maximumConnections)
    }
}

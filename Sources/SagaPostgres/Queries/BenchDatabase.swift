import JSON
import PostgresClient
import SagaCore

/// What `saga bench` asks of a database.
///
/// All calls throw `PostgresError`.
public struct BenchDatabase: Sendable {
    private let pool: PostgresPool
    /// How long one call may take.
    private let timeout: Duration

    public init(pool: PostgresPool, timeout: Duration = .seconds(120)) {
        self.pool = pool
        self.timeout = timeout
    }

    // MARK: Before

    /// Whether anybody has brought in the schema yet.
    public func hasSchema() async throws(PostgresError) -> Bool {
        let result = try await pool.read("SELECT to_regclass('saga.state') IS NOT NULL", timeout: timeout)
        return try result.rows.first?.decode(0) ?? false
    }

    /// The name of a definition other than `saga` that there is a saga of; nil when there is none.
    public func otherSaga(than saga: String) async throws(PostgresError) -> String? {
        let result = try await pool.read(
            """
            SELECT (SELECT d.saga FROM saga.definition d WHERE d.id = s.definition_id) FROM saga.state s
            WHERE s.definition_id <> ALL (ARRAY(SELECT id FROM saga.definition WHERE saga = $1)) LIMIT 1
            """,
            [.text(saga)],
            timeout: timeout
        )
        guard let row = result.rows.first else { return nil }
        return try row.decode(0, as: String?.self) ?? "?"
    }

    /// Whether any saga hasn't ended; the index of work holds no others.
    public func hasUnendedSaga() async throws(PostgresError) -> Bool {
        let result = try await pool.read(
            "SELECT EXISTS (SELECT FROM saga.state WHERE owner IS NOT NULL OR due_at IS NOT NULL)",
            timeout: timeout
        )
        return try result.rows.first?.decode(0) ?? false
    }

    /// A daemon whose lease runs.
    public struct LiveDaemon: Sendable, Hashable {
        public let host: String
        public let pid: Int32
    }

    /// The daemons that there are to run sagas, in the order in which they came.
    public func liveDaemons() async throws(PostgresError) -> [LiveDaemon] {
        let result = try await pool.read(
            "SELECT host, pid FROM saga.daemon WHERE lease_until >= clock_timestamp() ORDER BY id",
            timeout: timeout
        )
        var daemons: [LiveDaemon] = []
        for row in result.rows { daemons.append(LiveDaemon(host: try row.decode(0), pid: try row.decode(1))) }
        return daemons
    }

    /// What a figure has to be read with.
    public struct Server: Sendable, Hashable {
        public let version: String
        public let synchronousCommit: String
        public let fsync: String
        public let database: String
        /// A server process of this database, by its id where it runs.
        public let process: Int32
        /// Whether the connection doesn't leave the machine, as far as the server can see.
        public let isLocal: Bool

        public init(
            version: String,
            synchronousCommit: String,
            fsync: String,
            database: String,
            process: Int32,
            isLocal: Bool
        ) {
            self.version = version
            self.synchronousCommit = synchronousCommit
            self.fsync = fsync
            self.database = database
            self.process = process
            self.isLocal = isLocal
        }
    }

    public func server() async throws(PostgresError) -> Server {
        let result = try await pool.read(
            """
            SELECT current_setting('server_version'), current_setting('synchronous_commit'), current_setting('fsync'),
                current_database()::text, pg_backend_pid(), inet_server_addr() IS NOT DISTINCT FROM inet_client_addr()
            """,
            timeout: timeout
        )
        guard let row = result.rows.first else { throw PostgresError(.decoding, "the server says nothing of itself") }
        return Server(
            version: try row.decode(0),
            synchronousCommit: try row.decode(1),
            fsync: try row.decode(2),
            database: try row.decode(3),
            process: try row.decode(4),
            isLocal: try row.decode(5)
        )
    }

    /// What the server counts, at one moment.
    public struct Counters: Sendable, Hashable {
        /// The database's clock.
        public let at: Instant
        /// The write-ahead log written since the cluster was made, in bytes.
        public let wal: Int64
        /// How many transactions of the cluster have written anything.
        ///
        /// Only those get a number. The numbers are exact at once, unlike `pg_stat_database`, to which an idle
        /// session reports up to ten seconds late.
        public let writes: Int64
    }

    public func counters() async throws(PostgresError) -> Counters {
        let result = try await pool.read(
            """
            SELECT clock_timestamp(), pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint,
                pg_snapshot_xmax(pg_current_snapshot())::text::bigint
            """,
            timeout: timeout
        )
        guard let row = result.rows.first else { throw PostgresError(.decoding, "the server has no counters") }
        return Counters(
            at: Instant(try row.decode(0, as: PostgresTimestamp.self)),
            wal: try row.decode(1),
            writes: try row.decode(2)
        )
    }

    // MARK: Starting

    /// Starts sagas, each in a transaction of its own, all in one round trip.
    public func start(_ saga: String, input: RawJSON, count: Int) async throws(PostgresError) -> [SagaID] {
        let call = PostgresStatement("SELECT saga.start($1, $2)", [.text(saga), .json(input.bytes)])
        if count == 1 { return try Self.ids(try await pool.query(call.sql, call.parameters, timeout: timeout)) }
        let one = [PostgresStatement("BEGIN"), call, PostgresStatement("COMMIT")]
        let results = try await pool.pipeline((0..<count).flatMap { _ in one }, timeout: timeout)
        var ids: [SagaID] = []
        for result in results { ids += try Self.ids(result) }
        return ids
    }

    /// Starts sagas in one transaction.
    public func startTogether(_ saga: String, input: RawJSON, count: Int) async throws(PostgresError) -> [SagaID] {
        try Self.ids(
            try await pool.query(
                "SELECT saga.start($1, $2) FROM generate_series(1, $3)",
                [.text(saga), .json(input.bytes), .int4(Int32(clamping: count))],
                timeout: timeout
            )
        )
    }

    private static func ids(_ result: PostgresResult) throws(PostgresError) -> [SagaID] {
        var ids: [SagaID] = []
        for row in result.rows { ids.append(SagaID(try row.decode(0, as: PostgresUUID.self))) }
        return ids
    }

    // MARK: Ends

    /// How many of the sagas have ended or wait for a person.
    public func countOver(_ ids: ArraySlice<SagaID>) async throws(PostgresError) -> Int {
        let result = try await pool.read(
            """
            SELECT count(*) FROM saga.state
            WHERE id = ANY ($1) AND (ended_at IS NOT NULL OR status = 4 OR unreadable IS NOT NULL)
            """,
            [.uuidArray(ids.map(\.uuid))],
            timeout: timeout
        )
        return Int(try result.rows.first?.decode(0, as: Int64.self) ?? 0)
    }

    /// How a saga ended.
    public struct End: Sendable, Hashable {
        public let id: SagaID
        public let status: SagaStatus
        public let startedAt: Instant
        /// Nil while it hasn't ended.
        public let endedAt: Instant?
        public let events: Int

        public init(id: SagaID, status: SagaStatus, startedAt: Instant, endedAt: Instant?, events: Int) {
            self.id = id
            self.status = status
            self.startedAt = startedAt
            self.endedAt = endedAt
            self.events = events
        }
    }

    /// How the sagas ended, by id; one that isn't there is left out.
    public func ends(of ids: ArraySlice<SagaID>) async throws(PostgresError) -> [End] {
        let result = try await pool.read(
            """
            SELECT s.id, CASE WHEN s.unreadable IS NULL THEN s.status ELSE 4::smallint END, s.started_at, s.ended_at,
                (SELECT count(*) FROM saga.event e WHERE e.saga_id = s.id)
            FROM saga.state s WHERE s.id = ANY ($1) ORDER BY s.id
            """,
            [.uuidArray(ids.map(\.uuid))],
            timeout: timeout
        )
        var ends: [End] = []
        for row in result.rows {
            ends.append(
                End(
                    id: SagaID(try row.decode(0, as: PostgresUUID.self)),
                    status: try SagaStatus(code: try row.decode(1)),
                    startedAt: Instant(try row.decode(2, as: PostgresTimestamp.self)),
                    endedAt: try row.decode(3, as: PostgresTimestamp?.self).map { Instant($0) },
                    events: Int(try row.decode(4, as: Int64.self))
                )
            )
        }
        return ends
    }
}

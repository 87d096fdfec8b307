import PostgresClient
import SagaCore
import SagaEngine

/// The partitions of sagas and their events, by the day of start: makes them ahead, shows and drops them.
///
/// Each call is one transaction, and for the schema's owner; `aged(_:)` also for those who may read.
/// All throw `PostgresError`.
public struct PartitionDesk: Sendable {
    /// Reading a day's states takes seconds when there are many millions.
    private static let timeout = Duration.seconds(300)

    private let pool: PostgresPool

    public init(pool: PostgresPool) {
        self.pool = pool
    }

    /// What may be asked of PostgreSQL only by the tables' owner: whether this role is one.
    static let mayChange = """
        SELECT has_schema_privilege('saga', 'CREATE')
            AND has_function_privilege('saga.ensure_partitions(integer, timestamptz)', 'EXECUTE')
            AND bool_and(pg_has_role(relowner, 'USAGE'))
        FROM pg_class WHERE oid IN ('saga.state'::regclass, 'saga.event'::regclass)
        """

    /// Whether this role has the right to make and drop partitions.
    public func mayChangePartitions() async throws(PostgresError) -> Bool {
        let result = try await pool.query(Self.mayChange, timeout: Self.timeout)
        guard let row = result.rows.first else { return false }
        return try row.decode(0, as: Bool.self)
    }

    /// Makes the partitions that are missing from today to `days` ahead; returns how many it made.
    ///
    /// What others hold at this moment is left for the next call, and so is a day whose sagas are in the default
    /// partition already.
    @discardableResult
    public func ensure(days: Int) async throws(PostgresError) -> Int {
        // Whatever the role's default: at a higher level the default partition would be read, while starts wait.
        let results = try await pool.transaction(
            [
                PostgresStatement("SET TRANSACTION ISOLATION LEVEL READ COMMITTED"),
                PostgresStatement("SELECT saga.ensure_partitions($1)", [.int4(Int32(clamping: days))]),
            ], timeout: Self.timeout)
        guard let row = results.last?.rows.first else { return 0 }
        return Int(try row.decode(0, as: Int32.self))
    }

    /// The partitions in which no saga was started less than `age` ago, the oldest first.
    public func aged(_ age: TimeSpan) async throws(PostgresError) -> [AgedPartition] {
        let result = try await pool.read(
            """
            SELECT partition, sagas, pinning, unended, bytes, oldest, oldest_status, oldest_ended_at
            FROM saga.retention($1 * interval '1 us')
            """, [.int8(age.microseconds)], timeout: Self.timeout)
        var partitions: [AgedPartition] = []
        for row in result.rows { partitions.append(try Self.partition(row)) }
        return partitions
    }

    /// Drops a partition, if every saga in it has ended longer than `age` ago.
    public func drop(_ partition: AgedPartition, endedBefore age: TimeSpan) async throws(PostgresError) -> PartitionDrop
    {
        do throws(PostgresError) {
            // Whatever the role's default: what others have just committed must be seen.
            let results = try await pool.transaction(
                [
                    PostgresStatement("SET TRANSACTION ISOLATION LEVEL READ COMMITTED"),
                    PostgresStatement(
                        "SELECT saga.drop_partition($1, $2 * interval '1 us')",
                        [.text(partition.name), .int8(age.microseconds)]),
                ], timeout: Self.timeout)
            guard let sagas = try results.last?.rows.first?.decode(0, as: Int64?.self) else { return .kept }
            return .dropped(sagas: Int(sagas))
        } catch {
            // 55P03: the wait was over; 40P01: somebody waited for us in turn.
            if let state = error.sqlState, ["55P03", "40P01"].contains(state) { return .busy }
            throw error
        }
    }

    /// Deletes what happened to breakers longer than `age` ago, but for the last event of each; returns how much.
    @discardableResult
    public func dropBreakerEvents(olderThan age: TimeSpan) async throws(PostgresError) -> Int {
        let result = try await pool.query(
            "SELECT saga.drop_breaker_events($1 * interval '1 us')", [.int8(age.microseconds)], timeout: Self.timeout)
        guard let row = result.rows.first else { return 0 }
        return Int(try row.decode(0, as: Int64.self))
    }

    private static func partition(_ row: PostgresRow) throws(PostgresError) -> AgedPartition {
        var pin: AgedPartition.Pin?
        if let saga = try row.decode(5, as: PostgresUUID?.self), let name = try row.decode(6, as: String?.self),
            let status = SagaStatus(name: name)
        {
            let endedAt = try row.decode(7, as: PostgresTimestamp?.self)
            pin = AgedPartition.Pin(saga: SagaID(saga), status: status, endedAt: endedAt.map(Instant.init))
        }
        return AgedPartition(
            name: try row.decode(0), sagas: try row.decode(1), pinning: try row.decode(2),
            unended: try row.decode(3), bytes: try row.decode(4), oldest: pin)
    }
}

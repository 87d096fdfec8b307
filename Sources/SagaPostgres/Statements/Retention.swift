import PostgresClient
import SagaCore
import SagaEngine

/// Partitions by the day of start. Each call is one statement, and each statement a transaction.
extension PostgresStore: RetentionStore {
    /// Reading a day's states takes seconds when there are many millions.
    private static let retentionTimeout = Duration.seconds(300)

    public func ensurePartitions(days: Int) async throws(StoreError) -> Int {
        try await retention { pool throws(PostgresError) in
            let result = try await pool.query(
                "SELECT saga.ensure_partitions($1)", [.int4(Int32(clamping: days))], timeout: timeout)
            return try result.rows.first.map { row throws(PostgresError) in Int(try row.decode(0, as: Int32.self)) } ?? 0
        }
    }

    public func agedPartitions(_ age: TimeSpan) async throws(StoreError) -> [AgedPartition] {
        try await retention { pool throws(PostgresError) in
            let result = try await pool.query(
                """
                SELECT partition, sagas, pinning, unended, bytes, oldest, oldest_status, oldest_ended_at
                FROM saga.retention($1 * interval '1 us')
                """, [.int8(age.microseconds)], timeout: Self.retentionTimeout)
            var partitions: [AgedPartition] = []
            for row in result.rows { partitions.append(try AgedPartition(row)) }
            return partitions
        }
    }

    public func drop(_ partition: AgedPartition, endedBefore age: TimeSpan) async throws(StoreError) -> PartitionDrop {
        do throws(PostgresError) {
            let result = try await pool.query(
                "SELECT saga.drop_partition($1, $2 * interval '1 us')",
                [.text(partition.name), .int8(age.microseconds)], timeout: Self.retentionTimeout)
            guard let sagas = try result.rows.first?.decode(0, as: Int64?.self) else { return .kept }
            return .dropped(sagas: Int(sagas))
        } catch {
            // 55P03: the wait was over; 40P01: somebody waited for us in turn.
            if ["55P03", "40P01"].contains(error.sqlState) { return .busy }
            throw StoreError(error)
        }
    }

    public func dropBreakerEvents(olderThan age: TimeSpan) async throws(StoreError) -> Int {
        try await retention { pool throws(PostgresError) in
            let result = try await pool.query(
                "SELECT saga.drop_breaker_events($1 * interval '1 us')", [.int8(age.microseconds)],
                timeout: Self.retentionTimeout)
            return try result.rows.first?.decode(0, as: Int.self) ?? 0
        }
    }

    private func retention<Value>(
        _ body: (PostgresPool) async throws(PostgresError) -> Value
    ) async throws(StoreError) -> Value {
        do throws(PostgresError) {
            return try await body(pool)
        } catch {
            throw StoreError(error)
        }
    }
}

extension AgedPartition {
    /// From `partition, sagas, pinning, unended, bytes, oldest, oldest_status, oldest_ended_at`.
    fileprivate init(_ row: PostgresRow) throws(PostgresError) {
        var pin: Pin?
        if let saga = try row.decode(5, as: PostgresUUID?.self), let name = try row.decode(6, as: String?.self),
            let status = SagaStatus(name: name)
        {
            pin = Pin(
                saga: SagaID(saga), status: status,
                endedAt: try row.decode(7, as: PostgresTimestamp?.self).map { Instant($0) })
        }
        self.init(
            name: try row.decode(0), sagas: try row.decode(1), pinning: try row.decode(2),
            unended: try row.decode(3), bytes: try row.decode(4), oldest: pin)
    }
}

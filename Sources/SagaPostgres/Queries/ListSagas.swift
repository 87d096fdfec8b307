import JSON
import PostgresClient
import SagaCore

/// Which sagas a list shows.
public struct SagaFilter: Sendable, Hashable {
    /// The definition's name; nil is any.
    public var saga: String?
    /// Empty is any.
    public var statuses: [SagaStatus]
    /// Started no longer ago than this.
    public var since: TimeSpan?
    /// At most so many, the newest.
    public var limit: Int

    public init(saga: String? = nil, statuses: [SagaStatus] = [], since: TimeSpan? = nil, limit: Int = 50) {
        self.saga = saga
        self.statuses = statuses
        self.since = since
        self.limit = limit
    }
}

extension SagaReader {
    /// Sagas without their steps, newest first, and the database's clock.
    public func list(
        _ filter: SagaFilter
    ) async throws(PostgresError) -> (sagas: [StatusDocument], readAt: Instant) {
        // Ids are UUIDs of version 7, whose first 48 bits are the milliseconds of the start: the primary key gives both
        // the order and the range.
        let results = try await pool.pipeline(
            [
                PostgresStatement(
                    """
                    SELECT id, saga, version, key, status, paused, input, output, failure ->> 'step',
                        failure ->> 'error', failure ->> 'message', started_at, ended_at
                    FROM saga.sagas
                    WHERE ($1::text IS NULL OR saga = $1) AND (cardinality($2::text[]) = 0 OR status = ANY ($2))
                        AND ($3::bigint IS NULL OR (started_at >= now() - $3 * interval '1 microsecond'
                            AND id >= rpad(lpad(to_hex(greatest(0, floor(
                                extract(epoch FROM now()) * 1000 - $3 / 1000.0))::bigint), 12, '0'), 32, '0')::uuid))
                    ORDER BY id DESC
                    LIMIT $4
                    """,
                    [
                        .text(filter.saga), .textArray(filter.statuses.map(\.name)), .int8(filter.since?.microseconds),
                        .int8(Int64(max(0, filter.limit))),
                    ]
                ),
                PostgresStatement("SELECT clock_timestamp()"),
            ],
            timeout: timeout
        )
        var sagas: [StatusDocument] = []
        sagas.reserveCapacity(results[0].rows.count)
        for row in results[0].rows { sagas.append(try Self.document(row)) }
        let now = try results[1].rows.first?.decode(0, as: PostgresTimestamp.self)
        return (sagas, now.map(Instant.init) ?? Instant(microseconds: 0))
    }

    private static func document(_ row: PostgresRow) throws(PostgresError) -> StatusDocument {
        let name = try row.decode(4, as: String.self)
        guard let status = SagaStatus(name: name) else {
            throw PostgresError(.decoding, "a saga has the status \(name), which is none")
        }
        let error: String? = try row.decode(9)
        let step: String? = try row.decode(8)
        let message: String? = try row.decode(10)
        return StatusDocument(
            id: SagaID(try row.decode(0, as: PostgresUUID.self)),
            saga: try row.decode(1),
            version: try row.decode(2),
            key: try row.decode(3),
            status: status,
            isPaused: try row.decode(5),
            input: try payload(row, 6) ?? .null,
            output: try payload(row, 7),
            startedAt: Instant(try row.decode(11, as: PostgresTimestamp.self)),
            endedAt: try row.decode(12, as: PostgresTimestamp?.self).map(Instant.init),
            failure: error.map { StatusDocument.Failure(step: step, error: $0, message: message ?? "") },
            steps: nil
        )
    }

    private static func payload(_ row: PostgresRow, _ column: Int) throws(PostgresError) -> RawJSON? {
        try row.decode(column, as: [UInt8]?.self).map { RawJSON(unchecked: $0) }
    }
}

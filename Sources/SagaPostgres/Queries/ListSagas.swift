import JSON
import PostgresClient
import SagaCore

extension SagaReader {
    /// Sagas without their steps, newest first, and the database's clock.
    public func list(
        _ filter: SagaFilter
    ) async throws(PostgresError) -> (sagas: [StatusDocument], readAt: Instant) {
        var conditions = SagaConditions(filter)
        if filter.looksAtFailure {
            conditions.add("s.id = ANY ($)", .uuidArray(try await newest(filter).map(\.uuid)))
        }
        let results = try await pool.read(
            [
                PostgresStatement(
                    """
                    SELECT v.id, v.saga, v.version, v.key, \(ShownColumns.status), v.paused, v.input, v.output,
                        \(ShownColumns.step), \(ShownColumns.error), v.failure ->> 'message', v.started_at, v.ended_at,
                        CASE WHEN v.status IS NULL THEN s.status END
                    FROM saga.state s JOIN saga.sagas v ON v.id = s.id
                    WHERE \(conditions.text)
                    ORDER BY s.id DESC
                    LIMIT \(max(0, filter.limit))
                    """,
                    conditions.parameters
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
        var message: String? = try row.decode(10)
        if let code = try row.decode(13, as: Int16?.self) { message = SagaStatus.fault(ofCode: code) }
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

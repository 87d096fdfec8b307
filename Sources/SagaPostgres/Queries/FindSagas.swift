import PostgresClient
import SagaCore

/// A saga that a filter found, as a person recognises it.
public struct FoundSaga: Sendable, Hashable {
    public let id: SagaID
    /// The definition's name.
    public let saga: String
    public let key: String?
    public let status: SagaStatus
    /// Of the failure that is shown.
    public let step: String?
    public let error: String?
}

/// How much a filter found.
public struct FoundSagas: Sendable, Hashable {
    /// The filter's limit at most.
    public let count: Int
    /// The last of all that match: sagas that start later aren't meant. nil when none matches.
    public let last: SagaID?
    /// The first few, the oldest first.
    public let sample: [FoundSaga]
}

extension SagaReader {
    /// How many sagas match, and the first of them.
    ///
    /// Throws `PostgresError`, as all do here.
    public func survey(_ filter: SagaFilter, sample: Int) async throws(PostgresError) -> FoundSagas {
        let conditions = SagaConditions(filter)
        let results = try await pool.pipeline(
            [
                PostgresStatement(
                    """
                    SELECT count(*), max(s.id::text) FROM saga.state s JOIN saga.sagas v ON v.id = s.id
                    WHERE \(conditions.text)
                    """,
                    conditions.parameters
                ),
                Self.page(conditions, after: nil, through: nil, size: min(sample, filter.limit)),
            ],
            timeout: timeout
        )
        let row = results[0].rows.first
        return FoundSagas(
            count: min(try row?.decode(0) ?? 0, filter.limit),
            last: try row?.decode(1, as: String?.self).flatMap { SagaID($0) },
            sample: try Self.found(results[1].rows)
        )
    }

    /// The next sagas that match, in the order of their ids, which is that of their starts.
    ///
    /// - Parameters:
    ///   - after: the last one seen; nil begins.
    ///   - through: the last one that is meant.
    public func page(
        _ filter: SagaFilter, after: SagaID?, through: SagaID, size: Int
    ) async throws(PostgresError) -> [FoundSaga] {
        let statement = Self.page(SagaConditions(filter), after: after, through: through, size: size)
        return try Self.found(try await pool.query(statement.sql, statement.parameters, timeout: timeout).rows)
    }

    private static func page(
        _ conditions: SagaConditions, after: SagaID?, through: SagaID?, size: Int
    ) -> PostgresStatement {
        var conditions = conditions
        if let after { conditions.add("s.id > $", .uuid(after.uuid)) }
        if let through { conditions.add("s.id <= $", .uuid(through.uuid)) }
        return PostgresStatement(
            """
            SELECT v.id, v.saga, v.key, v.status, v.failure ->> 'step', v.failure ->> 'error'
            FROM saga.state s JOIN saga.sagas v ON v.id = s.id
            WHERE \(conditions.text)
            ORDER BY s.id LIMIT \(max(0, size))
            """,
            conditions.parameters
        )
    }

    private static func found(_ rows: [PostgresRow]) throws(PostgresError) -> [FoundSaga] {
        var sagas: [FoundSaga] = []
        for row in rows {
            let name = try row.decode(3, as: String.self)
            guard let status = SagaStatus(name: name) else {
                throw PostgresError(.decoding, "a saga has the status \(name), which is none")
            }
            sagas.append(
                FoundSaga(
                    id: SagaID(try row.decode(0, as: PostgresUUID.self)), saga: try row.decode(1),
                    key: try row.decode(2), status: status, step: try row.decode(4), error: try row.decode(5)))
        }
        return sagas
    }
}

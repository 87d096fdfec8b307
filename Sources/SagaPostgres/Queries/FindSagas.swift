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
    /// The last that is meant, since those that start later aren't; nil when none matches.
    public let last: SagaID?
    /// The first few, the oldest first.
    public let sample: [FoundSaga]
}

/// Which way sagas are gone through, in the order of their ids, which is that of their starts.
enum SagaOrder: String {
    case oldestFirst = "ASC"
    case newestFirst = "DESC"
}

/// A stretch of what a filter may find.
public struct SagaPage: Sendable, Hashable {
    /// Those that match.
    public let sagas: [FoundSaga]
    /// The last that was looked at, where the next page begins; nil when there is no more.
    public let last: SagaID?

    public init(sagas: [FoundSaga], last: SagaID?) {
        self.sagas = sagas
        self.last = last
    }
}

extension SagaReader {
    /// How many sagas one statement looks at whose failure must fit, which only their histories tell.
    ///
    /// However few of them fit, it is answered in time, and the next goes on from there.
    private static let window = 2_000

    /// How many sagas match, and the first of them.
    ///
    /// Throws `PostgresError`, as all do here.
    public func survey(_ filter: SagaFilter, sample: Int) async throws(PostgresError) -> FoundSagas {
        let conditions = SagaConditions(filter)
        let result = try await pool.read(
            "SELECT count(*), max(s.id::text) FROM saga.state s WHERE \(conditions.text)", conditions.parameters,
            timeout: timeout)
        guard let row = result.rows.first, let last = try row.decode(1, as: String?.self).flatMap({ SagaID($0) })
        else { return FoundSagas(count: 0, last: nil, sample: []) }
        var count: Int = try row.decode(0)
        var first: [FoundSaga] = []
        if filter.looksAtFailure { count = 0 }
        var after: SagaID?
        repeat {
            let size = filter.looksAtFailure ? Self.window : sample
            let page = try await page(filter, after: after, through: last, size: size)
            if filter.looksAtFailure { count += page.sagas.count }
            first += page.sagas.prefix(max(0, min(sample, filter.limit) - first.count))
            after = page.last
        } while filter.looksAtFailure && after != nil && count < filter.limit
        return FoundSagas(count: min(count, filter.limit), last: count > 0 ? last : nil, sample: first)
    }

    /// The next sagas that match, the oldest first.
    ///
    /// - Parameters:
    ///   - after: the last one looked at; nil begins.
    ///   - through: the last one that is meant.
    ///   - size: how many are looked at.
    public func page(
        _ filter: SagaFilter, after: SagaID?, through: SagaID, size: Int
    ) async throws(PostgresError) -> SagaPage {
        var conditions = SagaConditions(filter)
        if let after { conditions.add("s.id > $", .uuid(after.uuid)) }
        conditions.add("s.id <= $", .uuid(through.uuid))
        return try await page(filter, conditions, order: .oldestFirst, size: size)
    }

    /// The ids of the newest sagas that match, as many as the filter's limit.
    func newest(_ filter: SagaFilter) async throws(PostgresError) -> [SagaID] {
        var ids: [SagaID] = []
        var last: SagaID?
        repeat {
            var conditions = SagaConditions(filter)
            if let last { conditions.add("s.id < $", .uuid(last.uuid)) }
            let page = try await page(filter, conditions, order: .newestFirst, size: Self.window)
            ids += page.sagas.prefix(max(0, filter.limit - ids.count)).map(\.id)
            last = page.last
        } while last != nil && ids.count < filter.limit
        return ids
    }

    private func page(
        _ filter: SagaFilter, _ conditions: SagaConditions, order: SagaOrder, size: Int
    ) async throws(PostgresError) -> SagaPage {
        var parameters = conditions.parameters
        parameters += [.text(filter.step), .text(filter.error)]
        let (step, error) = ("$\(parameters.count - 1)", "$\(parameters.count)")
        // Materialized, so that the planner can neither reckon that almost nothing fits and look at all sagas first, nor
        // read a history twice.
        let results = try await pool.read(
            [
                PostgresStatement(
                    """
                    WITH candidate AS MATERIALIZED (
                        SELECT s.id FROM saga.state s WHERE \(conditions.text) ORDER BY s.id \(order.rawValue)
                        LIMIT \(max(0, size))
                    ), shown AS MATERIALIZED (
                        SELECT v.id, v.saga, v.key, \(ShownColumns.status) AS status, \(ShownColumns.step) AS step,
                            \(ShownColumns.error) AS error
                        FROM candidate c JOIN saga.sagas v ON v.id = c.id
                    )
                    SELECT c.count, c.first, c.last, m.id, m.saga, m.key, m.status, m.step, m.error
                    FROM (SELECT count(*), min(id::text) AS first, max(id::text) AS last FROM candidate) c
                    LEFT JOIN shown m ON (\(step)::text IS NULL OR m.step = \(step))
                        AND (\(error)::text IS NULL OR m.error = \(error))
                    ORDER BY m.id \(order.rawValue)
                    """,
                    parameters)
            ],
            timeout: timeout
        )
        let rows = results[0].rows
        guard let row = rows.first else { return SagaPage(sagas: [], last: nil) }
        let isFull = try row.decode(0, as: Int.self) >= size
        let last = try row.decode(order == .oldestFirst ? 2 : 1, as: String?.self)
        var sagas: [FoundSaga] = []
        for row in rows {
            if let saga = try Self.found(row) { sagas.append(saga) }
        }
        return SagaPage(sagas: sagas, last: isFull ? last.flatMap { SagaID($0) } : nil)
    }

    private static func found(_ row: PostgresRow) throws(PostgresError) -> FoundSaga? {
        guard let id = try row.decode(3, as: PostgresUUID?.self) else { return nil }
        let name = try row.decode(6, as: String.self)
        guard let status = SagaStatus(name: name) else {
            throw PostgresError(.decoding, "a saga has the status \(name), which is none")
        }
        return FoundSaga(
            id: SagaID(id), saga: try row.decode(4), key: try row.decode(5), status: status, step: try row.decode(7),
            error: try row.decode(8))
    }
}

import PostgresClient
import SagaCore

extension SagaReader {
    /// The whole installation at a glance, and the database's clock.
    public func overview() async throws(PostgresError) -> (overview: Overview, readAt: Instant) {
        let stuck = SagaConditions(SagaFilter(statuses: [.stuck]))
        let results = try await pool.read(
            [
                PostgresStatement(
                    """
                    SELECT CASE WHEN (s.unreadable IS NULL OR s.ended_at IS NOT NULL) AND \(ShownColumns.hasStatus)
                        THEN s.status ELSE 4::smallint END, count(*)
                    FROM saga.state s GROUP BY 1
                    """
                ),
                PostgresStatement(
                    """
                    SELECT v.saga, \(ShownColumns.step), \(ShownColumns.error), count(*), min(coalesce(
                        (SELECT max(e.at) FROM saga.event e WHERE e.saga_id = v.id AND e.type = 16), v.started_at)),
                        CASE WHEN count(*) = 1 THEN min(v.id::text) END
                    FROM saga.state s JOIN saga.sagas v ON v.id = s.id
                    WHERE \(stuck.text)
                    GROUP BY 1, 2, 3 ORDER BY 5, 1, 2, 3
                    """,
                    stuck.parameters
                ),
                PostgresStatement(
                    """
                    SELECT s.id, d.saga, s.due_at FROM saga.state s JOIN saga.definition d ON d.id = s.definition_id
                    WHERE s.owner IS NULL AND s.due_at < 'infinity'
                    ORDER BY s.owner, s.due_at LIMIT 1
                    """
                ),
                PostgresStatement("SELECT id, host, pid, epoch, lease_until, sagas FROM saga.daemons ORDER BY id"),
                PostgresStatement("SELECT clock_timestamp()"),
                PostgresStatement(
                    "SELECT service, url, state, since, next_probe FROM saga.breakers ORDER BY service, url"),
            ],
            timeout: timeout
        )
        var counts: [SagaStatus: Int] = [:]
        for row in results[0].rows { counts[try SagaStatus(code: try row.decode(0))] = try row.decode(1) }
        let now = try results[4].rows.first?.decode(0, as: PostgresTimestamp.self)
        let overview = Overview(
            sagas: counts,
            attention: try Self.attention(results[1].rows),
            oldestDue: try await oldestDue(results[2].rows.first),
            daemons: try Self.daemons(results[3].rows),
            breakers: try Self.breakers(results[5].rows)
        )
        return (overview, now.map(Instant.init) ?? Instant(microseconds: 0))
    }

    /// Whether any daemon's lease still runs.
    public func hasLiveDaemon() async throws(PostgresError) -> Bool {
        let result = try await pool.read(
            "SELECT EXISTS (SELECT FROM saga.daemon WHERE lease_until >= clock_timestamp())",
            timeout: timeout
        )
        return try result.rows.first?.decode(0) ?? false
    }

    private static func attention(_ rows: [PostgresRow]) throws(PostgresError) -> [Overview.Attention] {
        var items: [Overview.Attention] = []
        for row in rows {
            items.append(
                Overview.Attention(
                    saga: try row.decode(0),
                    step: try row.decode(1),
                    error: try row.decode(2, as: String?.self) ?? EngineError.unreadable,
                    count: try row.decode(3),
                    oldest: Instant(try row.decode(4, as: PostgresTimestamp.self)),
                    id: try row.decode(5, as: String?.self).flatMap { SagaID($0) }
                )
            )
        }
        return items
    }

    private static func daemons(_ rows: [PostgresRow]) throws(PostgresError) -> [Overview.Daemon] {
        var daemons: [Overview.Daemon] = []
        for row in rows {
            daemons.append(
                Overview.Daemon(
                    id: try row.decode(0),
                    host: try row.decode(1),
                    pid: try row.decode(2),
                    epoch: try row.decode(3),
                    leaseUntil: Instant(try row.decode(4, as: PostgresTimestamp.self)),
                    sagas: try row.decode(5)
                )
            )
        }
        return daemons
    }

    private static func breakers(_ rows: [PostgresRow]) throws(PostgresError) -> [Overview.Breaker] {
        var breakers: [Overview.Breaker] = []
        for row in rows {
            breakers.append(
                Overview.Breaker(
                    service: try row.decode(0),
                    url: try row.decode(1),
                    state: try row.decode(2),
                    since: Instant(try row.decode(3, as: PostgresTimestamp.self)),
                    nextProbe: try row.decode(4, as: PostgresTimestamp?.self).map { Instant($0) }
                )
            )
        }
        return breakers
    }

    /// Which step is due only the saga's history tells.
    private func oldestDue(_ row: PostgresRow?) async throws(PostgresError) -> Overview.Due? {
        guard let row else { return nil }
        let id = SagaID(try row.decode(0, as: PostgresUUID.self))
        var step: String?
        if case .readable(let state, let definition) = try await load(id)?.read() {
            step = state.firstStepDue(in: definition)
        }
        return Overview.Due(
            id: id,
            saga: try row.decode(1),
            step: step,
            dueAt: Instant(try row.decode(2, as: PostgresTimestamp.self))
        )
    }
}

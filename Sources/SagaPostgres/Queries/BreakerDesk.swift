import JSON
import PostgresClient
import SagaCore
import SagaEngine

/// The services that a database knows, for people: where their breakers stand, and what a person does to them.
///
/// All calls throw `PostgresError` unless they say otherwise.
public struct BreakerDesk: Sendable {
    let pool: PostgresPool
    /// How long one call may take.
    let timeout: Duration

    public init(pool: PostgresPool, timeout: Duration = .seconds(30)) {
        self.pool = pool
        self.timeout = timeout
    }

    /// One service as it stands.
    public struct Record: Sendable {
        public let name: String
        /// As the definition writes it.
        public let url: String
        /// Where `fault` isn't nil, a new service's instead of what can't be read.
        public let stored: StoredService
        /// Why this program can't read the service's row; nil when it can.
        public let fault: String?
        /// Sagas that nobody runs and that wait for it; those in a daemon's memory come on top.
        public let waiting: Int
        /// The database's clock.
        public let readAt: Instant
    }

    /// A breaker's event at its place.
    public struct RecordedBreakerEvent: Sendable {
        public let service: String
        public let url: String
        public let serviceID: ServiceID
        /// 1, 2, 3 … within the service.
        public let sequence: Int
        public let event: BreakerEvent
    }

    /// Every service, or those of one name, by name and URL.
    ///
    /// Who waits is counted for all services at once: one by one each would look into every partition.
    public func records(named name: String? = nil, url: String? = nil) async throws(PostgresError) -> [Record] {
        let result = try await pool.read(
            """
            SELECT s.id, s.version, s.settings, s.document, s.name, s.url, clock_timestamp(), coalesce(w.sagas, 0)
            FROM saga.service s LEFT JOIN (
                SELECT waits_for, count(*) AS sagas FROM saga.state
                WHERE waits_for IS NOT NULL AND due_at IS NOT NULL GROUP BY waits_for
            ) w ON w.waits_for = s.id
            WHERE ($1::text IS NULL OR s.name = $1) AND ($2::text IS NULL OR s.url = $2)
            ORDER BY s.name, s.url
            """, [.text(name), .text(url)], timeout: timeout)
        var records: [Record] = []
        for row in result.rows {
            let readAt = Instant(try row.decode(6, as: PostgresTimestamp.self))
            let (stored, fault) = try Self.stored(row, readAt: readAt)
            records.append(
                Record(
                    name: try row.decode(4), url: try row.decode(5), stored: stored, fault: fault,
                    waiting: try row.decode(7), readAt: readAt))
        }
        return records
    }

    /// One service that can't be read must not hide the others, nor itself from whoever is to mend it.
    private static func stored(_ row: PostgresRow, readAt: Instant) throws(PostgresError) -> (StoredService, String?) {
        do throws(PostgresError) { return (try StoredService(row), nil) } catch {
            let new = StoredService(
                id: ServiceID(try row.decode(0)), version: try row.decode(1), settings: ServiceSettings(),
                state: ServiceState(at: readAt))
            return (new, error.message)
        }
    }

    /// Does to the service's breaker what a person asks for, on its latest state.
    ///
    /// A row that can't be read takes nothing but a reset, which makes it a new service's.
    /// - Returns: the event that was recorded; nil when it is so already.
    /// - Throws: `PostgresError`, also when the service changes too fast or can't be read.
    public func perform(_ command: BreakerCommand, on record: Record, by act: Event.Act) async throws(PostgresError)
        -> BreakerEvent?
    {
        var record = record
        for _ in 0..<100 {
            if let fault = record.fault, command != .reset { throw PostgresError(.decoding, fault) }
            var state = record.stored.state
            let event = state.operate(command, by: act, settings: record.stored.settings, now: record.readAt)
            guard let event else { return nil }
            let update = ServiceUpdate(
                id: record.stored.id, expectedVersion: record.stored.version, state: state, events: [event])
            let result = try await pool.transaction([update.statement], timeout: timeout)
            if try result.first?.rows.first?.decode(0, as: Bool.self) ?? false { return event }
            guard let newer = try await records(named: record.name, url: record.url).first else { return nil }
            record = newer
        }
        throw PostgresError(.timeout, "service \(record.name) changes too fast; try again")
    }

    /// What happened to the breakers of that name, oldest first; at most the last `limit`.
    public func events(named name: String?, url: String? = nil, limit: Int = 1_000) async throws(PostgresError)
        -> [RecordedBreakerEvent]
    {
        let result = try await pool.read(
            """
            SELECT * FROM (
                SELECT s.name, s.url, s.id, e.sequence, e.type, e.at, e.data
                FROM saga.breaker_event e JOIN saga.service s ON s.id = e.service_id
                WHERE ($1::text IS NULL OR s.name = $1) AND ($2::text IS NULL OR s.url = $2)
                ORDER BY e.at DESC, s.id DESC, e.sequence DESC LIMIT $3
            ) last ORDER BY at, id, sequence
            """, [.text(name), .text(url), .int8(Int64(limit))], timeout: timeout)
        var events: [RecordedBreakerEvent] = []
        for row in result.rows {
            guard let type = BreakerEventType(rawValue: try row.decode(4)) else { continue }
            events.append(
                RecordedBreakerEvent(
                    service: try row.decode(0), url: try row.decode(1), serviceID: ServiceID(try row.decode(2)),
                    sequence: Int(try row.decode(3, as: Int32.self)),
                    event: BreakerEvent(
                        type: type, at: Instant(try row.decode(5, as: PostgresTimestamp.self)),
                        data: RawJSON(unchecked: try row.decode(6)))))
        }
        return events
    }
}

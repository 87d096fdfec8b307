import JSON
import PostgresClient
import SagaCore
import SagaEngine

/// Services that have been held back for long, and those whose row can't be read.
struct ServicesCheck: DoctorCheck {
    static let code = DoctorCode.services

    struct Held: Sendable, Hashable {
        var name: String
        var url: String
        /// `OPEN` and so on.
        var state: String
        /// Since it was last closed, however often it was probed.
        var since: Instant
        var nextProbe: Instant?
        /// Sagas that wait for it outside a daemon's memory.
        var waiting: Int
    }

    struct Facts: Sendable, Hashable {
        var held: [Held] = []
        /// Name and what is wrong.
        var unreadable: [String: String] = [:]
        var count = 0
        /// The database's clock.
        var now: Instant
    }

    func findings(in database: DoctorDatabase) async throws(PostgresError) -> [DoctorFinding] {
        let results = try await database.read([
            PostgresStatement(
                """
                SELECT s.name, s.url, s.state, coalesce((
                        SELECT min(e.at) FROM saga.breaker_event e
                        WHERE e.service_id = s.id AND e.type IN (1, 4) AND e.sequence > coalesce((
                            SELECT max(c.sequence) FROM saga.breaker_event c
                            WHERE c.service_id = s.id AND c.type IN (3, 5, 6)), 0)), s.since),
                    s.next_probe,
                    (SELECT count(*) FROM saga.state w WHERE w.waits_for = s.id AND w.due_at IS NOT NULL)
                FROM saga.service s WHERE s.state IN ('OPEN', 'HALF_OPEN', 'FORCED_OPEN') ORDER BY s.name, s.url
                """),
            PostgresStatement("SELECT count(*), clock_timestamp() FROM saga.service"),
            PostgresStatement("SELECT id, version, settings, document, name FROM saga.service ORDER BY name, url"),
        ])
        guard let row = results[1].rows.first else { throw PostgresError(.decoding, "no clock") }
        var facts = Facts(count: try row.decode(0), now: Instant(try row.decode(1, as: PostgresTimestamp.self)))
        for row in results[0].rows {
            facts.held.append(
                Held(
                    name: try row.decode(0), url: try row.decode(1), state: try row.decode(2),
                    since: Instant(try row.decode(3, as: PostgresTimestamp.self)),
                    nextProbe: try row.decode(4, as: PostgresTimestamp?.self).map { Instant($0) },
                    waiting: try row.decode(5)))
        }
        for row in results[2].rows {
            do throws(PostgresError) { _ = try StoredService(row) } catch {
                facts.unreadable[try row.decode(4)] = error.message
            }
        }
        return Self.judge(facts, limits: database.limits)
    }

    static func judge(_ facts: Facts, limits: DoctorLimits) -> [DoctorFinding] {
        var findings: [DoctorFinding] = []
        for (name, fault) in facts.unreadable.sorted(by: { $0.key < $1.key }) {
            findings.append(
                DoctorFinding(
                    .serviceUnreadable, .error, "the row of service \(name) can't be read, so its calls wait: \(fault)",
                    advice: "saga breaker reset \(name) --reason TEXT", data: ["service": .string(name)]))
        }
        for service in facts.held where service.since + limits.breaker <= facts.now {
            let isForced = service.state == BreakerState.forcedOpen.rawValue
            let span = DoctorText.span(facts.now - service.since)
            let state =
                isForced
                ? "has been forced open by a person for \(span)" : "hasn't been closed for \(span) (\(service.state))"
            findings.append(
                DoctorFinding(
                    .breakerOpenLong, .warning,
                    """
                    the breaker of service \(service.name) (\(service.url)) \(state), and \
                    \(DoctorText.count(service.waiting, "saga waits", "sagas wait"))
                    """,
                    advice: isForced
                        ? "when calls may go out again: saga breaker close \(service.name) --reason TEXT"
                        : """
                        mend the service; it is called again by itself. saga breaker events \(service.name) tells \
                        what happened
                        """,
                    data: [
                        "service": .string(service.name), "url": .string(service.url), "state": .string(service.state),
                        "since": .string(service.since.text), "waiting": .int(service.waiting),
                    ]))
        }
        guard findings.isEmpty else { return findings }
        let held = facts.held.isEmpty ? "none held back" : "\(facts.held.count) held back for a short time"
        return [
            DoctorFinding(
                .services, .ok, "\(facts.count), \(held)",
                data: ["services": .int(facts.count), "held": .int(facts.held.count)])
        ]
    }
}

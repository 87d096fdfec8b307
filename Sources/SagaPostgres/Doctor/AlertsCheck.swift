import JSON
import PostgresClient
import SagaCore

/// Alerts that wait for their receiver.
struct AlertsCheck: DoctorCheck {
    static let code = DoctorCode.alerts

    struct Facts: Sendable, Hashable {
        var count = 0
        /// Those that were posted and not taken.
        var refused = 0
        /// Since when the oldest of those has waited.
        var oldestRefused: Instant?
        /// The database's clock.
        var now: Instant
    }

    func findings(in database: DoctorDatabase) async throws(PostgresError) -> [DoctorFinding] {
        let row = try await database.row(
            """
            SELECT count(*), count(*) FILTER (WHERE attempts > 0), min(created_at) FILTER (WHERE attempts > 0),
                clock_timestamp()
            FROM saga.alert
            """)
        return [
            Self.judge(
                Facts(
                    count: try row.decode(0), refused: try row.decode(1),
                    oldestRefused: try row.decode(2, as: PostgresTimestamp?.self).map { Instant($0) },
                    now: Instant(try row.decode(3, as: PostgresTimestamp.self))), limits: database.limits)
        ]
    }

    /// Alerts that nobody tried to post are no trouble: an installation without `--alert-url` drops them after a week.
    static func judge(_ facts: Facts, limits: DoctorLimits) -> DoctorFinding {
        let data: JSON = ["waiting": .int(facts.count), "refused": .int(facts.refused)]
        guard let oldest = facts.oldestRefused, oldest + limits.alert <= facts.now else {
            return DoctorFinding(.alerts, .ok, "\(DoctorText.count(facts.count, "waits", "wait"))", data: data)
        }
        return DoctorFinding(
            .alertsWaiting, .warning,
            """
            \(DoctorText.count(facts.refused, "alert")) couldn't be posted, the oldest for \
            \(DoctorText.span(facts.now - oldest)); after 7 days they are dropped
            """,
            advice: "see the daemons' logs for what the receiver of --alert-url answers", data: data)
    }
}

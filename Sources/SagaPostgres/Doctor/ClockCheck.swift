import Glibc
import JSON
import PostgresClient
import SagaCore

/// How far this machine's clock is from the database's.
///
/// No decision depends on it, since only the database's clock counts; but log lines carry the machine's.
struct ClockCheck: DoctorCheck {
    static let code = DoctorCode.clock

    struct Facts: Sendable, Hashable {
        /// The database's clock minus this machine's, in the middle of the round trip.
        var ahead: TimeSpan
        /// Half the round trip: the measure is no better than that.
        var error: TimeSpan
    }

    /// The quickest of a few round trips measures best.
    func findings(in database: DoctorDatabase) async throws(PostgresError) -> [DoctorFinding] {
        var best: Facts?
        for _ in 0..<5 {
            let before = Self.now()
            let result = try await database.pool.query("SELECT clock_timestamp()", timeout: database.timeout)
            let after = Self.now()
            guard let there = try result.rows.first?.decode(0, as: PostgresTimestamp.self) else { continue }
            let half = TimeSpan(microseconds: (after - before).microseconds / 2)
            let facts = Facts(ahead: Instant(there) - (before + half), error: half)
            if best.map({ facts.error < $0.error }) ?? true { best = facts }
        }
        return best.map { [Self.judge($0, limit: database.limits.clock)] } ?? []
    }

    private static func now() -> Instant {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Instant(microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1_000)
    }

    static func judge(_ facts: Facts, limit: TimeSpan) -> DoctorFinding {
        let direction = facts.ahead.microseconds < 0 ? "behind" : "ahead of"
        let difference = DoctorText.span(facts.ahead)
        let data: JSON = [
            "aheadMs": JSON(floatLiteral: Double(facts.ahead.microseconds) / 1_000),
            "errorMs": JSON(floatLiteral: Double(facts.error.microseconds) / 1_000),
        ]
        // What may be the round trip's doing isn't the clock's.
        let isApart = facts.ahead.microseconds.magnitude > (limit + facts.error).microseconds.magnitude
        guard isApart else {
            return DoctorFinding(.clock, .ok, "the database's is \(difference) \(direction) this machine's", data: data)
        }
        return DoctorFinding(
            .clockApart, .warning,
            """
            the database's clock is \(difference) \(direction) this machine's: nothing depends on it, but logs can't \
            be compared
            """,
            advice: "synchronize the clocks of both machines (chrony, systemd-timesyncd)", data: data)
    }
}

private func + (left: TimeSpan, right: TimeSpan) -> TimeSpan {
    Instant(microseconds: left.microseconds) + right - Instant(microseconds: 0)
}

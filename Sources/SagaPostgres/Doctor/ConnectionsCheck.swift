import JSON
import PostgresClient

/// How much is left of the server's connections: a daemon whose lease can't be renewed for want of one loses it.
struct ConnectionsCheck: DoctorCheck {
    static let code = DoctorCode.connections

    struct Facts: Sendable, Hashable {
        var used: Int
        /// Without those kept for superusers.
        var maximum: Int
    }

    func findings(in database: DoctorDatabase) async throws(PostgresError) -> [DoctorFinding] {
        let row = try await database.row(
            """
            SELECT (SELECT sum(numbackends) FROM pg_stat_database)::int8,
                current_setting('max_connections')::int8 - current_setting('superuser_reserved_connections')::int8
                    - coalesce(current_setting('reserved_connections', true), '0')::int8
            """)
        return [
            Self.judge(Facts(used: try row.decode(0), maximum: try row.decode(1)), limit: database.limits.connections)
        ]
    }

    static func judge(_ facts: Facts, limit: Int) -> DoctorFinding {
        let data: JSON = ["used": .int(facts.used), "maximum": .int(facts.maximum)]
        let message = "\(facts.used) of \(facts.maximum) are in use"
        guard Double(facts.used) * 100 >= Double(facts.maximum) * Double(limit) else {
            return DoctorFinding(.connections, .ok, message, data: data)
        }
        return DoctorFinding(
            .connectionsUsedUp, .warning, "\(message): a daemon that gets none can't renew its lease",
            advice: "see who holds them in pg_stat_activity; raise max_connections or put PgBouncer between", data: data
        )
    }
}

import PostgresClient

/// The server's version, the database's encoding, and whether it can be written to.
struct ServerCheck: DoctorCheck {
    static let code = DoctorCode.server

    struct Facts: Sendable, Hashable {
        /// As `server_version_num` has it: 150004.
        var number: Int
        /// As people write it.
        var version: String
        var database: String
        var role: String
        var encoding: String
        var isInRecovery: Bool
    }

    func findings(in database: DoctorDatabase) async throws(PostgresError) -> [DoctorFinding] {
        let row = try await database.row(
            """
            SELECT current_setting('server_version_num')::int8, split_part(current_setting('server_version'), ' ', 1),
                current_database()::text, current_user::text, getdatabaseencoding()::text, pg_is_in_recovery()
            """)
        return Self.judge(
            Facts(
                number: try row.decode(0), version: try row.decode(1), database: try row.decode(2),
                role: try row.decode(3), encoding: try row.decode(4), isInRecovery: try row.decode(5)))
    }

    static func judge(_ facts: Facts) -> [DoctorFinding] {
        var findings: [DoctorFinding] = []
        if facts.number < 130_000 {
            findings.append(
                DoctorFinding(
                    .serverTooOld, .error, "PostgreSQL \(facts.version) is older than 13, which Saga needs",
                    advice: "upgrade the server", data: ["version": .string(facts.version)]))
        }
        if facts.encoding != "UTF8" {
            findings.append(
                DoctorFinding(
                    .encodingNotUTF8, .error, "the database's encoding is \(facts.encoding), and Saga needs UTF8",
                    advice: "make a database with ENCODING 'UTF8' and move there",
                    data: ["encoding": .string(facts.encoding)]))
        }
        if facts.isInRecovery {
            findings.append(
                DoctorFinding(
                    .standby, .error, "this server is a standby: nothing can be written, so no saga runs here",
                    advice: "name the primary, or all hosts with target_session_attrs=read-write, in the URL"))
        }
        guard findings.isEmpty else { return findings }
        return [
            DoctorFinding(
                .server, .ok, "PostgreSQL \(facts.version), database \(facts.database), as role \(facts.role)",
                data: [
                    "version": .string(facts.version), "database": .string(facts.database), "role": .string(facts.role),
                ])
        ]
    }
}

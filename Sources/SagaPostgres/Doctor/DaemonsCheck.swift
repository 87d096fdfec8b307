import JSON
import PostgresClient
import SagaCore

/// The daemons: whether any is alive, whose lease is over and wasn't taken over, which versions run.
struct DaemonsCheck: DoctorCheck {
    static let code = DoctorCode.daemons

    let programVersion: String

    struct Daemon: Sendable, Hashable {
        var id: Int
        var host: String
        var process: Int
        var version: String
        var leaseUntil: Instant
        var sagas: Int

        /// `daemon 3 (host a, pid 7)`.
        var name: String { "daemon \(id) (host \(host), pid \(process))" }
    }

    struct Facts: Sendable, Hashable {
        var daemons: [Daemon] = []
        /// Sagas that haven't ended.
        var unfinished = 0
        /// The database's clock.
        var now: Instant
    }

    func findings(in database: DoctorDatabase) async throws(PostgresError) -> [DoctorFinding] {
        let results = try await database.read([
            PostgresStatement(
                """
                SELECT d.id::int8, d.host, d.pid::int8, d.version, d.lease_until,
                    (SELECT count(*) FROM saga.state s WHERE s.owner = d.id)
                FROM saga.daemon d ORDER BY d.id
                """),
            PostgresStatement(
                "SELECT count(*), clock_timestamp() FROM saga.state WHERE owner IS NOT NULL OR due_at IS NOT NULL"),
        ])
        guard let row = results[1].rows.first else { throw PostgresError(.decoding, "no count") }
        var facts = Facts(
            unfinished: try row.decode(0), now: Instant(try row.decode(1, as: PostgresTimestamp.self)))
        for row in results[0].rows {
            facts.daemons.append(
                Daemon(
                    id: try row.decode(0), host: try row.decode(1), process: try row.decode(2),
                    version: try row.decode(3), leaseUntil: Instant(try row.decode(4, as: PostgresTimestamp.self)),
                    sagas: try row.decode(5)))
        }
        return judge(facts, limits: database.limits)
    }

    func judge(_ facts: Facts, limits: DoctorLimits) -> [DoctorFinding] {
        let ahead = facts.daemons.filter { $0.leaseUntil > facts.now + limits.leaseAhead }
        let alive = facts.daemons.filter { $0.leaseUntil >= facts.now && !ahead.contains($0) }
        var findings = ahead.map { Self.ahead($0, facts) }
        if alive.isEmpty {
            let unfinished = DoctorText.count(facts.unfinished, "saga")
            findings.append(
                facts.unfinished > 0
                    ? DoctorFinding(
                        .daemonNone, .error,
                        "no daemon is alive, and \(unfinished) \(facts.unfinished == 1 ? "hasn't" : "haven't") ended",
                        advice: "start sagad", data: ["unfinished": .int(facts.unfinished)])
                    : DoctorFinding(
                        .daemonNone, .warning, "no daemon is alive; no saga waits for one", advice: "start sagad",
                        data: ["unfinished": 0]))
        } else {
            findings += facts.daemons.compactMap { lost($0, facts, limits) }
        }
        findings += versions(alive)
        guard findings.isEmpty else { return findings }
        let sagas = alive.reduce(0) { $0 + $1.sagas }
        return [
            DoctorFinding(
                .daemons, .ok,
                """
                \(DoctorText.count(alive.count, "is alive", "are alive")), with \(DoctorText.count(sagas, "saga")) in \
                memory
                """,
                data: ["alive": .int(alive.count), "sagas": .int(sagas)])
        ]
    }

    /// Others look for leases that have ended every few seconds: one that stays is one that they can't take over.
    private func lost(_ daemon: Daemon, _ facts: Facts, _ limits: DoctorLimits) -> DoctorFinding? {
        guard daemon.leaseUntil + limits.lostLease < facts.now else { return nil }
        // A lease that was taken over is marked so; its row waits for sagas that somebody holds locked.
        let isTaken = daemon.leaseUntil.microseconds == .min
        let since = isTaken ? "was taken over" : "ended \(DoctorText.span(facts.now - daemon.leaseUntil)) ago"
        return DoctorFinding(
            .daemonLost, daemon.sagas > 0 ? .error : .warning,
            """
            the lease of \(daemon.name) \(since), and its row is still there with \
            \(DoctorText.count(daemon.sagas, "saga"))
            """,
            advice:
                """
                look for who locks rows of saga.state or saga.daemon (pg_locks), and into the logs of the daemons \
                that are alive
                """,
            data: ["daemon": .int(daemon.id), "sagas": .int(daemon.sagas)])
    }

    /// A daemon that is alive would have renewed it by today's clock.
    private static func ahead(_ daemon: Daemon, _ facts: Facts) -> DoctorFinding {
        let span =
            daemon.leaseUntil == .distantFuture
            ? "never ends" : "ends in \(DoctorText.span(daemon.leaseUntil - facts.now))"
        return DoctorFinding(
            .leaseAhead, daemon.sagas > 0 ? .error : .warning,
            """
            the lease of \(daemon.name) \(span), as if the database's clock had been set back: until then nobody takes \
            over its \(DoctorText.count(daemon.sagas, "saga"))
            """,
            advice:
                """
                as the schema's owner: UPDATE saga.daemon SET lease_until = now() WHERE id = \(daemon.id); (one that is \
                alive renews it)
                """,
            data: ["daemon": .int(daemon.id), "sagas": .int(daemon.sagas)])
    }

    private func versions(_ alive: [Daemon]) -> [DoctorFinding] {
        let others = alive.filter { $0.version != programVersion }
        guard !others.isEmpty else { return [] }
        let list = others.map { "\($0.name): \($0.version)" }.joined(separator: ", ")
        return [
            DoctorFinding(
                .daemonVersionsDiffer, .warning, "this program is \(programVersion), and of the daemons \(list)",
                advice: "finish the upgrade: restart those with the old program",
                data: [
                    "program": .string(programVersion),
                    "daemons": .array(others.map { ["id": .int($0.id), "version": .string($0.version)] }),
                ])
        ]
    }
}

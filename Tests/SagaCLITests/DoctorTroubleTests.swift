import Foundation
import PostgresClient
import SagaCore
import SagaTestKit
import Testing

@testable import SagaPostgres

/// The doctor among locks, timeouts and lost connections: it says what keeps it from looking, and what it has seen.
@Suite(.serialized) struct DoctorTroubleTests {
    /// What differs from run to run.
    private static func normal(_ found: [String]) -> [String] {
        found.map {
            $0.replacing(#/process \d+/#, with: "process N").replacing(#/backend\(\d+\)/#, with: "backend(N)")
                .replacing(#/and \d+ other tables/#, with: "and N other tables")
                .replacing(#/open for [\d ]+m?s/#, with: "open for TIME")
        }
    }

    private static func pool(_ fixture: DoctorFixture, _ name: String) -> PostgresPool {
        PostgresPool(
            PostgresConfiguration(fixture.program.database, applicationName: name), logger: DoctorFixture.quiet)
    }

    /// Puts a view in the place of saga.alert that answers after half a minute: there the doctor can be met.
    private static func delayAlerts(_ fixture: DoctorFixture) async throws {
        try await fixture.run(
            """
            ALTER TABLE saga.alert RENAME TO alert_kept;
            CREATE VIEW saga.alert AS SELECT a.* FROM (SELECT pg_sleep(30) AS slept) s LEFT JOIN saga.alert_kept a ON true
            """)
    }

    /// Waits until somebody sleeps in that view, and runs the script with PID for its process.
    private static func whenAsleep(_ fixture: DoctorFixture, _ script: String? = nil) async throws {
        while true {
            let rows = try await fixture.program.pool.query(
                "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"
            ).rows
            if let pid = try rows.first?.decode(0, as: Int32.self) {
                if let script { try await fixture.run(script.replacing("PID", with: "\(pid)")) }
                return
            }
            try await Task.sleep(for: .milliseconds(10))
        }
    }

    // MARK: Locks and rights

    /// Whoever holds the lock is named once; what doesn't need the table is looked at all the same.
    @Test func whoeverHoldsALockIsNamed() async throws {
        try await DoctorFixture.with { fixture in
            try await fixture.define()
            let holder = Self.pool(fixture, "upgrade")
            try await holder.withConnection { connection in
                _ = try await connection.query("BEGIN")
                _ = try await connection.query("LOCK TABLE\n  saga.state")
                try await fixture.run("UPDATE saga.daemon SET version = '0.0.9'")
                let found = try await fixture.problems { $0.lock = .milliseconds(300) }
                let wait = "not checked: waited 200 ms for a lock of process N"
                #expect(
                    Self.normal(found) == [
                        """
                        error locked-out: process N (upgrade, role postgres) holds saga.state and N other tables locked \
                        against all others, its transaction open for TIME, idle in transaction: LOCK TABLE saga.state \
                        -> let it come to its end, or end it: SELECT pg_terminate_backend(N);
                        """,
                        "skipped tables: not checked: waited 300 ms for a lock of process N",
                        "skipped daemons: \(wait)", "skipped sagas: \(wait)", "skipped services: \(wait)",
                        "skipped definitions: \(wait)",
                        "skipped partitions: \(wait)", "skipped history: \(wait)",
                    ])
            }
            await holder.close()
            #expect(try await fixture.problems().map { $0.prefix(30) } == ["warning daemon-versions-differ"])
        }
    }

    /// Behind somebody who waits for the lock everybody waits too.
    @Test func whoeverWaitsForALockIsNamedWithWhatKeepsIt() async throws {
        try await DoctorFixture.with { fixture in
            try await fixture.define()
            let (reader, changer) = (Self.pool(fixture, "report"), Self.pool(fixture, "upgrade"))
            try await reader.withConnection { connection in
                _ = try await connection.query("BEGIN")
                _ = try await connection.query("SELECT count(*) FROM saga.alert")
                let change = Task { try await changer.query("ALTER TABLE saga.alert ADD COLUMN more int") }
                while try await fixture.program.pool.query("SELECT FROM pg_locks WHERE NOT granted").rows.isEmpty {
                    try await Task.sleep(for: .milliseconds(10))
                }
                let found = try await fixture.problems { $0.lock = .milliseconds(300) }.filter {
                    $0.contains("locked-out") || $0.contains("alerts")
                }
                #expect(
                    Self.normal(found) == [
                        """
                        error locked-out: process N (upgrade, role postgres) waits to hold saga.alert locked against \
                        all others, its transaction open for TIME, active, kept waiting by process N: ALTER TABLE \
                        saga.alert ADD COLUMN more int -> let it come to its end, or end it: SELECT \
                        pg_terminate_backend(N);
                        """,
                        "skipped alerts: not checked: waited 200 ms for a lock of process N",
                    ])
                _ = try await connection.query("COMMIT")
                _ = try await change.value
            }
            await reader.close()
            await changer.close()
        }
    }

    @Test func aCheckThatTakesTooLongOrMayNotLookSaysSo() async throws {
        try await DoctorFixture.with { fixture in
            try await fixture.define()
            try await fixture.run(
                """
                CREATE ROLE doctor_half LOGIN; GRANT saga_reader, pg_monitor TO doctor_half;
                REVOKE SELECT ON saga.alert FROM saga_reader
                """)
            #expect(
                try await fixture.problems(database: fixture.url(role: "doctor_half")) == [
                    """
                    skipped alerts: not checked: needs a right that this role lacks (permission denied for table \
                    alert) -> ask with a role that has saga_reader and pg_monitor
                    """
                ])
            try await Self.delayAlerts(fixture)
            #expect(
                try await fixture.problems { $0.statement = .seconds(5) } == [
                    """
                    skipped alerts: not checked: was ended for its time (canceling statement due to statement timeout) \
                    -> see the statement_timeout of this role and of the pooler, and how busy the server is
                    """
                ])
        }
    }

    /// What one question comes upon is told, and the other checks are made all the same.
    @Test(
        arguments: [
            ("XX001", "invalid page in block 7 of relation base/5/16462"), ("58030", "could not read block 7"),
            ("53400", "temporary file size exceeds temp_file_limit"),
        ])
    func aCheckThatTheServerCannotAnswerSaysSo(state: String, message: String) async throws {
        try await DoctorFixture.with { fixture in
            try await fixture.define()
            try await fixture.run(
                """
                CREATE FUNCTION public.fail() RETURNS int LANGUAGE plpgsql AS $$
                BEGIN RAISE EXCEPTION '\(message)' USING ERRCODE = '\(state)'; END $$;
                ALTER TABLE saga.alert RENAME TO alert_kept;
                CREATE VIEW saga.alert AS
                    SELECT a.* FROM (SELECT public.fail() AS f) s LEFT JOIN saga.alert_kept a ON true
                """)
            #expect(
                try await fixture.problems() == [
                    state == "53400"
                        ? "skipped alerts: not checked: \(message)"
                        : """
                        error damaged: the server can't read what it has stored, while looked at for alerts: \
                        \(message) -> stop the daemons and the server, copy its data folder as it is, then look at its \
                        log and its disk; what is lost comes back from a backup
                        """
                ])
        }
    }

    // MARK: Cut off

    @Test func whatWasFoundBeforeCtrlCIsTold() async throws {
        try await DoctorFixture.with { fixture in
            try await fixture.define()
            try await fixture.run("UPDATE saga.daemon SET version = '0.0.9'")
            try await Self.delayAlerts(fixture)
            let program = try fixture.program.start(["doctor"])
            try await Self.whenAsleep(fixture)
            program.signal(SIGINT)
            let run = await program.ending()
            #expect(run.status == 130)
            #expect(run.error == "saga: interrupted\n")
            #expect(run.output.contains("\nwarning  daemon-versions-differ: "))
            #expect(
                run.output.hasSuffix(
                    """

                    cut off: 1 warning so far; not looked at, or not to the end: alerts, definitions, partitions, history

                    """))
        }
    }

    @Test func whatWasFoundBeforeTheConnectionWasLostIsOneDocument() async throws {
        try await DoctorFixture.with { fixture in
            try await fixture.define()
            try await Self.delayAlerts(fixture)
            let program = try fixture.program.start(["doctor", "--format", "json"])
            try await Self.whenAsleep(fixture, "SELECT pg_terminate_backend(PID)")
            let run = await program.ending()
            #expect(run.status == 69)
            #expect(run.error.hasPrefix("saga: "))
            #expect(run.error.contains("terminating connection due to administrator command"))
            #expect(!run.error.contains("whether anything was done"))
            #expect(
                run.output.hasSuffix(
                    """
                    ],"errors":0,"warnings":0,"skipped":0,"complete":false,"missing":["alerts","definitions","partitions",\
                    "history"]}

                    """))
        }
    }

    /// A deep look takes long: what it has seen counts.
    @Test func historiesThatWereSeenBeforeTheEndAreTold() async throws {
        try await DoctorFixture.with { fixture in
            try await fixture.define()
            for _ in 0..<4 { _ = try await fixture.program.startSaga("order") }
            // The views of the last two sagas take too long.
            try await fixture.run(
                """
                CREATE TABLE slow AS SELECT id FROM saga.state ORDER BY id DESC LIMIT 2;
                ALTER VIEW saga.sagas RENAME TO sagas_kept;
                CREATE VIEW saga.sagas AS SELECT k.* FROM saga.sagas_kept k
                    WHERE k.id NOT IN (SELECT id FROM slow) OR (SELECT pg_sleep(30)) IS NOT NULL;
                UPDATE saga.state SET paused = true WHERE id = (SELECT min(id::text)::uuid FROM saga.state)
                """)
            let pool = Self.pool(fixture, "doctor")
            let examination = Task {
                var limits = DoctorLimits()
                limits.batch = 2
                return try await Doctor(pool: pool, programVersion: "0.1.0", isDeep: true, limits: limits).examine()
            }
            try await Self.whenAsleep(fixture)
            examination.cancel()
            let report = try await examination.value
            await pool.close()
            #expect(report.cut?.missing == [.history])
            let last = report.findings.last
            #expect(last?.code == .stateDiffers)
            #expect(last?.message.hasPrefix("the row differs from the events for 1 saga of 2 (cut off): ") == true)
        }
    }

    // MARK: A backlog

    /// Most of what a daemon runs may wait; here the server comes to that first.
    @Test func oneOfManySagasThatMovesIsWork() async throws {
        try await DoctorFixture.with { fixture in
            try await fixture.define()
            for _ in 0..<302 { _ = try await fixture.program.startSaga("order") }
            try await fixture.run(
                """
                UPDATE saga.state SET due_at = now() - interval '1 hour';
                UPDATE saga.state SET owner = 1, due_at = NULL WHERE id <> (SELECT max(id::text)::uuid FROM saga.state);
                INSERT INTO saga.event (saga_id, sequence, type, at, data)
                    SELECT id, 2, 2, now() - CASE WHEN place > 300 THEN interval '0' ELSE interval '1 hour' END,
                        '{"step": "reserve", "attempt": 1}'
                    FROM (
                        SELECT s.id, row_number() OVER () FROM saga.state s JOIN saga.daemon d ON d.id = s.owner
                    ) s (id, place)
                """)
            let found = try await fixture.problems(deep: false) { $0.look = .milliseconds(200) }
            #expect(found.filter { $0.contains("sagas-") }.map { $0.prefix(22) } == ["warning sagas-behind: "])
        }
    }

    /// Without a recent event it is looked whether what is due is taken up.
    @Test func aBacklogThatIsTakenUpWhileLookedAtIsNoError() async throws {
        try await DoctorFixture.with { fixture in
            try await fixture.define()
            var ids: [SagaID] = []
            for _ in 0..<30 { ids.append(try await fixture.program.startSaga("order")) }
            try await fixture.run("UPDATE saga.state SET due_at = now() - interval '1 hour'")
            // One after the other is taken up, and let go of for the next.
            let claiming = Task { [ids] in
                var next = 0
                while !Task.isCancelled {
                    let id = ids[next % ids.count]
                    try await fixture.run(
                        """
                        UPDATE saga.state SET owner = CASE WHEN id = '\(id)' THEN 1 END,
                            due_at = CASE WHEN id = '\(id)' THEN NULL ELSE now() - interval '1 hour' END
                        WHERE owner = 1 OR id = '\(id)'
                        """)
                    next += 1
                }
            }
            let found = try await fixture.problems { $0.look = .minutes(5) }
            claiming.cancel()
            _ = try? await claiming.value
            #expect(found.map { $0.prefix(22) } == ["warning sagas-behind: "])
        }
    }
}

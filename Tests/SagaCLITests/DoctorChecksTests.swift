import Foundation
import PostgresClient
import SagaCore
import SagaPostgres
import SagaTestKit
import Testing

/// Each check of the doctor made to fire on a real server, and nothing else with it.
@Suite(.serialized) struct DoctorChecksTests {
    /// One thing that is wrong with an installation.
    struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        /// DB stands for the database.
        let script: String
        let expected: [String]

        init(_ name: String, _ script: String, _ expected: String...) {
            testDescription = name
            self.script = script
            self.expected = expected
        }
    }

    @Test(arguments: settings + meanings + schema + tables + daemons + sagas + others)
    func fires(_ sick: Case) async throws {
        try await DoctorFixture.with { fixture in
            try await fixture.define()
            #expect(try await fixture.problems() == [])
            try await fixture.run(sick.script.replacing("DB", with: fixture.name))

            let found = try await fixture.problems().map {
                $0.replacing(#/[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}/#, with: "ID")
                    .replacing(#/\d{4}-\d\d-\d\d/#, with: "DAY")
                    .replacing(#/order [0-9a-f]{12}/#, with: "order VERSION")
                    .replacing(#/and \d+ other tables/#, with: "and N other tables")
                    .replacing(#/(calls wait: ).*?( -> )/#) { "\($0.output.1)REASON\($0.output.2)" }
            }
            #expect(found == sick.expected)
        }
    }

    /// A stuck saga isn't the doctor's to mend, but to tell of.
    @Test func stuckSagasAreTold() async throws {
        try await DoctorFixture.with { fixture in
            try await fixture.define()
            let id = try await Self.stuck(fixture)
            try await fixture.run("UPDATE saga.daemon SET lease_until = now() + interval '170 s'")

            let found = try await fixture.problems()
            #expect(found.count == 1)
            #expect(
                found.first?.hasPrefix("warning sagas-stuck: 1 saga is stuck and needs a person, the oldest for ")
                    == true)
            #expect(found.first?.hasSuffix(" -> saga status \(id)") == true)
        }
    }

    /// The row of a saga that a person moved follows when a daemon has taken note.
    @Test func whatAPersonDidIsNoDifference() async throws {
        try await DoctorFixture.with { fixture in
            try await fixture.define()
            let id = try await Self.stuck(fixture)
            #expect(try await fixture.program.run("retry", id.description).status == 0)

            #expect(try await fixture.problems().filter { !$0.contains("sagas-stuck") } == [])
        }
    }

    /// A saga whose compensation failed for good, as a daemon leaves it.
    private static func stuck(_ fixture: DoctorFixture) async throws -> SagaID {
        let id = try await fixture.program.startSaga("order")
        try await fixture.program.append(
            [
                (.stepStarted, #"{"step":"reserve","attempt":1}"#),
                (.stepSucceeded, #"{"step":"reserve","attempt":1,"output":{"r":1.50}}"#),
                (.stepStarted, #"{"step":"charge","attempt":1}"#),
                (.stepFailed, #"{"step":"charge","attempt":1,"outcome":"failed","error":"No","message":"no"}"#),
                (.sagaCompensating, #"{"step":"charge","error":"No","message":"no"}"#),
                (.compensationStarted, #"{"step":"reserve","attempt":1}"#),
                (
                    .compensationFailed,
                    #"{"step":"reserve","attempt":1,"outcome":"failed","error":"Shut","message":"!"}"#
                ),
                (.sagaStuck, #"{"step":"reserve","error":"Shut","message":"!"}"#),
            ], to: id, leaving: .stuck)
        return id
    }

    // MARK: What holds vacuum back

    @Test func openTransactionsAreNamed() async throws {
        try await DoctorFixture.with { fixture in
            let holder = PostgresPool(
                PostgresConfiguration(fixture.program.database, applicationName: "report"), logger: DoctorFixture.quiet)
            try await holder.withConnection { connection in
                _ = try await connection.query("BEGIN")
                let pid = try await connection.query("SELECT pg_backend_pid()").rows[0].decode(0, as: Int32.self)
                let found = try await fixture.problems { $0.transaction = .zero }.map {
                    $0.replacing(#/open for [\d ]+m?s/#, with: "open for TIME")
                }
                #expect(
                    found == [
                        """
                        warning transaction-old: process \(pid) (report, role postgres) has had a transaction open for \
                        TIME, idle in transaction: no row that died since is removed -> \
                        SELECT pg_terminate_backend(\(pid));
                        """
                    ])
                #expect(try await fixture.problems() == [])
            }
            await holder.close()
        }
    }

    @Test func preparedTransactionsAreNamed() async throws {
        try await DoctorFixture.with { fixture in
            try await fixture.run("BEGIN; INSERT INTO saga.alert (event) VALUES ('{}'); PREPARE TRANSACTION 'it''s'")
            let found = try await fixture.problems { $0.transaction = .zero }.map {
                $0.replacing(#/open for [\d ]+m?s/#, with: "open for TIME")
            }
            try await fixture.run("ROLLBACK PREPARED 'it''s'")
            #expect(
                found == [
                    """
                    warning prepared-transaction-old: the prepared transaction 'it''s' of role postgres has been open \
                    for TIME: no row that died since is removed -> ask its owner which: COMMIT PREPARED 'it''s'; or \
                    ROLLBACK PREPARED 'it''s';
                    """
                ])
        }
    }

    @Test func deadRowsAreCounted() async throws {
        try await DoctorFixture.with { fixture in
            // A session's counts are seen by others at the latest when it has ended.
            let writer = PostgresPool(
                PostgresConfiguration(fixture.program.database, applicationName: "writer"), logger: DoctorFixture.quiet)
            try await writer.execute(script: "ALTER TABLE saga.alert SET (autovacuum_enabled = off)")
            try await writer.execute(
                script: "INSERT INTO saga.alert (event) SELECT '{}' FROM generate_series(1, 2000)")
            try await writer.execute(script: "DELETE FROM saga.alert")
            await writer.close()
            for _ in 0..<600 {
                let dead = try await fixture.program.pool.query(
                    "SELECT n_dead_tup FROM pg_stat_all_tables WHERE relid = 'saga.alert'::regclass")
                if try dead.rows[0].decode(0, as: Int.self) >= 2_000 { break }
                try await Task.sleep(for: .milliseconds(50))
            }
            let off = """
                warning table-autovacuum-off: autovacuum is off for saga.alert -> ALTER TABLE saga.alert RESET \
                (autovacuum_enabled);
                """
            // Over its threshold, but not for long.
            #expect(try await fixture.problems { $0.deadTuples = 1_000 } == [off])
            #expect(
                try await fixture.problems {
                    $0.deadTuples = 1_000
                    $0.naptimes = 0
                }.map { $0.replacing(#/at \d+; last/#, with: "at N; last") } == [
                    off,
                    """
                    warning dead-tuples: saga.alert holds 2000 dead rows, and autovacuum should have come at N; last \
                    vacuumed: never -> VACUUM (VERBOSE) saga.alert; if it comes to this again, raise \
                    autovacuum_max_workers or lower autovacuum_vacuum_cost_delay
                    """,
                ])
            let reader = PostgresPool(
                PostgresConfiguration(fixture.program.database, applicationName: "report"), logger: DoctorFixture.quiet)
            try await reader.withConnection { connection in
                _ = try await connection.query("BEGIN ISOLATION LEVEL REPEATABLE READ")
                let pid = try await connection.query("SELECT pg_backend_pid()").rows[0].decode(0, as: Int32.self)
                let held = try await fixture.problems {
                    $0.deadTuples = 1_000
                    $0.naptimes = 0
                }.last
                #expect(held?.contains("; held back by process \(pid) (report, role postgres), open for ") == true)
                #expect(
                    held?.hasSuffix(" -> SELECT pg_terminate_backend(\(pid)); then VACUUM (VERBOSE) saga.alert;")
                        == true)
            }
            await reader.close()
        }
    }

    // MARK: Histories

    @Test func historiesAreComparedWithRowsAndViews() async throws {
        try await DoctorFixture.with { fixture in
            try await fixture.define()
            var ids: [SagaID] = []
            for _ in 0..<6 { ids.append(try await fixture.program.startSaga("order")) }
            try await fixture.program.append(
                [(.stepStarted, #"{"step":"reserve","attempt":1}"#), (.sagaPaused, #"{"actor":"ann","reason":"r"}"#)],
                to: ids[0], leaving: .running)
            try await fixture.program.append(
                [(.stepStarted, #"{"step":"reserve","attempt":1}"#)], to: ids[1], leaving: .running)
            try await fixture.program.append([(.stepStarted, "[]")], to: ids[2], leaving: .running)
            try await fixture.run(
                """
                ALTER TABLE saga.event DISABLE TRIGGER USER;
                DELETE FROM saga.event WHERE saga_id = '\(ids[1])' AND sequence = 1;
                DELETE FROM saga.event WHERE saga_id = '\(ids[3])';
                ALTER TABLE saga.event ENABLE TRIGGER USER;
                UPDATE saga.state SET status = 2 WHERE id = '\(ids[4])';
                ALTER VIEW saga.steps RENAME TO steps_kept;
                CREATE VIEW saga.steps AS SELECT saga_id, step, status, outcome,
                    attempts + (saga_id = '\(ids[5])' AND step = 'charge')::int AS attempts, output, error,
                    compensation_status, compensation_attempts, compensation_error FROM saga.steps_kept;
                """)
            // Sagas 1 and 3 have no first event or none; 0 isn't paused on its row.
            let expected = [
                """
                error history-hole: events are missing from the history of 2 sagas of 6 (all of them): \(ids[1]): \
                event 1 is missing -> somebody deleted events: restore them from a backup, or undo by hand what it did \
                and run saga terminate \(ids[1]) --reason TEXT
                """,
                """
                error history-unreadable: this program can't read the history of 1 saga of 6 (all of them): \(ids[2]): \
                REASON -> run the newest version of Saga that worked on this database, then saga events \(ids[2])
                """,
                """
                error state-differs: the row differs from the events for 2 sagas of 6 (all of them): \(ids[0]): the \
                row's paused isn't what its events say -> somebody wrote into the tables, or it is a defect: keep the \
                output of saga events \(ids[0]) --format json and report it
                """,
                """
                error view-differs: the views differ from the events for 1 saga of 6 (all of them): \(ids[5]): \
                attempts of step charge in saga.steps isn't what its events say -> somebody wrote into the tables, or \
                it is a defect: keep the output of saga events \(ids[5]) --format json and report it
                """,
            ]
            func normal(_ found: [String]) -> [String] {
                found.map { text in
                    guard text.contains("history-unreadable") else { return text }
                    return text.replacing(#/(\): [0-9a-f-]{36}: ).*?( -> )/#) { "\($0.output.1)REASON\($0.output.2)" }
                }
            }
            #expect(normal(try await fixture.problems { $0.batch = 2 }) == expected)
            #expect(
                normal(try await fixture.problems(deep: false) { $0.sample = 6 })
                    == expected.map { $0.replacing("all of them", with: "a sample; --deep looks at all") })
        }
    }
}

import Foundation
import JSON
import PostgresClient
import SagaCore
import SagaPostgres
import SagaTestKit
import Testing

/// `saga doctor` as people and scripts call it.
@Suite struct DoctorCommandTests {
    typealias Run = SagaProgram.Run

    /// What differs from server to server and run to run.
    private static func normal(_ text: String, _ fixture: DoctorFixture) -> String {
        text.replacing(fixture.name, with: "DB")
            .replacing(#/PostgreSQL [\d.]+/#, with: "PostgreSQL VERSION")
            .replacing(#/"version":"\d+\.\d+"/#, with: #""version":"VERSION""#)
            .replacing(#/\d+ ms (ahead of|behind) this/#, with: "CLOCK this")
            .replacing(#/"(aheadMs|errorMs)":[-\d.e]+/#) { "\"\($0.output.1)\":N" }
            .replacing(#/\d+ of 197 are/#, with: "N of 197 are")
            .replacing(#/"used":\d+/#, with: #""used":N"#)
            .replacing(#/\d+ tables, \d+ kB/#, with: "N tables, SIZE")
    }

    private static let healthy = """
        ok       pooler: none between
        ok       server: PostgreSQL VERSION, database DB, as role postgres
        ok       schema: version \(Migrator.latestVersion), as this program has it
        ok       clock: the database's is CLOCK this machine's
        ok       settings: a commit stays, and nothing cuts the daemons short, for postgres
        ok       connections: N of 197 are in use
        ok       tables: N tables, SIZE, vacuumed as needed
        ok       vacuum: nothing holds it back
        ok       replication: no standby is connected
        ok       daemons: 1 is alive, with 0 sagas in memory
        ok       sagas: none waits for a daemon or a person
        ok       services: 1, none held back
        ok       alerts: 0 wait
        ok       definitions: 1, all readable by this program
        ok       partitions: none is older than 30 d
        ok       history: 1 saga is what its events say (a sample; --deep looks at all)

        no problems found

        """

    @Test func aHealthyInstallationHasNoProblems() async throws {
        try await DoctorFixture.with { fixture in
            try await fixture.define()
            _ = try await fixture.program.startSaga("order")
            let run = try await fixture.program.run("doctor", "--strict")
            #expect(Run(run.status, Self.normal(run.output, fixture), error: run.error) == Run(0, Self.healthy))
            let deep = try await fixture.program.run("doctor", "--deep")
            #expect(
                Run(deep.status, Self.normal(deep.output, fixture), error: deep.error)
                    == Run(0, Self.healthy.replacing("a sample; --deep looks at all", with: "all of them")))
        }
    }

    /// A warning is 0, with `--strict` 1; an error is 1.
    @Test func exitCodes() async throws {
        try await DoctorFixture.with { fixture in
            try await fixture.run("UPDATE saga.daemon SET version = '0.0.9'")
            let warned = try await fixture.program.run("doctor")
            #expect(warned.status == 0)
            #expect(warned.output.hasSuffix("\n\n1 warning\n"))
            #expect(
                warned.output.contains(
                    """

                    warning  daemon-versions-differ: this program is 0.1.0, and of the daemons daemon 1 (host h, pid 7): 0.0.9
                             -> finish the upgrade: restart those with the old program

                    """))
            #expect(try await fixture.program.run("doctor", "--strict").status == 1)
            try await fixture.run("DROP SCHEMA saga CASCADE")
            let failed = try await fixture.program.run("doctor")
            #expect(failed.status == 1)
            #expect(failed.output.hasSuffix("\n\n1 error, 1 not checked\n"))
            #expect(try await fixture.program.run("doctor", "--format", "xml").status == 64)
            let away = try await fixture.program.run("doctor", database: "postgresql:///x?host=/nonexistent&user=u")
            #expect(away.status == 69)
            #expect(away.output == "")
        }
    }

    @Test func jsonIsOneDocument() async throws {
        let fixture = try await DoctorFixture.make(isMigrated: false)
        let run = try await fixture.program.run("doctor", "--format", "json")
        await fixture.program.remove()
        let expected = """
            {"checks":[\
            {"code":"pooler","severity":"ok","message":"none between","advice":null,\
            "data":{"pooler":false,"mode":null}},\
            {"code":"server","severity":"ok","message":"PostgreSQL VERSION, database DB, as role postgres",\
            "advice":null,"data":{"version":"VERSION","database":"DB","role":"postgres"}},\
            {"code":"schema-missing","severity":"error","message":"this database has no schema saga",\
            "advice":"saga migrate","data":{"version":0,"program":\(Migrator.latestVersion)}},\
            {"code":"clock","severity":"ok","message":"the database's is CLOCK this machine's","advice":null,\
            "data":{"aheadMs":N,"errorMs":N}},\
            {"code":"settings","severity":"ok",\
            "message":"a commit stays, and nothing cuts the daemons short, for postgres","advice":null,\
            "data":{"roles":["postgres"]}},\
            {"code":"connections","severity":"ok","message":"N of 197 are in use","advice":null,\
            "data":{"used":N,"maximum":197}},\
            {"code":"vacuum","severity":"ok","message":"nothing holds it back","advice":null,"data":{}},\
            {"code":"replication","severity":"ok","message":"no standby is connected","advice":null,\
            "data":{"standbys":[]}},\
            {"code":"sagas","severity":"skipped",\
            "message":"not checked: needs a schema that this program and role can read","advice":null,"data":{}}\
            ],"errors":1,"warnings":0,"skipped":1,"complete":true,"missing":[]}

            """
        #expect(Run(run.status, Self.normal(run.output, fixture), error: run.error) == Run(1, expected))
    }

    // MARK: Roles

    /// A reader sees all of Saga; of other roles' sessions it says that it can't.
    @Test func aReaderIsToldWhatItCantSee() async throws {
        try await DoctorFixture.with { fixture in
            try await fixture.define()
            _ = try await fixture.program.startSaga("order")
            try await fixture.run(
                """
                CREATE ROLE doctor_reader LOGIN; GRANT saga_reader TO doctor_reader;
                CREATE ROLE doctor_monitor LOGIN; GRANT saga_reader, pg_monitor TO doctor_monitor;
                CREATE ROLE doctor_nobody LOGIN
                """)
            #expect(
                try await fixture.problems(database: fixture.url(role: "doctor_reader")) == [
                    """
                    skipped vacuum: not checked: needs pg_read_all_stats to see the transactions of 1 session of other \
                    roles -> GRANT pg_monitor TO doctor_reader;
                    """
                ])
            #expect(try await fixture.problems(database: fixture.url(role: "doctor_monitor")) == [])
            #expect(
                try await fixture.problems(database: fixture.url(role: "doctor_nobody")) == [
                    """
                    skipped schema: not checked: needs the right to read the schema saga, as saga_reader has it -> \
                    GRANT saga_reader TO doctor_nobody;
                    """,
                    """
                    skipped vacuum: not checked: needs pg_read_all_stats to see the transactions of 1 session of other \
                    roles -> GRANT pg_monitor TO doctor_nobody;
                    """,
                    "skipped sagas: not checked: needs a schema that this program and role can read",
                ])
            // What is another role's is not this one's to see; of Saga's own all must be looked at.
            let reader = try await fixture.program.run(
                "doctor", "--strict", database: fixture.url(role: "doctor_reader"))
            #expect(reader.status == 0)
            #expect(reader.output.hasSuffix("\n\nno problems in what was looked at, 1 not checked\n"))
            try await fixture.run("REVOKE SELECT ON saga.alert FROM saga_reader")
            let blind = fixture.url(role: "doctor_monitor")
            #expect(try await fixture.program.run("doctor", database: blind).status == 0)
            let strict = try await fixture.program.run("doctor", "--strict", database: blind)
            #expect(strict.status == 1)
            #expect(strict.output.hasSuffix("\n\nno problems in what was looked at, 1 not checked\n"))
            try await fixture.run("GRANT SELECT ON saga.alert TO saga_reader")
            let before = try await Self.activity(fixture)
            _ = try await fixture.program.run("doctor", "--deep")
            #expect(try await Self.activity(fixture) == before)
        }
    }

    /// How many rows there are, and the last transaction that changed one.
    private static func activity(_ fixture: DoctorFixture) async throws -> [String?] {
        let result = try await fixture.program.pool.query(
            """
            SELECT (SELECT string_agg(s::text || s.xmin, ' ') FROM saga.state s),
                (SELECT string_agg(e::text || e.xmin, ' ') FROM saga.event e),
                (SELECT string_agg(d::text || d.xmin, ' ') FROM saga.daemon d)
            """)
        return try (0..<3).map { try result.rows[0].decode($0, as: String?.self) }
    }

    /// What holds for the daemons counts, not only what holds for whoever asks.
    @Test func settingsOfAConnectedDaemonsRoleCount() async throws {
        try await DoctorFixture.with { fixture in
            try await fixture.run(
                "CREATE ROLE \"doctor-Daemon\" LOGIN; ALTER ROLE \"doctor-Daemon\" SET synchronous_commit = off")
            let daemon = PostgresPool(
                PostgresConfiguration(fixture.url(role: "doctor-Daemon"), applicationName: "sagad"),
                logger: DoctorFixture.quiet)
            _ = try await daemon.query("SELECT 1")
            #expect(
                try await fixture.problems() == [
                    """
                    error synchronous-commit-off: synchronous_commit is off for role doctor-Daemon: a crash of the \
                    server loses starts and outcomes that were acknowledged -> ALTER ROLE "doctor-Daemon" RESET \
                    synchronous_commit; (holds for new connections: restart the daemons)
                    """
                ])
            await daemon.close()
            #expect(
                try await fixture.problems(
                    database: fixture.program.database + "&options=-c%20synchronous_commit%3Doff"
                ).map { $0.replacing(#/.* -> /#, with: "") } == [
                    """
                    take synchronous_commit out of the connection's options (the URL, PGOPTIONS) (holds for new \
                    connections: restart the daemons)
                    """
                ])
        }
    }

    // MARK: Poolers

    @Test(.enabled(if: TestPooler.isInstalled), arguments: ["transaction", "session", "statement"])
    func poolersAreToldByTheirMode(_ mode: String) async throws {
        let fixture = try await DoctorFixture.make()
        let (pooled, process) = try await TestPooler.start(
            for: fixture.program.database, on: DoctorFixture.server, mode: mode)
        // The pooler opens its socket in its own time.
        let probe = PostgresPool(PostgresConfiguration(pooled, applicationName: "probe"), logger: DoctorFixture.quiet)
        for _ in 0..<500 where (try? await probe.query("SELECT 1", timeout: .seconds(1))) == nil {
            try await Task.sleep(for: .milliseconds(20))
        }
        await probe.close()
        let run = try await fixture.program.run("doctor", database: pooled)
        await process.stop()
        await fixture.program.remove()
        let line =
            switch mode {
            case "transaction": "ok       pooler: one between, in transaction mode: fine for Saga\n"
            case "session":
                """
                ok       pooler: one between; it handed no server on while looked at, as in session mode: fine for \
                Saga

                """
            default:
                """
                error    pooler-statement-mode: the pooler between is in statement mode and refuses transactions: \
                Saga can't work through it
                         -> set pool_mode = transaction for this database in pgbouncer.ini and reload it

                1 error

                """
            }
        #expect(run.output.hasPrefix(line))
        #expect(run.status == (mode == "statement" ? 1 : 0))
    }

    // MARK: Codes

    /// People look codes up: each stands in the table.
    @Test func everyCodeIsDocumented() throws {
        let page = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(
            path: "../../docs/operations.md")
        let text = try String(contentsOf: page.standardized, encoding: .utf8)
        #expect(DoctorCode.allCases.map(\.rawValue).filter { !text.contains("| `\($0)` |") } == [])
    }
}

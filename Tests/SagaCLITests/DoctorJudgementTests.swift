import Logging
import PostgresClient
import SagaCore
import SagaTestKit
import Testing

@testable import SagaPostgres

/// What the doctor makes of figures, also of those that no test can bring about on a server.
@Suite struct DoctorJudgementTests {
    private static let now = Instant(microseconds: 1_800_000_000_000_000)

    /// `severity code: message -> advice`.
    private static func texts(_ findings: [DoctorFinding]) -> [String] {
        findings.map { "\($0.severity) \($0.code.rawValue): \($0.message)" + ($0.advice.map { " -> \($0)" } ?? "") }
    }

    // MARK: A server that is set up badly

    @Test func aServerThatKeepsNothing() async throws {
        let server = TestPostgres(settings: [
            "full_page_writes=off", "autovacuum=off", "max_connections=30", "data_sync_retry=on",
        ])
        let fixture = try await DoctorFixture.make(on: server)
        try await fixture.run(
            """
            SELECT pg_create_physical_replication_slot('left_behind');
            ALTER DATABASE \(fixture.name) SET synchronous_commit = local
            """)
        // What it waits for from here on nobody confirms: nothing may be written any more.
        _ = try await fixture.program.pool.query("ALTER SYSTEM SET synchronous_standby_names = 'FIRST 2 (a, b, c)'")
        try await fixture.run("SELECT pg_reload_conf()")
        for _ in 0..<500 {
            let names = try await fixture.program.pool.query("SHOW synchronous_standby_names").rows[0]
            if try names.decode(0, as: String.self) != "" { break }
            try await Task.sleep(for: .milliseconds(20))
        }

        let found = try await fixture.problems { $0.connections = 1 }.map {
            $0.replacing(#/\d+ of 27 are/#, with: "N of 27 are")
        }
        await fixture.program.remove()
        #expect(
            found == [
                """
                error fsync-off: fsync is off: a crash of the machine can lose commits and destroy the database -> \
                ALTER SYSTEM SET fsync = on; SELECT pg_reload_conf();
                """,
                """
                error full-page-writes-off: full_page_writes is off: a crash of the machine can leave pages half \
                written -> ALTER SYSTEM SET full_page_writes = on; SELECT pg_reload_conf();
                """,
                """
                error damage-hidden: data_sync_retry is on: commits that the disk has lost are taken for written -> \
                ALTER SYSTEM SET data_sync_retry = off; then restart the server
                """,
                """
                warning autovacuum-off: autovacuum is off: nothing removes dead rows, and Saga's tables grow and get \
                slow -> ALTER SYSTEM SET autovacuum = on; SELECT pg_reload_conf();
                """,
                """
                error synchronous-commit-local: synchronous_commit is local for role postgres: a failover to the \
                synchronous standby loses what was acknowledged -> ALTER DATABASE DB RESET synchronous_commit; (holds \
                for new connections: restart the daemons)
                """,
                """
                warning connections-used-up: N of 27 are in use: a daemon that gets none can't renew its lease -> see \
                who holds them in pg_stat_activity; raise max_connections or put PgBouncer between
                """,
                """
                warning slot-inactive: nobody reads the replication slot left_behind: it keeps 0 bytes of WAL, more \
                every hour, and may hold vacuum back -> start its reader, or if it is gone for good: SELECT \
                pg_drop_replication_slot('left_behind');
                """,
                """
                error synchronous-standby-missing: commits wait for 2 synchronous standbys (FIRST 2 (a, b, c)), and 0 \
                are connected: every commit hangs -> bring the standby back, or go on without it: ALTER SYSTEM SET \
                synchronous_standby_names = ''; SELECT pg_reload_conf();
                """,
            ])
    }

    // MARK: What no test can bring about

    @Test func serversThatWontDo() {
        let facts = ServerCheck.Facts(
            number: 120_022, version: "12.22", database: "d", role: "r", encoding: "LATIN1", isInRecovery: true)
        #expect(
            Self.texts(ServerCheck.judge(facts)) == [
                "error server-too-old: PostgreSQL 12.22 is older than 13, which Saga needs -> upgrade the server",
                """
                error encoding-not-utf8: the database's encoding is LATIN1, and Saga needs UTF8 -> make a database \
                with ENCODING 'UTF8' and move there
                """,
                """
                error standby: this server is a standby: nothing can be written, so no saga runs here -> name the \
                primary, or all hosts with target_session_attrs=read-write, in the URL
                """,
            ])
    }

    @Test func rolesThatAreMissing() {
        let facts = SchemaCheck.Facts(version: 9, program: 9, missingRoles: ["saga_reader", "saga_starter"])
        #expect(
            Self.texts(SchemaCheck.judge(facts)) == [
                """
                warning roles-missing: missing roles: saga_reader, saga_starter -> as an administrator: CREATE ROLE \
                saga_reader NOLOGIN; CREATE ROLE saga_starter NOLOGIN; then as the schema's owner: SELECT \
                saga.grant_roles();
                """
            ])
    }

    /// What the round trip may account for isn't the clock's.
    @Test func clocksApart() {
        func judge(_ ahead: TimeSpan, _ error: TimeSpan) -> String {
            Self.texts([ClockCheck.judge(.init(ahead: ahead, error: error), limit: .seconds(1))])[0]
        }
        let advice = "-> synchronize the clocks of both machines (chrony, systemd-timesyncd)"
        #expect(
            judge(.seconds(3_600), .milliseconds(1)) == """
                warning clock-apart: the database's clock is 1 h ahead of this machine's: nothing depends on it, but \
                logs can't be compared \(advice)
                """)
        #expect(
            judge(.milliseconds(-2_500), .milliseconds(1)) == """
                warning clock-apart: the database's clock is 2 s behind this machine's: nothing depends on it, but \
                logs can't be compared \(advice)
                """)
        #expect(judge(.milliseconds(-2_500), .seconds(2)) == "ok clock: the database's is 2 s behind this machine's")
        #expect(judge(.milliseconds(999), .zero) == "ok clock: the database's is 999 ms ahead of this machine's")
    }

    @Test func oldRows() {
        let facts = TablesCheck.Facts(
            tables: [], vacuum: DeadRows(since: Self.now), age: 1_700_000_000, multixactAge: 1_000_000_000,
            database: "d", now: Self.now)
        let rest =
            """
            old: at about 2 billion the server takes no writes -> VACUUM (FREEZE); in the whole database, and end what \
            holds vacuum back
            """
        #expect(
            Self.texts(TablesCheck.judge(facts, limits: .init())) == [
                "error wraparound-near: the oldest row of database d is 1700000000 transactions \(rest)",
                "warning wraparound-near: the oldest row of database d is 1000000000 multixacts \(rest)",
            ])
    }

    /// Over its threshold a busy table is all the time: it counts only where autovacuum doesn't come, or in vain.
    @Test func deadRowsThatNobodyRemoves() {
        func judge(
            _ dead: Int64, vacuumed: TimeSpan?, since: TimeSpan = .minutes(600), underWay: Bool = false,
            holder: DeadRows.Holder? = nil
        ) -> String? {
            let vacuum = DeadRows(
                since: Self.now + TimeSpan(microseconds: -TimeSpan.minutes(600).microseconds),
                underWay: underWay ? ["t"] : [], holder: holder)
            func ago(_ span: TimeSpan) -> Instant { Self.now + TimeSpan(microseconds: -span.microseconds) }
            let table = TablesCheck.Table(
                name: "t", dead: dead, trigger: 20_000, lastVacuum: vacuumed.map(ago), since: ago(since))
            return vacuum.finding(table, now: Self.now, .init()).map { Self.texts([$0])[0] }
        }
        let late = """
            warning dead-tuples: saga.t holds 900000 dead rows, and autovacuum should have come at 20000; last vacuumed:
            """
        let mend = """
            VACUUM (VERBOSE) saga.t; if it comes to this again, raise autovacuum_max_workers or lower \
            autovacuum_vacuum_cost_delay
            """
        #expect(judge(900_000, vacuumed: .minutes(2)) == nil)
        #expect(judge(900_000, vacuumed: nil, since: .minutes(2)) == nil)
        #expect(judge(900_000, vacuumed: .minutes(6), underWay: true) == nil)
        #expect(judge(20_000, vacuumed: .minutes(6)) == nil)
        #expect(judge(900_000, vacuumed: .minutes(6)) == "\(late) 6 min ago -> \(mend)")
        #expect(judge(900_000, vacuumed: nil, since: .minutes(6)) == "\(late) never -> \(mend)")
        let young = DeadRows.Holder(name: "process 7", age: .minutes(4), advice: "end it")
        let old = DeadRows.Holder(name: "process 7 (report, role bi)", age: .minutes(40), advice: "end it")
        #expect(judge(900_000, vacuumed: .minutes(2), holder: young) == nil)
        #expect(
            judge(900_000, vacuumed: .minutes(2), holder: old) == """
                \(late) 2 min ago; held back by process 7 (report, role bi), open for 40 min -> end it; then VACUUM \
                (VERBOSE) saga.t;
                """)
    }

    @Test func slotsAndStandbysThatFallBehind() {
        let slots = VacuumCheck.Facts(
            slots: [
                .init(name: "near", isActive: true, retained: 1 << 20),
                .init(name: "far", isActive: true, retained: 11 << 30),
                .init(name: "it's", isActive: false, retained: nil),
            ], feedback: [.init(name: "a", age: 999_999), .init(name: "b", age: 1_000_000)])
        #expect(
            Self.texts(VacuumCheck.judge(slots, limits: .init())) == [
                """
                warning slot-retains-wal: the reader of the replication slot far is 11 GB of WAL behind -> see why it \
                is slow; max_slot_wal_keep_size bounds what is kept
                """,
                """
                warning slot-inactive: nobody reads the replication slot it's: it keeps 0 bytes of WAL, more every \
                hour, and may hold vacuum back -> start its reader, or if it is gone for good: SELECT \
                pg_drop_replication_slot('it''s');
                """,
                """
                warning standby-holds-vacuum: a query on the standby b is 1000000 transactions old: no row that died \
                since is removed here -> end it there (pg_stat_activity on the standby), or set hot_standby_feedback = \
                off there
                """,
            ])
        var standbys = ReplicationCheck.Facts(
            wanted: "a",
            standbys: [
                .init(name: "a", sync: "sync", bytes: 0, lag: nil),
                .init(name: "b", sync: "async", bytes: 20_480, lag: .seconds(1)),
            ], role: "r")
        #expect(
            Self.texts(ReplicationCheck.judge(standbys, limits: .init())) == [
                """
                ok replication: 1 synchronous standby: a failover there loses nothing; 1 asynchronous standby, up to \
                20 kB behind: a failover there loses that, calls that were made may be made again and starts be gone
                """
            ])
        standbys.standbys[1].lag = .minutes(3)
        #expect(
            Self.texts(ReplicationCheck.judge(standbys, limits: .init())) == [
                """
                warning standby-lagging: the standby b is 20 kB and 3 min behind: after a failover to it that much is \
                gone or has to be replayed first -> see whether its disk, its network or a long query there holds it up
                """
            ])
        standbys.standbys[1].sync = nil
        #expect(
            Self.texts(ReplicationCheck.judge(standbys, limits: .init())) == [
                """
                skipped replication: not checked: needs pg_read_all_stats to see how 2 standbys keep up -> \
                GRANT pg_monitor TO r;
                """
            ])
    }

    @Test(arguments: [
        ("", 0), ("a", 1), ("*", 1), ("a, b", 1), ("2 (a, b, c)", 2), ("FIRST 3 (a)", 3), ("any 2 (a, b)", 2),
        ("\"2 (x\"", 1),
    ])
    func standbysThatACommitWaitsFor(_ names: String, _ count: Int) {
        #expect(ReplicationCheck.wantedCount(names) == count)
    }

    // MARK: Settings

    @Test(arguments: [
        ("0", 0), ("50", 50), ("50ms", 50), ("1.5s", 1_500), ("2min", 120_000), ("1h", 3_600_000), ("1d", 86_400_000),
        ("500us", 0), ("2 s", 2_000), ("", nil), ("-1", nil), ("soon", nil), ("1e9", nil), ("3 weeks", nil),
        ("99999999999999999999", nil),
    ])
    func durationsOfSettings(_ text: String, _ milliseconds: Int64?) {
        #expect(SettingsJudgement.milliseconds(text).map { $0.microseconds / 1_000 } == milliseconds)
    }

    /// The nearest entry holds: role in database, role, database, all roles, server.
    @Test func theNearestSettingHolds() {
        typealias Entry = SettingsCheck.Entry
        typealias Setting = SettingsCheck.Setting
        func entry(_ isInDatabase: Bool, _ role: String?, _ value: String) -> Entry {
            Entry(isInDatabase: isInDatabase, role: role, name: "synchronous_commit", value: value)
        }
        let all = [
            entry(true, "r", "a"), entry(false, "r", "b"), entry(true, nil, "c"), entry(false, nil, "d"),
            entry(true, "other", "x"),
        ]
        let server = ["synchronous_commit": Setting(value: "e", place: .server)]
        let own = ["synchronous_commit": Setting(value: "f", place: .role)]
        func held(_ entries: [Entry], _ asking: [String: Setting]) -> Setting? {
            SettingsCheck.settings(of: "r", entries: entries, asking: asking).values["synchronous_commit"]
        }
        #expect(held(all, server) == Setting(value: "a", place: .roleInDatabase))
        #expect(held(Array(all[1...]), server) == Setting(value: "b", place: .role))
        #expect(held(Array(all[2...]), server) == Setting(value: "c", place: .database))
        #expect(held(Array(all[3...]), server) == Setting(value: "d", place: .allRoles))
        #expect(held(Array(all[4...]), server) == Setting(value: "e", place: .server))
        // What the asking role has of its own says nothing of another's.
        #expect(held(Array(all[4...]), own) == nil)
    }

    @Test func figuresInWords() {
        #expect(DoctorText.span(.milliseconds(-340)) == "340 ms")
        #expect(DoctorText.span(.seconds(12)) == "12 s")
        #expect(DoctorText.span(.seconds(125)) == "2 min 5 s")
        #expect(DoctorText.span(.seconds(100 * 3_600)) == "4 d 4 h")
        #expect(DoctorText.span(TimeSpan(microseconds: .min)) == "106751991 d 4 h")
        #expect(
            [-1, 10_239, 10_240, 20 << 20, 20 << 30].map(DoctorText.bytes) == [
                "0 bytes", "10239 bytes", "10 kB", "20 MB", "20 GB",
            ])
        #expect(
            ["plain_1", "My Role", "1a", "a\"b", ""].map(DoctorText.identifier) == [
                "plain_1", "\"My Role\"", "\"1a\"", "\"a\"\"b\"", "\"\"",
            ])
    }
}

import PostgresClient
import SagaEngine
import SagaSchema
import Testing

@testable import SagaPostgres

/// Partitions are made beside a default one that is filled, whoever may look; nonsense is refused.
@Suite(.timeLimit(.minutes(2))) struct PartitionCareTests {
    private static let ensure = "SELECT saga.ensure_partitions(2, '2020-01-01T00:00:00Z') AS made"

    // MARK: A filled default partition

    /// Starts wait for what holds the default partition: nothing of it is read there but its key.
    @Test func daysAreMadeWithoutReadingTheDefaultPartition() async throws {
        try await SchemaFixture.run { fixture async throws in
            _ = try await fixture.oldSaga("2019-12-31T08:00:00Z", endedAt: nil)
            _ = try await fixture.oldSaga("2020-01-02T08:00:00Z", endedAt: nil)
            _ = try await fixture.oldSaga("2020-06-01T08:00:00Z", endedAt: nil)

            #expect(try await fixture.scansOfDefault(Self.ensure) == ["2", "0|0"])

            #expect(try await fixture.days() == ["default", "20200101", "20200103"])
            #expect(try await fixture.whatDefaultSays() == ["SELECT true"])
            for at in ["2020-01-01T08:00:00Z", "2020-01-02T09:00:00Z", "2020-01-03T08:00:00Z", "2020-01-04T08:00:00Z"] {
                _ = try await fixture.oldSaga(at, endedAt: nil)
            }
            #expect(
                try await fixture.rows(
                    "SELECT tableoid::regclass AS place, count(*) FROM saga.state GROUP BY 1 ORDER BY 1")
                    == ["saga.state_default|5", "saga.state_20200101|1", "saga.state_20200103|1"])
        }
    }

    /// A default partition that was filled before it could be told what it doesn't hold is read once, under a lock that
    /// stops nobody.
    @Test func aDefaultPartitionOfBeforeIsReadOnce() async throws {
        try await SchemaFixture.run(in: try await .empty()) { fixture async throws in
            let old = SagaSchema.migrations.filter { $0.version <= 12 }
            _ = try await Migrator(pool: fixture.pool, migrations: old, logger: SchemaFixture.quiet).migrate()
            _ = try await fixture.oldSaga("2020-01-02T08:00:00Z", endedAt: nil)
            #expect(try await fixture.scansOfDefault(Self.ensure) == ["2", "2|2"], "a look at each day, before 013")
            _ = try await fixture.pool.query("DROP TABLE saga.state_20200101, saga.event_20200101")

            #expect(try await fixture.migrator.migrate() == (12, Migrator.latestVersion))
            let isProven = """
                SELECT conname, convalidated FROM pg_constraint WHERE conname LIKE '%\\_default\\_days' ORDER BY conname
                """
            #expect(try await fixture.rows(isProven) == ["event_default_days|false", "state_default_days|false"])

            #expect(try await fixture.scansOfDefault(Self.ensure) == ["1", "1|1"])
            #expect(try await fixture.rows(isProven) == ["event_default_days|true", "state_default_days|true"])
            let later = Self.ensure.replacing("(2", with: "(9")
            #expect(try await fixture.scansOfDefault(later) == ["7", "0|0"])
        }
    }

    /// A daemon that dies on the way, or thinks better of it, leaves nothing that could refuse a start.
    @Test(arguments: ["ROLLBACK", "SELECT pg_terminate_backend(pg_backend_pid())"])
    func whatWasBegunLeavesNothingBehind(_ end: String) async throws {
        try await SchemaFixture.run { fixture async throws in
            _ = try await fixture.oldSaga("2019-12-31T08:00:00Z", endedAt: nil)
            try await fixture.pool.withConnection { connection in
                _ = try await connection.query("BEGIN")
                let made = try await connection.query(Self.ensure).rows[0].decode(0, as: Int32.self)
                #expect(made == 3)
                _ = try? await connection.query(end)
            }

            #expect(try await fixture.days() == ["default"])
            #expect(try await fixture.whatDefaultSays() == ["SELECT true"])
            for at in ["2020-01-01T08:00:00Z", "2020-01-02T08:00:00Z", "2020-01-03T08:00:00Z"] {
                _ = try await fixture.oldSaga(at, endedAt: nil)
            }
            #expect(try await fixture.value("SELECT count(*) FROM saga.state_default") == "4")
        }
    }

    /// Somebody who has started a saga there and hasn't committed isn't waited for, and nobody waits in turn.
    @Test func aStartThatIsntCommittedIsNotWaitedFor() async throws {
        try await SchemaFixture.run { fixture async throws in
            try await fixture.define("order")
            try await fixture.pool.withConnection { connection in
                _ = try await connection.query("BEGIN")
                _ = try await connection.query("SELECT saga.start('order')")
                #expect(try await fixture.value(Self.ensure) == "0")
                _ = try await fixture.oldSaga("2020-01-02T08:00:00Z", endedAt: nil)
                _ = try await connection.query("COMMIT")
            }
            #expect(try await fixture.value(Self.ensure) == "2")
            #expect(try await fixture.days() == ["default", "20200101", "20200103"])
        }
    }

    /// Somebody who keeps even readers away isn't waited for either, as VACUUM FULL does.
    @Test func whoeverRewritesTheDefaultPartitionIsNotWaitedFor() async throws {
        try await SchemaFixture.run { fixture async throws in
            try await fixture.pool.withConnection { connection in
                _ = try await connection.query("BEGIN")
                _ = try await connection.query("LOCK TABLE saga.state_default IN ACCESS EXCLUSIVE MODE")
                #expect(try await fixture.value(Self.ensure) == "0")
                _ = try await connection.query("COMMIT")
            }
            #expect(try await fixture.value(Self.ensure) == "3")
        }
    }

    /// Who commits a start while the tables are waited for is seen: the keys are asked again under the lock.
    @Test func whatIsCommittedMeanwhileIsSeen() async throws {
        try await SchemaFixture.run { fixture async throws in
            try await fixture.define("order")
            let locks = """
                SELECT count(*) FROM pg_locks
                WHERE database = (SELECT oid FROM pg_database WHERE datname = current_database())
                """
            let waits = """
                \(locks) AND relation IN ('saga.state'::regclass, 'saga.state_default'::regclass) AND NOT granted
                """
            async let made: String = {
                // Not before somebody holds the table, whose start isn't seen yet.
                while try await fixture.value("\(locks) AND locktype = 'advisory'") == "0" {}
                return try await fixture.value(Self.ensure)
            }()
            try await fixture.pool.withConnection { connection in
                _ = try await connection.query("BEGIN")
                _ = try await connection.query(
                    """
                    INSERT INTO saga.state (id, started_at, definition_id, status, due_at)
                        SELECT saga.id_at('2020-01-02T08:00:00Z'), now(), 1, 1, now()
                    """)
                _ = try await connection.query("SELECT pg_advisory_xact_lock(1)")
                while try await fixture.value(waits) == "0" {}
                _ = try await connection.query("COMMIT")
            }
            // None if the wait was over just before.
            #expect(["0", "2"].contains(try await made))
            #expect(try await !fixture.days().contains("20200102"))
            #expect(
                try await fixture.value("SELECT count(*) FROM saga.state WHERE id < saga.id_floor('2020-01-03Z')")
                    == "1")
        }
    }

    /// Who starts a saga of a day that is being made waits, and starts it there: it has not yet been sent elsewhere.
    @Test func aStartThatWaitsForItsDayGoesThere() async throws {
        try await SchemaFixture.run { fixture async throws in
            try await fixture.pool.withConnection { connection in
                _ = try await connection.query("BEGIN")
                _ = try await connection.query(Self.ensure)
                async let id = fixture.oldSaga("2020-01-01T08:00:00Z", endedAt: nil)
                let waits = """
                    SELECT count(*) FROM pg_locks WHERE NOT granted
                        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
                    """
                while try await fixture.value(waits) == "0" {}
                _ = try await connection.query("COMMIT")
                _ = try await id
            }
            #expect(
                try await fixture.rows(
                    "SELECT tableoid::regclass AS place FROM saga.state UNION ALL "
                        + "SELECT tableoid::regclass FROM saga.event") == [
                        "saga.state_20200101", "saga.event_20200101",
                    ])
        }
    }

    /// A snapshot doesn't show what has come since: then PostgreSQL reads for itself.
    @Test func anOldSnapshotProvesNothing() async throws {
        try await SchemaFixture.run { fixture async throws in
            try await fixture.pool.withConnection { connection in
                _ = try await connection.query("BEGIN ISOLATION LEVEL REPEATABLE READ")
                _ = try await connection.query("SELECT count(*) FROM saga.migration")
                _ = try await fixture.oldSaga("2020-01-02T08:00:00Z", endedAt: nil)
                #expect(try await connection.query(Self.ensure).rows[0].decode(0, as: Int32.self) == 2)
                _ = try await connection.query("COMMIT")
            }
            #expect(try await fixture.days() == ["default", "20200101", "20200103"])
            #expect(try await fixture.value("SELECT count(*) FROM saga.state_default") == "1")
        }
    }

    /// Daemons do it at READ COMMITTED, whatever the role's default: at that level alone nothing is read.
    @Test func daemonsSeeWhatIsThere() async throws {
        try await SchemaFixture.run { fixture async throws in
            try await fixture.pool.execute(
                script: """
                    CREATE OR REPLACE FUNCTION saga.ensure_partitions(
                        days integer DEFAULT 7, at timestamptz DEFAULT clock_timestamp()
                    ) RETURNS integer LANGUAGE sql AS
                        $$ SELECT CASE current_setting('transaction_isolation') WHEN 'read committed' THEN 42 END $$;
                    DO $$ BEGIN EXECUTE format(
                        'ALTER DATABASE %I SET default_transaction_isolation = serializable', current_database()
                    ); END $$
                    """)
            let pool = SchemaFixture.pool(fixture.connectionString)
            #expect(try await PartitionDesk(pool: pool).ensure(days: 7) == 42)
            await pool.close()
        }
    }

    /// What is in the default partition goes when all of it has ended, while sagas start elsewhere and there.
    @Test func theDefaultPartitionIsDroppedWhileSagasStart() async throws {
        try await SchemaFixture.run { fixture async throws in
            _ = try await fixture.oldSaga("2020-01-02T08:00:00Z", endedAt: "2020-01-02T09:00:00Z")
            _ = try await fixture.pool.query("SELECT saga.ensure_partitions()")
            let drop = "SELECT saga.drop_partition('default', '30 days') AS sagas"
            let started = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<3 {
                    group.addTask {
                        for _ in 0..<60 { _ = try await fixture.start("order") }
                        return 60
                    }
                }
                while try await fixture.refusal(drop)?.sqlState == "55P03" {}
                return try await group.reduce(0, +)
            }
            #expect(try await fixture.value("SELECT count(*) FROM saga.state") == "\(started)")
            #expect(try await fixture.rows("SELECT partition, sagas FROM saga.dropped") == ["default|1"])
            #expect(
                try await fixture.rows(
                    "SELECT conname, convalidated FROM pg_constraint WHERE conname LIKE '%\\_default\\_days' ORDER BY 1"
                )
                    == ["event_default_days|true", "state_default_days|true"])

            // Where sagas start at this moment nobody is made to wait, and nothing is dropped.
            _ = try await fixture.oldSaga("2020-01-02T08:00:00Z", endedAt: "2020-01-02T09:00:00Z")
            try await fixture.pool.withConnection { connection in
                _ = try await fixture.oldSaga("2020-01-03T08:00:00Z", endedAt: nil)
                _ = try await connection.query("BEGIN")
                _ = try await connection.query("UPDATE saga.state_default SET paused = true")
                #expect(try await fixture.rows(drop) == ["-"])
            }
        }
    }

    // MARK: Nonsense

    @Test(arguments: [
        ("ensure_partitions(7, 'infinity')", "partitions are made for the years 1970 to 9997, not for infinity"),
        ("ensure_partitions(7, '-infinity')", "partitions are made for the years 1970 to 9997, not for -infinity"),
        (
            "ensure_partitions(7, '1960-01-01T00:00:00Z')",
            "partitions are made for the years 1970 to 9997, not for 1960-01-01 00:00:00+00"
        ),
        (
            "ensure_partitions(7, '20000-01-01T00:00:00Z')",
            "partitions are made for the years 1970 to 9997, not for 20000-01-01 00:00:00+00"
        ),
        ("ensure_partitions(7, NULL)", "partitions are made for the years 1970 to 9997, not for null"),
        ("ensure_partitions(NULL)", "partitions are made 0 to 366 days ahead"),
        ("retention(NULL)", "no time is given for which ended sagas are kept"),
        ("retention('-1 s')", "ended sagas are kept for 0 to 1000 years, not for -00:00:01"),
        ("retention('200000 years')", "ended sagas are kept for 0 to 1000 years, not for 200000 years"),
        ("drop_partition('default', NULL)", "no time is given for which ended sagas are kept"),
        ("drop_partition('default', '-1 day')", "ended sagas are kept for 0 to 1000 years, not for -1 days"),
        (
            "drop_partition('default', '170000000 years')",
            "ended sagas are kept for 0 to 1000 years, not for 170000000 years"
        ),
        (
            "drop_partition('default', '0', NULL)",
            "others wait for 0 to 1 hour while a partition is dropped, not for null"
        ),
        (
            "drop_partition('default', '0', '-1 ms')",
            "others wait for 0 to 1 hour while a partition is dropped, not for -00:00:00.001"
        ),
        (
            "drop_partition('default', '0', '100 years')",
            "others wait for 0 to 1 hour while a partition is dropped, not for 100 years"
        ),
        ("drop_breaker_events(NULL)", "no time is given for which ended sagas are kept"),
        ("drop_breaker_events('-1 day')", "ended sagas are kept for 0 to 1000 years, not for -1 days"),
    ])
    func nonsenseIsRefused(_ call: String, _ message: String) async throws {
        let fixture = try await SchemaFixture.shared.value
        // Times are written as the session has them.
        let refusal = try await fixture.pool.withConnection { connection in
            _ = try await connection.query("BEGIN")
            _ = try await connection.query("SET LOCAL timezone = 'UTC'")
            do throws(PostgresError) {
                _ = try await connection.query("SELECT saga.\(call)")
                return nil as Refusal?
            } catch {
                return Refusal(error)
            }
        }
        #expect(refusal == Refusal("22023", message))
    }

    // MARK: Plans

    /// Plans over all partitions seem dear to PostgreSQL, which would compile them for seconds.
    @Test func nothingThatLooksIntoAllPartitionsIsCompiled() async throws {
        try await SchemaFixture.run { fixture async throws in
            let compiled = """
                SELECT p.oid::regprocedure::text AS name FROM pg_proc p WHERE pronamespace = 'saga'::regnamespace
                    AND proname IN ('claim', 'claim_waiting', 'awaited_services', 'retention', 'wait_for_work',
                        'drop_partition', 'ensure_partitions') AND (proconfig @> ARRAY['jit=off']) IS NOT TRUE
                """
            #expect(try await fixture.rows(compiled) == [])
            // Written anew when the day changes.
            _ = try await fixture.pool.query("SELECT saga.aim_probe('2030-01-01T00:00:00Z')")
            #expect(try await fixture.rows(compiled) == [])
        }
    }

    // MARK: Rights

    @Test func partitionsAreSeenByWhomTheirTablesAre() async throws {
        try await SchemaFixture.run(in: try await .empty()) { fixture async throws in
            let old = SagaSchema.migrations.filter { $0.version <= 12 }
            _ = try await Migrator(pool: fixture.pool, migrations: old, logger: SchemaFixture.quiet).migrate()
            try await fixture.pool.execute(
                script: """
                    DO $$ BEGIN CREATE ROLE night_watch; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
                    GRANT USAGE ON SCHEMA saga TO night_watch;
                    GRANT SELECT ON saga.state TO night_watch WITH GRANT OPTION;
                    """)
            try await fixture.makeDay("2020-01-01")
            _ = try await fixture.migrator.migrate()
            try await fixture.makeDay("2020-01-02")
            _ = try await fixture.pool.query("SELECT saga.drop_partition('default', '0')")
            // A daemon of a role that doesn't own the tables looks into today's partition by its name.
            _ = try await fixture.pool.query("SELECT saga.ensure_partitions()")
            try await fixture.pool.execute(
                script:
                    "GRANT EXECUTE ON FUNCTION saga.wait_for_work(integer, interval, interval, boolean) TO night_watch")

            for partition in ["20200101", "20200102", "default"] {
                for role in ["saga_reader", "saga_operator", "night_watch"] {
                    #expect(
                        try await fixture.refusal("SELECT FROM saga.state_\(partition)", as: role) == nil,
                        "\(partition) \(role)")
                }
                #expect(try await fixture.refusal("SELECT FROM saga.event_\(partition)", as: "saga_reader") == nil)
                for (role, table) in [("night_watch", "event"), ("saga_starter", "state"), ("saga_starter", "event")] {
                    #expect(
                        try await fixture.refusal("SELECT FROM saga.\(table)_\(partition)", as: role)?.sqlState
                            == "42501")
                }
            }
            #expect(
                try await fixture.refusal("SELECT saga.wait_for_work(1, '1 ms', '0', false)", as: "night_watch") == nil)
            // With what belongs to them, pg_dump has all it reads.
            let unseen = """
                SELECT relname FROM pg_class WHERE relnamespace = 'saga'::regnamespace
                    AND CASE relkind WHEN 'S' THEN NOT has_sequence_privilege('saga_reader', oid, 'SELECT')
                        WHEN 'r' THEN NOT has_table_privilege('saga_reader', oid, 'SELECT') END
                """
            #expect(try await fixture.rows(unseen) == [])
        }
    }

    /// Otherwise the owner could neither drop it nor, as the daemons' role, look into it.
    @Test func whatAnAdministratorMakesIsTheOwners() async throws {
        try await SchemaFixture.run { fixture async throws in
            try await fixture.pool.execute(
                script: """
                    DO $$ BEGIN CREATE ROLE some_admin SUPERUSER; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
                    SET ROLE some_admin; SELECT saga.ensure_partitions(0, '2020-01-01T00:00:00Z');
                    SELECT saga.drop_partition('default', '0'); RESET ROLE
                    """)
            #expect(
                try await fixture.rows(
                    """
                    SELECT relname, relowner::regrole FROM pg_class
                    WHERE relname ~ '^(state|event)_(2020|default$)' AND relkind = 'r' ORDER BY 1
                    """)
                    == ["event_20200101", "event_default", "state_20200101", "state_default"].map { "\($0)|postgres" }
            )
        }
    }

    /// A role that may write the rows isn't stopped by what they are checked with.
    @Test func whoMayWriteMayHaveItChecked() async throws {
        try await SchemaFixture.run(in: try await .empty()) { fixture async throws in
            try await fixture.pool.execute(
                script: """
                    DO $$ BEGIN CREATE ROLE night_shift; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
                    ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC
                    """)
            _ = try await fixture.migrator.migrate()
            try await fixture.pool.execute(
                script: "GRANT USAGE ON SCHEMA saga TO night_shift; GRANT SELECT, UPDATE ON saga.state TO night_shift")
            _ = try await fixture.oldSaga("2020-01-02T08:00:00Z", endedAt: nil)
            #expect(try await fixture.refusal("UPDATE saga.state SET paused = true", as: "night_shift") == nil)
        }
    }

    @Test(arguments: [("postgres", true), ("saga_operator", false)])
    func whoMayChangePartitionsIsKnown(_ role: String, _ may: Bool) async throws {
        try await SchemaFixture.run { fixture async throws in
            try await fixture.pool.withConnection { connection in
                _ = try await connection.query("BEGIN")
                _ = try await connection.query("SET LOCAL ROLE \(role)")
                let result = try await connection.query(PartitionDesk.mayChange)
                #expect(try result.rows[0].decode(0, as: Bool.self) == may)
            }
            #expect(try await PartitionDesk(pool: fixture.pool).mayChangePartitions())
        }
    }

    // MARK: What is gone

    /// The time when it was dropped, as the messages have it.
    private static let droppedAt = #"""
        SELECT to_char(max(dropped_at) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS at FROM saga.dropped
        """#

    @Test(arguments: ["cancel(%, 'r')", "compensate(%, 'r')", "append_operator_event(%, 1, 18::smallint, '{}')"])
    func whoeverNamesADroppedSagaIsToldSo(_ call: String) async throws {
        try await SchemaFixture.run { fixture async throws in
            try await fixture.makeDay("2020-01-01")
            let id = try await fixture.oldSaga("2020-01-01T08:00:00Z", endedAt: "2020-01-01T09:00:00Z", key: "k")
            let other = try await fixture.oldSaga("2020-01-02T08:00:00Z", endedAt: "2020-01-02T09:00:00Z", key: "l")
            _ = try await fixture.pool.query("SELECT saga.drop_partition('20200101', '30 days')")
            let at = try await fixture.value(Self.droppedAt)
            func refusal(_ named: String) async throws -> Refusal? {
                try await fixture.refusal("SELECT saga.\(call.replacing("%", with: named))")
            }

            let byID = Refusal(
                "22023",
                "no saga has the id \(id) any more: all that were started on 2020-01-01 have ended, and their histories "
                    + "were dropped by retention at \(at)")
            #expect(try await refusal("'\(id)'::uuid") == byID)
            let never = "01a1fb67-1800-7000-8000-000000000000"
            #expect(try await refusal("'\(never)'::uuid") == Refusal("22023", "no saga has the id \(never)"))
            // From the default partition any id might have been.
            _ = try await fixture.pool.query("SELECT saga.drop_partition('default', '30 days')")
            #expect(try await refusal("'\(other)'::uuid") == Refusal("22023", "no saga has the id \(other)"))
            guard !call.hasPrefix("append") else { return }

            #expect(try await refusal("'\(id.uppercased())'::text") == byID)
            #expect(
                try await refusal("'k'")
                    == Refusal(
                        "22023",
                        "the saga of key \"k\" (\(id), started 2020-01-01T08:00:00.000Z) has ended, and its history was "
                            + "dropped by retention at \(at)"))
            #expect(
                try await refusal("'l'")
                    == Refusal(
                        "22023",
                        "the saga of key \"l\" (\(other), started 2020-01-02T08:00:00.000Z) has ended, and its history "
                            + "was dropped by retention at \(try await fixture.value(Self.droppedAt))"))
            #expect(try await refusal("'m'") == Refusal("22023", "no saga has the id or key \"m\""))
        }
    }
}

extension SchemaFixture {
    /// The value of a query, and how often it reads the default partition's two tables whole.
    fileprivate func scansOfDefault(_ sql: String) async throws -> [String] {
        let scans = """
            SELECT pg_stat_get_xact_numscans('saga.state_default'::regclass),
                pg_stat_get_xact_numscans('saga.event_default'::regclass)
            """
        return try await pool.withConnection { connection in
            _ = try await connection.query("BEGIN")
            let before = try await connection.query(scans).rows[0]
            let value = try await connection.query(sql).rows[0].decode(0, as: Int32.self)
            let after = try await connection.query(scans).rows[0]
            _ = try await connection.query("COMMIT")
            let counts = try (0..<2).map { try after.decode($0, as: Int64.self) - before.decode($0, as: Int64.self) }
            return ["\(value)", counts.map { "\($0)" }.joined(separator: "|")]
        }
    }

    fileprivate func days() async throws -> [String] {
        try await rows("SELECT partition FROM saga.partitions() ORDER BY end_id NULLS FIRST")
    }

    fileprivate func whatDefaultSays() async throws -> [String] {
        try await rows("SELECT prosrc FROM pg_proc WHERE oid = 'saga.in_default'::regproc")
    }
}

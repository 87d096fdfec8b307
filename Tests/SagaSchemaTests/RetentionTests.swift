import PostgresClient
import SagaSchema
import Testing

@testable import SagaPostgres

/// Sagas lie in partitions by the day of start; whole days go once all in them have ended long enough ago.
@Suite(.timeLimit(.minutes(2))) struct RetentionTests {
    // MARK: Partitions

    @Test func anIdLiesInThePartitionOfItsDay() async throws {
        try await SchemaFixture.run { fixture async throws in
            try await fixture.makeDay("2020-01-01")
            try await fixture.makeDay("2020-01-02")
            for at in [
                "2019-12-31T23:59:59.999999Z", "2020-01-01T00:00:00Z", "2020-01-01T23:59:59.999999Z",
                "2020-01-02T00:00:00Z", "2020-01-02T23:59:59.999999Z", "2020-01-03T00:00:00Z",
            ] { _ = try await fixture.oldSaga(at, endedAt: nil) }

            let places = """
                SELECT to_char(saga.id_time(%) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.MS') AS at, tableoid::regclass
                FROM saga.# ORDER BY 1
                """
            func list(_ table: String, _ id: String) async throws -> [String] {
                try await fixture.rows(places.replacing("%", with: id).replacing("#", with: table))
            }
            #expect(
                try await list("state", "id") == [
                    "2019-12-31 23:59:59.999|saga.state_default", "2020-01-01 00:00:00.000|saga.state_20200101",
                    "2020-01-01 23:59:59.999|saga.state_20200101", "2020-01-02 00:00:00.000|saga.state_20200102",
                    "2020-01-02 23:59:59.999|saga.state_20200102", "2020-01-03 00:00:00.000|saga.state_default",
                ])
            #expect(
                try await list("event", "saga_id")
                    == list("state", "id").map { $0.replacing("saga.state", with: "saga.event") })
            #expect(
                try await fixture.rows(
                    """
                    SELECT saga.id_floor('1969-12-31T00:00:00Z') AS low, saga.id_floor('infinity') AS high,
                        saga.id_floor('2020-01-01T00:00:00Z') <= min(id::text)::uuid AS is_floor FROM saga.state_20200101
                    """) == ["00000000-0000-0000-0000-000000000000|ffffffff-ffff-0000-0000-000000000000|true"])
        }
    }

    @Test func partitionsAreMadeOnce() async throws {
        try await SchemaFixture.run { fixture async throws in
            func ensure(_ days: Int, _ at: String) async throws -> String {
                try await fixture.value("SELECT saga.ensure_partitions(\(days), '\(at)') AS made")
            }
            #expect(try await ensure(2, "2020-02-28T23:59:59Z") == "3")
            #expect(try await ensure(2, "2020-02-28T12:00:00Z") == "0")
            #expect(try await ensure(2, "2020-02-29T00:00:00Z") == "1")
            #expect(
                try await fixture.rows("SELECT partition FROM saga.partitions() ORDER BY end_id NULLS FIRST")
                    == ["default", "20200228", "20200229", "20200301", "20200302"])
            #expect(
                try await fixture.refusal("SELECT saga.ensure_partitions(-1)")
                    == Refusal("22023", "partitions are made 0 to 366 days ahead"))
        }
    }

    /// What came while nobody made partitions stays where it is, and the days after it are not held up.
    @Test func rowsInTheDefaultPartitionHoldUpTheirDayOnly() async throws {
        try await SchemaFixture.run { fixture async throws in
            _ = try await fixture.oldSaga("2020-01-02T08:00:00Z", endedAt: "2020-01-02T09:00:00Z")
            #expect(
                try await fixture.value("SELECT saga.ensure_partitions(2, '2020-01-01T00:00:00Z') AS made") == "2")
            #expect(
                try await fixture.rows("SELECT partition FROM saga.partitions() ORDER BY end_id NULLS FIRST")
                    == ["default", "20200101", "20200103"])
            #expect(try await fixture.value("SELECT saga.drop_partition('default', '30 days') AS sagas") == "1")
            #expect(
                try await fixture.value("SELECT saga.ensure_partitions(2, '2020-01-01T00:00:00Z') AS made") == "1")
            #expect(try await fixture.start("order").isEmpty == false)
        }
    }

    /// A daemon looks into the partitions of today every few milliseconds, into the others every so often.
    @Test func whatIsDueIsFoundInEveryPartition() async throws {
        try await SchemaFixture.run { fixture async throws in
            _ = try await fixture.pool.query("SELECT saga.ensure_partitions()")
            try await fixture.makeDay("2020-01-01")
            func found(_ wide: Bool) async throws -> String {
                try await fixture.value("SELECT saga.wait_for_work(1, '1 ms', '0', \(wide)) AS found")
            }
            #expect(try await [found(true), found(false)] == ["false", "false"])
            let old = try await fixture.oldSaga("2020-01-01T08:00:00Z", endedAt: nil)
            #expect(try await [found(true), found(false)] == ["true", "false"])
            let new = try await fixture.start("order")
            #expect(try await [found(true), found(false)] == ["true", "true"])

            #expect(try await fixture.rows("SELECT saga.claim(1, 1, 10)") == [old])
            #expect(try await fixture.rows("SELECT saga.claim(1, 10, 10)") == [new])
            #expect(try await fixture.rows("SELECT saga.claim(1, 10, 10)") == [])
            _ = try await fixture.pool.query("UPDATE saga.state SET due_at = now() - interval '1 s'")
            #expect(try await fixture.rows("SELECT saga.claim(2, 10, 10)") == [])
            #expect(try await fixture.rows("SELECT id FROM saga.claim(1, 10, 10) AS id ORDER BY id") == [old, new])
        }
    }

    /// Most claims look into the partitions of today alone; a wide one says by a null that it has left some of other days.
    @Test func aClaimThatIsNotWideTakesWhatIsOfToday() async throws {
        try await SchemaFixture.run { fixture async throws in
            _ = try await fixture.pool.query("SELECT saga.ensure_partitions()")
            try await fixture.makeDay("2020-01-01")
            let old = try await fixture.oldSaga("2020-01-01T08:00:00Z", endedAt: nil)
            let new = [try await fixture.start("order"), try await fixture.start("order")]
            func claim(_ daemon: Int, _ limits: String, wide: Bool) async throws -> [String] {
                try await fixture.rows(
                    "SELECT coalesce(id::text, 'more') FROM saga.claim(\(daemon), \(limits), \(wide)) id ORDER BY id")
            }

            #expect(try await claim(1, "1, 10", wide: false) == [new[0]])
            #expect(try await claim(1, "10, 10", wide: false) == [new[1]])
            #expect(try await claim(1, "10, 10", wide: false) == [])
            #expect(try await claim(1, "0, 10", wide: true) == ["more"])
            #expect(try await claim(1, "1, 0", wide: true) == [old])

            // What was appended from outside to sagas that a daemon has; no other takes it.
            _ = try await fixture.pool.query("UPDATE saga.state SET due_at = now() - interval '1 s'")
            #expect(try await claim(2, "10, 10", wide: true) == [])
            #expect(try await claim(1, "10, 1", wide: false).count == 1)
            #expect(try await claim(1, "10, 10", wide: false).count == 1)
            #expect(try await claim(1, "10, 0", wide: true) == ["more"])
            #expect(try await claim(1, "10, 10", wide: true) == [old])
        }
    }

    @Test(arguments: [true, false])
    func whatIsDueLongestComesFirst(_ wide: Bool) async throws {
        try await SchemaFixture.run { fixture async throws in
            _ = try await fixture.pool.query("SELECT saga.ensure_partitions()")
            try await fixture.define("order")
            for _ in 0..<9 { _ = try await fixture.start("order") }
            if wide { _ = try await fixture.oldSaga("2020-01-01T08:00:00Z", endedAt: nil) }
            _ = try await fixture.pool.query(
                "UPDATE saga.state SET due_at = now() - interval '1 s' * abs(hashtext(id::text)) / 1e4")
            let order = try await fixture.rows("SELECT id FROM saga.state ORDER BY due_at")
            var taken: [String] = []
            for _ in order {
                taken += try await fixture.rows(
                    "SELECT id FROM saga.claim(1, 1, 1, \(wide)) id WHERE id IS NOT NULL")
            }
            #expect(taken == order)
        }
    }

    /// Nobody has written the functions anew for long, or a day is missing: sagas start where the functions look, too.
    @Test(arguments: [
        "SELECT saga.ensure_partitions(0, '2020-01-01T12:00:00Z'); SELECT saga.aim_probe('2020-01-01T12:00:00Z')",
        "SELECT saga.aim_probe(now() - interval '5 days')",
        "SELECT saga.aim_probe(now() + interval '1 day')",
        "SELECT saga.ensure_partitions(1, now() + interval '1 day')",
        "SELECT saga.ensure_partitions(2); SELECT saga.aim_probe()",
    ])
    func whatStartsNowIsFoundHoweverTheFunctionsAreAimed(_ before: String) async throws {
        try await SchemaFixture.run { fixture async throws in
            try await fixture.define("order")
            try await fixture.pool.execute(script: before)
            async let found = fixture.value("SELECT saga.wait_for_work(1, '1 ms', '1 minute', false) AS found")
            let new = try await fixture.start("order")
            #expect(try await found == "true")
            #expect(try await fixture.value("SELECT saga.wait_for_work(1, '1 ms', '0', false) AS found") == "true")
            #expect(try await fixture.rows("SELECT saga.claim(1, 10, 10, false)") == [new])
        }
    }

    /// Past the last day that they name, each call begins with a look into all.
    @Test(arguments: ["9 days", "30 days"])
    func functionsThatNameNoDayOfTodayLookEverywhere(_ ago: String) async throws {
        try await SchemaFixture.run { fixture async throws in
            try await fixture.define("order")
            _ = try await fixture.pool.query("SELECT saga.ensure_partitions(3, now() - interval '1 day')")
            _ = try await fixture.pool.query("SELECT saga.aim_probe(now() - interval '\(ago)')")
            let new = try await fixture.start("order")
            #expect(try await fixture.value("SELECT saga.wait_for_work(1, '1 ms', '0', false) AS found") == "true")
            #expect(try await fixture.rows("SELECT saga.claim(1, 10, 10, false)") == [new])
        }
    }

    @Test(arguments: ["event", "event_20200101", "event_default"])
    func eventsAreAppendOnlyInEveryPartition(_ table: String) async throws {
        try await SchemaFixture.run { fixture async throws in
            try await fixture.makeDay("2020-01-01")
            for operation in [
                "UPDATE saga.\(table) SET at = now()", "DELETE FROM saga.\(table)", "TRUNCATE saga.\(table)",
            ] {
                #expect(
                    try await fixture.refusal(operation)
                        == Refusal(
                            "55000",
                            "\(operation.prefix { $0 != " " }) on saga.\(table) is refused: events are append-only, "
                                + "a saga's state is the fold of all of them"))
            }
        }
    }

    // MARK: Dropping

    @Test func aDayGoesOnceAllInItHaveEndedLongEnoughAgo() async throws {
        try await SchemaFixture.run { fixture async throws in
            for day in ["2020-01-01", "2020-01-02", "2020-01-03"] { try await fixture.makeDay(day) }
            _ = try await fixture.oldSaga("2020-01-01T08:00:00Z", endedAt: "2020-01-05T00:00:00Z")
            _ = try await fixture.oldSaga("2020-01-02T08:00:00Z", endedAt: "2020-01-02T09:00:00Z")
            let late = try await fixture.oldSaga("2020-01-02T09:00:00Z", endedAt: "now")
            let live = try await fixture.oldSaga("2020-01-03T08:00:00Z", endedAt: nil)
            _ = try await fixture.oldSaga("2020-01-03T07:00:00Z", endedAt: "now")
            _ = try await fixture.start("order")

            #expect(
                try await fixture.rows(
                    """
                    SELECT partition, sagas, pinning, unended, oldest, oldest_status, oldest_ended_at IS NULL AS live,
                        bytes > 0 AS big FROM saga.retention('30 days')
                    """
                ) == [
                    "20200101|1|0|0|-|-|true|true", "20200102|2|1|0|\(late)|completed|false|true",
                    "20200103|2|2|1|\(live)|pending|true|true",
                    "default|1|1|1|\(try await fixture.newest())|pending|true|true",
                ])
            func drop(_ day: String) async throws -> String {
                try await fixture.value("SELECT saga.drop_partition('\(day)', '30 days') AS sagas")
            }
            #expect(try await [drop("20200101"), drop("20200102"), drop("20200103")] == ["1", "-", "-"])
            #expect(try await [drop("20200101"), drop("default"), drop("none")] == ["-", "-", "-"])
            #expect(try await fixture.rows("SELECT partition, sagas FROM saga.dropped") == ["20200101|1"])
            #expect(
                try await fixture.value("SELECT count(*) FROM saga.state") == "5",
                "what isn't dropped stays")
            #expect(
                try await fixture.rows("SELECT to_regclass('saga.state_20200101'), to_regclass('saga.event_20200101')")
                    == ["-|-"])
            #expect(
                try await fixture.refusal("SELECT saga.drop_partition('20200102', NULL)")?.sqlState == "22023")
        }
    }

    @Test func keysOutliveTheirSagas() async throws {
        try await SchemaFixture.run { fixture async throws in
            try await fixture.makeDay("2020-01-01")
            try await fixture.define("order")
            let id = try await fixture.oldSaga("2020-01-01T08:00:00Z", endedAt: "2020-01-01T09:00:00Z", key: "k")
            _ = try await fixture.pool.query("SELECT saga.drop_partition('20200101', '30 days')")

            #expect(
                try await fixture.rows(#"SELECT * FROM saga.start_full('order', '{"n": 1}'::json, 'k')"#)
                    == ["\(id)|false|-"])
            #expect(try await fixture.value("SELECT saga.start('order', '{\"n\":1}', 'k') AS id") == id)
            #expect(try await fixture.refusal("SELECT saga.start('order', '{}', 'k')")?.sqlState == "23505")
            #expect(try await fixture.value("SELECT count(*) FROM saga.state") == "0")
        }
    }

    /// Whoever wants a completed saga undone at that moment is faster, or finds it gone.
    @Test func aSagaThatIsTakenUpAgainIsNotDropped() async throws {
        try await SchemaFixture.run { fixture async throws in
            try await fixture.makeDay("2020-01-01")
            try await fixture.define("order", steps: #"[{"name":"a"}]"#)
            let id = try await fixture.oldSaga("2020-01-01T08:00:00Z", endedAt: "2020-01-01T09:00:00Z")
            let drop = "SELECT saga.drop_partition('20200101', '30 days')"
            try await fixture.pool.withConnection { connection in
                _ = try await connection.query("BEGIN")
                _ = try await connection.query("SELECT saga.compensate('\(id)'::uuid, 'r')")
                #expect(try await fixture.refusal(drop)?.sqlState == "55P03")
                _ = try await connection.query("COMMIT")
            }
            #expect(try await fixture.rows(drop) == ["-"])
            #expect(try await fixture.value("SELECT status FROM saga.sagas") == "compensating")

            _ = try await fixture.pool.query(
                "UPDATE saga.state SET status = 6, due_at = NULL, ended_at = '2020-01-02T00:00:00Z'")
            #expect(try await fixture.rows(drop) == ["1"])
            #expect(try await fixture.refusal("SELECT saga.compensate('\(id)'::uuid, 'r')")?.sqlState == "22023")
        }
    }

    /// A snapshot older than the lock would not see a saga that has just been turned back.
    @Test func nothingIsDroppedUnderAnOldSnapshot() async throws {
        try await SchemaFixture.run { fixture async throws in
            try await fixture.makeDay("2020-01-01")
            try await fixture.pool.withConnection { connection in
                _ = try await connection.query("BEGIN ISOLATION LEVEL REPEATABLE READ")
                let error = await #expect(throws: PostgresError.self) {
                    try await connection.query("SELECT saga.drop_partition('20200101', '30 days')")
                }
                #expect(error?.sqlState == "25001")
            }
        }
    }

    /// A reader that takes its time holds up the dropping, and nobody else.
    @Test func aLongReaderIsNotWaitedFor() async throws {
        try await SchemaFixture.run { fixture async throws in
            try await fixture.makeDay("2020-01-01")
            try await fixture.define("order")
            _ = try await fixture.oldSaga("2020-01-01T08:00:00Z", endedAt: "2020-01-01T09:00:00Z")
            let drop = "SELECT saga.drop_partition('20200101', '30 days', '1 ms')"
            try await fixture.pool.withConnection { connection in
                _ = try await connection.query("BEGIN")
                _ = try await connection.query("SELECT count(*) FROM saga.sagas")
                #expect(try await fixture.refusal(drop)?.sqlState == "55P03")
                #expect(try await fixture.start("order").isEmpty == false)
                _ = try await connection.query("COMMIT")
            }
            #expect(try await fixture.rows(drop) == ["1"])
        }
    }

    @Test func breakersKeepTheirLastEvent() async throws {
        try await SchemaFixture.run { fixture async throws in
            try await fixture.pool.execute(
                script: """
                    SELECT saga.apply_service('s', 'http://s', '{}', '{}', false);
                    SELECT saga.apply_service('t', 'http://t', '{}', '{}', false);
                    INSERT INTO saga.breaker_event (service_id, sequence, at, type, data) VALUES
                        (1, 1, '2020-01-01', 3, '{}'), (1, 2, '2020-01-02', 3, '{}'), (1, 3, now(), 3, '{}'),
                        (2, 1, '2020-01-01', 3, '{}'), (2, 2, '2020-01-02', 3, '{}')
                    """)
            #expect(try await fixture.value("SELECT saga.drop_breaker_events('30 days') AS count") == "3")
            #expect(
                try await fixture.rows("SELECT service_id, sequence FROM saga.breaker_event ORDER BY 1, 2")
                    == ["1|3", "2|2"])
            #expect(try await fixture.refusal("DELETE FROM saga.breaker_event")?.sqlState == "55000")
        }
    }

    // MARK: Coming from version 9

    /// What was there becomes a partition as it lies: neither table is written anew.
    @Test func aFilledDatabaseComesOver() async throws {
        try await SchemaFixture.run(in: try await .empty()) { fixture async throws in
            let old = SagaSchema.migrations.filter { $0.version <= 9 }
            _ = try await Migrator(pool: fixture.pool, migrations: old, logger: SchemaFixture.quiet).migrate()
            try await fixture.define("order", steps: #"[{"name":"a"}]"#)
            let done = try await fixture.saga("order", 5, [.completed("7")])
            let live = try await fixture.start("order", ", key => 'k', correlation_id => 'c'")
            try await fixture.pool.execute(
                script: "DO $$ BEGIN CREATE ROLE auditor; EXCEPTION WHEN duplicate_object THEN NULL; END $$; "
                    + "GRANT USAGE ON SCHEMA saga TO auditor; GRANT SELECT ON saga.state, saga.event TO auditor")
            func files(_ state: String, _ event: String) async throws -> String {
                try await fixture.value(
                    "SELECT pg_relation_filenode('saga.\(state)'), pg_relation_filenode('saga.\(event)')")
            }
            func seen() async throws -> [[String]] {
                [
                    try await fixture.rows("SELECT * FROM saga.sagas ORDER BY id"),
                    try await fixture.rows("SELECT * FROM saga.steps ORDER BY saga_id"),
                    try await fixture.rows("SELECT * FROM saga.events ORDER BY saga_id, sequence"),
                ]
            }
            let (filesBefore, seenBefore) = (try await files("state", "event"), try await seen())

            #expect(try await fixture.migrator.migrate() == (9, Migrator.latestVersion))

            #expect(try await files("state_first", "event_first") == filesBefore)
            #expect(try await seen() == seenBefore)
            #expect(try await fixture.refusal("SELECT * FROM saga.state, saga.event", as: "auditor") == nil)
            #expect(
                try await fixture.rows(
                    "SELECT partition, first_id, end_id > saga.id_floor(now()) AS open FROM saga.partitions() ORDER BY 1"
                )
                    == ["default|-|-", "first|-|true"])
            #expect(try await fixture.value("SELECT saga.ensure_partitions() > 0 AS made") == "true")
            #expect(try await fixture.start("order", ", key => 'k', correlation_id => 'c'") == live)
            let new = try await fixture.start("order")
            #expect(
                try await fixture.rows("SELECT id FROM saga.claim(1, 10, 10) AS id ORDER BY id") == [live, new])
            #expect(try await fixture.refusal("DELETE FROM saga.event_first")?.sqlState == "55000")
            #expect(
                try await fixture.rows(
                    "SELECT conrelid::regclass::text FROM pg_constraint WHERE conname IN ('state_bound', 'event_bound')"
                )
                    == [])
            // Not all of it has ended, and its days aren't over.
            #expect(try await fixture.rows("SELECT saga.drop_partition('first', '0')") == ["-"])
            #expect(try await fixture.value("SELECT count(*) FROM saga.state WHERE id = '\(done)'") == "1")
        }
    }
}

extension SchemaFixture {
    /// Makes the partition of a day.
    func makeDay(_ day: String) async throws {
        _ = try await pool.query("SELECT saga.ensure_partitions(0, ($1 || 'T12:00:00Z')::timestamptz)", [.text(day)])
    }

    /// A saga of that time with a history of its start; pending and due if it hasn't ended.
    func oldSaga(_ at: String, endedAt: String?, key: String? = nil) async throws -> String {
        try await define("order")
        let result = try await pool.query(
            """
            WITH new AS (SELECT saga.id_at($1::timestamptz) AS id), s AS (
                INSERT INTO saga.state (id, started_at, definition_id, status, due_at, ended_at, key)
                    SELECT id, $1::timestamptz, 1, CASE WHEN $2::text IS NULL THEN 1 ELSE 5 END,
                        CASE WHEN $2::text IS NULL THEN $1::timestamptz END, $2::timestamptz, $3 FROM new
            ), k AS (
                INSERT INTO saga.key (key, saga_id, saga, input_hash)
                    SELECT $3, id, 'order', jsonb_hash_extended('{"n":1}', 0) FROM new WHERE $3 IS NOT NULL
            )
            INSERT INTO saga.event (saga_id, sequence, type, at, data)
                SELECT id, 1, 1, $1::timestamptz, '{"input":{"n":1}}' FROM new RETURNING saga_id::text
            """, [.text(at), .text(endedAt), .text(key)])
        return try result.rows[0].decode(0)
    }

    /// The id of the saga that was started last.
    func newest() async throws -> String { try await value("SELECT id FROM saga.state ORDER BY id DESC LIMIT 1") }
}

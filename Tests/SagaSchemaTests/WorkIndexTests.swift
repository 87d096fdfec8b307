import PostgresClient
import Testing

/// The daemons' questions, asked a hundred times a second: each must be a short look into one index, whatever waits.
@Suite struct WorkIndexTests {
    /// Many ended sagas, many that wait far in the future or for a person, and few that are due.
    private func populated() async throws -> SchemaFixture {
        let fixture = try await SchemaFixture.migrated()
        try await fixture.define("order")
        try await fixture.pool.execute(
            script: """
                INSERT INTO saga.state (id, started_at, definition_id, status, ended_at)
                    SELECT saga.new_id(), now(), 1, 5, now() FROM generate_series(1, 5000);
                INSERT INTO saga.state (id, started_at, definition_id, status, due_at)
                    SELECT saga.new_id(), now(), 1, 2, now() + interval '1 hour' FROM generate_series(1, 5000);
                INSERT INTO saga.state (id, started_at, definition_id, status, due_at)
                    SELECT saga.new_id(), now(), 1, 4, 'infinity' FROM generate_series(1, 5000);
                INSERT INTO saga.state (id, started_at, definition_id, status, due_at)
                    SELECT saga.new_id(), now(), 1, 1, now() - n * interval '1 second' FROM generate_series(1, 500) n;
                INSERT INTO saga.state (id, started_at, definition_id, status, owner, due_at)
                    SELECT saga.new_id(), now(), 1, 2, 1 + n % 3, CASE WHEN n < 10 THEN now() END
                    FROM generate_series(1, 3000) n;
                ANALYZE saga.state
                """
        )
        return fixture
    }

    @Test func whatIsDueIsReadInOrderFromTheIndex() async throws {
        try await SchemaFixture.run(in: try await populated()) { fixture async throws in
            #expect(
                try await fixture.plan(
                    """
                    SELECT id FROM saga.state WHERE owner IS NULL AND due_at <= statement_timestamp()
                    ORDER BY owner, due_at LIMIT 64 FOR UPDATE SKIP LOCKED
                    """
                ) == """
                    Limit
                      ->  LockRows
                            ->  Index Scan using state_default_work on state_default state
                                  Index Cond: ((owner IS NULL) AND (due_at <= statement_timestamp()))
                    """
            )
        }
    }

    @Test func whatChangedOfADaemonsOwnIsReadFromTheIndex() async throws {
        try await SchemaFixture.run(in: try await populated()) { fixture async throws in
            // Few rows: how they are sorted is the planner's business.
            let plan = try await fixture.plan(
                """
                SELECT id FROM saga.state WHERE owner = 2 AND due_at <= statement_timestamp()
                ORDER BY due_at LIMIT 64 FOR UPDATE SKIP LOCKED
                """
            )

            #expect(plan.contains("state_default_work"))
            #expect(plan.contains("Index Cond: ((owner = 2) AND (due_at <= statement_timestamp()))"))
        }
    }

    /// With parameters unseen by the planner too, and for a takeover's whole set.
    @Test func aDaemonsOwnAreFoundByAGenericPlan() async throws {
        try await SchemaFixture.run(in: try await populated()) { fixture async throws in
            let plan = try await fixture.pool.withConnection { connection in
                _ = try await connection.query("PREPARE q (int) AS UPDATE saga.state SET owner = NULL WHERE owner = $1")
                _ = try await connection.query("SET plan_cache_mode = force_generic_plan")
                let rows = try await connection.query("EXPLAIN (COSTS OFF) EXECUTE q (2)").rows
                await connection.close()
                return try rows.map { try $0.decode(0, as: String.self) }.joined(separator: "\n")
            }

            #expect(plan.contains("state_default_work"))
            #expect(plan.contains("(owner = $1)"))
            #expect(!plan.contains("Seq Scan"))
        }
    }

    /// The statistics of a burst, in which nearly everything was due, must not turn the look into a scan of what is
    /// left of it.
    @Test func waitingForWorkKeepsToTheIndexWhateverTheStatisticsSay() async throws {
        try await SchemaFixture.run(in: try await populated()) { fixture async throws in
            try await fixture.pool.execute(
                script: """
                    ALTER TABLE saga.state_default SET (autovacuum_enabled = false);
                    UPDATE saga.state SET status = 1, owner = NULL, due_at = now() - interval '1 hour', ended_at = NULL;
                    ANALYZE saga.state;
                    UPDATE saga.state SET status = 5, due_at = NULL, ended_at = now();
                    """
            )
            let scans = PostgresStatement("SELECT pg_stat_get_xact_numscans('saga.state_default'::regclass)")
            let wait = PostgresStatement("SELECT saga.wait_for_work(1, '1 ms', '5 ms', true)")
            let results = try await fixture.pool.transaction([scans, wait, scans])

            #expect(try results[1].rows[0].decode(0, as: Bool.self) == false)
            #expect(try results[0].rows[0].decode(0, as: Int.self) == results[2].rows[0].decode(0, as: Int.self))
        }
    }

    @Test(arguments: [true, false])
    func waitingForWorkFindsWhatIsNobodysAndItsOwn(_ wide: Bool) async throws {
        try await SchemaFixture.run { fixture async throws in
            try await fixture.define("order")
            let id = try await fixture.start("order")
            func found(by daemon: Int, after sql: String) async throws -> String {
                _ = try await fixture.pool.query("UPDATE saga.state SET \(sql) WHERE id = '\(id)'")
                return try await fixture.value("SELECT saga.wait_for_work(\(daemon), '1 ms', '0', \(wide)) AS found")
            }

            #expect(try await found(by: 1, after: "owner = owner") == "true")
            #expect(try await found(by: 1, after: "due_at = now() + interval '1 hour'") == "false")
            #expect(try await found(by: 1, after: "owner = 1, due_at = NULL") == "false")
            #expect(try await found(by: 1, after: "due_at = now()") == "true")
            #expect(try await found(by: 2, after: "due_at = now()") == "false")
        }
    }

    @Test func waitingForWorkEndsWhenSomethingIsDue() async throws {
        try await SchemaFixture.run { fixture async throws in
            try await fixture.define("order")
            async let found = fixture.value("SELECT saga.wait_for_work(1, '1 ms', '1 minute', false) AS found")
            _ = try await fixture.start("order")
            #expect(try await found == "true")
        }
    }

    /// Due first is served first; what is not due, ended or someone's is left.
    @Test func claimsTakeTheOldestDue() async throws {
        try await SchemaFixture.run(in: try await populated()) { fixture async throws in
            #expect(
                try await fixture.rows(
                    """
                    SELECT count(*) AS claimed, bool_and(status = 1) AS pending,
                        min(now() - due_at) > interval '496 seconds' AS oldest FROM (
                        SELECT * FROM saga.state WHERE owner IS NULL AND due_at <= statement_timestamp()
                        ORDER BY owner, due_at LIMIT 4 FOR UPDATE SKIP LOCKED) c
                    """
                ) == ["4|true|true"]
            )
        }
    }

    @Test func noIndexKnowsTheStatusSoThatItsUpdatesStayHot() async throws {
        try await SchemaFixture.run { fixture async throws in
            #expect(
                try await fixture.rows(
                    "SELECT indexdef FROM pg_indexes WHERE schemaname = 'saga' AND tablename = 'state' ORDER BY 1"
                ) == [
                    "CREATE INDEX state_waits_attempts ON ONLY saga.state USING btree "
                        + "(waits_for, waits_attempts, waits_since) "
                        + "WHERE ((waits_for IS NOT NULL) AND (due_at IS NOT NULL))",
                    "CREATE INDEX state_waits_since ON ONLY saga.state USING btree (waits_for, waits_since) "
                        + "WHERE ((waits_for IS NOT NULL) AND (due_at IS NOT NULL))",
                    "CREATE INDEX state_work ON ONLY saga.state USING btree (owner, due_at) "
                        + "WHERE ((owner IS NOT NULL) OR (due_at IS NOT NULL))",
                    "CREATE UNIQUE INDEX state_pkey ON ONLY saga.state USING btree (id)",
                ]
            )
            try await fixture.define("order")
            let id = try await fixture.start("order")
            let line = try await fixture.pool.withConnection { connection in
                _ = try await connection.query("BEGIN")
                for status in [2, 3, 2, 3] {
                    _ = try await connection.query("UPDATE saga.state SET status = \(status) WHERE id = '\(id)'")
                }
                return try await connection.query(
                    "SELECT pg_stat_get_xact_tuples_updated(c) || ' updated, ' || "
                        + "pg_stat_get_xact_tuples_hot_updated(c) || ' hot' "
                        + "FROM (SELECT 'saga.state_default'::regclass::oid AS c) t"
                ).rows[0].decode(0, as: String.self)
            }
            #expect(line == "4 updated, 4 hot")
        }
    }
}

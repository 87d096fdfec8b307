import PostgresClient
import Testing

/// Who may do what.
@Suite struct RoleTests {
    static let starts = [
        "SELECT saga.start('order')", "SELECT saga.start('order', '{}'::json)",
        "SELECT saga.start('order', '{}'::jsonb)",
        "SELECT * FROM saga.start_full('order', '{}')", "SELECT saga.cancel(saga.start('order'), 'r')",
        "SELECT saga.cancel(saga.start('order')::text, 'r')", "SELECT saga.new_id()",
        "SELECT saga.input_schema('order')",
    ]
    static let reads =
        ["sagas", "steps", "events", "daemons", "breakers"].map { "SELECT * FROM saga.\($0)" }
        + [
            "migration", "definition", "current_definition", "daemon", "state", "event", "key", "alert", "service",
            "breaker_event", "dropped",
        ].map {
            "SELECT * FROM saga.\($0)"
        } + ["SELECT * FROM saga.retention('30 days')"]
    static let steers = [
        "SELECT saga.append_operator_event(saga.start('order'), 1, 18::smallint, '{}')",
        "SELECT saga.apply_definition('trip', sha256('trip'), '{}', true)",
        "SELECT saga.compensate((SELECT id FROM saga.sagas WHERE status = 'completed'), 'r')",
        "SELECT saga.compensate('done', 'r')",
        "SELECT saga.apply_service('s', 'http://s', '{}', '{}', false)",
        "SELECT saga.write_service(1, 1, '{}', 'CLOSED', now(), NULL)",
    ]
    /// What no role may: the engine's own.
    static let engine = [
        "INSERT INTO saga.state SELECT * FROM saga.state", "INSERT INTO saga.event SELECT * FROM saga.event",
        "UPDATE saga.state SET paused = true", "DELETE FROM saga.key", "UPDATE saga.daemon SET epoch = 2",
        "SELECT saga.fence(1, 1)", "SELECT saga.accept('order', '{}', '{}', NULL, NULL)", "SELECT saga.grant_roles()",
        "SELECT saga.wait_for_work(1, '1 ms', '0')", "INSERT INTO saga.alert (event) VALUES ('{}')",
        "DELETE FROM saga.alert", "SELECT saga.ensure_partitions()", "SELECT saga.drop_partition('default', '0')",
        "SELECT saga.drop_breaker_events('0')", "SELECT saga.claim(1, 1, 1)", "SELECT saga.claim(1, 1, 1, true)",
        "SELECT saga.take(1, '{}')", "SELECT saga.aim_probe()",
        "SELECT saga.claim_waiting(1, 1, 1, false)", "SELECT saga.wait_for_work(1, '1 ms', '0', true)",
        "DROP TABLE saga.state_default", "DELETE FROM saga.event_default", "UPDATE saga.service SET state = 'CLOSED'",
        "DELETE FROM saga.breaker_event",
    ]

    @Test(arguments: [
        ("saga_reader", reads, starts + steers + engine),
        ("saga_starter", starts, reads + steers + engine),
        ("saga_operator", reads + starts + steers, engine),
        ("nobody_in_particular", [], reads + starts + steers + engine),
    ])
    func mayDoThisAndNoMore(_ role: String, _ allowed: [String], _ refused: [String]) async throws {
        try await SchemaFixture.run { fixture async throws in
            try await fixture.define("order", steps: #"[{"name":"a"}]"#)
            _ = try await fixture.start("order")
            _ = try await fixture.start("order", ", key => 'done'")
            try await fixture.pool.execute(
                script: "UPDATE saga.state SET status = 5, ended_at = now(), due_at = NULL WHERE key = 'done'"
            )
            try await fixture.enterDaemon()
            try await fixture.pool.execute(
                script: """
                    DO $$ BEGIN
                        IF '\(role)' = 'nobody_in_particular' THEN CREATE ROLE nobody_in_particular; END IF;
                    END $$
                    """
            )

            for sql in allowed { #expect(try await fixture.refusal(sql, as: role) == nil, "\(sql)") }
            for sql in refused { #expect(try await fixture.refusal(sql, as: role)?.sqlState == "42501", "\(sql)") }
        }
    }

    /// An administrator who creates the roles later runs `grant_roles`: it alone gives all that they may.
    @Test(arguments: [("saga_starter", starts), ("saga_operator", starts + steers)])
    func grantingAnewGivesAll(_ role: String, _ allowed: [String]) async throws {
        try await SchemaFixture.run { fixture async throws in
            try await fixture.define("order", steps: #"[{"name":"a"}]"#)
            _ = try await fixture.start("order", ", key => 'done'")
            try await fixture.pool.execute(
                script: """
                    UPDATE saga.state SET status = 5, ended_at = now(), due_at = NULL;
                    REVOKE ALL ON ALL FUNCTIONS IN SCHEMA saga FROM \(role);
                    SELECT saga.grant_roles()
                    """
            )

            for sql in allowed { #expect(try await fixture.refusal(sql, as: role) == nil, "\(sql)") }
        }
    }

    /// A caller's own schemas can't slip anything under functions that run with the owner's rights.
    @Test func definerFunctionsHaveAFixedSearchPath() async throws {
        let fixture = try await SchemaFixture.shared.value

        #expect(
            try await fixture.rows(
                """
                SELECT p.oid::regprocedure::text AS name FROM pg_proc p
                WHERE pronamespace = 'saga'::regnamespace AND prosecdef
                    AND (proconfig @> ARRAY['search_path=pg_catalog, saga, pg_temp']) IS NOT TRUE
                """
            ) == []
        )
        #expect(
            try await fixture.rows(
                """
                SELECT p.oid::regprocedure::text AS name FROM pg_proc p
                WHERE pronamespace = 'saga'::regnamespace AND has_function_privilege('public', p.oid, 'EXECUTE')
                ORDER BY 1
                """
            ) == [
                "saga.event_type(smallint)", "saga.in_default(uuid)", "saga.readable(json)",
                "saga.status_name(smallint)",
            ]
        )
    }

    @Test func settingsOfTheCallerChangeNothing() async throws {
        try await SchemaFixture.run { fixture async throws in
            try await fixture.define("order", steps: #"[{"name":"a"}]"#)
            try await fixture.pool.execute(
                script: """
                    CREATE SCHEMA evil;
                    CREATE FUNCTION evil.strpos(text, text) RETURNS int LANGUAGE sql AS 'SELECT 1 / 0';
                    CREATE FUNCTION evil.octet_length(text) RETURNS int LANGUAGE sql AS 'SELECT 1 / 0';
                    CREATE FUNCTION evil.clock_timestamp() RETURNS timestamptz LANGUAGE sql
                        AS 'SELECT NULL::timestamptz';
                    GRANT USAGE ON SCHEMA evil TO PUBLIC
                    """
            )
            let key = try await fixture.pool.withConnection { connection in
                try await connection.execute(
                    script: """
                        BEGIN;
                        SET LOCAL ROLE saga_starter;
                        SET LOCAL search_path = evil, pg_catalog;
                        SET LOCAL standard_conforming_strings = off
                        """
                )
                _ = try await connection.query("SELECT saga.start('order', '{}', 'k', 'c')")
                _ = try await connection.query("COMMIT")
                return try await fixture.value("SELECT key FROM saga.state")
            }

            #expect(key == "k")
        }
    }
}

extension SchemaFixture {
    /// What a statement is refused with when a role runs it; nothing of it stays.
    func refusal(_ sql: String, as role: String) async throws -> Refusal? {
        try await pool.withConnection { connection in
            _ = try await connection.query("BEGIN")
            _ = try await connection.query("SET LOCAL ROLE \(role)")
            do throws(PostgresError) {
                _ = try await connection.query(sql)
                return nil
            } catch {
                return Refusal(error)
            }
        }
    }
}

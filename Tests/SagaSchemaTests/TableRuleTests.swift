import PostgresClient
import Testing

/// What the tables themselves refuse, whoever writes.
@Suite struct TableRuleTests {
    @Test(arguments: [
        ("UPDATE saga.event SET at = now()", "UPDATE on saga.event"),
        ("UPDATE saga.event SET at = now() WHERE false", "UPDATE on saga.event"),
        ("DELETE FROM saga.event", "DELETE on saga.event"),
        ("TRUNCATE saga.event", "TRUNCATE on saga.event"),
        (
            "INSERT INTO saga.event (saga_id, sequence, type, at) SELECT saga_id, 1, 1, at FROM saga.event "
                + "ON CONFLICT (saga_id, sequence) DO UPDATE SET at = now()", "UPDATE on saga.event"
        ),
    ])
    func eventsAreAppendOnly(_ sql: String, _ what: String) async throws {
        try await SchemaFixture.run { fixture async throws in
            try await fixture.define("order")
            _ = try await fixture.start("order")

            #expect(
                try await fixture.refusal(sql)
                    == Refusal(
                        "55000",
                        "\(what) is refused: events are append-only, a saga's state is the fold of all of them"
                    )
            )
            #expect(try await fixture.value("SELECT count(*) FROM saga.event") == "1")
        }
    }

    @Test(arguments: [
        "UPDATE saga.definition SET document = '{}'", "DELETE FROM saga.definition", "TRUNCATE saga.definition CASCADE",
    ])
    func definitionsAreImmutable(_ sql: String) async throws {
        try await SchemaFixture.run { fixture async throws in
            try await fixture.define("order")

            let operation = sql.prefix { $0 != " " }
            #expect(
                try await fixture.refusal(sql)
                    == Refusal(
                        "55000",
                        "\(operation) on saga.definition is refused: definitions are immutable, "
                            + "sagas run on the version they started with"
                    )
            )
            #expect(try await fixture.value("SELECT count(*) FROM saga.definition") == "1")
        }
    }

    @Test(arguments: [
        ("state_work_until_ended", state("2, NULL, NULL, NULL")),
        ("state_work_until_ended", state("6, 1, NULL, now()")),
        ("state_work_until_ended", state("6, NULL, now(), now()")),
        ("definition_saga_form", definition("'1st', sha256('x'), '{}'")),
        ("definition_saga_form", definition("repeat('x', 64), sha256('x'), '{}'")),
        ("definition_digest_length", definition("'order', 'short', '{}'")),
        ("definition_document_object", definition("'order', sha256('x'), '[]'")),
        (
            "daemon_epoch_positive",
            "INSERT INTO saga.daemon (pid, epoch, lease_until, host, version) VALUES (1, 0, now(), 'h', 'v')"
        ),
        ("migration_version_positive", "INSERT INTO saga.migration (version, name) VALUES (0, 'none')"),
    ])
    func checksAreNamed(_ constraint: String, _ sql: String) async throws {
        let fixture = try await SchemaFixture.shared.value
        let refusal = try await fixture.refusal(sql)

        #expect([refusal?.sqlState, refusal?.constraint] == ["23514", constraint])
    }

    @Test func whatTheChecksAllowIsTaken() async throws {
        try await SchemaFixture.run { fixture async throws in
            let allowed = [
                Self.state("1, NULL, now(), NULL"), Self.state("4, NULL, 'infinity', NULL"),
                Self.state("2, 1, NULL, NULL"), Self.state("3, 1, now(), NULL"),
                Self.state("7, NULL, NULL, now()"), Self.event("1, NULL, 1"), Self.event("2, 1, 23"),
                Self.definition("'a' || repeat('-', 62), sha256('x'), '{}'"),
            ]
            for sql in allowed { #expect(try await fixture.refusal(sql) == nil, "\(sql)") }
        }
    }

    @Test func aSequenceIsTakenOnce() async throws {
        try await SchemaFixture.run { fixture async throws in
            _ = try await fixture.pool.query(
                "INSERT INTO saga.event (saga_id, sequence, type, at) VALUES "
                    + "('018f4e5a-0000-7000-8000-00000000000a', 1, 1, now())"
            )
            let refusal = try await fixture.refusal(
                "INSERT INTO saga.event (saga_id, sequence, type, at) VALUES "
                    + "('018f4e5a-0000-7000-8000-00000000000a', 1, 2, now())"
            )

            #expect([refusal?.sqlState, refusal?.constraint] == ["23505", "event_default_pkey"])
        }
    }

    /// Whoever looks into the database with psql finds out there what things are.
    @Test func everythingIsCommentedOn() async throws {
        let fixture = try await SchemaFixture.shared.value

        #expect(
            try await fixture.rows(
                """
                SELECT oid::regclass::text AS name FROM pg_class
                WHERE relnamespace = 'saga'::regnamespace AND relkind IN ('r', 'p', 'v')
                    AND obj_description(oid, 'pg_class') IS NULL
                UNION ALL
                SELECT oid::regprocedure::text FROM pg_proc
                WHERE pronamespace = 'saga'::regnamespace AND obj_description(oid, 'pg_proc') IS NULL
                UNION ALL
                SELECT nspname FROM pg_namespace
                WHERE nspname = 'saga' AND obj_description(oid, 'pg_namespace') IS NULL
                """
            ) == []
        )
    }

    private static func state(_ values: String) -> String {
        "INSERT INTO saga.state (id, started_at, definition_id, status, owner, due_at, ended_at) "
            + "VALUES (saga.new_id(), now(), 1, \(values))"
    }

    private static func event(_ values: String) -> String {
        "INSERT INTO saga.event (saga_id, at, sequence, cause, type) VALUES (saga.new_id(), now(), \(values))"
    }

    private static func definition(_ values: String) -> String {
        "INSERT INTO saga.definition (saga, digest, document) VALUES (\(values))"
    }
}

import PostgresClient
import Testing

/// One key, one saga: for good, and whoever comes at the same time.
@Suite(.timeLimit(.minutes(2))) struct KeyTests {
    @Test(arguments: [
        #", '{"a": 1, "b": [1.0]}', 'k'"#,
        #", '{"b":[1.00],"a":1}', 'k'"#,
        #", '{"a": 2, "a": 1, "b": [1]}'::json, 'k'"#,
        #", '{"a": 1, "b": [1.0]}'::jsonb, 'k', 'another correlation'"#,
    ])
    func equalInputGivesTheFirstOnesId(_ again: String) async throws {
        try await SchemaFixture.run { fixture async throws in
            try await fixture.define("order")
            let id = try await fixture.start("order", #", '{"a": 1, "b": [1.0]}', 'k'"#)

            #expect(try await fixture.start("order", again) == id)
            #expect(
                try await fixture.value(
                    "SELECT (SELECT count(*) FROM saga.state) + (SELECT count(*) FROM saga.event) AS n"
                ) == "2"
            )
        }
    }

    @Test func anythingElseIsAUniqueViolationThatNamesTheKey() async throws {
        try await SchemaFixture.run { fixture async throws in
            try await fixture.define("order")
            try await fixture.define("trip")
            _ = try await fixture.start("order", #", '{"a": 1}', 'k'"#)

            #expect(
                try await fixture.refusal(#"SELECT saga.start('order', '{"a": 2}', 'k')"#)
                    == Refusal(
                        "23505",
                        #"the key "k" was used to start saga "order" with another input"#,
                        constraint: "key_pkey"
                    )
            )
            #expect(
                try await fixture.refusal(#"SELECT saga.start('trip', '{"a": 1}', 'k')"#)
                    == Refusal(
                        "23505",
                        #"the key "k" was used to start saga "order", not "trip""#,
                        constraint: "key_pkey"
                    )
            )
            #expect(try await fixture.value("SELECT count(*) FROM saga.state") == "1")
        }
    }

    /// Retention drops a saga's row and events, never its key: then the hash of the input is what is left.
    @Test func keyOutlivesItsSaga() async throws {
        try await SchemaFixture.run { fixture async throws in
            try await fixture.define("order")
            let id = try await fixture.start("order", #", '{"a": 1}', 'k'"#)
            try await fixture.pool.execute(
                script: """
                    SET LOCAL session_replication_role = replica;
                    DELETE FROM saga.event;
                    DELETE FROM saga.state
                    """
            )

            #expect(
                try await fixture.rows(#"SELECT * FROM saga.start_full('order', '{"a": 1.0}', 'k')"#) == [
                    "\(id)|false|-"
                ]
            )
            #expect(
                try await fixture.refusal(#"SELECT saga.start('order', '{"a": 2}', 'k')"#)
                    == Refusal(
                        "23505",
                        #"the key "k" was used to start saga "order" with another input"#,
                        constraint: "key_pkey"
                    )
            )
        }
    }

    @Test func concurrentStartsWithOneKeyGiveOneSaga() async throws {
        try await SchemaFixture.run { fixture async throws in
            try await fixture.define("order")
            let ids = try await withThrowingTaskGroup(of: String.self) { group in
                for _ in 0..<40 {
                    group.addTask { try await fixture.start("order", #", '{"a": 1}', 'k'"#) }
                }
                return try await group.reduce(into: Set<String>()) { $0.insert($1) }
            }

            #expect(ids.count == 1)
            #expect(try await fixture.rows("SELECT id FROM saga.state") == ids.sorted())
            #expect(try await fixture.value("SELECT count(*) FROM saga.event") == "1")
        }
    }

    @Test(arguments: [true, false])
    func secondStartWaitsForTheFirst(_ commits: Bool) async throws {
        try await SchemaFixture.run { fixture async throws in
            try await fixture.define("order")
            let (first, second) = try await fixture.pool.withConnection { connection in
                _ = try await connection.query("BEGIN")
                let first = try await connection.query("SELECT saga.start('order', key => 'k')::text")
                async let second = fixture.start("order", ", key => 'k'")
                try await fixture.untilSomeoneWaits()
                _ = try await connection.query(commits ? "COMMIT" : "ROLLBACK")
                return (try first.rows[0].decode(0, as: String.self), try await second)
            }

            #expect((first == second) == commits)
            #expect(try await fixture.rows("SELECT id FROM saga.state") == [second])
        }
    }

    /// Nothing else can be said of a row that the snapshot doesn't see; the caller runs its transaction again.
    @Test(arguments: ["REPEATABLE READ", "SERIALIZABLE"])
    func aKeyTakenAfterTheSnapshotIsASerializationFailure(_ level: String) async throws {
        try await SchemaFixture.run { fixture async throws in
            try await fixture.define("order")
            let refusal = try await fixture.pool.withConnection { connection -> Refusal? in
                _ = try await connection.query("BEGIN ISOLATION LEVEL \(level)")
                _ = try await connection.query("SELECT count(*) FROM saga.state")
                _ = try await fixture.start("order", ", key => 'k'")
                do throws(PostgresError) {
                    _ = try await connection.query("SELECT saga.start('order', key => 'k')")
                    return nil
                } catch {
                    return Refusal(error)
                }
            }

            #expect(refusal?.sqlState == "40001")
            #expect(try await fixture.value("SELECT count(*) FROM saga.state") == "1")
        }
    }
}

extension SchemaFixture {
    /// Returns once a session of this database waits for a lock.
    func untilSomeoneWaits() async throws {
        while try await value(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        ) == "0" {
            await Task.yield()
        }
    }
}

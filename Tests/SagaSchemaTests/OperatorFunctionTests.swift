import PostgresClient
import Testing

/// What the command line and daemons call: operator events, definitions, the fence.
@Suite(.timeLimit(.minutes(2))) struct OperatorFunctionTests {
    // MARK: append_operator_event

    @Test(
        arguments: [
            (17, "1|2|false|-"), (18, "1|2|true|-"), (19, "1|2|false|-"), (20, "1|2|false|-"), (21, "1|2|false|-"),
        ] as [(Int16, String)]
    )
    func appendsAndNudges(_ type: Int16, _ row: String) async throws {
        let fixture = try await SchemaFixture.shared.value
        let name = SchemaFixture.newName()
        try await fixture.define(name)
        let id = try await fixture.saga(name, 2, [.begun("a", 1)])
        try await fixture.pool.execute(
            script: "UPDATE saga.state SET owner = 1, due_at = NULL, paused = \(type == 19) WHERE id = '\(id)'"
        )

        #expect(try await fixture.value(append(id, after: 2, type, #"{"actor": "x"}"#)) == "true")
        #expect(
            try await fixture.rows(
                "SELECT sequence, cause, type, data FROM saga.event WHERE saga_id = '\(id)' AND sequence > 2"
            )
                == [#"3|-|\#(type)|{"actor": "x"}"#]
        )
        #expect(
            try await fixture.rows("SELECT owner, status, paused, ended_at FROM saga.state WHERE id = '\(id)'") == [row]
        )
        #expect(
            try await fixture.value(
                "SELECT due_at = at FROM saga.state s JOIN saga.event ON saga_id = id AND sequence = 3 WHERE "
                    + "id = '\(id)'"
            )
                == "true"
        )
    }

    @Test func terminateEndsTheSaga() async throws {
        try await SchemaFixture.run { fixture async throws in
            try await fixture.define("order")
            let id = try await fixture.start("order")
            try await fixture.pool.execute(script: "UPDATE saga.state SET owner = 1, due_at = NULL")

            #expect(try await fixture.value(append(id, after: 1, 22, "{}")) == "true")
            #expect(
                try await fixture.rows(
                    "SELECT status, owner, due_at, ended_at = at AS at FROM saga.state JOIN saga.event ON type = 22"
                )
                    == ["7|-|-|true"]
            )
            #expect(try await fixture.value(append(id, after: 2, 18, "{}")) == "false")
            #expect(try await fixture.value("SELECT count(*) FROM saga.event") == "2")
        }
    }

    /// No daemon takes it up and its own status ends nothing, so a person must be able to.
    @Test(arguments: [0, 8]) func terminateEndsASagaWhoseStatusIsNone(status: Int) async throws {
        try await SchemaFixture.run { fixture async throws in
            try await fixture.define("order")
            let id = try await fixture.start("order")
            try await fixture.pool.execute(script: "UPDATE saga.state SET status = \(status)")

            #expect(try await fixture.value(append(id, after: 1, 22, "{}")) == "true")
            #expect(
                try await fixture.rows("SELECT status, owner, due_at, ended_at IS NULL FROM saga.state")
                    == ["7|-|-|false"])
        }
    }

    /// What a person has read can be carried on: the row is made one that daemons take up.
    @Test(arguments: [0, 8]) func retryGivesASagaAStatusWhoseOwnIsNone(status: Int) async throws {
        try await SchemaFixture.run { fixture async throws in
            try await fixture.define("order")
            let id = try await fixture.start("order")
            try await fixture.pool.execute(script: "UPDATE saga.state SET status = \(status), due_at = 'infinity'")

            #expect(try await fixture.value(append(id, after: 1, 21, "{}")) == "true")
            #expect(
                try await fixture.rows(
                    "SELECT status, owner, ended_at, due_at = at FROM saga.state JOIN saga.event ON sequence = 2")
                    == ["4|-|-|true"])
        }
    }

    @Test func terminateEndsASagaWithoutEvents() async throws {
        try await SchemaFixture.run { fixture async throws in
            try await fixture.define("order")
            try await fixture.makeDay("2020-01-01")
            let id = try await fixture.oldSaga("2020-01-01T08:00:00Z", endedAt: nil)
            try await fixture.pool.execute(
                script: """
                    SET LOCAL session_replication_role = replica;
                    DELETE FROM saga.event WHERE saga_id = '\(id)'
                    """)
            let retention = "SELECT partition, unended FROM saga.retention('1 s') WHERE sagas > 0"
            #expect(try await fixture.rows(retention) == ["20200101|1"])

            #expect(try await fixture.value(append(id, after: 1, 22, "{}")) == "false")
            #expect(try await fixture.value(append(id, after: 0, 22, "{}")) == "true")
            #expect(try await fixture.rows("SELECT status FROM saga.state WHERE id = '\(id)'") == ["7"])
            #expect(try await fixture.rows("SELECT sequence, type FROM saga.event WHERE saga_id = '\(id)'") == ["1|22"])
            #expect(try await fixture.rows(retention) == ["20200101|0"])
        }
    }

    @Test func compensateOpensACompletedSaga() async throws {
        let fixture = try await SchemaFixture.shared.value
        let name = SchemaFixture.newName()
        try await fixture.define(name)
        let id = try await fixture.saga(name, 5, [.completed("1")])

        #expect(try await fixture.value(append(id, after: 1, 23, "{}")) == "false")
        #expect(try await fixture.value(append(id, after: 2, 17, "{}")) == "false")
        #expect(try await fixture.value(append(id, after: 2, 23, "{}")) == "true")
        #expect(try await fixture.value(append(id, after: 3, 23, "{}")) == "false")
        #expect(
            try await fixture.rows(
                "SELECT status, owner, ended_at, due_at = at AS due FROM saga.state JOIN saga.event "
                    + "ON saga_id = id AND sequence = 3 WHERE id = '\(id)'"
            )
                == ["3|-|-|true"]
        )
        #expect(
            try await fixture.rows("SELECT status, output, failure, ended_at FROM saga.sagas WHERE id = '\(id)'")
                == ["compensating|-|-|-"]
        )
    }

    @Test(arguments: [1, 2, 3, 4, 6, 7] as [Int16])
    func nothingElseIsOpenedAgain(_ status: Int16) async throws {
        let fixture = try await SchemaFixture.shared.value
        let name = SchemaFixture.newName()
        try await fixture.define(name)
        let id = try await fixture.saga(name, status, [])

        #expect(try await fixture.value(append(id, after: 1, 23, "{}")) == "false")
        #expect(
            try await fixture.value("SELECT count(*) FROM saga.event WHERE saga_id = '\(id)'") == "1"
        )
    }

    @Test(arguments: [0, 1, 3, 1000])
    func appendsNothingUnlessItHasSeenTheLastEvent(_ seen: Int) async throws {
        let fixture = try await SchemaFixture.shared.value
        let name = SchemaFixture.newName()
        try await fixture.define(name)
        let id = try await fixture.saga(name, 2, [.begun("a", 1)])

        #expect(try await fixture.value(append(id, after: seen, 18, "{}")) == "false")
        #expect(
            try await fixture.rows(
                "SELECT count(*), bool_or(paused) AS paused FROM saga.event JOIN saga.state ON id = saga_id "
                    + "WHERE id = '\(id)'"
            )
                == ["2|false"]
        )
    }

    @Test func refusesWhatIsNoOperatorEvent() async throws {
        let fixture = try await SchemaFixture.shared.value
        let name = SchemaFixture.newName()
        try await fixture.define(name)
        let id = try await fixture.start(name)
        let unknown = "018f4e5a-0000-7000-8000-00000000000a"

        for type: Int16 in [1, 16, 24] {
            #expect(
                try await fixture.refusal(append(id, after: 1, type, "{}"))
                    == Refusal("22023", "event type \(type) is not an operator's")
            )
        }
        #expect(
            try await fixture.refusal(append(unknown, after: 1, 18, "{}"))
                == Refusal("22023", "no saga has the id \(unknown)")
        )
        #expect(
            try await fixture.refusal(append(id, after: 1, 20, "[]"))
                == Refusal("22023", "the data of an event is an object")
        )
        #expect(
            try await fixture.refusal(append(id, after: 1, 20, #"{"output":"\u0000"}"#))
                == Refusal("22023", "the data is not JSON that can be kept: unsupported Unicode escape sequence")
        )
        #expect(try await fixture.value("SELECT count(*) FROM saga.event WHERE saga_id = '\(id)'") == "1")
    }

    private func append(_ id: String, after sequence: Int, _ type: Int16, _ data: String) -> String {
        "SELECT saga.append_operator_event('\(id)', \(sequence), \(type)::smallint, '\(data)') AS appended"
    }

    // MARK: apply_definition

    @Test func definitionsAreRegisteredOnceAndTheLastAppliedIsCurrent() async throws {
        try await SchemaFixture.run { fixture async throws in
            var answers: [String] = []
            for (version, activate) in [(1, true), (1, true), (2, false), (1, false), (1, true), (2, false)] {
                let document = #"{"saga": "order", "v": \#(version)}"#
                answers += try await fixture.rows(
                    "SELECT saga.apply_definition('order', sha256('\(version)'), '\(document)', \(activate)) AS answer"
                )
                answers += try await fixture.rows(
                    "SELECT document FROM saga.current_definition c JOIN saga.definition d ON d.id = definition_id"
                )
            }

            #expect(
                answers == [
                    "created", #"{"saga": "order", "v": 1}"#,
                    "unchanged", #"{"saga": "order", "v": 1}"#,
                    "created", #"{"saga": "order", "v": 2}"#,
                    "unchanged", #"{"saga": "order", "v": 2}"#,
                    "reactivated", #"{"saga": "order", "v": 1}"#,
                    "unchanged", #"{"saga": "order", "v": 1}"#,
                ]
            )
            #expect(try await fixture.value("SELECT count(*) FROM saga.definition") == "2")
        }
    }

    @Test func concurrentAppliesRegisterOnce() async throws {
        try await SchemaFixture.run { fixture async throws in
            let answers = try await withThrowingTaskGroup(of: String.self) { group in
                for _ in 0..<30 {
                    group.addTask {
                        try await fixture.value(
                            "SELECT saga.apply_definition('order', sha256('1'), '{}', false) AS answer"
                        )
                    }
                }
                return try await group.reduce(into: [String]()) { $0.append($1) }.sorted()
            }

            #expect(answers == ["created"] + Array(repeating: "unchanged", count: 29))
            #expect(try await fixture.value("SELECT count(*) FROM saga.definition") == "1")
        }
    }

    @Test func refusesBrokenDefinitions() async throws {
        try await SchemaFixture.run { fixture async throws in
            try await fixture.define("order")
            let digest = try await fixture.value("SELECT encode(digest, 'hex') FROM saga.definition")

            #expect(
                try await fixture.refusal(
                    "SELECT saga.apply_definition('trip', decode('\(digest)', 'hex'), '{}', true)"
                )
                    == Refusal("22023", #"this digest is of a definition of saga "order", not "trip""#)
            )
            #expect(
                try await fixture.refusal("SELECT saga.apply_definition('no name', sha256('x'), '{}', true)")?
                    .constraint
                    == "definition_saga_form"
            )
            #expect(
                try await fixture.refusal("SELECT saga.apply_definition('order', 'short', '{}', true)")?.constraint
                    == "definition_digest_length"
            )
            #expect(
                try await fixture.refusal("SELECT saga.apply_definition('order', sha256('x'), '[]', true)")?.constraint
                    == "definition_document_object"
            )
            #expect(
                try await fixture.refusal(
                    #"SELECT saga.apply_definition('order', sha256('x'), '{"a":"\u0000"}', true)"#
                )?
                .sqlState == "22023"
            )
            #expect(try await fixture.value("SELECT count(*) FROM saga.definition") == "1")
        }
    }

    // MARK: fence

    @Test func fenceHoldsForTheEpochOnly() async throws {
        try await SchemaFixture.run { fixture async throws in
            try await fixture.enterDaemon()
            try await fixture.pool.execute(script: "UPDATE saga.daemon SET epoch = 3")

            #expect(try await fixture.refusal("SELECT saga.fence(1, 3)") == nil)
            for stale in ["1, 2", "1, 4", "2, 3", "NULL, 3"] {
                #expect(try await fixture.refusal("SELECT saga.fence(\(stale))")?.sqlState == "SG001")
            }
            #expect(
                try await fixture.refusal("SELECT saga.fence(1, 2)")
                    == Refusal("SG001", "daemon 1 lost its lease of epoch 2")
            )
        }
    }

    @Test func renewalWaitsForNoBatchAndTakeoverDoes() async throws {
        try await SchemaFixture.run { fixture async throws in
            try await fixture.enterDaemon()
            try await fixture.pool.withConnection { connection in
                _ = try await connection.query("BEGIN")
                _ = try await connection.query("SELECT saga.fence(1, 1)")

                #expect(
                    try await fixture.refusal("UPDATE saga.daemon SET lease_until = clock_timestamp() WHERE id = 1")
                        == nil
                )
                #expect(
                    try await fixture.refusal("SELECT 1 FROM saga.daemon WHERE id = 1 FOR UPDATE NOWAIT")?.sqlState
                        == "55P03"
                )
            }
        }
    }
}

extension SchemaFixture {
    /// A daemon with the first free number.
    func enterDaemon() async throws {
        _ = try await pool.query(
            """
            INSERT INTO saga.daemon (host, pid, version, lease_until)
            VALUES ('host', 42, '1.0', '2030-01-01T00:00:00Z')
            """
        )
    }
}

import PostgresClient
import Testing

/// `saga.cancel`: an event and a nudge, or the reason why not.
@Suite(.timeLimit(.minutes(2))) struct CancelTests {
    static let pivot = #"[{"name":"a","compensation":{}},{"name":"p","pivot":true},{"name":"z"}]"#

    @Test(arguments: ["id", "key"])
    func appendsAnEventAndNudges(_ by: String) async throws {
        try await SchemaFixture.run { fixture async throws in
            try await fixture.define("order")
            let id = try await fixture.start("order", ", key => 'k'")
            try await fixture.pool.execute(script: "UPDATE saga.state SET owner = 1, due_at = NULL")
            _ = try await fixture.pool.query(
                "SELECT saga.cancel($1::text, $2::text)",
                [
                    .text(by == "id" ? id.uppercased() : "k"), .text("no \"need\"\n"),
                ]
            )

            #expect(
                try await fixture.rows("SELECT sequence, cause, type, data FROM saga.event WHERE sequence > 1")
                    == [#"2|-|17|{"actor":"postgres","reason":"no \"need\"\n"}"#]
            )
            #expect(
                try await fixture.rows("SELECT owner, status, due_at <= clock_timestamp() AS due FROM saga.state")
                    == ["1|1|true"]
            )
        }
    }

    /// Between what a cancel looks at a daemon may end the saga: nothing follows an end.
    @Test func nothingIsAppendedToASagaThatEndsMeanwhile() async throws {
        try await SchemaFixture.run { fixture async throws in
            try await fixture.define("order")
            let id = try await fixture.start("order")
            let daemon = SchemaFixture.pool(fixture.connectionString)
            let refusal = try await daemon.withConnection { connection in
                _ = try await connection.query("BEGIN")
                _ = try await connection.query("LOCK TABLE saga.event IN ACCESS EXCLUSIVE MODE")
                let cancel = Task { try await fixture.pool.query("SELECT saga.cancel('\(id)'::uuid, 'r')") }
                while try await connection.query("SELECT FROM pg_locks WHERE NOT granted").rows.isEmpty {
                    try await Task.sleep(for: .milliseconds(10))
                }
                _ = try await connection.query(
                    "INSERT INTO saga.event (saga_id, sequence, type, at) VALUES ('\(id)', 2, 15, now())")
                _ = try await connection.query("UPDATE saga.state SET status = 6, ended_at = now(), due_at = NULL")
                _ = try await connection.query("COMMIT")
                do {
                    _ = try await cancel.value
                    return "appended"
                } catch let error as PostgresError {
                    return error.message
                }
            }
            await daemon.close()
            #expect(refusal == "saga \(id) has ended: compensated")
            #expect(try await fixture.rows("SELECT sequence, type FROM saga.event ORDER BY 1") == ["1|1", "2|15"])
        }
    }

    @Test func actorIsWhoConnectedNotTheFunctionsOwner() async throws {
        try await SchemaFixture.run { fixture async throws in
            try await fixture.define("order")
            let id = try await fixture.start("order")
            try await fixture.pool.execute(
                script: """
                    CREATE ROLE "o""Brien\\" LOGIN; GRANT saga_starter TO "o""Brien\\"
                    """
            )
            let theirs = SchemaFixture.pool(
                fixture.connectionString.replacing("user=postgres", with: "user=o%22Brien%5C")
            )
            _ = try await theirs.query("SELECT saga.cancel($1::uuid, 'r')", [.text(id)])
            await theirs.close()
            try await fixture.pool.execute(
                script: #"REVOKE saga_starter FROM "o""Brien\"; DROP ROLE "o""Brien\""#
            )

            #expect(
                try await fixture.value("SELECT data FROM saga.event WHERE type = 17")
                    == #"{"actor":"o\"Brien\\","reason":"r"}"#
            )
        }
    }

    @Test(arguments: [
        [SampleEvent.cancelRequested],
        [.cancelRequested, .turned(nil, "Saga.Cancelled")],
        [.begun("a", 1), .failed("a", 1, "failed", "E"), .turned("a", "E")],
    ])
    func isQuietWhenTheSagaTurnsBackAlready(_ events: [SampleEvent]) async throws {
        let fixture = try await SchemaFixture.shared.value
        let name = SchemaFixture.newName()
        try await fixture.define(name, steps: Self.pivot)
        let id = try await fixture.saga(name, 3, events)
        _ = try await fixture.pool.query("SELECT saga.cancel('\(id)'::uuid, 'r')")

        #expect(
            try await fixture.rows(
                "SELECT (SELECT count(*) FROM saga.event WHERE saga_id = id) AS events, due_at FROM "
                    + "saga.state WHERE id = '\(id)'"
            )
                == ["\(events.count + 1)|infinity"]
        )
    }

    @Test(
        arguments: [
            (5, [SampleEvent.completed("null")], "has ended: completed"),
            (6, [.cancelRequested, .turned(nil, "Saga.Cancelled"), .compensated], "has ended: compensated"),
            (7, [.terminated], "has ended: terminated"),
            (2, [.begun("p", 1), .done("p", 1)], "is past its pivot and only goes forward"),
            (
                2,
                [.begun("p", 1), .failed("p", 1, "unknown", "E"), .stuck("p", "E"), .resolved("p", "action", "done")],
                "is past its pivot and only goes forward"
            ),
            (2, [.cancelRequested, .begun("p", 1), .done("p", 1)], "is past its pivot and only goes forward"),
        ] as [(Int16, [SampleEvent], String)]
    )
    func refusesWhatCannotTurnBack(_ status: Int16, _ events: [SampleEvent], _ reason: String) async throws {
        let fixture = try await SchemaFixture.shared.value
        let name = SchemaFixture.newName()
        try await fixture.define(name, steps: Self.pivot)
        let id = try await fixture.saga(name, status, events)

        #expect(
            try await fixture.refusal("SELECT saga.cancel('\(id)'::uuid, 'r')")
                == Refusal("55000", "saga \(id) \(reason)")
        )
        #expect(
            try await fixture.value("SELECT count(*) FROM saga.event WHERE saga_id = '\(id)'") == "\(events.count + 1)"
        )
    }

    @Test(arguments: [
        [SampleEvent.begun("p", 1)],
        [.begun("p", 1), .failed("p", 1, "unknown", "E"), .stuck("p", "E"), .resolved("p", "action", "undone")],
        [.begun("a", 1), .done("a", 1)],
    ])
    func isTakenBeforeThePivotIsDone(_ events: [SampleEvent]) async throws {
        let fixture = try await SchemaFixture.shared.value
        let name = SchemaFixture.newName()
        try await fixture.define(name, steps: Self.pivot)
        let id = try await fixture.saga(name, 2, events)
        _ = try await fixture.pool.query("SELECT saga.cancel('\(id)', 'r')")

        #expect(
            try await fixture.value("SELECT max(sequence) FROM saga.event WHERE saga_id = '\(id)' AND type = 17")
                == "\(events.count + 2)"
        )
    }

    @Test(arguments: [
        (
            "'018f4e5a-0000-7000-8000-00000000000a'::uuid, 'r'",
            "no saga has the id 018f4e5a-0000-7000-8000-00000000000a"
        ),
        ("'018f4e5a-0000-7000-8000-00000000000a', 'r'", "no saga has the id 018f4e5a-0000-7000-8000-00000000000a"),
        ("'some key', 'r'", #"no saga has the id or key "some key""#),
        ("NULL::text, 'r'", "the id or key is null"),
        ("'018f4e5a-0000-7000-8000-00000000000a'::uuid, NULL", "a cancel needs a reason of 1 to 4096 bytes"),
        ("'018f4e5a-0000-7000-8000-00000000000a'::uuid, ''", "a cancel needs a reason of 1 to 4096 bytes"),
        ("'018f4e5a-0000-7000-8000-00000000000a', repeat('x', 4097)", "a cancel needs a reason of 1 to 4096 bytes"),
    ])
    func refusesBadArguments(_ arguments: String, _ message: String) async throws {
        let fixture = try await SchemaFixture.shared.value

        #expect(try await fixture.refusal("SELECT saga.cancel(\(arguments))") == Refusal("22023", message))
    }

    /// The sequence that a cancel wants is taken while it waits: it looks again, and takes the next.
    @Test func appendsBehindADaemonThatWasFaster() async throws {
        try await SchemaFixture.run { fixture async throws in
            try await fixture.define("order", steps: Self.pivot)
            let id = try await fixture.start("order")
            try await fixture.pool.withConnection { connection in
                _ = try await connection.query("BEGIN")
                _ = try await connection.query(
                    #"INSERT INTO saga.event (saga_id, sequence, type, at, data) VALUES ('\#(id)', 2, 2, "#
                        + #"now(), '{"step":"a","attempt":1}')"#
                )
                async let cancelled = fixture.pool.query("SELECT saga.cancel('\(id)'::uuid, 'r')")
                try await fixture.untilSomeoneWaits()
                _ = try await connection.query("COMMIT")
                _ = try await cancelled
            }

            #expect(
                try await fixture.rows("SELECT sequence, type FROM saga.event ORDER BY sequence") == [
                    "1|1", "2|2", "3|17",
                ]
            )
        }
    }

    /// What the daemon wrote meanwhile may change the answer.
    @Test func looksAtThePivotAgainWhenADaemonWasFaster() async throws {
        try await SchemaFixture.run { fixture async throws in
            try await fixture.define("order", steps: Self.pivot)
            let id = try await fixture.saga("order", 2, [.begun("p", 1)])
            let refusal = try await fixture.pool.withConnection { connection in
                _ = try await connection.query("BEGIN")
                _ = try await connection.query(
                    #"INSERT INTO saga.event (saga_id, sequence, type, at, data) VALUES ('\#(id)', 3, 3, "#
                        + #"now(), '{"step":"p","attempt":1}')"#
                )
                async let refusal = fixture.refusal("SELECT saga.cancel('\(id)'::uuid, 'r')")
                try await fixture.untilSomeoneWaits()
                _ = try await connection.query("COMMIT")
                return try await refusal
            }

            #expect(refusal == Refusal("55000", "saga \(id) is past its pivot and only goes forward"))
        }
    }
}

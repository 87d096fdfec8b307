import PostgresClient
import Testing

/// `saga.compensate`: a completed saga is wanted back, or the reason why it can't be.
@Suite(.timeLimit(.minutes(2))) struct CompensateTests {
    @Test(arguments: ["id", "key"])
    func opensTheSagaAndKeepsWhoAskedAndWhy(_ by: String) async throws {
        try await SchemaFixture.run { fixture async throws in
            try await fixture.define("order", steps: CancelTests.pivot)
            let id = try await fixture.start("order", ", key => 'k'")
            try await fixture.pool.execute(
                script: """
                    INSERT INTO saga.event (saga_id, sequence, type, at, data)
                        VALUES ('\(id)', 2, 14, now(), '{"output":7}');
                    UPDATE saga.state SET status = 5, ended_at = now(), due_at = NULL
                    """
            )
            let ask = "SELECT saga.compensate($1::text, $2::text)"
            let arguments: [PostgresValue] = [.text(by == "id" ? id.uppercased() : "k"), .text("a \"week\" later")]
            _ = try await fixture.pool.query(ask, arguments)
            // Asked twice, perhaps because the first answer was lost.
            _ = try await fixture.pool.query(ask, arguments)

            #expect(
                try await fixture.rows("SELECT sequence, cause, type, data FROM saga.event WHERE sequence > 2")
                    == [#"3|-|23|{"actor":"postgres","reason":"a \"week\" later"}"#]
            )
            #expect(
                try await fixture.rows(
                    "SELECT status, owner, ended_at, due_at <= clock_timestamp() AS due FROM saga.state"
                ) == ["3|-|-|true"]
            )
        }
    }

    @Test(
        arguments: [
            (6, [SampleEvent.compensated], 2), (4, [.turned(nil, "Saga.Cancelled"), .stuck("a", "E")], 3),
        ] as [(Int16, [SampleEvent], Int)])
    func isQuietWhereItWasAskedBefore(_ status: Int16, _ events: [SampleEvent], _ count: Int) async throws {
        let fixture = try await SchemaFixture.shared.value
        let name = SchemaFixture.newName()
        try await fixture.define(name)
        let history = [.completed("null"), .compensationRequested] + events
        let id = try await fixture.saga(name, status, history)

        #expect(try await fixture.refusal("SELECT saga.compensate('\(id)'::uuid, 'r')") == nil)
        #expect(
            try await fixture.value("SELECT count(*) FROM saga.event WHERE saga_id = '\(id)'")
                == "\(history.count + 1)"
        )
    }

    @Test(
        arguments: [
            (1, [], "is pending, not completed"),
            (2, [SampleEvent.begun("a", 1)], "is running, not completed"),
            (3, [.turned(nil, "Saga.Cancelled")], "is compensating, not completed"),
            (4, [.stuck("p", "E")], "is stuck, not completed"),
            (6, [.turned(nil, "Saga.Cancelled"), .compensated], "is compensated, not completed"),
            (7, [.completed("null"), .compensationRequested, .terminated], "is terminated, not completed"),
            (5, [.begun("p", 1), .done("p", 1), .completed("null")], "is past its pivot and can't be undone"),
            (
                5,
                [
                    .begun("p", 1), .failed("p", 1, "unknown", "E"), .stuck("p", "E"), .resolved("p", "action", "done"),
                    .completed("null"),
                ],
                "is past its pivot and can't be undone"
            ),
        ] as [(Int16, [SampleEvent], String)]
    )
    func refusesWhatCannotBeUndone(_ status: Int16, _ events: [SampleEvent], _ reason: String) async throws {
        let fixture = try await SchemaFixture.shared.value
        let name = SchemaFixture.newName()
        try await fixture.define(name, steps: CancelTests.pivot)
        let id = try await fixture.saga(name, status, events)

        #expect(
            try await fixture.refusal("SELECT saga.compensate('\(id)'::uuid, 'r')")
                == Refusal("55000", "saga \(id) \(reason)")
        )
        #expect(
            try await fixture.value("SELECT count(*) FROM saga.event WHERE saga_id = '\(id)'") == "\(events.count + 1)"
        )
    }

    @Test(arguments: [
        (
            "'018f4e5a-0000-7000-8000-00000000000a'::uuid, 'r'",
            "no saga has the id 018f4e5a-0000-7000-8000-00000000000a"
        ),
        ("'some key', 'r'", #"no saga has the id or key "some key""#),
        ("NULL::text, 'r'", "the id or key is null"),
        (
            "'018f4e5a-0000-7000-8000-00000000000a'::uuid, NULL",
            "compensating a saga needs a reason of 1 to 4096 bytes"
        ),
        ("'018f4e5a-0000-7000-8000-00000000000a', ''", "compensating a saga needs a reason of 1 to 4096 bytes"),
    ])
    func refusesBadArguments(_ arguments: String, _ message: String) async throws {
        let fixture = try await SchemaFixture.shared.value

        #expect(try await fixture.refusal("SELECT saga.compensate(\(arguments))") == Refusal("22023", message))
    }

    /// Many ask at once, in transactions that overlap: one event, and nobody is told otherwise.
    @Test func concurrentWishesAreOne() async throws {
        try await SchemaFixture.run { fixture async throws in
            try await fixture.define("order")
            let id = try await fixture.saga("order", 5, [.completed("null")])
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<12 {
                    group.addTask { _ = try await fixture.pool.query("SELECT saga.compensate('\(id)'::uuid, 'r')") }
                }
                try await group.waitForAll()
            }

            #expect(
                try await fixture.rows("SELECT sequence, type FROM saga.event ORDER BY sequence")
                    == ["1|1", "2|14", "3|23"]
            )
        }
    }

    /// The same key never starts a second saga, whatever became of the first.
    @Test func theKeyStaysTaken() async throws {
        try await SchemaFixture.run { fixture async throws in
            try await fixture.define("order")
            let id = try await fixture.start("order", ", key => 'k'")
            try await fixture.pool.execute(
                script: """
                    UPDATE saga.state SET status = 5, ended_at = now(), due_at = NULL; SELECT saga.compensate('k', 'r')
                    """
            )

            #expect(try await fixture.start("order", ", key => 'k'") == id)
        }
    }
}

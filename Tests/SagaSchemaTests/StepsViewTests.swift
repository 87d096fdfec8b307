import PostgresClient
import Testing

/// `saga.steps` against histories of every kind: the fold of events that `docs` and the engine have.
@Suite struct StepsViewTests {
    /// A history and what it makes of the steps: `step|status|outcome|attempts|output|error|` and then
    /// status, attempts and error of the compensation.
    struct Sample: Sendable, CustomTestStringConvertible {
        let testDescription: String
        var steps = Sample.oneStep
        var status: Int16 = 2
        let events: [SampleEvent]
        let expected: [String]

        static let oneStep = #"[{"name":"a","action":{"http":{}},"compensation":{"http":{}}}]"#
        /// `c` is the pivot; only what comes before it has a compensation.
        static let aroundPivot = """
            [{"name":"a","compensation":{"http":{}}},{"name":"c","pivot":true},{"name":"z"}]
            """
    }

    @Test(arguments: forward + over + back + undoable + words)
    func foldsInto(_ sample: Sample) async throws {
        let fixture = try await SchemaFixture.shared.value
        let name = SchemaFixture.newName()
        try await fixture.define(name, steps: sample.steps)
        let id = try await fixture.saga(name, sample.status, sample.events)

        #expect(try await Self.steps(of: id, in: fixture) == sample.expected)
    }

    @Test func defaultsGiveCompensateWhen() async throws {
        try await SchemaFixture.run { fixture async throws in
            try await fixture.define(
                "s",
                steps: #"[{"name":"a","compensation":{}},{"name":"b","compensation":{},"compensateWhen":"uncertain"}]"#,
                more: #","defaults":{"compensateWhen":"succeeded"}"#
            )
            let id = try await fixture.saga(
                "s",
                3,
                [
                    .begun("a", 1), .again("a", 1, "unknown", "E"), .begun("b", 1), .again("b", 1, "unknown", "E"),
                    .turned(nil, "X"),
                ]
            )

            #expect(
                try await Self.steps(of: id, in: fixture)
                    == ["a|in_doubt|unknown|1|-|E|-|0|-", "b|in_doubt|unknown|1|-|E|pending|0|-"]
            )
        }
    }

    @Test func sagaKeepsTheStepsOfItsOwnVersion() async throws {
        try await SchemaFixture.run { fixture async throws in
            try await fixture.define("s", steps: #"[{"name":"old"}]"#)
            let first = try await fixture.start("s")
            try await fixture.define("s", steps: #"[{"name":"new"}]"#)
            let second = try await fixture.start("s")

            #expect(
                try await fixture.rows("SELECT saga_id, step FROM saga.steps ORDER BY saga_id")
                    == ["\(first)|old", "\(second)|new"]
            )
        }
    }

    @Test func whatNoEngineWouldWriteHarmsNoOtherSaga() async throws {
        try await SchemaFixture.run { fixture async throws in
            try await fixture.define("s", steps: #"[{"name":"a"}]"#)
            try await fixture.define("odd", steps: #"{"not":"a list"}"#)
            let odd = try await fixture.start("odd")
            let broken = try await fixture.saga(
                "s",
                2,
                [.raw(2, "[1]"), .raw(2, #""text""#), .raw(2, nil), .raw(2, #"{"step":"a","attempt":"x"}"#)]
            )
            let zero = try await fixture.saga(
                "s",
                2,
                [.begun("a", 1), .done("a", 1, #"["\u0000", "\\u0000", "\\\u0000\u0000"]"#)]
            )

            let all = try await fixture.rows(
                "SELECT saga_id, step, status, attempts, output FROM saga.steps ORDER BY saga_id, step"
            )
            #expect(
                all == [
                    "\(broken)|a|running|0|-",
                    #"\#(zero)|a|succeeded|1|["\ufffd", "\\u0000", "\\\ufffd\ufffd"]"#,
                ]
            )
            #expect(
                try await fixture.rows("SELECT id, input FROM saga.sagas ORDER BY id")
                    == ["\(odd)|{}", "\(broken)|{}", "\(zero)|{}"]
            )
        }
    }

    /// One saga's steps cost its own events, however many sagas there are.
    @Test func oneSagaIsFoundByItsKey() async throws {
        try await SchemaFixture.run { fixture async throws in
            try await fixture.define("s", steps: Sample.oneStep)
            _ = try await fixture.pool.query("SELECT saga.start('s') FROM generate_series(1, 2000)")
            try await fixture.pool.execute(script: "ANALYZE")
            let id = try await fixture.start("s")

            let plan = try await fixture.plan("SELECT * FROM saga.steps WHERE saga_id = '\(id)'")
            #expect(plan.contains("state_default_pkey"))
            #expect(plan.contains("event_default_pkey"))
            #expect(!plan.contains("Seq Scan on state"))
            #expect(!plan.contains("Seq Scan on event"))
        }
    }

    private static func steps(of id: String, in fixture: SchemaFixture) async throws -> [String] {
        try await fixture.rows(
            """
            SELECT step, status, outcome, attempts, output, error,
                compensation_status, compensation_attempts, compensation_error
            FROM saga.steps WHERE saga_id = $1::text::uuid
            """,
            [.text(id)]
        )
    }
}

import PostgresClient
import Testing

/// `saga.sagas`, `saga.events` and `saga.daemons`.
@Suite struct OverviewViewTests {
    @Test(arguments: [
        ("sagas", "id|saga|version|key|status|paused|input|output|failure|started_at|ended_at"),
        (
            "steps",
            "saga_id|step|status|outcome|attempts|output|error|compensation_status|compensation_attempts|"
                + "compensation_error"
        ),
        ("events", "saga_id|sequence|type|at|correlation_id|causation_id|data"),
        ("daemons", "id|host|pid|epoch|lease_until|sagas"),
    ])
    func columnsAreTheContracts(_ view: String, _ columns: String) async throws {
        let fixture = try await SchemaFixture.shared.value

        #expect(
            try await fixture.pool.query("SELECT * FROM saga.\(view) LIMIT 0").columns.joined(separator: "|") == columns
        )
    }

    // MARK: sagas

    struct Sample: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let status: Int16
        let events: [SampleEvent]
        /// Status, output and failure.
        let expected: String
    }

    @Test(arguments: [
        Sample(testDescription: "pending", status: 1, events: [], expected: "pending|-|-"),
        Sample(testDescription: "running", status: 2, events: [.begun("a", 1)], expected: "running|-|-"),
        Sample(
            testDescription: "compensating, by a step",
            status: 3,
            events: [.turned("a", "NoCarrier")],
            expected: #"compensating|-|{"step":"a","error":"NoCarrier","message":"NoCarrier happened"}"#
        ),
        Sample(
            testDescription: "compensated, by a cancel",
            status: 6,
            events: [.cancelRequested, .turned(nil, "Saga.Cancelled"), .compensated],
            expected: #"compensated|-|{"step":null,"error":"Saga.Cancelled","message":"Saga.Cancelled happened"}"#
        ),
        Sample(
            testDescription: "stuck going back",
            status: 4,
            events: [.turned("a", "NoCarrier"), .stuck("b", "RefundFailed")],
            expected: #"stuck|-|{"step":"b","error":"RefundFailed","message":"RefundFailed happened"}"#
        ),
        Sample(
            testDescription: "retried: what turned it round again",
            status: 3,
            events: [.turned("a", "NoCarrier"), .stuck("b", "RefundFailed"), .retried],
            expected: #"compensating|-|{"step":"a","error":"NoCarrier","message":"NoCarrier happened"}"#
        ),
        Sample(
            testDescription: "resolved and compensated",
            status: 6,
            events: [
                .turned("a", "NoCarrier"), .stuck("b", "RefundFailed"), .resolved("b", "compensation", "undone"),
                .compensated,
            ],
            expected: #"compensated|-|{"step":"a","error":"NoCarrier","message":"NoCarrier happened"}"#
        ),
        Sample(
            testDescription: "stuck a second time",
            status: 4,
            events: [.turned("a", "E1"), .stuck("b", "E2"), .retried, .stuck("c", "E3")],
            expected: #"stuck|-|{"step":"c","error":"E3","message":"E3 happened"}"#
        ),
        Sample(
            testDescription: "stuck going forward, then retried",
            status: 2,
            events: [.stuck("a", "E1"), .retried],
            expected: "running|-|-"
        ),
        Sample(
            testDescription: "terminated while stuck",
            status: 7,
            events: [.turned("a", "E1"), .stuck("b", "E2"), .terminated],
            expected: #"terminated|-|{"step":"b","error":"E2","message":"E2 happened"}"#
        ),
        Sample(
            testDescription: "completed, the output as it came",
            status: 5,
            events: [.completed(#"{"total": 1.50}"#)],
            expected: #"completed|{"total": 1.50}|-"#
        ),
        Sample(
            testDescription: "completed without an output",
            status: 5,
            events: [.completed("null")],
            expected: "completed|-|-"
        ),
        Sample(
            testDescription: "completed after having been stuck",
            status: 5,
            events: [.stuck("a", "E1"), .retried, .completed("1")],
            expected: "completed|1|-"
        ),
    ])
    func sagasTell(_ sample: Sample) async throws {
        let fixture = try await SchemaFixture.shared.value
        let name = SchemaFixture.newName()
        try await fixture.define(name)
        let id = try await fixture.saga(name, sample.status, sample.events)

        #expect(
            try await fixture.rows("SELECT status, output, failure FROM saga.sagas WHERE id = '\(id)'") == [
                sample.expected
            ]
        )
    }

    @Test func sagasTellWhatTheRowHas() async throws {
        try await SchemaFixture.run { fixture async throws in
            try await fixture.define("order")
            let id = try await fixture.start("order", #", '{"a":  1}', 'k'"#)
            try await fixture.pool.execute(
                script: "UPDATE saga.state SET paused = true, started_at = '2030-01-02T03:04:05Z'; SET TIME ZONE 'UTC'"
            )

            #expect(
                try await fixture.rows(
                    """
                    SELECT id, saga, key, paused, input, started_at AT TIME ZONE 'UTC' AS started_at, ended_at,
                        version = (SELECT substr(encode(digest, 'hex'), 1, 12) FROM saga.definition) AS version
                    FROM saga.sagas
                    """
                ) == [#"\#(id)|order|k|true|{"a":  1}|2030-01-02T03:04:05|-|true"#]
            )
        }
    }

    @Test func anUnreadableSagaIsStuckUntilItIsTerminated() async throws {
        try await SchemaFixture.run { fixture async throws in
            try await fixture.define("order")
            let id = try await fixture.saga("order", 2, [.begun("a", 1)])
            let failure = #"{"step":null,"error":"Saga.Unreadable","message":"event 2: \"odd\""}"#
            _ = try await fixture.pool.query("UPDATE saga.state SET unreadable = 'event 2: \"odd\"'")
            #expect(try await fixture.rows("SELECT status, failure FROM saga.sagas") == ["stuck|\(failure)"])

            _ = try await fixture.pool.query("SELECT saga.append_operator_event('\(id)', 2, 22::smallint, '{}')")
            #expect(try await fixture.rows("SELECT status, failure FROM saga.sagas") == ["terminated|\(failure)"])
        }
    }

    // MARK: events

    @Test func eventsTellTypeCorrelationAndCause() async throws {
        try await SchemaFixture.run { fixture async throws in
            try await fixture.define("order")
            let plain = try await fixture.saga("order", 2, [.begun("a", 1), .compensated])
            let correlated = try await fixture.start("order", ", correlation_id => 'c-7'")

            #expect(
                try await fixture.rows(
                    """
                    SELECT saga_id, sequence, type, correlation_id, causation_id, data FROM saga.events
                    ORDER BY saga_id, sequence
                    """
                ) == [
                    #"\#(plain)|1|SagaStarted|\#(plain)|-|{"input":{}}"#,
                    #"\#(plain)|2|StepStarted|\#(plain)|\#(plain)/0000000001|{"step":"a","attempt":1}"#,
                    #"\#(plain)|3|SagaCompensated|\#(plain)|\#(plain)/0000000002|-"#,
                    #"\#(correlated)|1|SagaStarted|c-7|-|{"input":{}}"#,
                ]
            )
        }
    }

    @Test func everyCodeHasItsName() async throws {
        let fixture = try await SchemaFixture.shared.value

        #expect(
            try await fixture.rows("SELECT n, saga.event_type(n::smallint) AS name FROM generate_series(0, 24) n") == [
                "0|-", "1|SagaStarted", "2|StepStarted", "3|StepSucceeded", "4|StepAttemptFailed", "5|StepFailed",
                "6|StepSkipped", "7|StepDeferred", "8|CompensationDeferred", "9|SagaCompensating",
                "10|CompensationStarted", "11|CompensationSucceeded", "12|CompensationAttemptFailed",
                "13|CompensationFailed", "14|SagaCompleted", "15|SagaCompensated", "16|SagaStuck",
                "17|SagaCancelRequested", "18|SagaPaused", "19|SagaResumed", "20|StepResolved", "21|SagaRetried",
                "22|SagaTerminated", "23|SagaCompensationRequested", "24|-",
            ]
        )
        #expect(
            try await fixture.rows("SELECT n, saga.status_name(n::smallint) AS name FROM generate_series(0, 8) n") == [
                "0|-", "1|pending", "2|running", "3|compensating", "4|stuck", "5|completed", "6|compensated",
                "7|terminated", "8|-",
            ]
        )
    }

    // MARK: daemons

    @Test func daemonsTellHowManySagasTheyRun() async throws {
        try await SchemaFixture.run { fixture async throws in
            try await fixture.define("order")
            try await fixture.enterDaemon()
            try await fixture.enterDaemon()
            for owner in ["1", "1", "NULL"] {
                let id = try await fixture.start("order")
                try await fixture.pool.execute(script: "UPDATE saga.state SET owner = \(owner) WHERE id = '\(id)'")
            }

            #expect(
                try await fixture.rows(
                    "SELECT id, host, pid, epoch, lease_until AT TIME ZONE 'UTC' AS lease_until, sagas FROM "
                        + "saga.daemons ORDER BY id"
                )
                    == ["1|host|42|1|2030-01-01T00:00:00|2", "2|host|42|1|2030-01-01T00:00:00|0"]
            )
        }
    }

    /// Every column that design and dashboards know a view by, in order.
    @Test(arguments: [
        ("sagas", "id,saga,version,key,status,paused,input,output,failure,started_at,ended_at"),
        (
            "steps",
            "saga_id,step,status,outcome,attempts,output,error,compensation_status,compensation_attempts,compensation_error"
        ),
        ("events", "saga_id,sequence,type,at,correlation_id,causation_id,data"),
        ("daemons", "id,host,pid,epoch,lease_until,sagas"), ("breakers", "service,url,state,since,next_probe"),
    ])
    func viewsHaveTheirColumns(view: String, columns: String) async throws {
        try await SchemaFixture.run { fixture async throws in
            let rows = try await fixture.rows(
                """
                SELECT string_agg(attname, ',' ORDER BY attnum) FROM pg_attribute
                WHERE attrelid = 'saga.\(view)'::regclass AND attnum > 0
                """)
            #expect(rows == [columns])
        }
    }
}

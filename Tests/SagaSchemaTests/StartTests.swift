import PostgresClient
import Testing

/// `saga.start` and `saga.start_full`: what they write, and what they refuse.
@Suite struct StartTests {
    @Test func writesARowAndTheFirstEvent() async throws {
        try await SchemaFixture.run { fixture async throws in
            try await fixture.define("order")
            let id = try await fixture.start(
                "order",
                #", '{"b": 1,  "a": 0.10}', key => 'order-1', correlation_id => 'c-1'"#
            )

            #expect(
                try await fixture.rows(
                    """
                    SELECT id, definition_id, status, paused, owner, due_at = started_at AS due, ended_at, key,
                        correlation_id, unreadable, started_at <= clock_timestamp() AS past FROM saga.state
                    """
                ) == ["\(id)|1|1|false|-|true|-|order-1|c-1|-|true"]
            )
            #expect(
                try await fixture.rows(
                    """
                    SELECT saga_id, sequence, cause, type, at = (SELECT started_at FROM saga.state) AS at, data
                    FROM saga.event
                    """
                ) == [#"\#(id)|1|-|1|true|{"input":{"b": 1,  "a": 0.10}}"#]
            )
            #expect(try await fixture.rows("SELECT key, saga_id, saga FROM saga.key") == ["order-1|\(id)|order"])
        }
    }

    @Test(arguments: [
        ("", "{}"),
        (", '[1, 2]'", "[1, 2]"),
        (#", ' {"a" : "\u00e9\ud83d\ude00"} '"#, #" {"a" : "\u00e9\ud83d\ude00"} "#),
        (#", '{"a":  1.50}'::json"#, #"{"a":  1.50}"#),
        (#", '{"b":  2, "a": 1}'::jsonb"#, #"{"a": 1, "b": 2}"#),
        (", 'null'", "null"),
        (", input => '7', key => NULL", "7"),
    ])
    func inputIsKeptAsItCame(_ rest: String, _ kept: String) async throws {
        let fixture = try await SchemaFixture.shared.value
        let name = SchemaFixture.newName()
        try await fixture.define(name)
        let id = try await fixture.start(name, rest)

        #expect(
            try await fixture.value("SELECT data::text FROM saga.event WHERE saga_id = '\(id)'")
                == #"{"input":\#(kept)}"#
        )
    }

    @Test func theSchemaOfTheInputIsThatOfTheVersionAppliedLast() async throws {
        let fixture = try await SchemaFixture.shared.value
        let name = SchemaFixture.newName()
        let query = "SELECT saga.input_schema('\(name)')::text AS schema"
        #expect(try await fixture.value(query) == "-")
        try await fixture.define(name)
        #expect(try await fixture.value(query) == "-")
        try await fixture.define(name, more: #","input": {"type":  "object"}"#)
        #expect(try await fixture.value(query) == #"{"type":  "object"}"#)
    }

    @Test func idsAreVersion7OfTheTimeOfStartAndAscend() async throws {
        try await SchemaFixture.run { fixture async throws in
            try await fixture.define("order")
            _ = try await fixture.pool.query("SELECT saga.start('order') FROM generate_series(1, 50)")

            #expect(
                try await fixture.rows(
                    """
                    SELECT bool_and(substr(id::text, 15, 1) = '7') AS version,
                        bool_and(substr(id::text, 20, 1) IN ('8', '9', 'a', 'b')) AS variant,
                        bool_and(('x' || translate(substr(id::text, 1, 13), '-', ''))::bit(48)::bigint
                            = trunc(extract(epoch FROM started_at) * 1000)) AS milliseconds,
                        array_agg(id ORDER BY id) = array_agg(id ORDER BY started_at, id) AS ascending
                    FROM saga.state
                    """
                ) == ["true|true|true|true"]
            )
            #expect(try await fixture.value("SELECT substr(saga.new_id()::text, 15, 1)") == "7")
        }
    }

    @Test func runsIfAndOnlyIfTheCallerCommits() async throws {
        try await SchemaFixture.run { fixture async throws in
            try await fixture.define("order")
            try await fixture.pool.withConnection { connection in
                _ = try await connection.query("BEGIN")
                _ = try await connection.query("SELECT saga.start('order', key => 'k')")
                _ = try await connection.query("ROLLBACK")
            }

            #expect(
                try await fixture.value(
                    "SELECT (SELECT count(*) FROM saga.state) + (SELECT count(*) FROM saga.event) + (SELECT "
                        + "count(*) FROM saga.key) AS n"
                ) == "0"
            )
            _ = try await fixture.start("order", ", key => 'k'")
            #expect(try await fixture.value("SELECT count(*) FROM saga.state") == "1")
        }
    }

    @Test(arguments: ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"])
    func worksAtEveryIsolationLevel(_ level: String) async throws {
        let fixture = try await SchemaFixture.shared.value
        let name = SchemaFixture.newName()
        try await fixture.define(name)
        let ids = try await fixture.pool.withConnection { connection in
            _ = try await connection.query("BEGIN ISOLATION LEVEL \(level)")
            let sql = "SELECT saga.start('\(name)', key => 'key-\(name)')::text"
            let first = try await connection.query(sql).rows[0].decode(0, as: String.self)
            let again = try await connection.query(sql).rows[0].decode(0, as: String.self)
            _ = try await connection.query("COMMIT")
            return [first, again]
        }

        #expect(
            try await fixture.rows(
                "SELECT s.id FROM saga.state s JOIN saga.definition d ON d.id = definition_id WHERE saga = '\(name)'"
            )
                == [ids[0]]
        )
        #expect(ids[0] == ids[1])
    }

    struct Bad: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let arguments: String
        let message: String

        init(_ description: String, _ arguments: String, _ message: String) {
            self.testDescription = description
            self.arguments = arguments
            self.message = message
        }
    }

    @Test(arguments: [
        Bad("unknown saga", "'nowhere'", #"no saga is named "nowhere""#),
        Bad("no saga", "NULL", "the name of the saga is null"),
        Bad("not JSON", "'order', '{'", "the input is not JSON that can be kept: invalid input syntax for type json"),
        Bad("empty input", "'order', ''", "the input is not JSON that can be kept: invalid input syntax for type json"),
        Bad("null input", "'order', NULL::json", "the input is null; give a JSON value, such as {}"),
        Bad(
            "NUL in text",
            #"'order', '{"a":"\u0000"}'"#,
            "the input is not JSON that can be kept: unsupported Unicode escape sequence"
        ),
        Bad(
            "NUL in json",
            #"'order', '{"a\u0000":1}'::json"#,
            "the input is not JSON that can be kept: unsupported Unicode escape sequence"
        ),
        Bad(
            "half a surrogate pair",
            #"'order', '["\ud800"]'::json"#,
            "the input is not JSON that can be kept: invalid input syntax for type json"
        ),
        Bad(
            "a number beyond numeric",
            "'order', '1e999999'::json",
            "the input is not JSON that can be kept: value overflows numeric format"
        ),
        Bad(
            "nested without end",
            "'order', repeat('[', 200000)",
            "the input is not JSON that can be kept: stack depth limit exceeded"
        ),
        Bad(
            "nested too deep",
            "'order', repeat('[', 101) || repeat(']', 101)",
            "the input is nested more than 100 levels deep"
        ),
        Bad(
            "over 1 MiB",
            "'order', to_json(repeat('x', 1048575))",
            "the input has 1048577 bytes, more than 1048576"
        ),
        Bad("empty key", "'order', '{}', ''", "the key has 0 bytes; it must have 1 to 255"),
        Bad("long key", "'order', '{}', repeat('é', 128)", "the key has 256 bytes; it must have 1 to 255"),
        Bad("key with a line break", #"'order', '{}', E'a\nb'"#, "the key has a control character"),
        Bad("key with a C1 control", #"'order', '{}', U&'a\0085b'"#, "the key has a control character"),
        Bad(
            "key like a UUID",
            "'order', '{}', '018F4E5A-0000-7000-8000-00000000000A'",
            #"the key "018F4E5A-0000-7000-8000-00000000000A" has the form of a UUID, which is kept for the "#
                + #"ids of sagas"#
        ),
        Bad(
            "empty correlation id",
            "'order', '{}', NULL, ''",
            "the correlation id has 0 bytes; it must have 1 to 255"
        ),
        Bad(
            "correlation id with a control character",
            #"'order', '{}', NULL, E'\t'"#,
            "the correlation id has a control character"
        ),
    ])
    func refuses(_ bad: Bad) async throws {
        let fixture = try await SchemaFixture.shared.value
        // Only this test may know the name, and every sample is refused: nothing may be left of any of them.
        try await fixture.define("order")

        #expect(try await fixture.refusal("SELECT saga.start(\(bad.arguments))") == Refusal("22023", bad.message))
        #expect(
            try await fixture.value(
                "SELECT count(*) FROM saga.state s JOIN saga.definition d ON d.id = definition_id WHERE "
                    + "d.saga = 'order'"
            )
                == "0"
        )
    }

    @Test func largestInputKeyAndDepthAreTaken() async throws {
        try await SchemaFixture.run { fixture async throws in
            try await fixture.define("order")
            _ = try await fixture.pool.query(
                """
                SELECT saga.start('order', to_json(repeat('x', 1048574)), repeat('k', 255)),
                    saga.start('order', repeat('[', 100) || repeat(']', 100),
                        key => '018f4e5a-0000-7000-8000-00000000000Ax')
                """
            )

            #expect(
                try await fixture.rows("SELECT octet_length(data::text) FROM saga.event ORDER BY 1")
                    == ["210", "1048586"]
            )
        }
    }

    @Test func startFullTellsWhetherItIsNewAndOnWhichDefinition() async throws {
        try await SchemaFixture.run { fixture async throws in
            try await fixture.define("order", steps: #"[{"name":"a"}]"#)
            let first = try await fixture.rows("SELECT * FROM saga.start_full('order', '{}', 'k', 'c')")
            let id = try await fixture.value("SELECT id FROM saga.state")
            try await fixture.define("order", steps: #"[{"name":"b"}]"#)

            #expect(first == ["\(id)|true|1"])
            #expect(try await fixture.rows("SELECT * FROM saga.start_full('order', '{}', 'k')") == ["\(id)|false|1"])
            #expect(
                try await fixture.rows("SELECT created, definition_id FROM saga.start_full('order', '{}')") == [
                    "true|2"
                ]
            )
        }
    }
}

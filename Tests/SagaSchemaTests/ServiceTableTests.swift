import Testing

/// What 007 promises of services: who changes them, what a change leaves, and what no row can be.
@Suite struct ServiceTableTests {
    private func apply(
        _ settings: String, url: String = "http://s", document: String = "{}", force: Bool = false,
        in fixture: SchemaFixture
    ) async throws -> String {
        try await fixture.value(
            "SELECT saga.apply_service('s', '\(url)', '\(settings)', '\(document)', \(force)) AS r")
    }

    private func write(
        version: String, state: String = "OPEN", document: String = "{}", events: String = "[]",
        in fixture: SchemaFixture
    ) async throws -> String {
        try await fixture.value(
            """
            SELECT saga.write_service((SELECT id FROM saga.service WHERE name = 's'), \(version), '\(document)',
                '\(state)', '2026-01-01 00:00:00Z', '2026-01-01 00:01:00Z', '\(events)') AS r
            """)
    }

    private let row = "SELECT name, url, version, state, settings, document FROM saga.service ORDER BY id"

    // MARK: apply_service

    @Test func settingsChangeOnlyWhenForcedAndOnlyWhenTheyAreOthers() async throws {
        try await SchemaFixture.run { fixture async throws in
            #expect(try await apply(#"{"maxConcurrent":1}"#, document: #"{"a":1}"#, in: fixture) == "created")
            #expect(try await apply(#"{"maxConcurrent":1}"#, force: true, in: fixture) == "unchanged")
            #expect(try await apply(#"{"maxConcurrent":2}"#, in: fixture) == "unchanged")
            #expect(try await fixture.rows(row) == [#"s|http://s|1|CLOSED|{"maxConcurrent":1}|{"a":1}"#])
            #expect(
                try await apply(#"{"maxConcurrent":2}"#, document: #"{"b":2}"#, force: true, in: fixture) == "changed")
            // Its state goes on as it was; daemons see by the version that something changed.
            #expect(try await fixture.rows(row) == [#"s|http://s|2|CLOSED|{"maxConcurrent":2}|{"a":1}"#])
            #expect(try await apply("{}", url: "http://s/2", in: fixture) == "created")
            #expect(try await fixture.rows(row).count == 2)
        }
    }

    @Test func aNullWishIsNoForce() async throws {
        try await SchemaFixture.run { fixture async throws in
            _ = try await apply("{}", in: fixture)
            #expect(
                try await fixture.value(
                    #"SELECT saga.apply_service('s', 'http://s', '{"maxConcurrent":2}', '{}', NULL) AS r"#)
                    == "unchanged")
        }
    }

    /// Longer than any index entry may be.
    @Test func aLongURLIsAServiceLikeAnyOther() async throws {
        try await SchemaFixture.run { fixture async throws in
            let url = "http://s/" + String(repeating: "x", count: 20_000)
            #expect(try await apply("{}", url: url, in: fixture) == "created")
            #expect(try await apply("{}", url: url, force: true, in: fixture) == "unchanged")
            #expect(try await apply("{}", url: url + "y", in: fixture) == "created")
        }
    }

    // MARK: write_service

    @Test func onlyTheVersionThatWasReadIsChanged() async throws {
        try await SchemaFixture.run { fixture async throws in
            _ = try await apply(#"{"maxConcurrent":1}"#, in: fixture)
            #expect(try await write(version: "1", document: #"{"n":1}"#, in: fixture) == "true")
            #expect(try await write(version: "1", document: #"{"n":2}"#, in: fixture) == "false")
            #expect(try await write(version: "3", document: #"{"n":2}"#, in: fixture) == "false")
            #expect(try await write(version: "NULL", document: #"{"n":2}"#, in: fixture) == "false")
            #expect(
                try await fixture.rows("SELECT version, state, document, since, next_probe FROM saga.service") == [
                    #"2|OPEN|{"n":1}|2026-01-01T00:00:00+00:00|2026-01-01T00:01:00+00:00"#
                ])
            #expect(
                try await fixture.value("SELECT saga.write_service(999, 1, '{}', 'OPEN', now(), NULL) AS r") == "false")
        }
    }

    @Test func eventsAreNumberedWithinTheirServiceAndGoWithTheirChange() async throws {
        try await SchemaFixture.run { fixture async throws in
            _ = try await apply("{}", in: fixture)
            _ = try await fixture.value("SELECT saga.apply_service('t', 'http://t', '{}', '{}', false) AS r")
            let one = #"{"type": 1, "at": "2026-01-01T00:00:00.250Z", "data": {"from": "CLOSED"}}"#
            let two = #"{"type": 2, "at": "2026-01-01T00:00:01Z", "data": {}}"#
            let three = #"{"type": 3, "at": "2026-01-01T00:00:02Z", "data": {}}"#
            #expect(try await write(version: "1", events: "[\(one), \(two)]", in: fixture) == "true")
            #expect(try await write(version: "2", events: "[]", in: fixture) == "true")
            #expect(try await write(version: "1", events: "[\(one)]", in: fixture) == "false")
            #expect(try await write(version: "3", events: "[\(three)]", in: fixture) == "true")
            _ = try await fixture.pool.query(
                """
                SELECT saga.write_service(id, 1, '{}', 'OPEN', now(), NULL,
                    '[{"type": 4, "at": "2026-01-01T00:00:03Z", "data": {}}]') FROM saga.service WHERE name = 't'
                """)
            #expect(
                try await fixture.rows(
                    """
                    SELECT s.name, e.sequence, e.type, e.at, e.data FROM saga.breaker_event e
                    JOIN saga.service s ON s.id = e.service_id ORDER BY s.name, e.sequence
                    """) == [
                        #"s|1|1|2026-01-01T00:00:00.25+00:00|{"from": "CLOSED"}"#,
                        "s|2|2|2026-01-01T00:00:01+00:00|{}", "s|3|3|2026-01-01T00:00:02+00:00|{}",
                        "t|1|4|2026-01-01T00:00:03+00:00|{}",
                    ])
        }
    }

    /// The row and its events are changed together or not at all.
    @Test func anEventThatNobodyKnowsRefusesTheChange() async throws {
        try await SchemaFixture.run { fixture async throws in
            _ = try await apply("{}", in: fixture)
            let refusal = try await fixture.refusal(
                """
                SELECT saga.write_service(id, 1, '{"n":1}', 'OPEN', now(), NULL,
                    '[{"type": 7, "at": "2026-01-01T00:00:00Z", "data": {}}]') FROM saga.service
                """)
            #expect(refusal?.constraint == "breaker_event_type_known")
            #expect(try await fixture.rows(row) == ["s|http://s|1|CLOSED|{}|{}"])
        }
    }

    // MARK: What can't be

    @Test(arguments: [
        ("UPDATE saga.service SET state = 'AJAR'", "service_state_known"),
        ("UPDATE saga.service SET version = 0", "service_version_positive"),
        (
            "INSERT INTO saga.service (name, url, since, state, settings, document) "
                + "SELECT name, url, since, state, settings, document FROM saga.service", "service_name_url_key"
        ),
        (
            "INSERT INTO saga.breaker_event (service_id, sequence, at, type, data) "
                + "SELECT id, 0, now(), 1, '{}' FROM saga.service", "breaker_event_sequence_positive"
        ),
        (
            "INSERT INTO saga.breaker_event (service_id, sequence, at, type, data) VALUES (999, 1, now(), 1, '{}')",
            "breaker_event_service_id_fkey"
        ),
    ])
    func noRowIsSo(_ sql: String, _ constraint: String) async throws {
        try await SchemaFixture.run { fixture async throws in
            try await fixture.define("order", steps: #"[{"name":"a"}]"#)
            _ = try await fixture.start("order")
            _ = try await apply("{}", in: fixture)
            #expect(try await fixture.refusal(sql)?.constraint == constraint)
        }
    }

    @Test(arguments: [
        "UPDATE saga.breaker_event SET type = 2", "DELETE FROM saga.breaker_event", "TRUNCATE saga.breaker_event",
    ])
    func whatHappenedStays(_ sql: String) async throws {
        try await SchemaFixture.run { fixture async throws in
            _ = try await apply("{}", in: fixture)
            let event = #"{"type": 1, "at": "2026-01-01T00:00:00Z", "data": {}}"#
            #expect(try await write(version: "1", events: "[\(event)]", in: fixture) == "true")
            #expect(try await fixture.refusal(sql)?.message.contains("append-only") == true)
            #expect(try await fixture.value("SELECT count(*) AS n FROM saga.breaker_event") == "1")
        }
    }

    // MARK: The view

    @Test func theViewShowsBreakersThatAreKept() async throws {
        try await SchemaFixture.run { fixture async throws in
            _ = try await apply(#"{"circuitBreaker":{}}"#, in: fixture)
            #expect(try await write(version: "1", in: fixture) == "true")
            for (name, settings) in [("off", #"{"circuitBreaker":false}"#), ("plain", "{}")] {
                _ = try await fixture.pool.query(
                    "SELECT saga.apply_service($1, 'http://x', $2::text::json, '{}', false)",
                    [.text(name), .text(settings)])
            }
            #expect(
                try await fixture.rows(
                    """
                    SELECT service, url, state, CASE service WHEN 's' THEN since END AS since, next_probe
                    FROM saga.breakers ORDER BY service
                    """) == [
                        "plain|http://x|CLOSED|-|-",
                        "s|http://s|OPEN|2026-01-01T00:00:00+00:00|2026-01-01T00:01:00+00:00",
                    ])
            #expect(
                try await fixture.value(
                    """
                    SELECT string_agg(column_name || ' ' || data_type, ', ' ORDER BY ordinal_position) AS c
                    FROM information_schema.columns WHERE table_schema = 'saga' AND table_name = 'breakers'
                    """) == "service text, url text, state text, since timestamp with time zone, "
                    + "next_probe timestamp with time zone")
        }
    }
}

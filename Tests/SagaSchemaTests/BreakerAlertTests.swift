import Testing

/// The alert of a breaker that opens goes with the event, whoever writes that.
@Suite struct BreakerAlertTests {
    private func write(_ event: String, at version: Int, in fixture: SchemaFixture) async throws -> String {
        try await fixture.value(
            """
            SELECT saga.write_service(
                (SELECT id FROM saga.service), \(version), '{}', 'OPEN', now(), NULL, '[\(event)]')
            """)
    }

    @Test func aBreakerThatOpensIsToldOfOnceAnOutage() async throws {
        try await SchemaFixture.run { fixture async throws in
            _ = try await fixture.pool.query(
                """
                INSERT INTO saga.service (name, url, state, since, settings, document)
                VALUES ('payment', 'http://${env:PAYMENT:-geheim}', 'CLOSED', now(), '{}', '{}')
                """)
            let opened = """
                {"type": 1, "at": "2026-01-01T00:00:00.250Z", "data": {"from": "CLOSED", "to": "OPEN",
                 "failureRate": 62.5, "slowCallRate": 0, "calls": 16, "failures": 10, "slowCalls": 0,
                 "nextProbe": "2026-01-01T00:01:00.250Z", "reason": "geheim"}}
                """
            // Somebody else was faster: there is no event, so there is no alert.
            #expect(try await write(opened, at: 9, in: fixture) == "false")
            #expect(try await fixture.rows("SELECT event FROM saga.alert") == [])

            #expect(try await write(opened, at: 1, in: fixture) == "true")
            let alert = """
                {"specversion" : "1.0", "id" : "service-1/0000000001", "source" : "/services/payment", \
                "type" : "saga.BreakerOpened", "subject" : "payment", "time" : "2026-01-01T00:00:00.250Z", \
                "datacontenttype" : "application/json", "data" : {"service" : "payment", "failureRate" : 62.5, \
                "slowCallRate" : 0, "calls" : 16, "failures" : 10, "slowCalls" : 0, \
                "nextProbe" : "2026-01-01T00:01:00.250Z", \
                "commands" : ["saga breaker list"]}}
                """
            #expect(try await fixture.rows("SELECT event FROM saga.alert") == [alert])

            // Its probes fail, and a person acts.
            let others = """
                {"type": 2, "at": "2026-01-01T00:01:00Z", "data": {"from": "OPEN"}},
                {"type": 1, "at": "2026-01-01T00:01:01Z", "data": {"from": "HALF_OPEN"}},
                {"type": 4, "at": "2026-01-01T00:01:02Z", "data": {"from": "OPEN", "reason": "maintenance"}}
                """
            #expect(try await write(others, at: 2, in: fixture) == "true")
            #expect(try await fixture.rows("SELECT event FROM saga.alert") == [alert])
        }
    }
}

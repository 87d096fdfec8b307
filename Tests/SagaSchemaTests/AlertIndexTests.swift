import Testing

/// The outbox of alerts is looked into every second by each daemon that posts them.
@Suite struct AlertIndexTests {
    @Test(arguments: ["", "ANALYZE saga.alert"])
    func whatIsDueIsFoundByItsIndex(_ statistics: String) async throws {
        try await SchemaFixture.run { fixture async throws in
            _ = try await fixture.pool.query(
                """
                INSERT INTO saga.alert (due_at, event) SELECT now() + n * interval '1 s', '{}'
                FROM generate_series(1, 20000) n
                """)
            if !statistics.isEmpty { _ = try await fixture.pool.query(statistics) }
            let plan = try await fixture.plan(
                """
                SELECT id FROM saga.alert WHERE due_at <= statement_timestamp()
                ORDER BY due_at LIMIT 4 FOR UPDATE SKIP LOCKED
                """)
            #expect(plan.contains("Index Scan using alert_due"), "\(plan)")
            #expect(!plan.contains("Sort"), "\(plan)")
        }
    }
}

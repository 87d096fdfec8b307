import JSON
import Logging
import PostgresClient
import SagaTestKit
import Testing

/// A daemon that keeps ended sagas for a while only, with real programs and PostgreSQL.
@Suite(.timeLimit(.minutes(5))) struct RetentionTests {
    /// A day of long ago whose saga has ended goes; the saga of another, still due, is taken up and done first.
    @Test func anEndedDayGoesAndADueSagaOfLongAgoRuns() async throws {
        let test = try await Installation.make()
        let first = try await test.daemon()
        let id = try await test.start("fine", key: "k")
        #expect(try await test.wait(for: id, ["completed", "compensated"])["status"] == "completed")
        #expect(await first.stop().status == 0)

        let pool = PostgresPool(
            PostgresConfiguration(test.database, applicationName: "test", maximumConnections: 1),
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        // As if it had been started then: the same history under an id of that time.
        try await pool.execute(
            script: """
                SELECT saga.ensure_partitions(1, '2020-01-01T12:00:00Z');
                CREATE FUNCTION pg_temp.copy(at timestamptz, ended timestamptz, most int) RETURNS uuid LANGUAGE sql AS $$
                    WITH new AS (SELECT saga.id_at(at) AS id), e AS (
                        INSERT INTO saga.event (saga_id, sequence, cause, type, at, data)
                            SELECT new.id, sequence, cause, type, at, data FROM saga.event, new
                            WHERE saga_id = '\(id)' AND sequence <= most
                    )
                    INSERT INTO saga.state (id, started_at, definition_id, status, due_at, ended_at)
                        SELECT new.id, at, definition_id, CASE WHEN ended IS NULL THEN 1 ELSE 5 END,
                            CASE WHEN ended IS NULL THEN at END, ended
                        FROM saga.state s, new WHERE s.id = '\(id)' RETURNING id
                $$;
                SELECT pg_temp.copy('2020-01-01T08:00:00Z', '2020-01-01T08:01:00Z', 1000);
                SELECT pg_temp.copy('2020-01-02T08:00:00Z', NULL, 1)
                """)
        let old = try await pool.query("SELECT id::text FROM saga.state WHERE due_at IS NOT NULL")
            .rows[0].decode(0, as: String.self)

        let second = try await test.daemon(["--retain", "30d"])
        #expect(await second.waitForError("dropped a day's ended sagas"))
        #expect(try await test.wait(for: old, ["completed", "compensated"])["status"] == "completed")
        let days = try await pool.query(
            "SELECT partition || ' ' || sagas FROM saga.dropped ORDER BY partition"
        ).rows.map { try $0.decode(0, as: String.self) }
        #expect(days == ["20200101 1"])
        // It has ended just now, so its day stays; so does what the first daemon ran.
        let left = try JSON.parse(try await test.saga("prune", "--dry-run", "--format", "json").output)
        #expect(left.arrayValue?.compactMap { $0["day"]?.stringValue } == ["2020-01-02"])
        #expect(left.arrayValue?.first?["outcome"] == "kept")
        #expect(try await test.status(id)["status"] == "completed")
        #expect(await second.stop().status == 0)
        await pool.close()
        await test.remove()
    }
}

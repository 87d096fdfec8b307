import PostgresClient
import SagaCore
import SagaEngine
import SagaPostgres
import Testing

/// A store looks for work in the partitions of today, and in the others once a second.
@Suite(.timeLimit(.minutes(1))) struct EarlierDaysTests {
    /// Given sagas of two earlier days and of today, when a daemon takes two at a time, then it gets all of them, those of
    /// the earlier days without a pause between, since what one wide look has found is followed up.
    @Test func sagasOfEarlierDaysAreTakenToo() async throws {
        let main = try await PostgresUnderTest.make()
        var started: Set<SagaID> = []
        for day in ["2020-01-01", "2020-01-02"] {
            _ = try await main.pool.query("SELECT saga.ensure_partitions(0, '\(day)T12:00:00Z')")
            let rows = try await main.pool.query(
                """
                INSERT INTO saga.state (id, started_at, definition_id, status, due_at)
                SELECT saga.id_at(at), at, 1, 1, at FROM generate_series(
                    '\(day)T08:00:00Z'::timestamptz, '\(day)T08:00:04Z', '1 s') AS at RETURNING id
                """
            ).rows
            for row in rows {
                let uuid = try row.decode(0, as: PostgresUUID.self)
                started.insert(SagaID(high: uuid.high, low: uuid.low))
            }
        }
        _ = try await main.pool.query("SELECT saga.ensure_partitions()")
        let store = main.store
        let lease = try await store.join(
            DaemonIdentity(host: "here", pid: 1, version: "test"), leaseLength: .seconds(10))

        #expect(try await store.waitForDueSagas(lease, every: .milliseconds(1), upTo: .seconds(1)))
        var taken: [SagaID] = []
        for _ in 0..<5 { taken += try await store.claim(lease, limit: 2, ownLimit: 10) }
        #expect(Set(taken) == started)
        #expect(taken.count == 10)

        let new = try await main.start(key: nil)
        #expect(try await store.waitForDueSagas(lease, every: .milliseconds(1), upTo: .seconds(1)))
        #expect(try await store.claim(lease, limit: 2, ownLimit: 10) == [new])
        #expect(try await store.claim(lease, limit: 2, ownLimit: 10) == [])

        // No claim is wide any more; the next wide look finds what has come due since.
        _ = try await main.pool.query(
            "UPDATE saga.state SET owner = NULL, due_at = now() WHERE id < '01800000-0000-7000-8000-000000000000'")
        taken = []
        while taken.count < 10 {
            _ = try await store.waitForDueSagas(lease, every: .milliseconds(1), upTo: .seconds(1))
            taken += try await store.claim(lease, limit: 2, ownLimit: 10)
        }
        #expect(Set(taken) == started)
        await main.close()
    }

    /// Given a saga of an earlier day that a wide look has found, when a daemon that is full claims what is its own and
    /// nothing else, then what it takes next is that saga: it isn't left to the next wide look, when it may be full again.
    @Test func aFullDaemonTakesThemWhenItHasRoom() async throws {
        let main = try await PostgresUnderTest.make()
        _ = try await main.pool.query("SELECT saga.ensure_partitions(0, '2020-01-01T12:00:00Z')")
        _ = try await main.pool.query("SELECT saga.ensure_partitions()")
        _ = try await main.pool.query(
            """
            INSERT INTO saga.state (id, started_at, definition_id, status, due_at)
            SELECT saga.id_at(at), at, 1, 1, at FROM (VALUES ('2020-01-01T08:00:00Z'::timestamptz)) AS v (at)
            """)
        let store = main.store
        let lease = try await store.join(
            DaemonIdentity(host: "here", pid: 1, version: "test"), leaseLength: .seconds(10))
        #expect(try await store.waitForDueSagas(lease, every: .milliseconds(1), upTo: .seconds(1)))

        #expect(try await store.claim(lease, limit: 0, ownLimit: 10) == [])
        #expect(try await store.claim(lease, limit: 2, ownLimit: 10).count == 1)
        await main.close()
    }

    /// Given days that somebody has dropped by hand, when a daemon looks for work, then it fails once, and finds what starts
    /// in the default partition from then on.
    @Test func aDayThatWasDroppedByHandHoldsUpNobody() async throws {
        let main = try await PostgresUnderTest.make()
        _ = try await main.pool.query("SELECT saga.ensure_partitions()")
        try await main.pool.execute(
            script: """
                DO $$ DECLARE v_name text; BEGIN
                    FOR v_name IN SELECT partition FROM saga.partitions() WHERE partition <> 'default' LOOP
                        EXECUTE format('DROP TABLE saga.%I, saga.%I', 'state_' || v_name, 'event_' || v_name);
                    END LOOP;
                END $$
                """)
        let new = try await main.start(key: nil)
        let store = main.store
        let lease = try await store.join(
            DaemonIdentity(host: "here", pid: 1, version: "test"), leaseLength: .seconds(10))
        // The first look is wide, and finds it through the parent.
        #expect(try await store.waitForDueSagas(lease, every: .milliseconds(1), upTo: .zero))
        _ = try? await store.waitForDueSagas(lease, every: .milliseconds(1), upTo: .zero)
        #expect(try await store.waitForDueSagas(lease, every: .milliseconds(1), upTo: .seconds(1)))
        #expect(try await store.claim(lease, limit: 2, ownLimit: 10) == [new])
        await main.close()
    }
}

import PostgresClient
import SagaCore
import SagaEngine
import Testing

/// Rows and events that no program writes: a restore gone wrong, or somebody's hand.
@Suite(.timeLimit(.minutes(2))) struct UnreadableRowTests {
    @Test func oneThatCantBeReadHoldsUpNoOther() async throws {
        let test = try await PostgresUnderTest.make()
        var sagas: [SagaID] = []
        for _ in 0..<5 { sagas.append(try await test.start(key: nil)) }
        func change(_ statement: String, _ saga: SagaID) async throws {
            _ = try await test.pool.query(statement, [.uuid(PostgresUUID(high: saga.high, low: saga.low))])
        }
        try await change("UPDATE saga.state SET status = 8 WHERE id = $1", sagas[0])
        try await change("UPDATE saga.state SET status = 0 WHERE id = $1", sagas[2])
        // PostgreSQL knows this time, programs that count from 1970 don't.
        try await change(
            "INSERT INTO saga.event (saga_id, sequence, type, at) VALUES ($1, 2, 18, '294276-12-31T23:59:59Z')",
            sagas[3])

        let loaded = try await test.store.load(sagas)
        #expect(loaded.readable.map(\.id) == [sagas[1], sagas[4]])
        #expect(loaded.readable.map(\.events.count) == [1, 1])
        #expect(loaded.unreadable.map(\.id) == [sagas[0], sagas[2], sagas[3]])
        #expect(
            loaded.unreadable.prefix(2).map(\.reason) == [
                "its row has the status 8, which is none", "its row has the status 0, which is none",
            ])
        #expect(loaded.unreadable.last?.reason.hasPrefix("event 2 can't be decoded: ") == true)
        await test.close()
    }

    /// The reason may quote an event, and JSON may hold what no text may.
    @Test func aReasonWithANULSetsItsSagaAside() async throws {
        let test = try await PostgresUnderTest.make()
        let lease = try await test.store.join(
            DaemonIdentity(host: "here", pid: 1, version: "test"), leaseLength: .seconds(10))
        let saga = try await test.start(key: nil)
        _ = try await test.store.claim(lease, limit: 1)
        try await test.store.setAside(saga, reason: "its definition has no step a\0b", under: lease)
        let row = try await test.pool.query("SELECT unreadable FROM saga.state")
        #expect(try row.rows[0].decode(0, as: String?.self) == "its definition has no step a\u{FFFD}b")
        await test.close()
    }
}

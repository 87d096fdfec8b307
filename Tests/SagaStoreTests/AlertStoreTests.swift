import PostgresClient
import SagaCore
import SagaEngine
import SagaPostgres
import Testing

/// The outbox of alerts: what is written with which transaction, and who gets it.
@Suite struct AlertStoreTests {
    private static let at = Instant(microseconds: 1_767_225_600_250_000)

    private struct Fixture {
        let test: PostgresUnderTest
        let lease: Lease
        let alerts: PostgresStore

        /// The outbox's documents in the order they were written.
        func documents() async throws -> [String] {
            let result = try await test.pool.query("SELECT event::text FROM saga.alert ORDER BY id")
            return try result.rows.map { row in try row.decode(0) }
        }

        /// Starts a saga and claims it.
        func claimed(_ key: String? = nil) async throws -> SagaID {
            let saga = try await test.start(key: key)
            #expect(try await test.store.claim(lease, limit: 10) == [saga])
            return saga
        }
    }

    private func run(_ body: (Fixture) async throws -> Void) async throws {
        let test = try await PostgresUnderTest.make()
        let lease = try await test.store.join(
            DaemonIdentity(host: "here", pid: 1, version: "test"), leaseLength: .seconds(10))
        try await body(Fixture(test: test, lease: lease, alerts: PostgresStore(pool: test.pool)))
        await test.close()
    }

    private func append(
        _ saga: SagaID, _ type: EventType, _ data: String, _ status: SagaStatus, sequence: Int = 2
    ) -> Append {
        let event = StoredEvent(
            sequence: sequence, cause: nil, type: type.rawValue, at: Self.at, data: Array(data.utf8))
        return Append(saga: saga, events: [event], row: Append.RowChange(status: status, hold: .keep))
    }

    private func document(
        _ saga: SagaID, _ type: String, key: String, step: String, error: String, message: String, status: String,
        commands: String
    ) -> String {
        """
        {"specversion" : "1.0", "id" : "\(saga)/0000000002", "source" : "/sagas/test", "type" : "\(type)", \
        "subject" : "\(saga)", "time" : "2026-01-01T00:00:00.250Z", "datacontenttype" : "application/json", \
        "correlationid" : "\(saga)", "data" : {"saga" : "test", "key" : \(key), "step" : \(step), \
        "error" : "\(error)", "message" : "\(message)", "status" : "\(status)", "commands" : \(commands)}}
        """
    }

    private func insert(_ count: Int, into fixture: Fixture) async throws {
        _ = try await fixture.test.pool.query(
            "INSERT INTO saga.alert (event) SELECT json_build_object('id', n) FROM generate_series(1, $1) n",
            [.int4(Int32(count))])
    }

    // MARK: Writing

    @Test func onlyWhatNeedsAPersonIsWrittenAndWholeWithTheBatch() async throws {
        try await run { fixture in
            let stuck = try await fixture.claimed("k \"1\"")
            let late = try await fixture.claimed()
            let refused = try await fixture.claimed()
            let conflicts = try await fixture.test.store.commit(
                [
                    append(
                        stuck, .sagaStuck, #"{"step":"a","error":"NoRefund","message":"a\u0000\n\"b\""}"#, .stuck),
                    append(
                        late, .sagaCompensating, #"{"error":"Saga.DeadlineExceeded","message":"10m are over"}"#,
                        .compensating),
                    append(refused, .sagaCompensating, #"{"step":"a","error":"No","message":"m"}"#, .compensating),
                ], under: fixture.lease)
            #expect(conflicts == [])
            #expect(
                try await fixture.documents() == [
                    document(
                        stuck, "saga.SagaStuck", key: #""k \"1\"""#, step: #""a""#, error: "NoRefund",
                        message: #"a\#u{FFFD}\n\"b\""#, status: "stuck",
                        commands: #"["saga status \#(stuck)","saga retry \#(stuck)"]"#),
                    document(
                        late, "saga.SagaDeadlineExceeded", key: "null", step: "null",
                        error: "Saga.DeadlineExceeded", message: "10m are over", status: "compensating",
                        commands: #"["saga status \#(late)"]"#),
                ])
        }
    }

    @Test func whatIsNotCommittedTellsNobody() async throws {
        try await run { fixture in
            let store = fixture.test.store
            let saga = try await fixture.claimed()
            let other = try await fixture.claimed()
            let data = #"{"error":"No","message":"m"}"#
            let stale = Lease(daemon: fixture.lease.daemon, epoch: 9, length: .seconds(10))
            await #expect(throws: StoreError.leaseLost) {
                try await store.commit([append(saga, .sagaStuck, data, .stuck)], under: stale)
            }
            await #expect(throws: StoreError.leaseLost) {
                try await store.setAside(saga, reason: "broken", under: stale)
            }
            #expect(try await fixture.documents() == [])
            // A place in the history that is taken keeps out its own saga's alert and no other.
            let conflicts = try await store.commit(
                [append(saga, .sagaStuck, data, .stuck, sequence: 1), append(other, .sagaStuck, data, .stuck)],
                under: fixture.lease)
            #expect(conflicts == [saga])
            let documents = try await fixture.documents()
            #expect(documents.count == 1)
            #expect(documents.allSatisfy { $0.contains(#""subject" : "\#(other)""#) })
        }
    }

    @Test func aSagaSetAsideIsToldOfWithoutItsContents() async throws {
        try await run { fixture in
            let saga = try await fixture.claimed("k")
            try await fixture.test.store.setAside(saga, reason: "its card is 4242", under: fixture.lease)
            let time = try await fixture.test.pool.query("SELECT event ->> 'time' FROM saga.alert").rows.first?
                .decode(0, as: String.self)
            let at = try #require(time)
            #expect(Instant(text: at)?.text == at)
            #expect(
                try await fixture.documents() == [
                    document(
                        saga, "saga.SagaStuck", key: #""k""#, step: "null", error: "Saga.Unreadable",
                        message: "its events can't be read or written; saga status says why", status: "stuck",
                        commands: #"["saga status \#(saga)","saga retry \#(saga)"]"#
                    ).replacing("/0000000002", with: "/unreadable/\(at)").replacing(
                        "2026-01-01T00:00:00.250Z", with: at)
                ])
            // It isn't this daemon's any more: nothing is set aside, so nothing is told.
            try await fixture.test.store.setAside(saga, reason: "again", under: fixture.lease)
            #expect(try await fixture.documents().count == 1)
        }
    }

    /// Whoever holds the outbox's rows, as a claim does, holds up no saga.
    @Test func aBatchWaitsForNobodyAtTheOutbox() async throws {
        try await run { fixture in
            try await insert(3, into: fixture)
            let saga = try await fixture.claimed()
            try await fixture.test.pool.withConnection { connection in
                _ = try await connection.query("BEGIN")
                _ = try await connection.query("UPDATE saga.alert SET attempts = 5")
                let conflicts = try await fixture.test.store.commit(
                    [append(saga, .sagaStuck, #"{"error":"No","message":"m"}"#, .stuck)], under: fixture.lease)
                #expect(conflicts == [])
                // Nor does it hold up another daemon's claims.
                #expect(try await fixture.alerts.claimAlerts(limit: 9, leaseLength: .seconds(30)).count == 1)
                _ = try await connection.query("COMMIT")
            }
        }
    }

    // MARK: Claiming

    @Test func eachIsClaimedOnceWhileItsLeaseHolds() async throws {
        try await run { fixture in
            try await insert(10, into: fixture)
            let claimed = try await withThrowingTaskGroup(of: [DueAlert].self) { group in
                for _ in 0..<8 {
                    group.addTask { try await fixture.alerts.claimAlerts(limit: 4, leaseLength: .seconds(30)) }
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            // Those that several had in sight at once are skipped by some of them.
            let rest = try await fixture.alerts.claimAlerts(limit: 10, leaseLength: .seconds(30))
            let all = (claimed + rest).sorted { $0.number < $1.number }
            #expect(all.map { String(decoding: $0.event, as: UTF8.self) } == (try await fixture.documents()))
            #expect(all.map(\.attempt) == Array(repeating: 1, count: 10))
            #expect(try await fixture.alerts.claimAlerts(limit: 10, leaseLength: .seconds(30)) == [])
        }
    }

    @Test func aClaimWhoseLeaseIsOverIsAnothersAndItsHolderCantPostponeIt() async throws {
        try await run { fixture in
            try await insert(1, into: fixture)
            let alerts = fixture.alerts
            let first = try #require(try await alerts.claimAlerts(limit: 1, leaseLength: .zero).first)
            let second = try #require(try await alerts.claimAlerts(limit: 1, leaseLength: .zero).first)
            #expect([first.attempt, second.attempt] == [1, 2])
            try await alerts.postpone(first, by: .minutes(5))
            let third = try #require(try await alerts.claimAlerts(limit: 1, leaseLength: .zero).first)
            #expect(third == DueAlert(number: first.number, attempt: 3, event: first.event))
            try await alerts.postpone(third, by: .minutes(5))
            #expect(try await alerts.claimAlerts(limit: 1, leaseLength: .zero) == [])
            // It was taken, whoever noted it: nobody posts it again.
            try await alerts.remove(first)
            #expect(try await fixture.documents() == [])
        }
    }

    @Test func theOldAreDroppedWhetherTheyWerePostedOrNot() async throws {
        try await run { fixture in
            try await insert(4, into: fixture)
            #expect(
                try await fixture.alerts.dropAlerts(olderThan: .minutes(1)) == DroppedAlerts(count: 0, attempted: 0))
            _ = try await fixture.test.pool.query(
                """
                UPDATE saga.alert SET attempts = id - 1, created_at = created_at
                    - CASE WHEN id < 4 THEN interval '61 s' ELSE interval '30 s' END
                """)
            #expect(
                try await fixture.alerts.dropAlerts(olderThan: .minutes(1)) == DroppedAlerts(count: 3, attempted: 2))
            #expect(try await fixture.documents().count == 1)
        }
    }
}

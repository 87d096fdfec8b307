import PostgresClient
import SagaCore
import SagaEngine
import SagaTestKit
import Testing

private let me = DaemonIdentity(host: "here", pid: 1, version: "test")
private let shop = Service(name: "shop", url: "http://shop")

private func park(
    _ saga: SagaID, for service: ServiceID?, attempts: Int = 0, since: Int64 = 1, dueAt: Instant? = nil,
    lastSequence: Int = 1
) -> Append {
    let awaiting = service.map {
        AwaitedService(id: $0, attempts: attempts, since: Instant(microseconds: 1_700_000_000_000_000 + since))
    }
    return Append(
        saga: saga, events: [],
        row: .init(status: .running, hold: .park(dueAt: dueAt, lastSequence: lastSequence, awaiting: awaiting)))
}

/// What every store must do for services, and for sagas that wait for them.
@Suite struct ServiceStoreContract {
    private func run(
        _ kind: StoreKind, _ body: (any StoreUnderTest, any SagaStore, Lease) async throws -> Void
    ) async throws {
        let test = try await kind.make()
        do { try await body(test, test.store, try await test.store.join(me, leaseLength: .seconds(10))) } catch {
            await test.close()
            throw error
        }
        await test.close()
    }

    /// Claimed sagas, in the order of their start.
    private func claimed(_ count: Int, _ test: any StoreUnderTest, _ lease: Lease) async throws -> [SagaID] {
        var sagas: [SagaID] = []
        for _ in 0..<count { sagas.append(try await test.start(key: nil)) }
        #expect(try await test.store.claim(lease, limit: count) == sagas.sorted())
        return sagas
    }

    private func update(
        _ stored: StoredService, _ command: BreakerCommand = .forceOpen, version: Int64? = nil
    ) -> ServiceUpdate {
        var state = stored.state
        let event = state.operate(
            command, by: Event.Act(actor: "ann", reason: "r"), settings: stored.settings,
            now: stored.state.breaker.since + .seconds(1))
        return ServiceUpdate(
            id: stored.id, expectedVersion: version ?? stored.version, state: state,
            events: event.map { [$0] } ?? [])
    }

    // MARK: A service's row

    @Test(arguments: StoreKind.allCases) func aServiceIsEnteredOnceWithItsSettings(kind: StoreKind) async throws {
        try await run(kind) { test, store, lease in
            let limited = Service(name: "shop", url: "http://shop", settings: ServiceSettings(maxConcurrent: 3))
            let first = try await store.service(limited, under: lease)
            #expect(first.version == 1)
            #expect(first.settings == limited.settings)
            #expect(first.state == ServiceState(at: first.state.breaker.since))
            // Another definition's settings change nothing here; another URL is another service.
            #expect(try await store.service(shop, under: lease) == first)
            let elsewhere = try await store.service(Service(name: "shop", url: "http://shop/2"), under: lease)
            #expect(elsewhere.id != first.id)
        }
    }

    @Test(arguments: StoreKind.allCases) func twoThatEnterItAtOnceGetTheSame(kind: StoreKind) async throws {
        try await run(kind) { test, store, lease in
            let other = try await store.join(me, leaseLength: .seconds(10))
            for number in 0..<10 {
                let service = Service(name: "s\(number)", url: "http://s")
                async let one = store.service(service, under: lease)
                async let two = store.service(service, under: other)
                let (first, second) = try await (one, two)
                #expect(first == second)
            }
        }
    }

    @Test(arguments: StoreKind.allCases) func onlyOneOfTwoWritesOnTheSameVersion(kind: StoreKind) async throws {
        try await run(kind) { test, store, lease in
            let stored = try await store.service(shop, under: lease)
            #expect(try await store.service(stored.id, newerThan: stored.version) == nil)
            let opened = update(stored)
            #expect(try await store.write(opened, under: lease))
            #expect(try await !store.write(update(stored, .disable), under: lease))
            let newer = try await store.service(stored.id, newerThan: stored.version)
            #expect(
                newer
                    == StoredService(
                        id: stored.id, version: stored.version + 1, settings: stored.settings, state: opened.state))
            #expect(try await store.service(shop, under: lease) == newer)
            // A version that is still to come is as wrong as one that is gone.
            #expect(try await !store.write(update(stored, .close, version: 7), under: lease))
            #expect(try await store.service(ServiceID(9_999), newerThan: 0) == nil)
        }
    }

    @Test(arguments: StoreKind.allCases) func aLostLeaseNeitherWritesNorTakes(kind: StoreKind) async throws {
        try await run(kind) { test, store, lease in
            let stored = try await store.service(shop, under: lease)
            let saga = try await claimed(1, test, lease)[0]
            #expect(try await store.commit([park(saga, for: stored.id)], under: lease) == [])
            let stale = try await store.readBack([], under: lease).lease
            #expect(stale.epoch == lease.epoch + 1)
            await #expect(throws: StoreError.leaseLost) { try await store.service(shop, under: lease) }
            await #expect(throws: StoreError.leaseLost) { try await store.write(update(stored), under: lease) }
            await #expect(throws: StoreError.leaseLost) {
                try await store.claimWaiting(lease, for: stored.id, limit: 1, fewestAttemptsFirst: false)
            }
            #expect(try await store.service(stored.id, newerThan: stored.version) == nil)
            #expect(try await test.owner(saga) == nil)
        }
    }

    // MARK: Sagas that wait

    @Test(arguments: StoreKind.allCases) func thoseThatWaitLongestComeFirstOrThoseWithTheFewestAttempts(
        kind: StoreKind
    ) async throws {
        try await run(kind) { test, store, lease in
            let stored = try await store.service(shop, under: lease)
            let other = try await store.service(Service(name: "other", url: "http://other"), under: lease)
            let sagas = try await claimed(5, test, lease)
            let batch = [
                park(sagas[0], for: stored.id, attempts: 3, since: 10),
                park(sagas[1], for: stored.id, attempts: 1, since: 30),
                park(sagas[2], for: stored.id, attempts: 1, since: 20),
                park(sagas[3], for: stored.id, attempts: 2, since: 5),
                park(sagas[4], for: other.id, since: 1),
            ]
            #expect(try await store.awaitedServices() == [])
            #expect(try await store.commit(batch, under: lease) == [])
            #expect(
                try await store.awaitedServices().map(\.name) == ["shop", "other"])
            #expect(try await store.claim(lease, limit: 9) == [])
            func take(_ limit: Int, _ fewest: Bool, of id: ServiceID) async throws -> [SagaID] {
                try await store.claimWaiting(lease, for: id, limit: limit, fewestAttemptsFirst: fewest)
            }
            #expect(try await take(0, false, of: stored.id) == [])
            #expect(try await take(1, false, of: stored.id) == [sagas[3]])
            #expect(try await take(1, true, of: stored.id) == [sagas[2]])
            #expect(try await take(1, true, of: stored.id) == [sagas[1]])
            #expect(try await take(9, false, of: stored.id) == [sagas[0]])
            #expect(try await take(9, false, of: stored.id) == [])
            #expect(try await test.owner(sagas[3]) == lease.daemon)
            #expect(try await !test.isDue(sagas[3]))
            #expect(try await store.awaitedServices().map(\.name) == ["other"])
        }
    }

    @Test(arguments: StoreKind.allCases) func twoNeverTakeTheSame(kind: StoreKind) async throws {
        try await run(kind) { test, store, lease in
            let other = try await store.join(me, leaseLength: .seconds(10))
            let stored = try await store.service(shop, under: lease)
            let sagas = try await claimed(40, test, lease)
            #expect(try await store.commit(sagas.map { park($0, for: stored.id) }, under: lease) == [])
            async let one = store.claimWaiting(lease, for: stored.id, limit: 30, fewestAttemptsFirst: false)
            async let two = store.claimWaiting(other, for: stored.id, limit: 30, fewestAttemptsFirst: true)
            let (mine, theirs) = try await (one, two)
            #expect(Set(mine).isDisjoint(with: theirs))
            let rest = try await store.claimWaiting(lease, for: stored.id, limit: 99, fewestAttemptsFirst: false)
            #expect((mine + theirs + rest).sorted() == sagas.sorted())
        }
    }

    @Test(arguments: StoreKind.allCases) func whatIsDueComesBackWithoutItsService(kind: StoreKind) async throws {
        try await run(kind) { test, store, lease in
            let stored = try await store.service(shop, under: lease)
            let saga = try await claimed(1, test, lease)[0]
            let past = Instant(microseconds: 1)
            #expect(try await store.commit([park(saga, for: stored.id, dueAt: past)], under: lease) == [])
            #expect(try await store.claim(lease, limit: 9) == [saga])
            // It waits no longer: nobody else finds it.
            #expect(try await store.awaitedServices() == [])
            #expect(
                try await store.claimWaiting(lease, for: stored.id, limit: 9, fewestAttemptsFirst: false) == [])
        }
    }

    @Test(arguments: StoreKind.allCases) func whatAPersonAppendsMakesItDue(kind: StoreKind) async throws {
        try await run(kind) { test, store, lease in
            let stored = try await store.service(shop, under: lease)
            let sagas = try await claimed(3, test, lease)
            #expect(try await store.commit(sagas.map { park($0, for: stored.id) }, under: lease) == [])
            #expect(try await test.appendFromOutside(.sagaPaused, to: sagas[0]))
            #expect(try await test.appendFromOutside(.sagaTerminated, to: sagas[1]))
            #expect(try await store.claim(lease, limit: 9) == [sagas[0]])
            #expect(
                try await store.claimWaiting(lease, for: stored.id, limit: 9, fewestAttemptsFirst: true) == [sagas[2]])
            #expect(try await store.awaitedServices() == [])
        }
    }

    @Test(arguments: StoreKind.allCases) func parkingOverAnEventThatWasNotSeenLeavesItDue(kind: StoreKind) async throws
    {
        try await run(kind) { test, store, lease in
            let stored = try await store.service(shop, under: lease)
            let saga = try await claimed(1, test, lease)[0]
            #expect(try await test.appendFromOutside(.sagaPaused, to: saga))
            #expect(try await store.claim(lease, limit: 1) == [saga])
            #expect(try await store.commit([park(saga, for: stored.id)], under: lease) == [])
            #expect(try await store.claim(lease, limit: 1) == [saga])
        }
    }

    @Test(arguments: StoreKind.allCases) func whatEndsWaitsForNothing(kind: StoreKind) async throws {
        try await run(kind) { test, store, lease in
            let stored = try await store.service(shop, under: lease)
            let saga = try await claimed(1, test, lease)[0]
            #expect(try await store.commit([park(saga, for: stored.id)], under: lease) == [])
            #expect(
                try await store.claimWaiting(lease, for: stored.id, limit: 1, fewestAttemptsFirst: false) == [saga])
            let end = Append(
                saga: saga, events: [], row: .init(status: .completed, hold: .end(at: Instant(microseconds: 7))))
            #expect(try await store.commit([end], under: lease) == [])
            #expect(try await store.awaitedServices() == [])
            #expect(
                try await store.claimWaiting(lease, for: stored.id, limit: 1, fewestAttemptsFirst: false) == [])
        }
    }

    @Test(arguments: StoreKind.allCases) func whatIsSetAsideWaitsForAPersonAndNoService(kind: StoreKind) async throws {
        try await run(kind) { test, store, lease in
            let stored = try await store.service(shop, under: lease)
            let saga = try await claimed(1, test, lease)[0]
            #expect(try await store.commit([park(saga, for: stored.id)], under: lease) == [])
            _ = try await store.claimWaiting(lease, for: stored.id, limit: 1, fewestAttemptsFirst: false)
            try await store.setAside(saga, reason: "r", under: lease)
            #expect(try await store.awaitedServices() == [])
            #expect(
                try await store.claimWaiting(lease, for: stored.id, limit: 1, fewestAttemptsFirst: false) == [])
        }
    }

    // MARK: PostgreSQL's own

    @Test func whoTakesWaitsForNobodysLock() async throws {
        let test = try await PostgresUnderTest.make()
        let lease = try await test.store.join(me, leaseLength: .seconds(10))
        let stored = try await test.store.service(shop, under: lease)
        let sagas = try await claimed(3, test, lease)
        #expect(try await test.store.commit(sagas.map { park($0, for: stored.id) }, under: lease) == [])
        try await test.pool.withConnection { connection in
            _ = try await connection.query("BEGIN")
            _ = try await connection.query(
                "SELECT 1 FROM saga.state WHERE id = $1 FOR UPDATE",
                [.uuid(PostgresUUID(high: sagas[1].high, low: sagas[1].low))])
            let taken = try await test.store.claimWaiting(
                lease, for: stored.id, limit: 9, fewestAttemptsFirst: false)
            #expect(taken == [sagas[0], sagas[2]].sorted())
            _ = try await connection.query("COMMIT")
        }
        await test.close()
    }

    /// It is a newer program's, or no state at all: that is said, and the row stays as it is.
    @Test(arguments: [#"[]"#, #"{"breaker": {"state": "AJAR", "since": 1, "generation": 1}}"#, #""x""#])
    func aDocumentThatCantBeReadIsRefused(document: String) async throws {
        let test = try await PostgresUnderTest.make()
        let lease = try await test.store.join(me, leaseLength: .seconds(10))
        let stored = try await test.store.service(shop, under: lease)
        _ = try await test.pool.query(
            "UPDATE saga.service SET document = $1, version = version + 1", [.json(Array(document.utf8))])
        await #expect { try await test.store.service(shop, under: lease) } throws: { error in
            if case StoreError.refused(let reason)? = error as? StoreError {
                reason.contains("saga.service")
            } else {
                false
            }
        }
        await #expect(throws: StoreError.self) { try await test.store.service(stored.id, newerThan: stored.version) }
        let kept = try await test.pool.query("SELECT document::text FROM saga.service")
        #expect(try kept.rows[0].decode(0, as: String.self) == document)
        await test.close()
    }
}

import SagaCore
import SagaEngine
import SagaTestKit
import Testing

/// What every store must do, told once and run against each.
protocol StoreUnderTest: Sendable {
    var store: any SagaStore { get }
    func start(key: String?) async throws -> SagaID
    /// A person's pause or termination, appended after the last event.
    func appendFromOutside(_ type: EventType, to saga: SagaID) async throws -> Bool
    func status(_ saga: SagaID) async throws -> SagaStatus?
    func owner(_ saga: SagaID) async throws -> Int32?
    func isDue(_ saga: SagaID) async throws -> Bool
    func close() async
}

struct InMemoryUnderTest: StoreUnderTest {
    let memory: InMemoryStore
    let definition: DefinitionID
    var store: any SagaStore { memory }

    static func make() async -> InMemoryUnderTest {
        let clock = ContinuousClock()
        let origin = clock.now
        let memory = InMemoryStore {
            let elapsed = origin.duration(to: clock.now).components
            return Instant(
                microseconds: 1_000_000_000 + elapsed.seconds * 1_000_000 + elapsed.attoseconds / 1_000_000_000_000)
        }
        return InMemoryUnderTest(memory: memory, definition: await memory.register(Array("{}".utf8)))
    }

    func start(key: String?) async throws -> SagaID { await memory.start(definition, key: key) }

    func appendFromOutside(_ type: EventType, to saga: SagaID) async throws -> Bool {
        await memory.appendFromOutside(type, data: #"{"actor":"ann"}"#, to: saga)
    }

    func status(_ saga: SagaID) async throws -> SagaStatus? { await memory.row(saga)?.status }

    func owner(_ saga: SagaID) async throws -> Int32? { await memory.row(saga)?.owner }

    func isDue(_ saga: SagaID) async throws -> Bool {
        guard let dueAt = await memory.row(saga)?.dueAt else { return false }
        return dueAt < .distantFuture
    }

    func close() async {}
}

enum StoreKind: String, CaseIterable, Sendable {
    case memory, postgres

    func make() async throws -> any StoreUnderTest {
        switch self {
        case .memory: await InMemoryUnderTest.make()
        case .postgres: try await PostgresUnderTest.make()
        }
    }
}

extension SagaStore {
    /// Whether anything is due right now.
    fileprivate func hasDueSagas(_ lease: Lease) async throws(StoreError) -> Bool {
        try await waitForDueSagas(lease, every: .milliseconds(1), upTo: .zero)
    }
}

private let me = DaemonIdentity(host: "here", pid: 1, version: "test")

private func event(_ sequence: Int, _ type: EventType = .stepStarted) -> StoredEvent {
    StoredEvent(
        sequence: sequence, cause: sequence - 1, type: type.rawValue, at: Instant(microseconds: 1_700_000_000_000_001),
        data: Array(#"{"step":"a","attempt":1,"output":0.10}"#.utf8))
}

private func append(
    _ saga: SagaID, _ events: [StoredEvent], _ hold: Append.Hold? = nil, status: SagaStatus = .running
) -> Append {
    Append(saga: saga, events: events, row: hold.map { Append.RowChange(status: status, hold: $0) })
}

@Suite struct StoreContract {
    @Test(arguments: StoreKind.allCases) func whatWasStartedIsDueOnceAndLoadsWhole(kind: StoreKind) async throws {
        let test = try await kind.make()
        let store = test.store
        let lease = try await store.join(me, leaseLength: .seconds(10))
        #expect(try await !store.hasDueSagas(lease))
        let first = try await test.start(key: "k-1")
        let second = try await test.start(key: nil)
        #expect(try await store.hasDueSagas(lease))
        #expect(try await store.claim(lease, limit: 10) == [first, second].sorted())
        #expect(try await !store.hasDueSagas(lease))
        #expect(try await store.claim(lease, limit: 10) == [])
        let missing = SagaID(high: 1, low: 2)
        let loaded = try await store.load([second, missing, first]).readable
        #expect(loaded.map(\.id) == [second, first])
        #expect(loaded.map(\.key) == [nil, "k-1"])
        #expect(loaded.map(\.status) == [.pending, .pending])
        #expect(loaded[0].events.map(\.sequence) == [1])
        #expect(loaded[0].events[0].type == EventType.sagaStarted.rawValue)
        #expect(try await store.definition(loaded[0].definition) != nil)
        #expect(try await store.definition(DefinitionID(9_999)) == nil)
        await test.close()
    }

    /// A daemon that stops ends its waiting: that is no failure of the database.
    @Test(arguments: StoreKind.allCases) func aCancelledWaitFindsNothing(kind: StoreKind) async throws {
        let test = try await kind.make()
        let store = test.store
        let lease = try await store.join(me, leaseLength: .seconds(10))
        let wait = Task { try await store.waitForDueSagas(lease, every: .milliseconds(1), upTo: .seconds(60)) }
        wait.cancel()
        #expect(try await !wait.value)
        await test.close()
    }

    @Test(arguments: StoreKind.allCases) func aClaimTakesNoMoreThanItsLimit(kind: StoreKind) async throws {
        let test = try await kind.make()
        let lease = try await test.store.join(me, leaseLength: .seconds(10))
        for _ in 0..<5 { _ = try await test.start(key: nil) }
        #expect(try await test.store.claim(lease, limit: 2).count == 2)
        #expect(try await test.store.claim(lease, limit: 0).count == 0)
        #expect(try await test.store.claim(lease, limit: 9).count == 3)
        await test.close()
    }

    @Test(arguments: StoreKind.allCases) func twoDaemonsNeverClaimTheSame(kind: StoreKind) async throws {
        let test = try await kind.make()
        let one = try await test.store.join(me, leaseLength: .seconds(10))
        let other = try await test.store.join(me, leaseLength: .seconds(10))
        var started: Set<SagaID> = []
        for _ in 0..<40 { started.insert(try await test.start(key: nil)) }
        async let first = test.store.claim(one, limit: 30)
        async let second = test.store.claim(other, limit: 30)
        let (mine, theirs) = try await (first, second)
        #expect(Set(mine).isDisjoint(with: theirs))
        let rest = try await test.store.claim(one, limit: 100)
        #expect(Set(mine + theirs + rest) == started)
        await test.close()
    }

    @Test(arguments: StoreKind.allCases) func eventsComeBackByteForByte(kind: StoreKind) async throws {
        let test = try await kind.make()
        let lease = try await test.store.join(me, leaseLength: .seconds(10))
        let saga = try await test.start(key: nil)
        _ = try await test.store.claim(lease, limit: 1)
        let events = [
            event(2), StoredEvent(sequence: 3, cause: nil, type: 15, at: Instant(microseconds: 5), data: nil),
        ]
        #expect(try await test.store.commit([append(saga, events, .keep)], under: lease) == [])
        let loaded = try await test.store.load([saga]).readable
        #expect(Array(loaded[0].events.dropFirst()) == events)
        #expect(loaded[0].status == .running)
        #expect(try await test.owner(saga) == lease.daemon)
        await test.close()
    }

    @Test(arguments: StoreKind.allCases) func aConflictRefusesOnlyItsSaga(kind: StoreKind) async throws {
        let test = try await kind.make()
        let lease = try await test.store.join(me, leaseLength: .seconds(10))
        let free = try await test.start(key: nil)
        let changed = try await test.start(key: nil)
        _ = try await test.store.claim(lease, limit: 10)
        #expect(try await test.appendFromOutside(.sagaPaused, to: changed))
        let batch = [append(changed, [event(2), event(3)], .keep), append(free, [event(2)], .keep)]
        #expect(try await test.store.commit(batch, under: lease) == [changed])
        let loaded = try await test.store.load([free, changed]).readable
        #expect(loaded[0].events.map(\.type) == [1, 2])
        #expect(loaded[1].events.map(\.type) == [1, EventType.sagaPaused.rawValue])
        #expect(loaded[1].status == .pending)
        await test.close()
    }

    @Test(arguments: StoreKind.allCases) func whatIsAppendedFromOutsideIsSeenByItsOwner(kind: StoreKind) async throws {
        let test = try await kind.make()
        let lease = try await test.store.join(me, leaseLength: .seconds(10))
        let saga = try await test.start(key: nil)
        _ = try await test.store.claim(lease, limit: 1)
        #expect(try await test.appendFromOutside(.sagaPaused, to: saga))
        #expect(try await test.store.hasDueSagas(lease))
        let other = try await test.store.join(me, leaseLength: .seconds(10))
        #expect(try await test.store.claim(other, limit: 9) == [])
        #expect(try await test.store.claim(lease, limit: 0) == [saga])
        #expect(try await !test.store.hasDueSagas(lease))
        await test.close()
    }

    @Test(arguments: StoreKind.allCases) func parkingKeepsADueTimeThatWasSetMeanwhile(kind: StoreKind) async throws {
        let test = try await kind.make()
        let lease = try await test.store.join(me, leaseLength: .seconds(10))
        let quiet = try await test.start(key: nil)
        let changed = try await test.start(key: nil)
        _ = try await test.store.claim(lease, limit: 9)
        #expect(try await test.appendFromOutside(.sagaPaused, to: changed))
        let batch = [
            append(quiet, [], .park(dueAt: nil, lastSequence: 1, awaiting: nil)),
            append(changed, [], .park(dueAt: nil, lastSequence: 1, awaiting: nil)),
        ]
        #expect(try await test.store.commit(batch, under: lease) == [])
        #expect(try await test.store.claim(lease, limit: 9) == [changed])
        #expect(try await test.owner(quiet) == nil)
        await test.close()
    }

    @Test(arguments: StoreKind.allCases) func parkingOverAnEventThatWasNotSeenLeavesTheSagaDue(kind: StoreKind)
        async throws
    {
        let test = try await kind.make()
        let lease = try await test.store.join(me, leaseLength: .seconds(10))
        let saga = try await test.start(key: nil)
        _ = try await test.store.claim(lease, limit: 1)
        #expect(try await test.appendFromOutside(.sagaPaused, to: saga))
        // The claim takes the due time away before the batch that parks is through.
        #expect(try await test.store.claim(lease, limit: 1) == [saga])
        let park = append(saga, [], .park(dueAt: nil, lastSequence: 1, awaiting: nil))
        #expect(try await test.store.commit([park], under: lease) == [])
        #expect(try await test.owner(saga) == nil)
        #expect(try await test.store.claim(lease, limit: 1) == [saga])
        await test.close()
    }

    @Test(arguments: StoreKind.allCases) func whatIsOwnedAndNotKnownComesBack(kind: StoreKind) async throws {
        let test = try await kind.make()
        let lease = try await test.store.join(me, leaseLength: .seconds(10))
        let known = try await test.start(key: nil)
        let forgotten = try await test.start(key: nil)
        _ = try await test.store.claim(lease, limit: 9)
        #expect(try await test.store.claim(lease, limit: 9) == [])
        try await test.store.reclaim(lease, except: [known: 1])
        #expect(try await test.store.claim(lease, limit: 9) == [forgotten])
        await test.close()
    }

    @Test(arguments: StoreKind.allCases) func aParkedSagaIsDueAtItsTime(kind: StoreKind) async throws {
        let test = try await kind.make()
        let lease = try await test.store.join(me, leaseLength: .seconds(10))
        let saga = try await test.start(key: nil)
        _ = try await test.store.claim(lease, limit: 1)
        let past = Instant(microseconds: 1)
        #expect(
            try await test.store.commit(
                [append(saga, [], .park(dueAt: past, lastSequence: 1, awaiting: nil))], under: lease) == [])
        #expect(try await test.store.claim(lease, limit: 1) == [saga])
        await test.close()
    }

    @Test(arguments: StoreKind.allCases) func anEndedSagaIsNobodysAndTakesNothingMore(kind: StoreKind) async throws {
        let test = try await kind.make()
        let lease = try await test.store.join(me, leaseLength: .seconds(10))
        let saga = try await test.start(key: nil)
        _ = try await test.store.claim(lease, limit: 1)
        let end = append(saga, [event(2, .sagaCompensated)], .end(at: Instant(microseconds: 7)), status: .compensated)
        #expect(try await test.store.commit([end], under: lease) == [])
        #expect(try await test.status(saga) == .compensated)
        #expect(try await test.owner(saga) == nil)
        #expect(try await !test.isDue(saga))
        #expect(try await !test.appendFromOutside(.sagaPaused, to: saga))
        await test.close()
    }

    @Test(arguments: StoreKind.allCases) func aCompletedSagaThatIsWantedBackIsDue(kind: StoreKind) async throws {
        let test = try await kind.make()
        let lease = try await test.store.join(me, leaseLength: .seconds(10))
        let saga = try await test.start(key: nil)
        #expect(try await !test.appendFromOutside(.sagaCompensationRequested, to: saga))
        _ = try await test.store.claim(lease, limit: 1)
        let end = append(saga, [event(2, .sagaCompleted)], .end(at: Instant(microseconds: 7)), status: .completed)
        #expect(try await test.store.commit([end], under: lease) == [])
        #expect(try await test.store.claim(lease, limit: 9) == [])
        #expect(try await test.appendFromOutside(.sagaCompensationRequested, to: saga))
        #expect(try await !test.appendFromOutside(.sagaCompensationRequested, to: saga))
        #expect(try await test.status(saga) == .compensating)
        #expect(try await test.isDue(saga))
        #expect(try await test.store.claim(lease, limit: 9) == [saga])
        let undone = append(
            saga, [event(4, .sagaCompensating), event(5, .sagaCompensated)], .end(at: Instant(microseconds: 9)),
            status: .compensated)
        #expect(try await test.store.commit([undone], under: lease) == [])
        #expect(try await test.status(saga) == .compensated)
        #expect(try await !test.appendFromOutside(.sagaCompensationRequested, to: saga))
        await test.close()
    }

    /// A daemon that missed the nudge finds the event.
    @Test(arguments: StoreKind.allCases) func aWishThatWasMissedComesBack(kind: StoreKind) async throws {
        let test = try await kind.make()
        let lease = try await test.store.join(me, leaseLength: .seconds(10))
        let saga = try await test.start(key: nil)
        _ = try await test.store.claim(lease, limit: 1)
        let end = append(saga, [event(2, .sagaCompleted)], .end(at: Instant(microseconds: 7)), status: .completed)
        #expect(try await test.store.commit([end], under: lease) == [])
        #expect(try await test.appendFromOutside(.sagaCompensationRequested, to: saga))
        #expect(try await test.store.claim(lease, limit: 9) == [saga])
        try await test.store.reclaim(lease, except: [saga: 3])
        #expect(try await test.store.claim(lease, limit: 9) == [])
        try await test.store.reclaim(lease, except: [saga: 2])
        #expect(try await test.store.claim(lease, limit: 9) == [saga])
        await test.close()
    }

    @Test(arguments: StoreKind.allCases) func aLostLeaseCanWriteNothing(kind: StoreKind) async throws {
        let test = try await kind.make()
        let zombie = try await test.store.join(me, leaseLength: .zero)
        let saga = try await test.start(key: nil)
        _ = try await test.store.claim(zombie, limit: 1)
        let heir = try await test.store.join(me, leaseLength: .seconds(10))
        #expect(try await test.store.takeOverLost(heir) == 1)
        #expect(try await test.store.takeOverLost(heir) == 0)
        #expect(try await test.store.claim(heir, limit: 9) == [saga])
        await #expect(throws: StoreError.leaseLost) {
            try await test.store.commit([append(saga, [event(2)], .keep)], under: zombie)
        }
        await #expect(throws: StoreError.leaseLost) { try await test.store.renew(zombie) }
        await #expect(throws: StoreError.leaseLost) { try await test.store.claim(zombie, limit: 1) }
        await #expect(throws: StoreError.leaseLost) { try await test.store.leave(zombie) }
        await #expect(throws: StoreError.leaseLost) { try await test.store.readBack([], under: zombie) }
        await #expect(throws: StoreError.leaseLost) { try await test.store.setAside(saga, reason: "x", under: zombie) }
        #expect(try await test.store.load([saga]).readable[0].events.count == 1)
        await test.close()
    }

    @Test(arguments: StoreKind.allCases) func leavingFreesAtOnce(kind: StoreKind) async throws {
        let test = try await kind.make()
        let lease = try await test.store.join(me, leaseLength: .seconds(10))
        let saga = try await test.start(key: nil)
        _ = try await test.store.claim(lease, limit: 1)
        try await test.store.leave(lease)
        await #expect(throws: StoreError.leaseLost) { try await test.store.claim(lease, limit: 1) }
        let heir = try await test.store.join(me, leaseLength: .seconds(10))
        #expect(try await test.store.claim(heir, limit: 9) == [saga])
        await test.close()
    }

    @Test(arguments: StoreKind.allCases) func readingBackTellsTheTruthAndEndsTheOldEpoch(kind: StoreKind) async throws {
        let test = try await kind.make()
        let lease = try await test.store.join(me, leaseLength: .seconds(10))
        let saga = try await test.start(key: nil)
        _ = try await test.store.claim(lease, limit: 1)
        let batch = [append(saga, [event(2)], .keep)]
        let before = try await test.store.readBack(batch, under: lease)
        #expect(
            before == ReadBack(wasCommitted: false, lease: Lease(daemon: lease.daemon, epoch: 2, length: lease.length)))
        await #expect(throws: StoreError.leaseLost) { try await test.store.commit(batch, under: lease) }
        #expect(try await test.store.commit(batch, under: before.lease) == [])
        let after = try await test.store.readBack(batch, under: before.lease)
        #expect(after.wasCommitted)
        #expect(after.lease.epoch == 3)
        _ = try await test.store.renew(after.lease)
        await test.close()
    }

    @Test(arguments: StoreKind.allCases) func aSagaSetAsideWaitsForAPerson(kind: StoreKind) async throws {
        let test = try await kind.make()
        let lease = try await test.store.join(me, leaseLength: .seconds(10))
        let saga = try await test.start(key: nil)
        _ = try await test.store.claim(lease, limit: 1)
        try await test.store.setAside(saga, reason: "event 2 is missing", under: lease)
        #expect(try await test.store.claim(lease, limit: 9) == [])
        #expect(try await test.appendFromOutside(.sagaPaused, to: saga))
        #expect(try await test.store.claim(lease, limit: 9) == [saga])
        await test.close()
    }
}

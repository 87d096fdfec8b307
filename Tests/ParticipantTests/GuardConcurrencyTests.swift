import PostgresClient
import Synchronization
import Testing

/// Calls that meet: they take turns, and one that dies leaves nothing.
@Suite(.timeLimit(.minutes(2))) struct GuardConcurrencyTests {
    /// How the transaction that came first ends.
    enum End: String, CaseIterable, Sendable {
        case commit, rollback, crash
    }

    @Test(arguments: End.allCases)
    func aDuplicateWaitsForTheFirst(_ end: End) async throws {
        try await GuardFixture.run { guarded async throws in
            let second = try await meeting(
                guarded,
                first: { connection async throws in
                    #expect(try await begin(connection, action: "a") == .run)
                    _ = try await connection.query("INSERT INTO effect VALUES ('a')")
                    try await finish(connection, "a", status: 201, answer: #"{"id":1}"#)
                },
                end: end,
                second: { connection async throws in
                    let decision = try await begin(connection, action: "a")
                    _ = try await connection.query("ROLLBACK")
                    return decision
                }
            )
            #expect(second == (end == .commit ? .replay(201, #"{"id":1}"#) : .run))
            #expect(try await guarded.effects() == (end == .commit ? ["a"] : []))
        }
    }

    @Test(arguments: End.allCases)
    func aCompensationWaitsForItsAction(_ end: End) async throws {
        try await GuardFixture.run { guarded async throws in
            let second = try await meeting(
                guarded,
                first: { connection async throws in
                    #expect(try await begin(connection, action: "a") == .run)
                    try await finish(connection, "a", status: 201, answer: #"{"id":1}"#)
                },
                end: end,
                second: { connection async throws in
                    let decision = try await begin(connection, compensation: "a:c", of: "a")
                    if decision.kind == "run" {
                        try await finish(connection, "a:c", status: 200, answer: "{}")
                    }
                    _ = try await connection.query("COMMIT")
                    return decision
                }
            )
            #expect(second == (end == .commit ? .run(201, #"{"id":1}"#) : .nothing))
            #expect(
                try await guarded.operations()
                    == (end == .commit ? ["a - a:c 201", "a:c a - 200"] : ["a - a:c -"])
            )
        }
    }

    @Test(arguments: End.allCases)
    func anActionWaitsForTheTombstone(_ end: End) async throws {
        try await GuardFixture.run { guarded async throws in
            let second = try await meeting(
                guarded,
                first: { connection async throws in
                    #expect(try await begin(connection, compensation: "a:c", of: "a") == .nothing)
                },
                end: end,
                second: { connection async throws in
                    let decision = try await begin(connection, action: "a")
                    _ = try await connection.query("ROLLBACK")
                    return decision
                }
            )
            #expect(second == (end == .commit ? .refused : .run))
        }
    }

    @Test(arguments: End.allCases)
    func aStragglerWaitsForTheUndoing(_ end: End) async throws {
        try await GuardFixture.run { guarded async throws in
            _ = try await guarded.act("a")
            let second = try await meeting(
                guarded,
                first: { connection async throws in
                    #expect(try await begin(connection, compensation: "a:c", of: "a") == .run(201, #"{"id":1}"#))
                    try await finish(connection, "a:c", status: 200, answer: "{}")
                },
                end: end,
                second: { connection async throws in
                    let decision = try await begin(connection, action: "a")
                    _ = try await connection.query("ROLLBACK")
                    return decision
                }
            )
            #expect(second == (end == .commit ? .refused : .replay(201, #"{"id":1}"#)))
        }
    }

    @Test(arguments: End.allCases)
    func aSecondCompensationWaitsForTheFirst(_ end: End) async throws {
        try await GuardFixture.run { guarded async throws in
            _ = try await guarded.act("a")
            let second = try await meeting(
                guarded,
                first: { connection async throws in
                    #expect(try await begin(connection, compensation: "a:c", of: "a") == .run(201, #"{"id":1}"#))
                    try await finish(connection, "a:c", status: 200, answer: #"{"refund":1}"#)
                },
                end: end,
                second: { connection async throws in
                    let decision = try await begin(connection, compensation: "a:c", of: "a")
                    _ = try await connection.query("ROLLBACK")
                    return decision
                }
            )
            #expect(second == (end == .commit ? .replay(200, #"{"refund":1}"#) : .run(201, #"{"id":1}"#)))
        }
    }

    @Test func manyDuplicatesAtOnceHaveOneEffect() async throws {
        try await GuardFixture.run { guarded async throws in
            let decisions = try await withThrowingTaskGroup(of: Decision.self) { group in
                for caller in 0..<40 {
                    group.addTask { try await guarded.act("a", answer: #"{"caller":\#(caller)}"#) }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(decisions.count { $0 == .run } == 1)
            let replays = decisions.filter { $0.kind == "replay" }
            #expect(replays.count == 39)
            #expect(replays.allSatisfy { $0 == replays[0] })
            #expect(try await guarded.effects() == ["a"])
        }
    }

    @Test func manyCompensationsAtOnceUndoOnce() async throws {
        try await GuardFixture.run { guarded async throws in
            for round in 0..<20 {
                _ = try await guarded.act("a\(round)")
                let decisions = try await withThrowingTaskGroup(of: Decision.self) { group in
                    for _ in 0..<12 {
                        group.addTask { try await guarded.compensate("c\(round)", of: "a\(round)") }
                    }
                    return try await group.reduce(into: []) { $0.append($1) }
                }
                #expect(decisions.count { $0 == .run(201, #"{"id":1}"#) } == 1)
                #expect(decisions.count { $0 == .replay(200, #"{"undone":true}"#) } == 11)
            }
            #expect(try await guarded.effects() == [])
        }
    }

    /// Whichever of the two comes first, nothing may be left when both have ended.
    @Test func anActionAndItsCompensationRacingLeaveNoEffect() async throws {
        try await GuardFixture.run { guarded async throws in
            try await withThrowingTaskGroup(of: (Int, Decision).self) { group in
                for pair in 0..<60 {
                    group.addTask { (pair, try await guarded.act("a\(pair)")) }
                    group.addTask { (pair, try await guarded.compensate("c\(pair)", of: "a\(pair)")) }
                }
                var decisions: [Int: [String]] = [:]
                for try await (pair, decision) in group { decisions[pair, default: []].append(decision.kind) }
                for pair in 0..<60 {
                    let kinds = decisions[pair]?.sorted()
                    #expect(kinds == ["run", "run"] || kinds == ["nothing", "refused"])
                }
            }
            #expect(try await guarded.effects() == [])
        }
    }

    /// Above READ COMMITTED a transaction can't see what a duplicate did after its snapshot: it must be run again.
    @Test(arguments: ["REPEATABLE READ", "SERIALIZABLE"])
    func aDuplicateInAnOldSnapshotIsASerializationFailure(_ level: String) async throws {
        try await GuardFixture.run { guarded async throws in
            try await guarded.pool.withConnection { connection async throws in
                for attempt in 1...2 {
                    _ = try await connection.query("BEGIN ISOLATION LEVEL \(level)")
                    _ = try await connection.query("SELECT FROM effect")
                    if attempt == 1 {
                        #expect(try await guarded.act("a") == .run)
                        let error = await #expect(throws: PostgresError.self) {
                            try await begin(connection, action: "a")
                        }
                        #expect(error?.sqlState == "40001")
                    } else {
                        #expect(try await begin(connection, action: "a") == .replay(201, #"{"id":1}"#))
                    }
                    _ = try await connection.query("ROLLBACK")
                }
            }
        }
    }

    /// Opens a transaction, lets a second one run into it, ends the first, and gives what the second decided.
    private func meeting(
        _ guarded: GuardFixture,
        first: (PostgresConnection) async throws -> Void,
        end: End,
        second: @escaping @Sendable (PostgresConnection) async throws -> Decision
    ) async throws -> Decision {
        let (processes, processFound) = AsyncStream.makeStream(of: Int32.self)
        let leader = try await guarded.pool.withConnection { leader in
            _ = try await leader.query("BEGIN")
            let leaderProcess = try await serverProcess(leader)
            try await first(leader)
            let hasEnded = Mutex(false)
            let follower = Task {
                defer { hasEnded.withLock { $0 = true } }
                return try await guarded.pool.withConnection { follower in
                    processFound.yield(try await serverProcess(follower))
                    _ = try await follower.query("BEGIN")
                    return try await second(follower)
                }
            }
            var found = processes.makeAsyncIterator()
            let followerProcess = try #require(await found.next())
            let waited = try await guarded.waitUntilBlocked(followerProcess) { hasEnded.withLock { $0 } }
            #expect(waited)
            switch end {
            case .commit: _ = try await leader.query("COMMIT")
            case .rollback: _ = try await leader.query("ROLLBACK")
            case .crash:
                _ = try await guarded.pool.query("SELECT pg_terminate_backend($1)", [.int4(leaderProcess)])
            }
            return follower
        }
        return try await leader.value
    }
}

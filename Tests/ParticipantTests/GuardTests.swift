import Logging
import PostgresClient
import SagaSchema
import Testing

/// One call after the other: every decision of the guard, and what it leaves behind.
@Suite struct GuardTests {
    @Test func anActionRunsOnceAndIsReplayedWithItsAnswer() async throws {
        try await GuardFixture.run { guarded async throws in
            let answer = #"{"chargeId": "c-1",  "amount": 0.10}"#
            #expect(try await guarded.act("s:charge:action", answer: answer) == .run)
            #expect(try await guarded.act("s:charge:action", answer: "{}") == .replay(201, answer))
            #expect(try await guarded.act("s:charge:action", answer: "{}") == .replay(201, answer))
            #expect(try await guarded.effects() == ["s:charge:action"])
            #expect(try await guarded.operations() == ["s:charge:action - - 201"])
        }
    }

    @Test func anAnswerMayHaveNoBody() async throws {
        try await GuardFixture.run { guarded async throws in
            #expect(
                try await guarded.failure(of: [
                    "SELECT saga_participant.begin_action('a')", "SELECT saga_participant.finish('a', 204)",
                ]) == nil
            )
            #expect(try await guarded.act("a") == .replay(204, nil))
        }
    }

    @Test func aCompensationUndoesWhatWasDoneAndIsReplayed() async throws {
        try await GuardFixture.run { guarded async throws in
            _ = try await guarded.act("a", answer: #"{"id":7}"#)
            #expect(try await guarded.compensate("a:c", of: "a") == .run(201, #"{"id":7}"#))
            #expect(try await guarded.compensate("a:c", of: "a") == .replay(200, #"{"undone":true}"#))
            #expect(try await guarded.effects() == [])
            #expect(try await guarded.operations() == ["a - a:c 201", "a:c a - 200"])
        }
    }

    @Test func aCompensationOfNothingSucceedsAndLeavesATombstone() async throws {
        try await GuardFixture.run { guarded async throws in
            #expect(try await guarded.compensate("a:c", of: "a") == .nothing)
            #expect(try await guarded.compensate("a:c", of: "a") == .nothing)
            #expect(try await guarded.operations() == ["a - a:c -"])
        }
    }

    @Test func anActionAfterItsTombstoneIsRefusedEveryTime() async throws {
        try await GuardFixture.run { guarded async throws in
            _ = try await guarded.compensate("a:c", of: "a")
            #expect(try await guarded.act("a") == .refused)
            #expect(try await guarded.act("a") == .refused)
            #expect(try await guarded.effects() == [])
            #expect(try await guarded.operations() == ["a - a:c -"])
        }
    }

    @Test func aStragglerAfterItsCompensationIsRefused() async throws {
        try await GuardFixture.run { guarded async throws in
            _ = try await guarded.act("a")
            _ = try await guarded.compensate("a:c", of: "a")
            #expect(try await guarded.act("a") == .refused)
            #expect(try await guarded.effects() == [])
        }
    }

    @Test func aSecondCompensationUnderAnotherKeyFindsNothingLeft() async throws {
        try await GuardFixture.run { guarded async throws in
            _ = try await guarded.act("a")
            _ = try await guarded.compensate("by-hand", of: "a")
            #expect(try await guarded.compensate("a:c", of: "a") == .nothing)
            #expect(try await guarded.operations() == ["a - by-hand 201", "by-hand a - 200"])
        }
    }

    @Test func aRefusalThatIsRolledBackIsDecidedAnew() async throws {
        try await GuardFixture.run { guarded async throws in
            try await guarded.pool.withConnection { connection async throws in
                _ = try await connection.query("BEGIN")
                #expect(try await begin(connection, action: "a") == .run)
                _ = try await connection.query("ROLLBACK")
            }
            #expect(try await guarded.operations() == [])
            #expect(try await guarded.act("a") == .run)
            #expect(try await guarded.effects() == ["a"])
        }
    }

    @Test func aRecordedRefusalIsReplayedAndNeedsNoUndo() async throws {
        try await GuardFixture.run { guarded async throws in
            let refusal = [
                "SELECT saga_participant.begin_action('a')",
                #"SELECT saga_participant.finish('a', 402, '{"error":"CardDeclined"}')"#,
            ]
            #expect(try await guarded.failure(of: refusal) == nil)
            #expect(try await guarded.act("a") == .replay(402, #"{"error":"CardDeclined"}"#))
            #expect(try await guarded.compensate("a:c", of: "a") == .nothing)
            #expect(try await guarded.act("a") == .refused)
            #expect(try await guarded.effects() == [])
        }
    }

    /// `saga retry --input-patch` after a refusal: the mended call has a key of its own, and the undo names that.
    @Test func aMendedActionIsAnotherOperation() async throws {
        try await GuardFixture.run { guarded async throws in
            let refusal = [
                "SELECT saga_participant.begin_action('s:a:action')",
                "SELECT saga_participant.finish('s:a:action', 422, '{}')",
            ]
            #expect(try await guarded.failure(of: refusal) == nil)
            #expect(try await guarded.act("s:a:action:2", answer: #"{"id":2}"#) == .run)
            #expect(try await guarded.act("s:a:action:2") == .replay(201, #"{"id":2}"#))
            #expect(try await guarded.act("s:a:action") == .replay(422, "{}"))
            #expect(try await guarded.compensate("s:a:compensation", of: "s:a:action:2") == .run(201, #"{"id":2}"#))
            #expect(try await guarded.act("s:a:action:2") == .refused)
            #expect(try await guarded.effects() == [])
        }
    }

    /// A tombstone is for its key alone.
    @Test func theUndoOfAMendedActionMayComeFirst() async throws {
        try await GuardFixture.run { guarded async throws in
            #expect(try await guarded.compensate("s:a:compensation", of: "s:a:action:2") == .nothing)
            #expect(try await guarded.act("s:a:action:2") == .refused)
            #expect(try await guarded.act("s:a:action:3") == .run)
            #expect(try await guarded.effects() == ["s:a:action:3"])
        }
    }

    @Test(arguments: [true, false]) func aMendedUndoTakesThePlaceOfTheOneRefused(isOnRecord: Bool) async throws {
        try await GuardFixture.run { guarded async throws in
            _ = try await guarded.act("s:a:action", answer: #"{"id":7}"#)
            let begin = "SELECT saga_participant.begin_compensation('s:a:compensation', 's:a:action')"
            let finish = "SELECT saga_participant.finish('s:a:compensation', 422, '{}')"
            if isOnRecord { #expect(try await guarded.failure(of: [begin, finish]) == nil) }
            #expect(try await guarded.effects() == ["s:a:action"])
            #expect(try await guarded.compensate("s:a:compensation:2", of: "s:a:action") == .run(201, #"{"id":7}"#))
            #expect(try await guarded.effects() == [])
            let again = try await guarded.compensate("s:a:compensation:2", of: "s:a:action")
            #expect(again == .replay(200, #"{"undone":true}"#))
            // The one before, late: it finds nothing to undo, or its own refusal.
            let late = try await guarded.compensate("s:a:compensation", of: "s:a:action")
            #expect(late == (isOnRecord ? .replay(422, "{}") : .nothing))
            #expect(try await guarded.act("s:a:action") == .refused)
        }
    }

    @Test func anUndoUnderAnotherKeyIsNotBegunBesideOneThatIsUnderWay() async throws {
        try await GuardFixture.run { guarded async throws in
            _ = try await guarded.act("a")
            let second = [
                "SELECT saga_participant.begin_compensation('a:c', 'a')",
                "INSERT INTO effect SELECT decision FROM saga_participant.begin_compensation('a:c:2', 'a')",
                "SELECT saga_participant.finish('a:c', 200)",
            ]
            #expect(try await guarded.failure(of: second) == nil)
            #expect(try await guarded.effects() == ["a", "nothing"])
        }
    }

    @Test func keysAreToldApart() async throws {
        try await GuardFixture.run { guarded async throws in
            #expect(try await guarded.act("s:one:action") == .run)
            #expect(try await guarded.act("s:two:action") == .run)
            #expect(try await guarded.compensate("s:one:compensation", of: "s:one:action") == .run(201, #"{"id":1}"#))
            #expect(try await guarded.effects() == ["s:two:action"])
        }
    }

    @Test(arguments: [
        (
            ["SELECT saga_participant.begin_action('')"],
            Failure(sqlState: "22023", message: "an idempotency key has 1 to 255 bytes, not 0")
        ),
        (
            ["SELECT saga_participant.begin_action(NULL)"],
            Failure(sqlState: "22023", message: "an idempotency key has 1 to 255 bytes, not null")
        ),
        (
            ["SELECT saga_participant.begin_compensation('c', repeat('k', 256))"],
            Failure(sqlState: "22023", message: "an idempotency key has 1 to 255 bytes, not 256")
        ),
        (
            ["SELECT saga_participant.begin_compensation('a', 'a')"],
            Failure(sqlState: "22023", message: "compensation a can't compensate itself")
        ),
        (
            ["SELECT saga_participant.begin_action('done:c')"],
            Failure(sqlState: "22023", message: "key done:c is that of a compensation, not of an action")
        ),
        (
            ["SELECT saga_participant.begin_compensation('x', 'done:c')"],
            Failure(sqlState: "22023", message: "key done:c is that of a compensation, which can't be compensated")
        ),
        (
            ["SELECT saga_participant.begin_compensation('done', 'other')"],
            Failure(sqlState: "22023", message: "key done is that of another operation")
        ),
        (
            ["SELECT saga_participant.begin_action('a')", "SELECT saga_participant.begin_action('a')"],
            Failure(sqlState: "55000", message: "action a was begun twice in one transaction")
        ),
        (
            ["SELECT saga_participant.begin_action('a')", "SELECT saga_participant.begin_compensation('a:c', 'a')"],
            Failure(sqlState: "55000", message: "action a is begun and not finished in this transaction")
        ),
        (
            [
                "SELECT saga_participant.begin_compensation('other:c', 'other')",
                "SELECT saga_participant.begin_compensation('other:c', 'other')",
            ],
            Failure(sqlState: "55000", message: "compensation other:c was begun twice in one transaction")
        ),
        (
            ["SELECT saga_participant.begin_action('a')"],
            Failure(sqlState: "55000", message: "operation a was begun, but not finished")
        ),
        (
            ["SELECT saga_participant.begin_compensation('other:c', 'other')"],
            Failure(sqlState: "55000", message: "operation other:c was begun, but not finished")
        ),
        (
            ["SELECT saga_participant.finish('a', 200)"],
            Failure(sqlState: "55000", message: "operation a was not begun in this transaction")
        ),
        (
            ["SELECT saga_participant.finish('done', 200)"],
            Failure(sqlState: "55000", message: "operation done was not begun in this transaction")
        ),
        (
            ["SELECT saga_participant.begin_action('a')", "SELECT saga_participant.finish('a', 99)"],
            Failure(sqlState: "22023", message: "an answer's status is 200 to 599, not 99")
        ),
        (
            ["SELECT saga_participant.forget(interval '0')"],
            Failure(sqlState: "22023", message: "older_than must be a positive interval")
        ),
    ])
    func misuseIsAnErrorAndLeavesNothing(_ statements: [String], _ expected: Failure) async throws {
        try await GuardFixture.run { guarded async throws in
            _ = try await guarded.act("done")
            _ = try await guarded.compensate("done:c", of: "done")
            _ = try await guarded.act("other")
            let before = try await guarded.operations()
            #expect(try await guarded.failure(of: statements) == expected)
            #expect(try await guarded.operations() == before)
        }
    }

    @Test func forgettingSparesWhatIsYounger() async throws {
        try await GuardFixture.run { guarded async throws in
            _ = try await guarded.act("old")
            _ = try await guarded.act("new")
            _ = try await guarded.pool.query(
                "UPDATE saga_participant.operation SET begun_at = begun_at - interval '100 days' WHERE key = 'old'"
            )
            let forgotten = try await guarded.pool.query("SELECT saga_participant.forget(interval '90 days')")
            #expect(try forgotten.rows[0].decode(0, as: Int64.self) == 1)
            #expect(try await guarded.operations() == ["new - - 201"])
        }
    }

    @Test func manyMayInstallAtOnceAndAgain() async throws {
        try await GuardFixture.run(installing: false) { guarded async throws in
            for expected in [Decision.run, .replay(201, #"{"id":1}"#)] {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for _ in 0..<8 {
                        group.addTask { try await guarded.pool.execute(script: SagaSchema.participant) }
                    }
                    try await group.waitForAll()
                }
                #expect(try await guarded.act("a") == expected)
            }
            let triggers = try await guarded.pool.query(
                """
                SELECT count(*) FROM pg_trigger WHERE tgrelid = 'saga_participant.operation'::regclass
                """
            )
            #expect(try triggers.rows[0].decode(0, as: Int64.self) == 1)
        }
    }

    @Test func aServiceRoleNeedsTheDocumentedGrantsAndNoMore() async throws {
        try await GuardFixture.run { guarded async throws in
            let role = "service_\(UInt64.random(in: 0 ... .max))"
            try await guarded.pool.execute(
                script: """
                    CREATE ROLE \(role);
                    GRANT USAGE ON SCHEMA saga_participant TO \(role);
                    GRANT SELECT, INSERT, UPDATE ON saga_participant.operation TO \(role);
                    """
            )
            let asService = ["SET LOCAL ROLE \(role)", "SET LOCAL search_path = ''"]
            #expect(
                try await guarded.failure(
                    of: asService + [
                        "SELECT saga_participant.begin_action('a')", "SELECT saga_participant.finish('a', 201, '{}')",
                        "SELECT saga_participant.begin_compensation('a:c', 'a')",
                        "SELECT saga_participant.finish('a:c', 200, '{}')",
                    ]
                ) == nil
            )
            #expect(
                try await guarded.failure(of: asService + ["DELETE FROM saga_participant.operation"])
                    == Failure(sqlState: "42501", message: "permission denied for table operation")
            )
            #expect(try await guarded.operations() == ["a - a:c 201", "a:c a - 200"])
            try await guarded.pool.execute(script: "DROP OWNED BY \(role); DROP ROLE \(role)")
        }
    }
}

import JSON
import PostgresClient
import SagaCore
import SagaTestKit
import Testing

@testable import SagaPostgres

/// Histories that can't be, and rows that lead nowhere.
@Suite struct DoctorHistoryTests {
    // MARK: Rows without the others

    @Test func rowsThatLeadNowhereAreFound() async throws {
        try await DoctorFixture.with { fixture in
            try await fixture.define()
            var ids: [SagaID] = []
            for key in ["a", "b", "c", "d", nil, "f'"] {
                ids.append(try await fixture.program.startSaga("order", key: key))
            }
            try await fixture.run(
                """
                ALTER TABLE saga.event DISABLE TRIGGER USER;
                DELETE FROM saga.event WHERE saga_id = '\(ids[5])'; DELETE FROM saga.state WHERE id = '\(ids[5])';
                ALTER TABLE saga.event ENABLE TRIGGER USER;
                UPDATE saga.state SET key = 'x' WHERE id = '\(ids[1])';
                UPDATE saga.state SET key = NULL WHERE id = '\(ids[2])';
                UPDATE saga.key SET saga = 'other' WHERE key = 'd';
                INSERT INTO saga.key (key, saga_id, saga, input_hash) SELECT 'a2', saga_id, saga, input_hash
                    FROM saga.key WHERE key = 'a';
                INSERT INTO saga.dropped (partition, dropped_at, sagas) VALUES ('default', '2020-01-01', 1);
                DELETE FROM saga.state WHERE id = '\(ids[4])'
                """)
            let found = try await fixture.problems { $0.batch = 2 }
            #expect(
                found == [
                    """
                    error state-missing: 1 saga has events and no row in saga.state: nobody runs it (all of them): \
                    \(ids[4]): 1 event -> somebody deleted the row: restore it from a backup; what the saga did until \
                    then: SELECT * FROM saga.event WHERE saga_id = '\(ids[4])' ORDER BY sequence;
                    """,
                    """
                    error key-dangling: 1 key leads to a saga that isn't there (all of them): \(ids[5]): the key f' -> \
                    a start with that key is answered with a saga that never runs: restore the saga from a backup, or, \
                    where what it may have done is known not to matter, let the key be used anew, as the schema's owner: \
                    DELETE FROM saga.key WHERE key = 'f''';
                    """,
                    """
                    error key-differs: saga.key and the row differ for 4 sagas of 4 (all of them): \(ids[1]): its key x \
                    isn't in saga.key -> somebody wrote into the tables; compare, and put the wrong \
                    one right as the schema's owner: SELECT s.key, k.* FROM saga.state s LEFT JOIN \
                    saga.key k ON k.key = s.key OR k.saga_id = s.id WHERE s.id = '\(ids[1])';
                    """,
                ])
            // What retention has dropped leaves its keys.
            try await fixture.run(
                """
                INSERT INTO saga.dropped (partition, first_id, end_id, sagas)
                    VALUES ('20200101', '\(ids[5])', '\(SagaID(high: ids[5].high, low: ids[5].low &+ 1))', 1);
                UPDATE saga.state SET key = 'b' WHERE id = '\(ids[1])'; UPDATE saga.state SET key = 'c' WHERE id = '\(ids[2])';
                UPDATE saga.key SET saga = 'order' WHERE key = 'd'; DELETE FROM saga.key WHERE key = 'a2'
                """)
            #expect(try await fixture.problems().map { $0.prefix(20) } == ["error state-missing:"])
        }
    }

    /// A key isn't advised to be deleted where a start with it would do again what was done.
    @Test func keysAreDeletedOnlyWhereNothingWasDone() async throws {
        try await DoctorFixture.with { fixture in
            try await fixture.define()
            var ids: [SagaID] = []
            for key in ["a", "b", "c"] { ids.append(try await fixture.program.startSaga("order", key: key)) }
            let lost = "0198c1d2-7e5f-7c3a-9f10-3b8a1c2d4e5f"
            func dangling() async throws -> [String] {
                try await fixture.problems().filter { $0.hasPrefix("error key-dangling: ") }
            }
            // Its saga is there under another id.
            try await fixture.run("UPDATE saga.key SET saga_id = '\(lost)' WHERE key = 'a'")
            #expect(
                try await dangling() == [
                    """
                    error key-dangling: 1 key leads to a saga that isn't there (all of them): \(lost): the key a, and \
                    saga \(ids[0]) has it in its row -> somebody wrote into the tables; don't delete the key, or a start \
                    with it runs a second time; as the schema's owner: UPDATE saga.key SET saga_id = '\(ids[0])' WHERE \
                    key = 'a';
                    """
                ])
            try await fixture.run("UPDATE saga.key SET saga_id = '\(ids[0])' WHERE key = 'a'")
            // Its events are there.
            try await fixture.run("DELETE FROM saga.state WHERE id = '\(ids[1])'")
            let found = try await dangling()
            #expect(
                found == [
                    """
                    error key-dangling: 1 key leads to a saga that isn't there (all of them): \(ids[1]): the key b, and \
                    the saga's events are there -> don't delete the key: a start with it would do again what the events \
                    tell was done. Restore the row from a backup, or, as the schema's owner, with the id in \
                    saga.definition of what it ran on for DEFINITION: INSERT INTO saga.state (id, started_at, due_at, \
                    definition_id, status, key) SELECT saga_id, at, now(), DEFINITION, 2, 'b' FROM saga.event WHERE \
                    saga_id = '\(ids[1])' AND sequence = 1;
                    """
                ])
            let statement = try #require(found.first?.firstMatch(of: #/INSERT .*;/#))
            try await fixture.run(
                String(statement.0).replacing("DEFINITION", with: "(SELECT max(id) FROM saga.definition)"))
            // Its row says running, its events pending, until a daemon has looked at it.
            #expect(try await fixture.problems().map { $0.prefix(20) } == ["error state-differs:"])
        }
    }

    // MARK: Rows that can't be read, sagas that nobody looks at

    @Test func aRowThatCannotBeReadHidesNoOther() async throws {
        try await DoctorFixture.with { fixture in
            try await fixture.define()
            var ids: [SagaID] = []
            for _ in 0..<7 { ids.append(try await fixture.program.startSaga("order")) }
            try await fixture.program.append([(.sagaTerminated, #"{"actor":"ann"}"#)], to: ids[2], leaving: .terminated)
            try await fixture.program.append([(.sagaTerminated, #"{"actor":"ann"}"#)], to: ids[4], leaving: .stuck)
            try await fixture.run(
                """
                UPDATE saga.state SET status = 8 WHERE id IN ('\(ids[0])', '\(ids[2])', '\(ids[4])');
                ALTER TABLE saga.event ALTER COLUMN at DROP NOT NULL; ALTER TABLE saga.event DISABLE TRIGGER USER;
                UPDATE saga.event SET at = NULL WHERE saga_id = '\(ids[1])';
                ALTER TABLE saga.event ENABLE TRIGGER USER;
                UPDATE saga.state SET paused = true WHERE id = '\(ids[5])'
                """)
            for isDeep in [true, false] {
                let found = try await fixture.problems(deep: isDeep)
                let scope = isDeep ? "all of them" : "a sample; --deep looks at all"
                #expect(
                    found == [
                        """
                        error history-unreadable: this program can't read the history of 1 saga of 7 (\(scope)): \
                        \(ids[1]): column "at" is null -> somebody wrote into the tables: SELECT * \
                        FROM saga.state WHERE id = '\(ids[1])'; SELECT * FROM saga.event WHERE saga_id = '\(ids[1])' \
                        ORDER BY sequence; put right what can't be, or restore it from a backup
                        """,
                        """
                        error state-differs: the row differs from the events for 4 sagas of 7 (\(scope)): \(ids[0]): its \
                        row's status is 8, which is none; its events say pending -> somebody wrote into the tables; as \
                        the schema's owner: UPDATE saga.state SET status = 1 WHERE id = '\(ids[0])';
                        """,
                    ])
            }
            // What is advised is done, one after the other.
            var statements: [String] = []
            while let found = try await fixture.problems().last, let match = found.firstMatch(of: #/UPDATE .*;/#) {
                statements.append(String(match.0))
                try await fixture.run(String(match.0))
            }
            #expect(
                statements == [
                    "UPDATE saga.state SET status = 1 WHERE id = '\(ids[0])';",
                    "UPDATE saga.state SET status = 7 WHERE id = '\(ids[2])';",
                    """
                    UPDATE saga.state SET status = 7, ended_at = (SELECT max(at) FROM saga.event WHERE saga_id = \
                    '\(ids[4])' AND type IN (14, 15, 22)), owner = NULL, due_at = NULL WHERE id = '\(ids[4])';
                    """,
                ])
        }
    }

    @Test func sagasThatNobodyLooksAtAreFound() async throws {
        try await DoctorFixture.with { fixture in
            try await fixture.define()
            var ids: [SagaID] = []
            for _ in 0..<7 { ids.append(try await fixture.program.startSaga("order")) }
            try await fixture.program.append(
                [(.sagaPaused, #"{"actor":"ann","reason":"r"}"#)], to: ids[5], leaving: .pending)
            try await fixture.program.append(
                [(.stepStarted, #"{"step":"reserve","attempt":1}"#), (.sagaPaused, #"{"actor":"ann","reason":"r"}"#)],
                to: ids[6], leaving: .running)
            try await fixture.run(
                """
                ALTER TABLE saga.state DROP CONSTRAINT state_work_until_ended;
                UPDATE saga.state SET due_at = 'infinity' WHERE id = '\(ids[0])';
                UPDATE saga.state SET due_at = '2999-01-01' WHERE id = '\(ids[1])';
                UPDATE saga.state SET due_at = 'infinity', waits_for = 77 WHERE id = '\(ids[2])';
                UPDATE saga.state SET due_at = NULL WHERE id = '\(ids[3])';
                UPDATE saga.state SET due_at = 'infinity', waits_for = (SELECT id FROM saga.service) WHERE id = '\(ids[4])';
                UPDATE saga.state SET paused = true, due_at = 'infinity' WHERE id IN ('\(ids[5])', '\(ids[6])')
                """)
            let text = "error sagas-forgotten: no daemon looks at 5 sagas any more, or not in time of 7 (all of them): "
            let all = [ids[0], ids[1], ids[2], ids[3], ids[6]].map { "'\($0)'" }.joined(separator: ", ")
            let found = try await fixture.problems().filter { !$0.contains("constraint-missing") }
            #expect(
                found == [
                    """
                    \(text)\(ids[0]): it is never due, and its events have something to do now -> somebody wrote into \
                    the tables; as the schema's owner: UPDATE saga.state SET due_at = now() WHERE owner IS NULL AND id \
                    IN (\(all));
                    """
                ])
            let statement = try #require(found.first?.firstMatch(of: #/UPDATE .*;/#))
            try await fixture.run(String(statement.0))
            #expect(try await fixture.problems().filter { !$0.contains("constraint-missing") } == [])
            // Each with its reason.
            let reasons = [
                (
                    ids[1], "due_at = '2999-01-01T00:00:00Z'",
                    "it is due at 2999-01-01T00:00:00.000Z, and its events have something to do now"
                ),
                (ids[2], "due_at = 'infinity', waits_for = 77", "it waits for service 77, which isn't there"),
                (ids[3], "due_at = NULL", "nobody owns it, and it is never due"),
            ]
            for (id, change, reason) in reasons {
                try await fixture.run("UPDATE saga.state SET \(change) WHERE id = '\(id)'")
                let told = try await fixture.problems(deep: false).filter { !$0.contains("constraint-missing") }
                #expect(told.count == 1)
                #expect(told.first?.contains(": \(id): \(reason) -> ") == true)
                try await fixture.run("UPDATE saga.state SET due_at = now(), waits_for = NULL WHERE id = '\(id)'")
            }
        }
    }

    /// What is advised can be done: a saga that has ended can't be terminated, one that hasn't can.
    @Test func adviceGoesByWhetherItHasEnded() async throws {
        try await DoctorFixture.with { fixture in
            try await fixture.define()
            let ids = [try await fixture.program.startSaga("order"), try await fixture.program.startSaga("order")]
            for id in ids {
                try await fixture.program.append(
                    [(.stepStarted, #"{"step":"reserve","attempt":1}"#), (.sagaTerminated, #"{"actor":"ann"}"#)],
                    to: id, leaving: .terminated)
            }
            try await fixture.run(
                """
                ALTER TABLE saga.event DISABLE TRIGGER USER;
                DELETE FROM saga.event WHERE sequence = 2;
                INSERT INTO saga.event (saga_id, sequence, type, at, data) SELECT id, 2, 14, now(), '{"output": null}'
                    FROM saga.state WHERE id = '\(ids[1])';
                ALTER TABLE saga.event ENABLE TRIGGER USER;
                """)
            let settled = "it has ended, so nothing acts on it any more, and it goes with its day (saga prune)"
            #expect(
                try await fixture.problems() == [
                    """
                    error history-hole: events are missing from the history of 1 saga of 2 (all of them): \(ids[0]): \
                    event 2 is missing -> somebody deleted events: restore them from a backup; \(settled)
                    """,
                    """
                    error history-illegal: events that can't follow one another are in the history of 1 saga of 2 (all \
                    of them): \(ids[1]): event 2, SagaCompleted, completes the saga with step reserve left -> somebody \
                    wrote events by hand, or it is a defect: keep the output of saga events \(ids[1]) --format json and \
                    report it; see whether what it did is right; \(settled)
                    """,
                ])
            // The same with sagas that haven't ended.
            try await fixture.run(
                """
                ALTER TABLE saga.event DISABLE TRIGGER USER;
                DELETE FROM saga.event WHERE sequence > 1;
                ALTER TABLE saga.event ENABLE TRIGGER USER;
                INSERT INTO saga.event (saga_id, sequence, type, at, data) VALUES
                    ('\(ids[0])', 3, 2, now(), '{"step": "reserve", "attempt": 1}'),
                    ('\(ids[1])', 2, 3, now(), '{"step": "reserve", "attempt": 1, "output": null}');
                UPDATE saga.state SET status = 2, ended_at = NULL, due_at = 'infinity'
                """)
            let calls = try await fixture.problems().compactMap {
                $0.firstMatch(of: #/saga terminate ([0-9a-f-]+) --reason TEXT/#).map { String($0.1) }
            }
            #expect(calls == ids.map(\.description))
            for id in calls {
                #expect(try await fixture.program.run("terminate", id, "--reason", "lost").status == 0)
            }
        }
    }

    /// What is over by its events takes no command; its row is ended as they say.
    @Test func aRowIsEndedAsItsEventsAre() async throws {
        try await DoctorFixture.with { fixture in
            try await fixture.define()
            let id = try await fixture.program.startSaga("order")
            try await fixture.program.append([(.sagaCompleted, #"{"output": null}"#)], to: id, leaving: .running)
            let found = try #require(try await fixture.problems().first)
            #expect(found.hasPrefix("error history-illegal: "))
            let statement = try #require(found.firstMatch(of: #/UPDATE .*;/#))
            try await fixture.run(String(statement.0))
            #expect(
                try await fixture.problems() == [
                    """
                    error history-illegal: events that can't follow one another are in the history of 1 saga of 1 (all \
                    of them): \(id): event 2, SagaCompleted, completes the saga with step reserve left -> somebody \
                    wrote events by hand, or it is a defect: keep the output of saga events \(id) --format json and \
                    report it; see whether what it did is right; it has ended, so nothing acts on it any more, and it \
                    goes with its day (saga prune)
                    """
                ])
        }
    }

    // MARK: The order of events

    private static let transfer = Result { try Fixtures.definition(Fixtures.transfer) }
    private static let order = Result { try Fixtures.definition(Fixtures.order) }
    private static let failure = Event.AttemptFailure(attempt: 1, outcome: .failed, error: "No", message: "no")
    private static let turned = SagaFailure(step: 1, error: "No", message: "no")
    private static let expression = Event.AttemptFailure(
        attempt: 0, outcome: .failed, error: EngineError.expression, message: "no")
    private static var completed: [Event] {
        done(action(0)) + done(action(1)) + done(action(2)) + [.sagaCompleted(output: .null, failure: nil)]
    }
    private static let act = Event.Act(actor: "ann", reason: nil)
    private static func action(_ step: Int) -> OperationReference { .init(step: step, side: .action) }
    private static func undo(_ step: Int) -> OperationReference { .init(step: step, side: .compensation) }
    private static func done(_ operation: OperationReference) -> [Event] {
        [.started(operation, attempt: 1), .succeeded(operation, attempt: 1, output: .null)]
    }

    private static func fault(_ events: [Event], _ definition: Definition) -> String? {
        let history = ([.sagaStarted(input: .null)] + events).enumerated().map { index, event in
            RecordedEvent(
                sequence: index + 1, cause: nil, at: Instant(microseconds: 1_800_000_000_000_000), event: event)
        }
        return HistoryOrder.fault(of: history, id: Fixtures.id, definition: definition)
    }

    /// A cause is an event of before.
    @Test(arguments: [(1, nil), (2, nil), (0, 0), (3, 3), (4, 4), (-1, -1)] as [(Int, Int?)])
    func aCauseComesBefore(_ cause: Int, _ told: Int?) throws {
        let events = [.sagaStarted(input: .null)] + Self.done(Self.action(0))
        let history = events.enumerated().map { index, event in
            RecordedEvent(
                sequence: index + 1, cause: index == 2 ? cause : nil, at: Instant(microseconds: 0), event: event)
        }
        #expect(
            HistoryOrder.fault(of: history, id: Fixtures.id, definition: try Self.order.get())
                == told.map { "event 3, StepSucceeded, has event \($0) for its cause, which doesn't come before it" })
        let alone = [RecordedEvent(sequence: 1, cause: 1, at: Instant(microseconds: 0), event: events[0])]
        #expect(
            HistoryOrder.fault(of: alone, id: Fixtures.id, definition: try Self.order.get())
                == "event 1, SagaStarted, has event 1 for its cause, which doesn't come before it")
    }

    @Test(
        arguments: [
            (done(action(0)) + [.sagaStarted(input: .null)], "event 4, SagaStarted, starts it a second time"),
            ([.terminated(act), .resumed(act)], "event 3, SagaResumed, comes after the saga has ended: terminated"),
            (
                done(action(0)) + [.succeeded(action(0), attempt: 1, output: .null)],
                "event 4, StepSucceeded, tells of an outcome of step reserve, which has succeeded"
            ),
            (
                [.succeeded(action(0), attempt: 1, output: .null)],
                "event 2, StepSucceeded, tells of an outcome of step reserve, which was never begun"
            ),
            (
                [.succeeded(action(0), attempt: 0, output: .null)],
                "event 2, StepSucceeded, tells of an outcome of step reserve, which was never begun"
            ),
            (
                [.started(action(0), attempt: 1), .succeeded(action(0), attempt: 2, output: .null)],
                """
                event 3, StepSucceeded, tells of an outcome of attempt 2 of step reserve, and attempt 1 is under way
                """
            ),
            (
                [.failed(action(0), failure)],
                "event 2, StepFailed, tells of an outcome of step reserve, which was never begun"
            ),
            ([.started(action(0), attempt: 2)], "event 2, StepStarted, begins attempt 2 of step reserve after 0"),
            (
                [.started(action(0), attempt: 1), .started(action(0), attempt: 2)],
                "event 3, StepStarted, begins step reserve, which is under way"
            ),
            (
                [.started(action(1), attempt: 1)],
                "event 2, StepStarted, begins step charge before the steps that it comes after have ended"
            ),
            (
                [.paused(act), .started(action(0), attempt: 1)],
                "event 3, StepStarted, begins step reserve while the saga is paused"
            ),
            (
                done(action(0)) + [.sagaCompensating(turned), .started(action(1), attempt: 1)],
                "event 5, StepStarted, begins step charge though the saga has turned round"
            ),
            (
                done(action(0)) + [.started(undo(0), attempt: 1)],
                "event 4, CompensationStarted, begins the compensation of step reserve of a saga that is running"
            ),
            (
                done(action(0)) + [.stepSkipped(step: 0)],
                "event 4, StepSkipped, skips step reserve, which has begun"
            ),
            (
                [.sagaCompleted(output: .null, failure: nil)],
                "event 2, SagaCompleted, completes the saga with step reserve left"
            ),
            (
                done(action(0)) + [.sagaCompensating(turned), .sagaCompensated],
                "event 5, SagaCompensated, tells that all is undone, and step reserve isn't"
            ),
            (
                [.sagaCompensated],
                "event 2, SagaCompensated, tells that all is undone of a saga that hasn't turned round"
            ),
            (
                [.started(action(0), attempt: 1), .sagaStuck(turned)],
                "event 3, SagaStuck, comes while step reserve is out"
            ),
            ([.compensationRequested(act)], "event 2, SagaCompensationRequested, undoes a saga that hasn't completed"),
            (
                [.paused(act), .stepSkipped(step: 0)],
                "event 3, StepSkipped, skips step reserve while the saga is paused"
            ),
            (
                [.stepSkipped(step: 1)],
                "event 2, StepSkipped, skips step charge before the steps that it comes after have ended"
            ),
            (
                [.stepSkipped(step: 0), .stepSkipped(step: 0)],
                "event 3, StepSkipped, skips step reserve, which was skipped"
            ),
            (
                [.deferred(action(1), until: Fixtures.at(9), reason: "r")],
                "event 2, StepDeferred, holds back step charge before the steps that it comes after have ended"
            ),
            (
                [.failed(action(1), expression)],
                """
                event 2, StepFailed, fails the expressions of step charge before the steps that it comes after have ended
                """
            ),
            (
                [.cancelRequested(act), .started(action(0), attempt: 1)],
                "event 3, StepStarted, begins step reserve though the saga is cancelled"
            ),
            (
                done(action(0)) + [
                    .started(action(1), attempt: 1), .sagaCompensating(turned),
                    .attemptFailed(action(1), failure, next: Fixtures.at(9)),
                ], "event 6, StepAttemptFailed, tries step charge again though the saga has turned round"
            ),
            (
                done(action(0)) + done(action(1)) + [.sagaCompensating(turned), .started(undo(0), attempt: 1)],
                """
                event 7, CompensationStarted, begins the compensation of step reserve before step charge is undone
                """
            ),
            (
                done(action(0)) + [.sagaCompensating(turned), .started(undo(1), attempt: 1)],
                """
                event 5, CompensationStarted, begins the compensation of step charge, which isn't called for
                """
            ),
            (
                done(action(0)) + [
                    .started(action(1), attempt: 1), .sagaCompensating(turned), .started(undo(0), attempt: 1),
                ], "event 6, CompensationStarted, begins the compensation of step reserve while step charge is out"
            ),
            (
                done(action(0)) + done(action(1)) + [
                    .sagaCompensating(turned), .started(undo(1), attempt: 1), .failed(undo(1), failure),
                    .started(undo(0), attempt: 1),
                ],
                """
                event 9, CompensationStarted, begins the compensation of step reserve though that of step charge has \
                failed
                """
            ),
            (
                done(action(0)) + [.sagaCompensating(turned), .sagaStuck(turned)],
                "event 5, SagaStuck, comes though no compensation has failed for good"
            ),
            ([.sagaStuck(turned)], "event 2, SagaStuck, comes though no step has failed for good"),
            (
                [.started(action(0), attempt: 1), .failed(action(0), failure), .sagaStuck(turned)],
                "event 4, SagaStuck, comes though the saga can turn round"
            ),
            (
                completed + [.compensationRequested(act), .sagaCompleted(output: .null, failure: nil)],
                "event 10, SagaCompleted, completes a saga that has turned round"
            ),
            (
                completed + [.compensationRequested(act), .started(undo(1), attempt: 1)],
                """
                event 10, CompensationStarted, begins the compensation of step charge of a saga that hasn't turned round
                """
            ),
            (
                done(action(0)) + [
                    .sagaCompensating(turned), .started(undo(0), attempt: 1), .failed(undo(0), failure),
                    .sagaStuck(turned), .sagaCompensated,
                ], "event 8, SagaCompensated, tells that all is undone of a saga that is stuck"
            ),
            (done(action(0)) + [.sagaCompensating(turned)] + done(undo(0)) + [.sagaCompensated], nil),
            (done(action(0)) + done(action(1)) + done(action(2)) + [.sagaCompleted(output: .null, failure: nil)], nil),
        ] as [([Event], String?)])
    func eventsThatCannotFollow(_ events: [Event], _ expected: String?) throws {
        #expect(Self.fault(events, try Self.order.get()) == expected)
    }

    /// Past the point of no return nothing turns round, and what has failed there waits for a person.
    @Test func eventsThatCannotFollowThePivot() throws {
        let definition = try Self.transfer.get()
        let past =
            [.stepSkipped(step: 0)] + Self.done(Self.action(1)) + Self.done(Self.action(2))
            + [.started(Self.action(3), attempt: 1), .failed(Self.action(3), Self.failure)] as [Event]
        #expect(
            Self.fault(past + [.sagaCompensating(Self.turned)], definition)
                == "event 9, SagaCompensating, turns round a saga that is past its pivot")
        let stuck = past + [.sagaStuck(Self.turned)]
        #expect(Self.fault(stuck, definition) == nil)
        #expect(
            Self.fault(stuck + [.sagaCompleted(output: .null, failure: nil)], definition)
                == "event 10, SagaCompleted, completes a saga that is stuck")
        let resolved =
            stuck + [
                .stepResolved(Self.action(3), .done, output: nil, Self.act),
                .sagaCompleted(output: .null, failure: nil),
            ]
        #expect(Self.fault(resolved, definition) == nil)
        #expect(
            Self.fault(resolved + [.compensationRequested(Self.act)], definition)
                == "event 12, SagaCompensationRequested, undoes a saga that is past its pivot")
    }

    /// saga.cancel of earlier versions could come just after the end; it changes nothing then.
    @Test func aCancelThatCameTooLateIsNoFault() throws {
        #expect(Self.fault([.terminated(Self.act), .cancelRequested(Self.act)], try Self.order.get()) == nil)
    }

    /// Whatever comes to a saga, what is decided is in order.
    @Test(arguments: 0..<200)
    func whatIsDecidedIsInOrder(_ seed: UInt64) throws {
        let definition = try (seed.isMultiple(of: 2) ? Self.order : Self.transfer).get()
        var dice = Dice(state: seed &* 0x9E37_79B9_7F4A_7C15 &+ 1)
        let start = RecordedEvent(
            sequence: 1, cause: nil, at: Instant(microseconds: 0),
            event: .sagaStarted(input: RawJSON(unchecked: Array(#"{"amount": \#(dice.roll(200))}"#.utf8))))
        var history = [start]
        var state = try #require(
            SagaState(folding: history, id: Fixtures.id, key: nil, definition: definition))
        var now = Instant(microseconds: 0)
        for _ in 0..<60 where !(state.status.isEnded && dice.roll(3) > 0) {
            now = now + .seconds(Int64(dice.roll(30)))
            if dice.roll(8) == 0 {
                guard case .event(let event) = state.result(of: Self.command(&dice), by: Self.act, in: definition)
                else { continue }
                let recorded = RecordedEvent(sequence: state.sequence + 1, cause: nil, at: now, event: event)
                history.append(recorded)
                state.evolve(recorded, definition: definition)
            } else {
                let decision = decide(state, Self.input(state, &dice), now: now, definition: definition)
                history += decision.events
                state = decision.state
            }
        }
        #expect(HistoryOrder.fault(of: history, id: Fixtures.id, definition: definition) == nil)
    }

    private struct Dice {
        var state: UInt64
        mutating func roll(_ sides: UInt64) -> UInt64 {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return state % sides
        }
    }

    private static func command(_ dice: inout Dice) -> OperatorCommand {
        let step = ["reserve", "charge", "ship", "withdraw", "deposit", "receipt"][Int(dice.roll(6))]
        return switch dice.roll(9) {
        case 0: .cancel
        case 1: .pause
        case 2, 3: .resume
        case 4, 5: .retry
        case 6: .resolve(step: step, dice.roll(2) == 0 ? .done : .undone, output: nil)
        case 7: .compensate
        default: dice.roll(4) == 0 ? .terminate : .retry
        }
    }

    private static func input(_ state: SagaState, _ dice: inout Dice) -> SagaInput {
        let calls = state.callsInFlight
        if calls.isEmpty || dice.roll(6) == 0 { return dice.roll(4) == 0 ? .takenUp(ownCalls: []) : .proceed }
        let call = calls[Int(dice.roll(UInt64(calls.count)))]
        let refusal = Answer.Refusal(error: "No", message: "no", isRetryable: dice.roll(2) == 0)
        switch dice.roll(5) {
        case 0: return .answered(call.operation, attempt: call.attempt, .failed(refusal))
        case 1: return .answered(call.operation, attempt: call.attempt, .unknown(refusal))
        default: return .answered(call.operation, attempt: call.attempt, .done(output: .null))
        }
    }
}

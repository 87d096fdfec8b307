import JSON
import SagaCore
import Testing

@Suite struct StatusDocumentTests {
    @Test func compensatedSagaWithPayloadsByteForByte() throws {
        let definition = try Fixtures.definition(Fixtures.order)
        let state = try Fixtures.state(
            definition,
            input: #"{"price": 0.10, "id": 12345678901234567890}"#,
            key: "order-42",
            [
                .started(action(0), attempt: 1),
                .succeeded(action(0), attempt: 1, output: json(#"{"hold":1e2}"#)),
                .started(action(1), attempt: 1),
                .attemptFailed(action(1), failure(1, .unknown, "Saga.Timeout"), next: Fixtures.at(9)),
                .started(action(1), attempt: 2),
                .failed(action(1), failure(2, .failed, "CardDeclined", "no \"funds\"")),
                .sagaCompensating(SagaFailure(step: 1, error: "CardDeclined", message: "no \"funds\"")),
                .started(undo(1), attempt: 1),
                .succeeded(undo(1), attempt: 1, output: .null),
                .started(undo(0), attempt: 1),
                .attemptFailed(undo(0), failure(1, .failed, "Busy"), next: Fixtures.at(20)),
                .started(undo(0), attempt: 2),
                .succeeded(undo(0), attempt: 2, output: .null),
                .sagaCompensated,
            ]
        )
        #expect(
            StatusDocument(state, definition: definition).json.text
                == #"{"id":"01900000-0000-7000-8000-000000000001","saga":"order","version":""#
                + definition.digest.version
                + #"","key":"order-42","status":"compensated","paused":false,"#
                + #""input":{"price": 0.10, "id": 12345678901234567890},"output":null,"#
                + #""startedAt":"2026-01-01T00:00:00.000Z","endedAt":"2026-01-01T00:00:14.000Z","#
                + #""failure":{"step":"charge","error":"CardDeclined","message":"no \"funds\""},"steps":["#
                + #"{"name":"reserve","status":"compensated","outcome":"done","attempts":1,"output":{"hold":1e2},"#
                + #""error":null,"message":null,"nextAttemptAt":null,"#
                + #""compensation":{"status":"succeeded","attempts":2,"error":null,"message":null,"nextAttemptAt":null}},"#
                + #"{"name":"charge","status":"compensated","outcome":"unknown","attempts":2,"output":null,"#
                + #""error":"CardDeclined","message":"no \"funds\"","nextAttemptAt":null,"#
                + #""compensation":{"status":"succeeded","attempts":1,"error":null,"message":null,"nextAttemptAt":null}},"#
                + #"{"name":"ship","status":"pending","outcome":null,"attempts":0,"output":null,"#
                + #""error":null,"message":null,"nextAttemptAt":null,"compensation":null}],"stuck":null}"#
        )
    }

    @Test func stepThatWaitsSaysUntilWhen() throws {
        let definition = try Fixtures.definition(Fixtures.order)
        let state = try Fixtures.state(
            definition,
            [
                .started(action(0), attempt: 1),
                .attemptFailed(action(0), failure(1, .failed, "Busy"), next: Fixtures.at(60)),
                .paused(Event.Act(actor: "ann@desk", reason: nil)),
            ]
        )
        let document = StatusDocument(state, definition: definition)
        #expect(document.isPaused)
        #expect(document.status == .running)
        #expect(document.steps?.map(\.status) == [.backoff, .pending, .pending])
        #expect(document.steps?.map(\.nextAttemptAt) == [Fixtures.at(60), nil, nil])
        #expect(document.steps?.map(\.error) == ["Busy", nil, nil])
        #expect(state.firstStepDue(in: definition) == "reserve")
    }

    @Test func stuckSagaTakesNothingUpByItself() throws {
        let definition = try Fixtures.definition(Fixtures.order)
        let state = try Fixtures.state(
            definition,
            [
                .started(action(0), attempt: 1),
                .succeeded(action(0), attempt: 1, output: .null),
                .started(action(1), attempt: 1),
                .failed(action(1), failure(1, .unknown, "Saga.Timeout")),
                .sagaCompensating(SagaFailure(step: 1, error: "Saga.Timeout", message: "no")),
                .started(undo(1), attempt: 1),
                .failed(undo(1), failure(1, .failed, "Refused", "closed")),
                .sagaStuck(SagaFailure(step: 1, error: "Refused", message: "closed")),
            ]
        )
        let document = StatusDocument(state, definition: definition)
        #expect(document.status == .stuck)
        #expect(document.failure == .init(step: "charge", error: "Refused", message: "closed"))
        #expect(document.steps?.map(\.status) == [.succeeded, .compensationFailed, .pending])
        #expect(document.steps?.map(\.compensation?.status) == [.pending, .failed, nil])
        #expect(document.steps?.map(\.compensation?.nextAttemptAt) == [nil, nil, nil])
    }

    @Test func sagaThatCantBeReadIsStuckUnlessItHasEnded() {
        func document(_ status: SagaStatus) -> StatusDocument {
            StatusDocument(
                unreadable: "event 3 has the unknown type 99",
                id: Fixtures.id,
                saga: "order",
                version: "0123456789ab",
                key: nil,
                status: status,
                isPaused: false,
                input: json("{\n  \"a b\": [1,\n 2.50]\n}"),
                startedAt: Fixtures.at(0),
                endedAt: status.isEnded ? Fixtures.at(1) : nil
            )
        }
        #expect(
            document(.running).json.text
                == #"{"id":"01900000-0000-7000-8000-000000000001","saga":"order","version":"0123456789ab","key":null,"#
                + #""status":"stuck","paused":false,"input":{"a b":[1,2.50]},"output":null,"#
                + #""startedAt":"2026-01-01T00:00:00.000Z","endedAt":null,"#
                + #""failure":{"step":null,"error":"Saga.Unreadable","message":"event 3 has the unknown type 99"},"#
                + #""steps":[],"stuck":null}"#
        )
        #expect(document(.terminated).status == .terminated)
    }

    @Test func listShowsNoSteps() {
        let document = StatusDocument(
            id: Fixtures.id,
            saga: "order",
            version: "0123456789ab",
            key: "k",
            status: .completed,
            isPaused: false,
            input: json("{}"),
            output: json("null"),
            startedAt: Fixtures.at(0),
            endedAt: Fixtures.at(1),
            failure: nil,
            steps: nil
        )
        #expect(
            document.json.text
                == #"{"id":"01900000-0000-7000-8000-000000000001","saga":"order","version":"0123456789ab","key":"k","#
                + #""status":"completed","paused":false,"input":{},"output":null,"#
                + #""startedAt":"2026-01-01T00:00:00.000Z","endedAt":"2026-01-01T00:00:01.000Z","failure":null}"#
        )
    }

    @Test func overviewNamesEveryStatus() {
        let overview = Overview(
            sagas: [.running: 3, .stuck: 1],
            attention: [.init(saga: "order", step: nil, error: "Saga.Unreadable", count: 1, oldest: Fixtures.at(1))],
            oldestDue: .init(id: Fixtures.id, saga: "order", step: "charge", dueAt: Fixtures.at(2)),
            daemons: [.init(id: 4, host: "box", pid: 12, epoch: 1, leaseUntil: Fixtures.at(3), sagas: 2)]
        )
        #expect(
            overview.json.text
                == #"{"sagas":{"pending":0,"running":3,"compensating":0,"stuck":1,"completed":0,"compensated":0,"#
                + #""terminated":0},"attention":[{"saga":"order","step":null,"error":"Saga.Unreadable","count":1,"#
                + #""oldest":"2026-01-01T00:00:01.000Z"}],"oldestDue":{"id":"01900000-0000-7000-8000-000000000001","#
                + #""saga":"order","step":"charge","dueAt":"2026-01-01T00:00:02.000Z"},"#
                + #""daemons":[{"id":4,"host":"box","pid":12,"epoch":1,"leaseUntil":"2026-01-01T00:00:03.000Z","#
                + #""sagas":2}],"breakers":[]}"#
        )
        #expect(
            Overview(sagas: [:], attention: [], oldestDue: nil, daemons: []).json.text
                == #"{"sagas":{"pending":0,"running":0,"compensating":0,"stuck":0,"completed":0,"compensated":0,"#
                + #""terminated":0},"attention":[],"oldestDue":null,"daemons":[],"breakers":[]}"#
        )
    }
}

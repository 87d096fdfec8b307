import JSON
import SagaCore
import Testing

@Suite struct StuckReportTests {
    private static let id = "01900000-0000-7000-8000-000000000001"

    private static let payment = #"""
        {"saga": "payment", "services": {"bank": {"url": "https://bank/",
           "headers": {"Authorization": "Bearer ${env:T}", "X-Region": "${env:REGION:-eu}", "X-Trace": "service"}}},
         "steps": [
          {"name": "reserve", "action": {"http": {"service": "bank", "path": "/reserve"}},
           "compensation": {"http": {"service": "bank", "path": "/release"}}},
          {"name": "charge", "action": {"http": {"service": "bank", "path": "/charge"}},
           "compensation": {"http": {"service": "bank", "method": "PUT", "path": "/refund/${ input.order }",
             "query": {"token": "${ input.token }", "why": "${ failure.error }"}, "headers": {"x-trace": "own"},
             "body": {"charge": "${ steps.charge.output.id }", "card": {"pan": "4111"}, "note": "${ input.note }"}}}},
          {"name": "mail", "action": {"noop": {}}, "compensation": {"noop": {}}},
          {"name": "ship", "action": {"noop": {}}, "compensation": "none"}
        ]}
        """#

    /// Stuck on the refund of a charge that is in doubt, with a step before it still to undo.
    private static func stuck(note: String = "hi", extra: [Event] = []) throws -> (SagaState, Definition) {
        let definition = try Fixtures.definition(payment)
        let state = try Fixtures.state(
            definition,
            input: #"{"order": "a/b", "token": "geheim", "note": "\#(note)"}"#,
            [
                .started(action(0), attempt: 1), .succeeded(action(0), attempt: 1, output: .null),
                .started(action(1), attempt: 1), .failed(action(1), failure(1, .unknown, "Saga.Timeout")),
                .sagaCompensating(SagaFailure(step: 1, error: "Saga.Timeout", message: "no")),
                .started(undo(1), attempt: 1),
                .attemptFailed(undo(1), failure(1, .unknown, "Saga.HTTP.503"), next: Fixtures.at(7)),
                .started(undo(1), attempt: 2),
                .failed(undo(1), failure(2, .failed, "Refused", "closed")),
                .sagaStuck(SagaFailure(step: 1, error: "Refused", message: "closed")),
            ] + extra
        )
        return (state, definition)
    }

    @Test func requestIsShownAsItWentOutWithoutSecrets() throws {
        let (state, definition) = try Self.stuck()
        var document = StatusDocument(state, definition: definition)
        document.stuck = StuckReport(
            state, definition: definition, outcomes: [undo(1): .failed], now: Fixtures.at(60))
        let text = document.json.text
        let range = try #require(text.firstRange(of: #""stuck":"#))
        let expected = [
            #"{"done":["reserve"],"inDoubt":["charge"],"undone":[],"left":["charge","reserve"],"operations":["#,
            #"{"step":"charge","side":"compensation","attempts":2,"request":{"method":"PUT","#,
            #""url":"https://bank/refund/a%2Fb?token=***&why=Saga.Timeout","headers":{"Authorization":"***","#,
            #""X-Region":"${env:REGION:-eu}","x-trace":"own","#,
            #""Idempotency-Key":"\"ID:charge:compensation\"","#,
            #""Saga-Compensates":"\"ID:charge:action\""},"#,
            #""body":{"charge":null,"card":"***","note":"hi"},"bodyLength":49,"bodyCut":false},"#,
            #""outcome":"failed","error":"Refused","message":"closed"}],"choices":["#,
            #"{"command":"saga retry ID","#,
            #""leadsTo":"goes on undoing: calls the compensation of charge (attempt 3)"},"#,
            #"{"command":"saga resolve ID charge --done --reason TEXT","#,
            #""leadsTo":"goes on undoing: calls the compensation of charge (attempt 3)"},"#,
            #"{"command":"saga resolve ID charge --undone --reason TEXT","#,
            #""leadsTo":"goes on undoing: calls the compensation of reserve"},"#,
            #"{"command":"saga terminate ID --reason TEXT","#,
            #""leadsTo":"ends terminated; stays done: reserve; stays in doubt: charge"}]}}"#,
        ].joined()
        #expect(text[range.upperBound...].replacing(Self.id, with: "ID") == expected)
    }

    @Test func longBodyIsCutBetweenCharacters() throws {
        let (state, definition) = try Self.stuck(note: String(repeating: "ä", count: 3_000))
        let report = try #require(StuckReport(state, definition: definition, now: Fixtures.at(60)))
        let body = try #require(report.operations.first?.request?.body)
        #expect(body.isCut)
        #expect(body.length == 6_047)
        #expect(body.text == #"{"charge":null,"card":"***","note":""# + String(repeating: "ä", count: 982))
    }

    @Test func pausedSagaGoesOnOnceResumed() throws {
        let (state, definition) = try Self.stuck(extra: [.paused(.init(actor: "ann", reason: nil))])
        let report = try #require(StuckReport(state, definition: definition, now: Fixtures.at(60)))
        #expect(
            report.choices.map(\.leadsTo) == [
                "once resumed: goes on undoing: calls the compensation of charge (attempt 3)",
                "once resumed: goes on undoing: calls the compensation of charge (attempt 3)",
                "once resumed: goes on undoing: calls the compensation of reserve",
                "ends terminated; stays done: reserve; stays in doubt: charge",
            ]
        )
    }

    @Test func pivotInDoubtLeadsForwardOrBack() throws {
        let definition = try Fixtures.definition(Fixtures.transfer)
        let state = try Fixtures.state(
            definition,
            input: #"{"amount": 1}"#,
            [
                .stepSkipped(step: 0), .started(action(1), attempt: 1),
                .succeeded(action(1), attempt: 1, output: .null), .started(action(2), attempt: 1),
                .failed(action(2), failure(1, .unknown, "Saga.BadResponse", "no JSON")),
                .sagaStuck(SagaFailure(step: 2, error: "Saga.BadResponse", message: "no JSON")),
            ]
        )
        let report = try #require(StuckReport(state, definition: definition, now: Fixtures.at(60)))
        #expect(report.done == ["withdraw"])
        #expect(report.inDoubt == ["deposit"])
        #expect(report.left == [])
        #expect(report.operations.map(\.request?.url) == ["http://127.0.0.1:9/deposit"])
        #expect(
            report.choices.map { [$0.command.replacing(Self.id, with: "ID"), $0.leadsTo] } == [
                ["saga retry ID", "goes forward: calls deposit (attempt 2)"],
                ["saga resolve ID deposit --done --reason TEXT", "goes forward: calls receipt"],
                ["saga resolve ID deposit --undone --reason TEXT", "turns back: calls the compensation of withdraw"],
                ["saga terminate ID --reason TEXT", "ends terminated; stays done: withdraw; stays in doubt: deposit"],
            ]
        )
    }

    @Test func lastStepAfterThePivotLeadsToTheEnd() throws {
        let definition = try Fixtures.definition(Fixtures.transfer)
        let state = try Fixtures.state(
            definition,
            input: #"{"amount": 1}"#,
            [
                .stepSkipped(step: 0), .started(action(1), attempt: 1),
                .succeeded(action(1), attempt: 1, output: .null), .started(action(2), attempt: 1),
                .succeeded(action(2), attempt: 1, output: .null),
                .failed(action(3), failure(0, .failed, "Saga.Expression", "no such member")),
                .sagaStuck(SagaFailure(step: 3, error: "Saga.Expression", message: "no such member")),
            ]
        )
        let report = try #require(StuckReport(state, definition: definition, now: Fixtures.at(60)))
        #expect(report.operations.map(\.request) == [nil])
        #expect(
            report.choices.map { [$0.command.replacing(Self.id, with: "ID"), $0.leadsTo] } == [
                ["saga retry ID", "goes forward: calls receipt"],
                ["saga retry ID --input-patch FILE", "goes forward: calls receipt"],
                ["saga resolve ID receipt --done --reason TEXT", "ends completed"],
                ["saga resolve ID receipt --undone --reason TEXT", "goes forward: calls receipt"],
                ["saga terminate ID --reason TEXT", "ends terminated; stays done: withdraw, deposit"],
            ]
        )
    }

    @Test func lostCallIsWaitedFor() throws {
        let definition = try Fixtures.definition(Fixtures.order)
        // A person's word while a lost daemon's call may still arrive: nothing is undone before its timeout.
        let state = try Fixtures.state(
            definition,
            [
                .started(action(0), attempt: 1), .succeeded(action(0), attempt: 1, output: .null),
                .started(action(1), attempt: 1),
                .failed(action(1), failure(1, .unknown, EngineError.daemonLost)),
                .sagaCompensating(SagaFailure(step: 1, error: EngineError.daemonLost, message: "no")),
                .failed(undo(1), failure(0, .failed, "Saga.Expression")),
                .sagaStuck(SagaFailure(step: 1, error: "Saga.Expression", message: "no")),
            ]
        )
        let report = try #require(StuckReport(state, definition: definition, now: Fixtures.at(10)))
        let wait = "waits until 2026-01-01T00:00:33.000Z, then goes on undoing: calls the compensation of "
        #expect(
            report.choices.map { [$0.command.replacing(Self.id, with: "ID"), $0.leadsTo] } == [
                ["saga retry ID", wait + "charge"], ["saga retry ID --input-patch FILE", wait + "charge"],
                ["saga resolve ID charge --done --reason TEXT", wait + "charge"],
                ["saga resolve ID charge --undone --reason TEXT", wait + "reserve"],
                ["saga terminate ID --reason TEXT", "ends terminated; stays done: reserve; stays in doubt: charge"],
            ]
        )
    }

    @Test func onlyStuckSagasHaveOne() throws {
        let definition = try Fixtures.definition(Fixtures.order)
        let state = try Fixtures.state(definition, [.started(action(0), attempt: 1)])
        #expect(StuckReport(state, definition: definition, now: Fixtures.at(1)) == nil)
    }

    @Test func unreadableSagaCanOnlyBeRetriedWhereItCanBeRead() {
        #expect(
            StuckReport(unreadable: Fixtures.id, canBeRetried: true).choices.map(\.command)
                == ["saga retry \(Self.id)", "saga terminate \(Self.id) --reason TEXT"]
        )
        #expect(
            StuckReport(unreadable: Fixtures.id, canBeRetried: false).choices.map(\.leadsTo) == ["ends terminated"])
    }
}

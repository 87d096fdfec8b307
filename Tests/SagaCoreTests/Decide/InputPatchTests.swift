import CEL
import JSON
import SagaCore
import Testing

/// A retry with a changed input: what sees it, under which key, and when it is refused.
@Suite struct InputPatchTests {
    // MARK: What sees it

    @Test func aStuckCompensationIsCalledAnewUnderANewKey() {
        var saga = stuckUndo(input: #"{"n":1.0,"to":"x"}"#)
        saga.command(
            .retryPatched(json(#"{"to":"y"}"#)), at: 9,
            then: [#"retried, patch {"to":"y"}"#, "begin undo b #2"], calls: ["undo b #2"])
        #expect(saga.calls.map(\.idempotencyKey) == ["\(sagaID):b:compensation:2"])
        #expect(saga.calls.map(\.compensates) == ["\(sagaID):b:action"])
        #expect(body(saga) == #"{"n":1.0,"to":"y"}"#)
        saga.when(
            .failed(1, .compensation, 2), at: 10, then: ["failed undo b #2 Busy, next 00:11.000Z"])
        saga.when(.proceed, at: 11, then: ["begin undo b #3"], calls: ["undo b #3"])
        #expect(saga.calls.map(\.idempotencyKey) == ["\(sagaID):b:compensation:2"])
        #expect(body(saga) == #"{"n":1.0,"to":"y"}"#)
        saga.when(.undone(1, 3), then: ["done undo b #3", "begin undo a #1"], calls: ["undo a #1"])
        // One that begins later sees the newest, under its plain key.
        #expect(saga.calls.map(\.idempotencyKey) == ["\(sagaID):a:compensation"])
        #expect(body(saga) == #"{"n":1.0,"to":"y"}"#)
        #expect(saga.state.input.text == #"{"n":1.0,"to":"x"}"#)
    }

    @Test func eachPatchAddsToTheOnesBefore() {
        var saga = stuckUndo(input: #"{"n":1}"#)
        for revision in 2...4 {
            saga.command(
                .retryPatched(json(#"{"r\#(revision)":null,"q\#(revision)":\#(revision)}"#)),
                then: [
                    #"retried, patch {"r\#(revision)":null,"q\#(revision)":\#(revision)}"#, "begin undo b #\(revision)",
                ], calls: ["undo b #\(revision)"])
            #expect(saga.calls.map(\.idempotencyKey) == ["\(sagaID):b:compensation:\(revision)"])
            saga.when(
                .refused(1, .compensation, revision),
                then: ["failed for good undo b #\(revision) No", "stuck: b No"])
        }
        #expect(saga.state.newestInput.text == #"{"n":1,"q2":2,"q3":3,"q4":4}"#)
        saga.command(.retry, then: ["retried", "begin undo b #5"], calls: ["undo b #5"])
        #expect(saga.calls.map(\.idempotencyKey) == ["\(sagaID):b:compensation:4"])
        #expect(body(saga) == saga.state.newestInput.text)
    }

    /// p is done before any patch, x after the first, w fails once more.
    @Test func whatBeganBeforeKeepsItsInput() {
        var saga = Specification(
            definition([
                step("p", after: [], compensation: false, pivot: true),
                step("x", after: ["p"], compensation: false, action: echo),
                step("w", after: ["x"], compensation: false, action: echo),
            ]), input: "{}")
        saga.when(.proceed, then: ["begin p #1"], calls: ["p #1"])
        saga.when(.done(0), then: ["done p #1", "begin x #1"], calls: ["x #1"])
        saga.when(.refused(1), then: ["failed for good x #1 No", "stuck: x No"])
        saga.command(
            .retryPatched(json(#"{"a":1}"#)), then: [#"retried, patch {"a":1}"#, "begin x #2"], calls: ["x #2"])
        #expect(saga.calls.map(\.idempotencyKey) == ["\(sagaID):x:action:2"])
        saga.when(.done(1, 2), then: ["done x #2", "begin w #1"], calls: ["w #1"])
        #expect(saga.calls.map(\.idempotencyKey) == ["\(sagaID):w:action"])
        #expect(body(saga) == #"{"a":1}"#)
        saga.when(.refused(2), then: ["failed for good w #1 No", "stuck: w No"])
        saga.command(
            .retryPatched(json(#"{"b":2}"#)), then: [#"retried, patch {"b":2}"#, "begin w #2"], calls: ["w #2"])
        #expect(body(saga) == #"{"a":1,"b":2}"#)
        #expect(saga.state.input(of: action(0)).text == "{}")
        #expect(saga.state.input(of: action(1)).text == #"{"a":1}"#)
        #expect(saga.state.input(of: action(2)).text == #"{"a":1,"b":2}"#)
    }

    /// Under `continue` two undos of three fail; the third was tried again and done with what it first saw.
    @Test func onlyWhatTheRetryTakesUpIsBoundAnew() {
        var saga = Specification(
            definition(
                ["a", "b", "c"].map { step($0, after: [], compensationKind: echo) } + [
                    step("z", after: ["a", "b", "c"])
                ],
                onCompensationFailure: .continue), input: "{}")
        saga.when(.proceed, then: ["begin a #1", "begin b #1", "begin c #1"], calls: ["a #1", "b #1", "c #1"])
        saga.when(.done(0), then: ["done a #1"])
        saga.when(.done(1), then: ["done b #1"])
        saga.when(.done(2), then: ["done c #1", "begin z #1"], calls: ["z #1"])
        saga.when(
            .refused(3),
            then: ["failed for good z #1 No", "turn: z No", "begin undo c #1", "begin undo b #1", "begin undo a #1"],
            calls: ["undo c #1", "undo b #1", "undo a #1"])
        saga.when(.refused(0, .compensation), then: ["failed for good undo a #1 No"])
        saga.when(.undone(1), then: ["done undo b #1"])
        saga.when(.refused(2, .compensation), then: ["failed for good undo c #1 No", "stuck: c No"])
        saga.command(
            .retryPatched(json(#"{"a":1}"#)), then: [#"retried, patch {"a":1}"#, "begin undo c #2", "begin undo a #2"],
            calls: ["undo c #2", "undo a #2"])
        #expect(saga.calls.map(\.idempotencyKey) == ["\(sagaID):c:compensation:2", "\(sagaID):a:compensation:2"])
        #expect(saga.state.input(of: undo(0)).text == #"{"a":1}"#)
        #expect(saga.state.input(of: undo(1)).text == "{}")
        #expect(saga.state.input(of: action(0)).text == "{}")
    }

    @Test func anOperationThatNeverWentOutKeepsItsKey() {
        // An empty input has no `to`: the expression fails before any attempt.
        var saga = Specification(
            definition([step("a", compensationKind: call(body: "${ input.to }")), step("b")]), input: "{}")
        saga.when(.proceed, then: ["begin a #1"], calls: ["a #1"])
        saga.when(.done(0), then: ["done a #1", "begin b #1"], calls: ["b #1"])
        saga.when(
            .refused(1),
            then: [
                "failed for good b #1 No", "turn: b No", "failed for good undo a #0 Saga.Expression",
                "stuck: a Saga.Expression",
            ])
        saga.command(
            .retryPatched(json(#"{"to":"y"}"#)), then: [#"retried, patch {"to":"y"}"#, "begin undo a #1"],
            calls: ["undo a #1"])
        #expect(saga.calls.map(\.idempotencyKey) == ["\(sagaID):a:compensation"])
        #expect(body(saga) == #""y""#)
    }

    @Test func aPausedSagaIsPatchedOnceAndGoesOnWhenItIsResumed() {
        var saga = stuckUndo(input: "{}")
        saga.command(.pause, then: ["paused"])
        saga.command(.retryPatched(json(#"{"a":1}"#)), then: [#"retried, patch {"a":1}"#])
        #expect(
            saga.result(of: .retryPatched(json("{}")))
                == .refused("only a stuck saga can be retried, this one is compensating"))
        saga.command(.resume, then: ["resumed", "begin undo b #2"], calls: ["undo b #2"])
        #expect(saga.calls.map(\.idempotencyKey) == ["\(sagaID):b:compensation:2"])
    }

    @Test func aCallNamesTheKeyInForceOfWhatItUndoes() {
        let call = Call(
            saga: sagaID, sagaName: "test", stepName: "a", operation: undo(0), attempt: 7, timeout: .seconds(1),
            request: .noop, keyRevision: 3, actionKeyRevision: 2)
        #expect(call.idempotencyKey == "\(sagaID):a:compensation:3")
        #expect(call.compensates == "\(sagaID):a:action:2")
    }

    // MARK: When it is refused

    @Test func onlyWhereEveryAttemptCertainlyFailed() {
        var saga = Specification(definition([step("a"), step("b")]))
        saga.when(.proceed, then: ["begin a #1"], calls: ["a #1"])
        saga.when(.done(0), then: ["done a #1", "begin b #1"], calls: ["b #1"])
        saga.when(
            .refused(1), then: ["failed for good b #1 No", "turn: b No", "begin undo a #1"], calls: ["undo a #1"])
        saga.when(.lost(0, .compensation), at: 1, then: ["unknown undo a #1 Saga.Timeout, next 00:02.000Z"])
        saga.when(.proceed, at: 2, then: ["begin undo a #2"], calls: ["undo a #2"])
        saga.when(.refused(0, .compensation, 2), then: ["failed for good undo a #2 No", "stuck: a No"])
        let patch = OperatorCommand.retryPatched(json("{}"))
        #expect(
            saga.result(of: patch)
                == .refused(
                    "the compensation of a may have happened as it was called, so it can't be called otherwise; find "
                        + "out, and state it: saga resolve \(sagaID) a --undone when it was undone, else --done"))
        // The effect of a stands: then no undo of it had any, and the next refusal can be mended.
        saga.command(
            .resolve(step: "a", .done, output: nil), then: ["undo a resolved done", "begin undo a #3"],
            calls: ["undo a #3"])
        saga.when(.refused(0, .compensation, 3), then: ["failed for good undo a #3 No", "stuck: a No"])
        saga.command(patch, then: ["retried, patch {}", "begin undo a #4"], calls: ["undo a #4"])
        #expect(saga.calls.map(\.idempotencyKey) == ["\(sagaID):a:compensation:2"])
    }

    @Test func aPivotInDoubtIsResolvedFirst() {
        var saga = Specification(definition([step("p", compensation: false, pivot: true)]), input: "{}")
        saga.when(.proceed, then: ["begin p #1"], calls: ["p #1"])
        saga.when(
            .lost(0, isRetryable: false), then: ["unknown for good p #1 Saga.Timeout", "stuck: p Saga.Timeout"])
        #expect(
            saga.result(of: .retryPatched(json("{}")))
                == .refused(
                    "step p may have happened as it was called, so it can't be called otherwise; find out, and state "
                        + "it: saga resolve \(sagaID) p --done or --undone"))
    }

    @Test func whatIsNotStuckIsNotPatched() {
        var saga = Specification(definition([step("a")]))
        saga.when(.proceed, then: ["begin a #1"], calls: ["a #1"])
        #expect(
            saga.result(of: .retryPatched(json("{}")))
                == .refused("only a stuck saga can be retried, this one is running"))
    }

    @Test func theResultFitsTheSchemaOfTheInput() throws {
        let schema = try JSON.parse(
            Array(
                #"{"type":"object","properties":{"n":{"type":"integer"},"to":{"type":"string"}},"required":["n"]}"#.utf8
            ))
        let saga = stuckUndo(input: #"{"n":1}"#, schema: InputSchema(schema))
        func refusal(_ patch: String) -> String? {
            guard case .refused(let reason) = saga.result(of: .retryPatched(json(patch))) else { return nil }
            return reason
        }
        #expect(refusal(#"{"to":"y"}"#) == nil)
        #expect(
            refusal(#"{"to":7}"#) == "the patched input breaks the schema of test: /to must be a string, not a number"
        )
        #expect(
            refusal(#"{"n":null,"to":7}"#)
                == "the patched input breaks the schema of test in 2 places: /to must be a string, not a number; "
                + "the input has no `n`")
        #expect(
            refusal("[]") == "the patched input breaks the schema of test: the input must be an object, not an array")
    }

    @Test func withoutASchemaItIsAnObjectOfAtMostOneMebibyte() {
        let saga = stuckUndo(input: #"{"n":1}"#)
        func result(_ patch: String) -> CommandResult { saga.result(of: .retryPatched(json(patch))) }
        let noObject = CommandResult.refused(
            "the patched input isn't an object: a merge patch is an object of what changes")
        #expect(result("null") == noObject)
        #expect(result("[1]") == noObject)
        #expect(result("{") == .refused("the patch isn't JSON"))
        let room = 1_048_576 - #"{"n":1,"s":""}"#.utf8.count
        let longest = #"{"s":"\#(String(repeating: "x", count: room))"}"#
        let tooLong = #"{"s":"\#(String(repeating: "x", count: room + 1))"}"#
        #expect(result(longest) == .event(.retried(.init(actor: "ann", reason: "test"), patch: json(longest))))
        #expect(result(tooLong) == .refused("the patched input has 1048577 bytes, more than 1048576"))
    }

    // MARK: Given

    private let echo = call(body: "${ input }")

    /// The undo of b, called with the input as body, was refused for good.
    private func stuckUndo(input: String, schema: InputSchema? = nil) -> Specification {
        var saga = Specification(
            definition(
                [step("a", compensationKind: echo), step("b", compensationKind: echo), step("z")], inputSchema: schema),
            input: input)
        saga.when(.proceed, then: ["begin a #1"], calls: ["a #1"])
        saga.when(.done(0), then: ["done a #1", "begin b #1"], calls: ["b #1"])
        saga.when(.done(1), then: ["done b #1", "begin z #1"], calls: ["z #1"])
        saga.when(
            .refused(2), then: ["failed for good z #1 No", "turn: z No", "begin undo b #1"], calls: ["undo b #1"])
        saga.when(.refused(1, .compensation), then: ["failed for good undo b #1 No", "stuck: b No"])
        return saga
    }

    private func action(_ step: Int) -> OperationReference { OperationReference(step: step, side: .action) }

    private func undo(_ step: Int) -> OperationReference { OperationReference(step: step, side: .compensation) }

    /// What the first call that goes out has as its body.
    private func body(_ saga: Specification) -> String? {
        guard case .http(let request)? = saga.calls.first?.request else { return nil }
        return request.body?.text
    }
}

import CEL
import JSON
import SagaCore
import Testing

/// What a definition's expressions see, and what goes out with a call.
@Suite struct ExpressionTests {
    private func parse(_ text: String) throws -> Definition {
        let parsed = DefinitionParser.parse(Array(text.utf8))
        return try #require(parsed.definition, "\(parsed.findings.map(\.text))")
    }

    private func start(_ definition: Definition, input: String) throws -> SagaState {
        let start = RecordedEvent(sequence: 1, cause: nil, at: at(0), event: .sagaStarted(input: json(input)))
        return try #require(SagaState(folding: [start], id: sagaID, key: "k-1", definition: definition))
    }

    private func body(_ call: Call?) throws -> String {
        guard case .http(let request) = try #require(call).request else { return "no HTTP" }
        return "\(request.method) \(request.target) \(request.body?.text ?? "–")"
    }

    private let booking = """
        {"saga": "s", "services": {"a": {"url": "http://a"}}, "steps": [
          {"name": "book", "action": {"http": {"service": "a", "path": "/books/${ input.name }", "query": {"q": "${ saga.key }"},
             "body": {"amount": "${ input.amount }", "half": "${ input.count / 2 }", "note": "for ${ input.name }, $${x}"}}},
           "compensation": {"http": {"service": "a", "method": "DELETE", "path": "/books",
             "body": {"id": "${ steps.book.output.id }", "first": "${ steps.book.output.seats[0].row }",
                      "has": "${ has(steps.book.output.id) }", "isNull": "${ steps.book.output.id == null }",
                      "whole": "${ steps.book.output }", "error": "${ failure.error }", "in": "${ failure.step }"}}}},
          {"name": "pay", "when": "${ steps.book.output.price > 0 }", "compensation": "none",
           "action": {"http": {"service": "a", "path": "/pay", "body": "${ steps.book.output.price }"}}}],
         "output": {"price": "${ steps.book.output.price }", "paid": "${ steps.pay.status }"}}
        """

    @Test func aCallCarriesWhatItsExpressionsGiveAndNumbersStayAsWritten() throws {
        let definition = try parse(booking)
        let state = try start(definition, input: #"{"name": "Ann & Co/ü", "amount": 0.10, "count": 7}"#)
        let begun = decide(state, .proceed, now: at(0), definition: definition)
        #expect(
            try body(begun.calls.first)
                == #"POST /books/Ann%20%26%20Co%2F%C3%BC?q=k-1 {"amount":0.10,"half":3,"note":"for Ann & Co/ü, ${x}"}"#)
        let answered = decide(
            begun.state, .done(0, output: #"{"id": "b-1", "price": 1.50}"#), now: at(1), definition: definition)
        #expect(try body(answered.calls.first) == "POST /pay 1.50")
        let ended = decide(answered.state, .done(1), now: at(2), definition: definition)
        #expect(ended.state.status == .completed)
        #expect(ended.state.output?.text == #"{"price":1.50,"paid":"succeeded"}"#)
    }

    @Test func aStepWhoseWhenIsFalseIsSkippedAndTheRestGoesOn() throws {
        let definition = try parse(booking)
        let begun = decide(
            try start(definition, input: #"{"name": "n", "amount": 1, "count": 1}"#), .proceed, now: at(0),
            definition: definition)
        let ended = decide(begun.state, .done(0, output: #"{"price": 0}"#), now: at(1), definition: definition)
        #expect(ended.events.map { $0.event.type } == [.stepSucceeded, .stepSkipped, .sagaCompleted])
        #expect(ended.state.output?.text == #"{"price":0,"paid":"skipped"}"#)
    }

    /// What the warning `may-be-skipped` says, and what it takes for an answer to it.
    @Test(arguments: [
        ("steps.a.output.id", nil), ("has(steps.a.output.id)", nil), ("steps.a.output + 1", nil),
        ("steps.a.output", "null"), ("steps.a.status == 'succeeded' ? steps.a.output.id : 0", "0"),
        ("steps.a.output == null ? 0 : steps.a.output.id", "0"),
    ])
    func belowTheOutputOfASkippedStepThereIsNothingToRead(_ expression: String, _ output: String?) throws {
        let definition = try parse(
            #"{"saga": "s", "steps": [{"name": "a", "when": "input.n > 1", "action": {"noop": {}}}, "#
                + #"{"name": "b", "action": {"pass": "${ \#(expression) }"}}], "output": "${ steps.b.output }"}"#)
        let ended = decide(try start(definition, input: #"{"n": 1}"#), .proceed, now: at(0), definition: definition)
        #expect(ended.state.status == (output == nil ? .compensated : .completed))
        #expect(ended.state.output?.text == output)
    }

    @Test func belowTheOutputOfAStepThatIsNotDoneACompensationReadsNull() throws {
        let definition = try parse(booking)
        let begun = decide(
            try start(definition, input: #"{"name": "n", "amount": 1, "count": 1}"#), .proceed, now: at(0),
            definition: definition)
        let turned = decide(begun.state, .lost(0, isRetryable: false), now: at(1), definition: definition)
        #expect(
            try body(turned.calls.first)
                == #"DELETE /books {"id":null,"first":null,"has":false,"isNull":true,"whole":null,"error":"Saga.Timeout","in":"book"}"#
        )
    }

    @Test func anExpressionThatFailsFailsTheStepWithoutACall() throws {
        let definition = try parse(booking)
        let refused = decide(
            try start(definition, input: #"{"name": "n"}"#), .proceed, now: at(0), definition: definition)
        #expect(refused.calls.isEmpty)
        #expect(refused.events.map { $0.event.type } == [.stepFailed, .sagaCompensating, .sagaCompensated])
        #expect(refused.state.failure?.error == "Saga.Expression")
        #expect(refused.state.steps[0].action.attempts == 0)
        let begun = decide(
            try start(definition, input: #"{"name": "n", "amount": 1, "count": 1}"#), .proceed, now: at(0),
            definition: definition)
        let noPrice = decide(
            begun.state, .done(0, output: #"{"id": 7, "seats": [{"row": 1}]}"#), now: at(1), definition: definition)
        #expect(noPrice.state.status == .compensating)
        #expect(noPrice.state.failure?.step == 1)
        #expect(try body(noPrice.calls.first).contains(#""error":"Saga.Expression","in":"pay""#))
    }

    @Test func aWhenThatIsNoBooleanFailsTheStep() throws {
        let definition = try parse(
            #"{"saga": "s", "steps": [{"name": "a", "when": "${ input }", "action": {"noop": {}}}]}"#)
        let ended = decide(try start(definition, input: "7"), .proceed, now: at(0), definition: definition)
        #expect(ended.state.failure?.error == "Saga.Expression")
        let null = decide(try start(definition, input: "null"), .proceed, now: at(0), definition: definition)
        #expect(null.events.map { $0.event.type } == [.stepSkipped, .sagaCompleted])
    }

    @Test func anOutputThatFailsTurnsTheSagaRoundUnlessItIsPastItsPivot() throws {
        let before = try parse(
            #"{"saga": "s", "steps": [{"name": "a", "action": {"pass": 1}, "compensation": {"pass": 2}}], "output": "${ input.missing }"}"#
        )
        let undone = decide(try start(before, input: "{}"), .proceed, now: at(0), definition: before)
        #expect(undone.state.status == .compensated)
        #expect(undone.state.failure?.error == "Saga.Expression")
        let past = try parse(
            #"{"saga": "s", "steps": [{"name": "a", "pivot": true, "action": {"pass": 1}}], "output": "${ input.missing }"}"#
        )
        let done = decide(try start(past, input: "{}"), .proceed, now: at(0), definition: past)
        #expect(done.state.status == .completed)
        guard case .sagaCompleted(let output, let failure) = done.events.last?.event else {
            Issue.record("not completed")
            return
        }
        #expect(output == .null)
        #expect(failure?.error == "Saga.Expression")
        #expect(done.state.failure == failure)
    }

    @Test func aRetriedStepWhoseWhenFailedIsAskedItsWhenAgain() throws {
        let definition = try parse(
            """
            {"saga": "s", "steps": [{"name": "p", "pivot": true, "action": {"pass": 1}},
              {"name": "z", "when": "${ input.missing }", "action": {"noop": {}}}]}
            """)
        let stuck = decide(try start(definition, input: "{}"), .proceed, now: at(0), definition: definition)
        #expect(stuck.state.status == .stuck)
        var state = stuck.state
        let retried = RecordedEvent(
            sequence: state.sequence + 1, cause: nil, at: at(1), event: .retried(Event.Act(actor: "ann", reason: nil)))
        state.evolve(retried, definition: definition)
        let again = decide(state, .proceed, now: at(1), definition: definition)
        #expect(again.calls.isEmpty)
        #expect(again.events.map { $0.event.type } == [.stepFailed, .sagaStuck])
    }
}

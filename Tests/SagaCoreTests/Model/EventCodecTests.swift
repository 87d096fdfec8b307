import JSON
import SagaCore
import Testing

@Suite struct EventCodecTests {
    private let twoSteps = definition([step("a"), step("b")])
    private let act = Event.Act(actor: "ann@host", reason: "late \"order\"")

    @Test func everyEventSurvivesStoringAndReadsAsTheContractSays() throws {
        let action = OperationReference(step: 0, side: .action)
        let compensation = OperationReference(step: 1, side: .compensation)
        let failure = Event.AttemptFailure(attempt: 2, outcome: .unknown, error: "Saga.Timeout", message: "no answer")
        let cases: [(Event, String?)] = [
            (.sagaStarted(input: json("{ \"amount\": 0.10 }")), #"{"input":{ "amount": 0.10 }}"#),
            (.started(action, attempt: 1), #"{"step":"a","attempt":1}"#),
            (
                .succeeded(compensation, attempt: 3, output: json("[1]")),
                #"{"step":"b","attempt":3,"outcome":"done","output":[1]}"#
            ),
            (
                .attemptFailed(action, failure, next: at(1.5)),
                #"{"step":"a","attempt":2,"outcome":"unknown","error":"Saga.Timeout","message":"no answer","nextAttemptAt":"1970-01-01T00:00:01.500Z"}"#
            ),
            (
                .failed(compensation, failure),
                #"{"step":"b","attempt":2,"outcome":"unknown","error":"Saga.Timeout","message":"no answer"}"#
            ),
            (.stepSkipped(step: 1), #"{"step":"b"}"#),
            (
                .deferred(action, until: at(2), reason: "open"),
                #"{"step":"a","until":"1970-01-01T00:00:02.000Z","reason":"open"}"#
            ),
            (
                .sagaCompensating(SagaFailure(step: 0, error: "No", message: "m")),
                #"{"step":"a","error":"No","message":"m"}"#
            ),
            (
                .sagaCompensating(SagaFailure(step: nil, error: "Saga.Cancelled", message: "m")),
                #"{"error":"Saga.Cancelled","message":"m"}"#
            ),
            (.sagaCompleted(output: json("7"), failure: nil), #"{"output":7}"#),
            (
                .sagaCompleted(output: .null, failure: SagaFailure(step: nil, error: "Saga.Expression", message: "m")),
                #"{"output":null,"error":"Saga.Expression","message":"m"}"#
            ),
            (.sagaCompensated, nil),
            (.sagaStuck(SagaFailure(step: 1, error: "No", message: "m")), #"{"step":"b","error":"No","message":"m"}"#),
            (.cancelRequested(act), #"{"actor":"ann@host","reason":"late \"order\""}"#),
            (.paused(Event.Act(actor: "a", reason: nil)), #"{"actor":"a"}"#),
            (.resumed(act), #"{"actor":"ann@host","reason":"late \"order\""}"#),
            (
                .stepResolved(action, .done, output: json("1"), act),
                #"{"step":"a","operation":"action","resolution":"done","output":1,"actor":"ann@host","reason":"late \"order\""}"#
            ),
            (
                .stepResolved(compensation, .undone, output: nil, act),
                #"{"step":"b","operation":"compensation","resolution":"undone","actor":"ann@host","reason":"late \"order\""}"#
            ),
            (.retried(act), #"{"actor":"ann@host","reason":"late \"order\""}"#),
            (
                .retried(act, patch: json(#"{ "amount": 0.10, "note": null }"#)),
                #"{"actor":"ann@host","reason":"late \"order\"","patch":{ "amount": 0.10, "note": null }}"#
            ),
            (
                .retried(.init(actor: "ann", reason: nil), patch: .null), #"{"actor":"ann","patch":null}"#
            ),
            (.terminated(act), #"{"actor":"ann@host","reason":"late \"order\""}"#),
            (.compensationRequested(act), #"{"actor":"ann@host","reason":"late \"order\""}"#),
        ]
        for (index, (event, data)) in cases.enumerated() {
            let recorded = RecordedEvent(sequence: index + 1, cause: index == 0 ? nil : index, at: at(3), event: event)
            let stored = EventCodec.encode(recorded, definition: twoSteps)
            #expect(stored.data.map { String(decoding: $0, as: UTF8.self) } == data)
            #expect(try EventCodec.decode(stored, definition: twoSteps) == recorded)
        }
    }

    @Test func whatCantBeReadSaysWhy() {
        let cases: [(Int16, String?, String)] = [
            (99, "{}", "event 1 has the unknown type 99"),
            (2, nil, "event 1, StepStarted: `step` isn't a string"),
            (2, "{", "event 1, StepStarted: its data isn't JSON"),
            (2, #"{"step":"q","attempt":1}"#, "event 1, StepStarted: its definition has no step q"),
            (2, #"{"step":"a","attempt":-1}"#, "event 1, StepStarted: `attempt` isn't a number of attempts"),
            (2, #"{"step":"a","attempt":1e99}"#, "event 1, StepStarted: `attempt` isn't a number of attempts"),
            (4, #"{"step":"a","attempt":1,"outcome":"maybe"}"#, "event 1, StepAttemptFailed: `outcome` can't be maybe"),
            (
                4, #"{"step":"a","attempt":1,"outcome":"failed","error":"E","message":"","nextAttemptAt":"soon"}"#,
                "event 1, StepAttemptFailed: `nextAttemptAt` isn't a time"
            ),
            (22, "[]", "event 1, SagaTerminated: `actor` isn't a string"),
        ]
        for (type, data, message) in cases {
            let stored = StoredEvent(sequence: 1, cause: nil, type: type, at: at(0), data: data.map { Array($0.utf8) })
            #expect {
                try EventCodec.decode(stored, definition: twoSteps)
            } throws: { error in
                (error as? EventCodecError)?.message.hasPrefix(message) == true
            }
        }
    }
}

import JSON
import SagaCore
import SagaEngine
import SagaPostgres
import Testing

/// `saga compensate` and `saga retry --input-patch`, without a daemon: what they append, and what they refuse.
@Suite struct CompensateTests {
    typealias Run = SagaProgram.Run

    @Test func aCompletedSagaIsCompensated() async throws {
        let program = try await SagaProgram.withDefinitions()
        let id = try await program.startSaga("order", key: "k")
        #expect(
            try await program.run("compensate", "k", "--reason", "early")
                == Run(
                    1,
                    error:
                        "saga: the saga is pending, not completed: saga cancel stops it and undoes what it did\n"
                )
        )
        try await program.append(
            [
                (.stepSucceeded, #"{"step":"reserve","attempt":1,"outcome":"done","output":null}"#),
                (.stepSucceeded, #"{"step":"charge","attempt":1,"outcome":"done","output":null}"#),
                (.stepSucceeded, #"{"step":"ship","attempt":1,"outcome":"done","output":null}"#),
                (.sagaCompleted, #"{"output":{"n":1}}"#),
            ],
            to: id,
            leaving: .completed
        )
        #expect(
            try await program.run("compensate", "k", "--reason", "sent back", "--format", "json").normalized
                == Run(
                    0,
                    #"{"id":"ID1","saga":"order","changed":true,"event":"SagaCompensationRequested","sequence":6}"#
                        + "\n"
                )
        )
        #expect(
            try await program.run("compensate", "k", "--reason", "again").normalized
                == Run(0, "order ID1: the saga is being compensated already\n")
        )
        // No daemon is up: it is open again, and that is all.
        let status = try JSON.parse(try await program.run("status", "k", "--format", "json").output)
        #expect(status["status"] == "compensating")
        #expect(status["output"] == .null)
        #expect(status["endedAt"] == .null)
        #expect(status["failure"] == .null)
        let listed = try await program.run("list", "--status", "compensating", "--format", "json")
        #expect(try JSON.parse(listed.output)[0]?["id"]?.stringValue == id.description)
        let events = try await program.run("events", "k").normalized.output
        #expect(
            events.hasSuffix("   6  TIME  SagaCompensationRequested                by USER@HOST, sent back\n"),
            "\(events)")
        await program.remove()
    }

    /// The engine's fold and the views' tell the same of it, all the way back.
    @Test func theViewsAgreeAboutACompensatedSaga() async throws {
        let program = try await SagaProgram.withDefinitions()
        let id = try await program.startSaga("order", key: "k")
        func check(_ place: String, location: SourceLocation = #_sourceLocation) async throws {
            let document = try #require(try await SagaReader(pool: program.pool).load(id)).statusDocument
            let steps = try await program.pool.query(
                """
                SELECT concat_ws(' ', step, status, outcome, attempts, output, error, compensation_status,
                    compensation_attempts, compensation_error) FROM saga.steps
                """
            ).rows.map { try $0.decode(0, as: String.self) }
            let expected = (document.steps ?? []).map { step in
                let undo = step.compensation
                let parts: [String?] = [
                    step.name, step.status.rawValue, step.outcome?.rawValue, "\(step.attempts)", step.output?.text,
                    step.error, undo?.status?.rawValue, "\(undo?.attempts ?? 0)", undo?.error,
                ]
                return parts.compactMap { $0 }.joined(separator: " ")
            }
            #expect(steps == expected, "\(place)", sourceLocation: location)
            let saga = try await program.pool.query(
                """
                SELECT concat_ws(' ', status, output, failure ->> 'step', failure ->> 'error', failure ->> 'message',
                    ended_at IS NOT NULL) FROM saga.sagas
                """
            ).rows.map { try $0.decode(0, as: String.self) }
            let parts: [String?] = [
                document.status.name, document.output?.text, document.failure?.step, document.failure?.error,
                document.failure?.message, document.endedAt == nil ? "f" : "t",
            ]
            #expect(saga == [parts.compactMap { $0 }.joined(separator: " ")], "\(place)", sourceLocation: location)
        }
        try await program.append(
            [
                (.stepStarted, #"{"step":"reserve","attempt":1}"#),
                (.stepSucceeded, #"{"step":"reserve","attempt":1,"outcome":"done","output":7}"#),
                (.stepSucceeded, #"{"step":"charge","attempt":0,"outcome":"done","output":{"n":0.10}}"#),
                (.stepSucceeded, #"{"step":"ship","attempt":0,"outcome":"done","output":8}"#),
                (.sagaCompleted, #"{"output":{"n":1}}"#),
            ],
            to: id,
            leaving: .completed
        )
        try await check("completed")
        #expect(try await program.run("compensate", "k", "--reason", "back").status == 0)
        try await check("wanted back")
        try await program.append(
            [(.sagaCompensating, #"{"error":"Saga.Cancelled","message":"back"}"#)], to: id, leaving: .compensating)
        try await check("turned")
        let refused = #"{"step":"charge","attempt":1,"outcome":"failed","error":"E","message":"no"}"#
        try await program.append(
            [
                (.compensationStarted, #"{"step":"charge","attempt":1}"#), (.compensationFailed, refused),
                (.sagaStuck, #"{"step":"charge","error":"E","message":"no"}"#),
            ],
            to: id,
            leaving: .stuck
        )
        try await check("stuck")
        #expect(try await program.run("retry", "k", "--input-patch", #"{"a":1}"#).status == 0)
        try await program.append(
            [
                (.compensationStarted, #"{"step":"charge","attempt":2}"#),
                (.compensationSucceeded, #"{"step":"charge","attempt":2,"outcome":"done","output":null}"#),
                (.compensationStarted, #"{"step":"reserve","attempt":1}"#),
                (.compensationSucceeded, #"{"step":"reserve","attempt":1,"outcome":"done","output":null}"#),
                (.sagaCompensated, nil),
            ],
            to: id,
            leaving: .compensated
        )
        try await check("compensated")
        await program.remove()
    }

    @Test func pastItsPivotNothingIsCompensated() async throws {
        let program = try await SagaProgram.withDefinitions()
        let id = try await program.startSaga("transfer", key: "k", input: #"{"amount":1}"#)
        try await program.append(
            [
                (.stepSkipped, #"{"step":"check"}"#),
                (.stepSucceeded, #"{"step":"withdraw","attempt":1,"outcome":"done","output":null}"#),
                (.stepSucceeded, #"{"step":"deposit","attempt":1,"outcome":"done","output":null}"#),
                (.stepSucceeded, #"{"step":"receipt","attempt":1,"outcome":"done","output":null}"#),
                (.sagaCompleted, #"{"output":null}"#),
            ],
            to: id,
            leaving: .completed
        )
        #expect(
            try await program.run("compensate", "k", "--reason", "r")
                == Run(1, error: "saga: the saga is past its pivot deposit and can't be undone\n")
        )
        #expect(
            try JSON.parse(try await program.run("status", "k", "--format", "json").output)["status"] == "completed")
        await program.remove()
    }

    /// The patch as it stands, from standard input and from a file, and what none of them is.
    @Test func aPatchComesFromAnywhere() async throws {
        let program = try await SagaProgram.withDefinitions()
        let id = try await program.startSaga("order", key: "k")
        try program.write(#"{"c": 0.30}"#, to: "patch.json")
        let patches: [(String, String?)] = [
            (#" {"a": 0.10}"#, nil), ("-", #"{"b": 0.20}"#), ("patch.json", nil), ("@patch.json", nil),
        ]
        for (argument, input) in patches {
            try await program.append(
                [
                    (.sagaCompensating, #"{"error":"E","message":""}"#),
                    (
                        .compensationFailed,
                        #"{"step":"reserve","attempt":1,"outcome":"failed","error":"Refused","message":"closed"}"#
                    ),
                    (.sagaStuck, #"{"step":"reserve","error":"Refused","message":"closed"}"#),
                ],
                to: id,
                leaving: .stuck
            )
            let run = try await program.run("retry", "k", "--input-patch", argument, input: input)
            #expect(run.normalized == Run(0, "order ID1 is tried again with the patched input\n"), "\(argument)")
        }
        let record = try #require(try await SagaReader(pool: program.pool).load(id))
        guard case .readable(let state, _) = record.folded() else {
            Issue.record("unreadable")
            return
        }
        #expect(state.patchedInputs.map(\.text).last == #"{"a":0.10,"b":0.20,"c":0.30}"#)
        #expect(
            try await program.run("retry", "k", "--input-patch", "{")
                == Run(
                    1,
                    error: "saga: the patch isn't JSON: line 1, column 2: expected a member name in double quotes, "
                        + "found the end of the text\n"
                )
        )
        #expect(
            try await program.run("retry", "k", "--input-patch", "nowhere.json")
                == Run(1, error: "saga: can't read nowhere.json: No such file or directory\n")
        )
        #expect(
            try await program.run("retry", "k", "--input-patch", " ") == Run(1, error: "saga: the patch is empty\n"))
        #expect(
            try await program.run("retry", "k", "--input-patch", "[1")
                == Run(
                    1,
                    error:
                        "saga: the patch isn't JSON: line 1, column 3: expected ',' or ']' after an array element, found the end of the text\n"
                )
        )
        await program.remove()
    }
}

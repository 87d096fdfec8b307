import Foundation
import JSON
import SagaTestKit
import Testing

@Suite struct SimulateTests {
    typealias Run = SagaProgram.Run

    /// Runs `saga simulate sagas/order.json` and the arguments, where there is no database.
    private func simulate(_ arguments: String...) async throws -> Run {
        let program = try await SagaProgram.make(isMigrated: false)
        let run = try await program.start(["simulate", "sagas/order.json"] + arguments, database: .some(nil)).ending()
        await program.remove()
        return run
    }

    @Test func everythingIsDone() async throws {
        #expect(
            try await simulate()
                == Run(
                    0,
                    """
                    AFTER  EVENT          STEP     TRY
                      0ms  SagaStarted
                      0ms  StepStarted    reserve    1
                      0ms  StepSucceeded  reserve    1
                      0ms  StepStarted    charge     1
                      0ms  StepSucceeded  charge     1
                      0ms  StepStarted    ship       1
                      0ms  StepSucceeded  ship       1
                      0ms  SagaCompleted

                    completed after 0ms
                    3 calls, effects that stand: reserve, charge, ship

                    """
                )
        )
    }

    @Test func failuresLossesAndDelaysOfStepsAndTheirUndo() async throws {
        #expect(
            try await simulate(
                "--fail", "ship=NoCarrier", "--lose", "charge@1", "--delay", "charge=2s@2", "--fail",
                "reserve:compensation=503@1", "--seed", "7"
            )
                == Run(
                    0,
                    """
                    AFTER  EVENT                      STEP     TRY
                      0ms  SagaStarted
                      0ms  StepStarted                reserve    1
                      0ms  StepSucceeded              reserve    1
                      0ms  StepStarted                charge     1
                      0ms  StepAttemptFailed          charge     1  unknown, Saga.ConnectionLost, again in 538ms
                    538ms  StepStarted                charge     2
                    2.53s  StepSucceeded              charge     2
                    2.53s  StepStarted                ship       1
                    2.53s  StepFailed                 ship       1  NoCarrier
                    2.53s  SagaCompensating           ship          NoCarrier
                    2.53s  CompensationStarted        charge     1
                    2.53s  CompensationSucceeded      charge     1
                    2.53s  CompensationStarted        reserve    1
                    2.53s  CompensationAttemptFailed  reserve    1  unknown, Saga.HTTP.503, again in 275ms
                    2.81s  CompensationStarted        reserve    2
                    2.81s  CompensationSucceeded      reserve    2
                    2.81s  SagaCompensated

                    compensated after 2.81s: ship failed with NoCarrier
                    7 calls, no effect stands

                    """)
        )
    }

    @Test func stuckAndInDoubt() async throws {
        #expect(
            try await simulate(
                "--fail", "charge=Timeout@1", "--fail", "charge=No@2", "--fail", "charge:compensation=No")
                == Run(
                    0,
                    """
                    AFTER  EVENT                STEP     TRY
                      0ms  SagaStarted
                      0ms  StepStarted          reserve    1
                      0ms  StepSucceeded        reserve    1
                      0ms  StepStarted          charge     1
                      30s  StepAttemptFailed    charge     1  unknown, Saga.Timeout, again in 36ms
                      30s  StepStarted          charge     2
                      30s  StepFailed           charge     2  No
                      30s  SagaCompensating     charge        No
                      30s  CompensationStarted  charge     1
                      30s  CompensationFailed   charge     1  No
                      30s  SagaStuck            charge        No

                    stuck after 30s, and waits for a person: charge failed with No
                    4 calls, effects that stand: reserve

                    """)
        )
    }

    @Test func aCancelWhileACallIsOutAndOneThatComesTooLate() async throws {
        #expect(
            try await simulate("--delay", "charge=5s", "--cancel-at", "1s")
                == Run(
                    0,
                    """
                    AFTER  EVENT                  STEP     TRY
                      0ms  SagaStarted
                      0ms  StepStarted            reserve    1
                      0ms  StepSucceeded          reserve    1
                      0ms  StepStarted            charge     1
                       1s  SagaCancelRequested
                       1s  SagaCompensating                     Saga.Cancelled
                       5s  StepSucceeded          charge     1
                       5s  CompensationStarted    charge     1
                       5s  CompensationSucceeded  charge     1
                       5s  CompensationStarted    reserve    1
                       5s  CompensationSucceeded  reserve    1
                       5s  SagaCompensated

                    compensated after 5s: Saga.Cancelled
                    4 calls, no effect stands

                    """))
        let late = try await simulate("--cancel-at", "1h")
        #expect(
            late.output.split(separator: "\n").last == "cancel after 1h changed nothing: the saga has ended: completed")
    }

    @Test func sequenceDiagram() async throws {
        #expect(
            try await simulate("--lose", "charge@1", "--fail", "ship=NoCarrier", "--as", "mermaid")
                == Run(
                    0,
                    """
                    sequenceDiagram
                        participant saga as order
                        participant p0 as shop
                        saga->>p0: reserve
                        p0-->>saga: done
                        saga->>p0: charge
                        p0--xsaga: Saga.ConnectionLost
                        Note over saga: after 36ms
                        saga->>p0: charge, attempt 2
                        p0-->>saga: done
                        saga->>p0: ship
                        p0-->>saga: NoCarrier
                        Note over saga: turns back, ship, NoCarrier
                        saga->>p0: undo charge
                        p0-->>saga: done
                        saga->>p0: undo reserve
                        p0-->>saga: done
                        Note over saga: compensated

                    """))
    }

    @Test func document() async throws {
        #expect(
            try await simulate("--fail", "charge=No", "--format", "json")
                == Run(
                    0,
                    #"""
                    {"saga":"order","version":"4c83fb2ca73b","id":"019b76da-a800-7e22-9b9e-279aa86e597d","seed":0,\#
                    "status":"compensated","ending":"ended","durationMs":0,"failure":{"step":"charge","error":"No",\#
                    "message":"HTTP 422"},"output":null,"events":[{"sequence":1,"type":"saga.SagaStarted","atMs":0,\#
                    "data":{"input":{}}},{"sequence":2,"type":"saga.StepStarted","atMs":0,"data":{"step":"reserve",\#
                    "attempt":1}},{"sequence":3,"type":"saga.StepSucceeded","atMs":0,"data":{"step":"reserve",\#
                    "attempt":1,"outcome":"done","output":null}},{"sequence":4,"type":"saga.StepStarted","atMs":0,\#
                    "data":{"step":"charge","attempt":1}},{"sequence":5,"type":"saga.StepFailed","atMs":0,\#
                    "data":{"step":"charge","attempt":1,"outcome":"failed","error":"No","message":"HTTP 422"}},\#
                    {"sequence":6,"type":"saga.SagaCompensating","atMs":0,"data":{"step":"charge","error":"No",\#
                    "message":"HTTP 422"}},{"sequence":7,"type":"saga.CompensationStarted","atMs":0,\#
                    "data":{"step":"reserve","attempt":1}},{"sequence":8,"type":"saga.CompensationSucceeded",\#
                    "atMs":0,"data":{"step":"reserve","attempt":1,"outcome":"done","output":null}},{"sequence":9,\#
                    "type":"saga.SagaCompensated","atMs":0,"data":null}],"calls":[{"step":"reserve",\#
                    "operation":"action","attempt":1,\#
                    "idempotencyKey":"019b76da-a800-7e22-9b9e-279aa86e597d:reserve:action","compensates":null,\#
                    "service":"shop","method":"POST","target":"/reserve","body":null,"atMs":0,"answeredAtMs":0,\#
                    "outcome":"done","error":null,"output":null},{"step":"charge","operation":"action","attempt":1,\#
                    "idempotencyKey":"019b76da-a800-7e22-9b9e-279aa86e597d:charge:action","compensates":null,\#
                    "service":"shop","method":"POST","target":"/charge","body":null,"atMs":0,"answeredAtMs":0,\#
                    "outcome":"failed","error":"No","output":null},{"step":"reserve","operation":"compensation",\#
                    "attempt":1,"idempotencyKey":"019b76da-a800-7e22-9b9e-279aa86e597d:reserve:compensation",\#
                    "compensates":"019b76da-a800-7e22-9b9e-279aa86e597d:reserve:action","service":"shop",\#
                    "method":"POST","target":"/release","body":null,"atMs":0,"answeredAtMs":0,"outcome":"done",\#
                    "error":null,"output":null}],"effects":[],"books":[{"entry":"done","step":"reserve",\#
                    "idempotencyKey":"019b76da-a800-7e22-9b9e-279aa86e597d:reserve:action","atMs":0},\#
                    {"entry":"undone","step":"reserve",\#
                    "idempotencyKey":"019b76da-a800-7e22-9b9e-279aa86e597d:reserve:compensation","atMs":0}],\#
                    "breakerEvents":[]}

                    """#))
    }

    @Test func theSeedDecidesTheDelaysAndNothingElseDoes() async throws {
        let arguments = ["--lose", "charge@1", "--format", "json", "--seed"]
        let program = try await SagaProgram.make(isMigrated: false)
        var outputs: [String] = []
        for seed in ["1", "1", "2"] {
            outputs.append(
                try await program.start(["simulate", "sagas/order.json"] + arguments + [seed], database: .some(nil))
                    .ending().output)
        }
        #expect(outputs[0] == outputs[1])
        #expect(outputs[0] != outputs[2])
        await program.remove()
    }

    @Test func whatIsNotThereIs1() async throws {
        #expect(
            try await simulate("--fail", "chrage=No")
                == Run(1, error: "saga: order has no step \"chrage\"; did you mean `charge`?\n"))
        #expect(
            try await simulate("--lose", "ship:compensation")
                == Run(1, error: "saga: the step ship has no compensation\n"))
        #expect(
            try await simulate("--output", "ship={")
                == Run(
                    1,
                    error:
                        "saga: the output of ship isn't JSON: line 1, column 2: expected a member name in double quotes, found the end of the text\n"
                )
        )
        let program = try await SagaProgram.make(isMigrated: false)
        #expect(
            try await program.run("simulate", "nowhere.json")
                == Run(1, error: "saga: can't read nowhere.json: No such file or directory\n"))
        try program.write(#"{"saga": "a", "steps": []}"#, to: "a.json")
        let wrong = try await program.run("simulate", "a.json")
        #expect(wrong.status == 1)
        #expect(wrong.output == "")
        #expect(wrong.error.hasPrefix("a.json:1:"))
        try program.write(
            #"{"saga": "b", "input": {"required": ["x", "y"]}, "steps": [{"name": "s", "action": {"noop": {}}}]}"#,
            to: "b.json")
        #expect(
            try await program.run("simulate", "b.json", "--input", #"{"x": 1}"#)
                == Run(1, error: "saga: the input breaks the schema of b: the input has no `y`\n"))
        #expect(
            try await program.run("simulate", "b.json", "--input", #"{"x": 1, "y": 2}"#, "--lose", "s")
                == Run(1, error: "saga: s makes no call: nothing can happen to it\n"))
        await program.remove()
    }

    @Test(arguments: [
        ["--fail", "charge"], ["--fail", "charge=a b"], ["--fail", "charge=No@0"], ["--lose", "charge=No"],
        ["--lose", "charge@x"], ["--lose", "charge:undo"], ["--lose", ""], ["--delay", "charge=soon"],
        ["--cancel-at", "soon"], ["--output", "charge"], ["--seed", "-1"], ["--as", "svg"],
    ])
    func wrongUsageIs64(_ arguments: [String]) async throws {
        let program = try await SagaProgram.make(isMigrated: false)
        let run = try await program.start(["simulate", "sagas/order.json"] + arguments).ending()
        #expect(run.status == 64)
        #expect(run.output == "")
        await program.remove()
    }

    /// `docs/testing.md` shows what really comes.
    @Test func theRunsOfTheDocumentation() async throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let text = try String(contentsOf: root.appendingPathComponent("docs/testing.md"), encoding: .utf8)
        let program = try await SagaProgram.make(isMigrated: false)
        try FileManager.default.createDirectory(
            atPath: program.folder + "/sagas/tests", withIntermediateDirectories: false)
        for file in ["sagas/order.json", "sagas/tests/order.test.json"] {
            try program.write(try String(contentsOf: root.appendingPathComponent(file), encoding: .utf8), to: file)
        }
        for file in text.matches(of: #/```json (?<name>\S+)\n(?<text>[^`]*)```/#) {
            try program.write(String(file.output.text), to: String(file.output.name))
        }
        let runs = text.matches(of: #/```console\n\$ saga (?<call>[^\n]*)\n(?<output>[^`]*)```/#)
        #expect(runs.count >= 3)
        for shown in runs {
            let run = try await program.start(
                shown.output.call.split(separator: " ").map(String.init), database: .some(nil)
            ).ending()
            let isWrong = ["test hotel.json", "test inn.json --pairs", "test card.test.json"].contains(
                shown.output.call)
            #expect(run == Run(isWrong ? 1 : 0, String(shown.output.output)))
        }
        await program.remove()
    }
}

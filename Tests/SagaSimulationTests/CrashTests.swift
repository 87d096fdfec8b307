import JSON
import SagaCore
import SagaSimulation
import Testing

private typealias Target = SimulationScript.Target

private func story(_ crashes: CrashPoint..., rules: [SimulationScript.Rule] = []) throws -> [String] {
    let result = try SimulatedRun(
        Samples.list(["a", "b"]), input: .null, script: SimulationScript(rules: rules), crashes: crashes
    ).run()
    #expect(result.crashes == crashes.count)
    return Story(result).lines
}

/// A daemon dies, and another takes over when its lease has ended.
///
/// What was out is in doubt until its timeout.
@Suite struct CrashTests {
    @Test func beforeACall() throws {
        #expect(
            try story(.beforeCall(Target("b"), attempt: 1)) == [
                "0 SagaStarted",
                "0 StepStarted a #1",
                "0 StepSucceeded a #1",
                "0 StepStarted b #1",
                "9999 StepAttemptFailed b #1 Saga.DaemonLost",
                "11000 StepStarted b #2",
                "11000 StepSucceeded b #2",
                "11000 SagaCompleted",
                "ended completed",
                "done a",
                "done b",
            ])
    }

    @Test func afterACall() throws {
        #expect(
            try story(.afterCall(Target("b"), attempt: 1)) == [
                "0 SagaStarted",
                "0 StepStarted a #1",
                "0 StepSucceeded a #1",
                "0 StepStarted b #1",
                "9999 StepAttemptFailed b #1 Saga.DaemonLost",
                "11000 StepStarted b #2",
                "11000 StepSucceeded b #2",
                "11000 SagaCompleted",
                "ended completed",
                "done a",
                "done b",
                "repeated b",
            ])
    }

    @Test func beforeACommit() throws {
        #expect(
            try story(.beforeCommit(sequence: 3)) == [
                "0 SagaStarted",
                "0 StepStarted a #1",
                "9999 StepAttemptFailed a #1 Saga.DaemonLost",
                "11000 StepStarted a #2",
                "11000 StepSucceeded a #2",
                "11000 StepStarted b #1",
                "11000 StepSucceeded b #1",
                "11000 SagaCompleted",
                "ended completed",
                "done a",
                "repeated a",
                "done b",
            ])
    }

    @Test func afterACommit() throws {
        #expect(
            try story(.afterCommit(sequence: 3)) == [
                "0 SagaStarted",
                "0 StepStarted a #1",
                "0 StepSucceeded a #1",
                "0 StepStarted b #1",
                "9999 StepAttemptFailed b #1 Saga.DaemonLost",
                "11000 StepStarted b #2",
                "11000 StepSucceeded b #2",
                "11000 SagaCompleted",
                "ended completed",
                "done a",
                "done b",
            ])
    }

    @Test func whileUndoing() throws {
        #expect(
            try story(
                .afterCall(Target("a", .compensation), attempt: 1),
                rules: [.init(Target("b"), reply: .init(failingWith: "No"))]) == [
                    "0 SagaStarted",
                    "0 StepStarted a #1",
                    "0 StepSucceeded a #1",
                    "0 StepStarted b #1",
                    "0 StepFailed b #1 No",
                    "0 SagaCompensating b No",
                    "0 CompensationStarted a #1",
                    "9999 CompensationAttemptFailed a #1 Saga.DaemonLost",
                    "11000 CompensationStarted a #2",
                    "11000 CompensationSucceeded a #2",
                    "11000 SagaCompensated",
                    "ended compensated",
                    "done a",
                    "undone a",
                    "repeated a",
                ])
    }

    @Test func twice() throws {
        #expect(
            try story(.afterCommit(sequence: 2), .afterCommit(sequence: 4)) == [
                "0 SagaStarted",
                "0 StepStarted a #1",
                "9999 StepAttemptFailed a #1 Saga.DaemonLost",
                "11000 StepStarted a #2",
                "20999 StepAttemptFailed a #2 Saga.DaemonLost",
                "23000 StepStarted a #3",
                "23000 StepSucceeded a #3",
                "23000 StepStarted b #1",
                "23000 StepSucceeded b #1",
                "23000 SagaCompleted",
                "ended completed",
                "done a",
                "done b",
            ])
    }
}

import JSON
import SagaCore
import SagaSimulation
import Testing

private typealias Rule = SimulationScript.Rule
private typealias Target = SimulationScript.Target

private let no = SimulationScript.Reply(failingWith: "No")

private func story(
    _ definition: Definition, _ rules: [Rule] = [], signals: [SimulatedRun.Signal] = [], crashes: [CrashPoint] = [],
    horizon: TimeSpan = .minutes(60 * 24)
) throws -> [String] {
    let run = SimulatedRun(
        definition, input: .null, script: SimulationScript(rules: rules), signals: signals, crashes: crashes,
        horizon: horizon)
    return Story(try run.run()).lines
}

@Suite struct SimulatedRunTests {
    @Test func aListRunsToItsEnd() throws {
        #expect(
            try story(Samples.list(["a", "b"])) == [
                "0 SagaStarted",
                "0 StepStarted a #1",
                "0 StepSucceeded a #1",
                "0 StepStarted b #1",
                "0 StepSucceeded b #1",
                "0 SagaCompleted",
                "ended completed",
                "done a",
                "done b",
            ])
    }

    @Test func whatFailsForGoodIsUndoneInReverse() throws {
        #expect(
            try story(Samples.list(["a", "b", "c"]), [Rule(Target("c"), reply: no)]) == [
                "0 SagaStarted",
                "0 StepStarted a #1",
                "0 StepSucceeded a #1",
                "0 StepStarted b #1",
                "0 StepSucceeded b #1",
                "0 StepStarted c #1",
                "0 StepFailed c #1 No",
                "0 SagaCompensating c No",
                "0 CompensationStarted b #1",
                "0 CompensationSucceeded b #1",
                "0 CompensationStarted a #1",
                "0 CompensationSucceeded a #1",
                "0 SagaCompensated",
                "ended compensated",
                "done a",
                "done b",
                "undone b",
                "undone a",
            ])
    }

    @Test func retriesTakeTheirDelaysAndALostAnswerHasItsEffectOnce() throws {
        #expect(
            try story(
                Samples.list(["a"]),
                [Rule(Target("a"), attempt: 1, reply: .lost), Rule(Target("a"), attempt: 2, reply: .unreachable)]) == [
                    "0 SagaStarted",
                    "0 StepStarted a #1",
                    "0 StepAttemptFailed a #1 Saga.ConnectionLost",
                    "1000 StepStarted a #2",
                    "1000 StepAttemptFailed a #2 Saga.ConnectFailed",
                    "3000 StepStarted a #3",
                    "3000 StepSucceeded a #3",
                    "3000 SagaCompleted",
                    "ended completed",
                    "done a",
                    "repeated a",
                ])
    }

    @Test func whatIsLostForGoodIsUndone() throws {
        #expect(
            try story(Samples.list(["a"]), [Rule(Target("a"), reply: .lost)]) == [
                "0 SagaStarted",
                "0 StepStarted a #1",
                "0 StepAttemptFailed a #1 Saga.ConnectionLost",
                "1000 StepStarted a #2",
                "1000 StepAttemptFailed a #2 Saga.ConnectionLost",
                "3000 StepStarted a #3",
                "3000 StepFailed a #3 Saga.ConnectionLost",
                "3000 SagaCompensating a Saga.ConnectionLost",
                "3000 CompensationStarted a #1",
                "3000 CompensationSucceeded a #1",
                "3000 SagaCompensated",
                "ended compensated",
                "done a",
                "repeated a",
                "repeated a",
                "undone a",
            ])
    }

    @Test func anAnswerThatTakesTooLongIsATimeoutAndLeavesATombstoneWithoutEffect() throws {
        #expect(
            try story(
                Samples.list(["a", "b"], retry: #"{"maximumAttempts": 1}"#),
                [
                    Rule(Target("a"), delay: .seconds(2)), Rule(Target("b"), reply: .timeout(hasEffect: false)),
                    Rule(Target("a", .compensation), delay: .minutes(60)),
                ]) == [
                    "0 SagaStarted",
                    "0 StepStarted a #1",
                    "2000 StepSucceeded a #1",
                    "2000 StepStarted b #1",
                    "12000 StepFailed b #1 Saga.Timeout",
                    "12000 SagaCompensating b Saga.Timeout",
                    "12000 CompensationStarted b #1",
                    "12000 CompensationSucceeded b #1",
                    "12000 CompensationStarted a #1",
                    "42000 CompensationFailed a #1 Saga.Timeout",
                    "42000 SagaStuck a Saga.Timeout",
                    "stuck stuck",
                    "done a",
                    "tombstone b",
                    "undone a",
                ])
    }

    @Test func aStuckSagaIsTakenUpByARetry() throws {
        let rules = [
            Rule(Target("b"), reply: no), Rule(Target("a", .compensation), attempt: 1, reply: no),
        ]
        #expect(
            try story(Samples.list(["a", "b"]), rules) == [
                "0 SagaStarted",
                "0 StepStarted a #1",
                "0 StepSucceeded a #1",
                "0 StepStarted b #1",
                "0 StepFailed b #1 No",
                "0 SagaCompensating b No",
                "0 CompensationStarted a #1",
                "0 CompensationFailed a #1 No",
                "0 SagaStuck a No",
                "stuck stuck",
                "done a",
            ])
        #expect(
            try story(Samples.list(["a", "b"]), rules, signals: [.init(at: .minutes(60), .retry)]).suffix(8) == [
                "0 SagaStuck a No",
                "3600000 SagaRetried",
                "3600000 CompensationStarted a #2",
                "3600000 CompensationSucceeded a #2",
                "3600000 SagaCompensated",
                "ended compensated",
                "done a",
                "undone a",
            ])
    }

    @Test func aPausedSagaWaitsForEverOrForItsResume() throws {
        let rules = [Rule(Target("a"), delay: .seconds(4))]
        let pause = SimulatedRun.Signal(at: .seconds(1), .pause)
        #expect(
            try story(Samples.list(["a", "b"]), rules, signals: [pause]) == [
                "0 SagaStarted",
                "0 StepStarted a #1",
                "1000 SagaPaused",
                "4000 StepSucceeded a #1",
                "waiting running",
                "done a",
            ])
        #expect(
            try story(Samples.list(["a", "b"]), rules, signals: [.init(at: .seconds(9), .resume), pause]) == [
                "0 SagaStarted",
                "0 StepStarted a #1",
                "1000 SagaPaused",
                "4000 StepSucceeded a #1",
                "9000 SagaResumed",
                "9000 StepStarted b #1",
                "9000 StepSucceeded b #1",
                "9000 SagaCompleted",
                "ended completed",
                "done a",
                "done b",
            ])
    }

    @Test func aCancelArrivesWhileACallIsOut() throws {
        #expect(
            try story(
                Samples.list(["a", "b"]), [Rule(Target("b"), delay: .seconds(4))],
                signals: [.init(at: .seconds(1), .cancel), .init(at: .seconds(2), .cancel)]) == [
                    "0 SagaStarted",
                    "0 StepStarted a #1",
                    "0 StepSucceeded a #1",
                    "0 StepStarted b #1",
                    "1000 SagaCancelRequested",
                    "1000 SagaCompensating Saga.Cancelled",
                    "4000 StepSucceeded b #1",
                    "4000 CompensationStarted b #1",
                    "4000 CompensationSucceeded b #1",
                    "4000 CompensationStarted a #1",
                    "4000 CompensationSucceeded a #1",
                    "4000 SagaCompensated",
                    "ended compensated",
                    "done a",
                    "done b",
                    "undone b",
                    "undone a",
                ])
    }

    @Test func whatAPersonDoesBeyondTheHorizonChangesNothing() throws {
        let run = SimulatedRun(
            try Samples.list(["a"]), input: .null, signals: [.init(at: TimeSpan(microseconds: .max), .cancel)],
            horizon: .minutes(5))
        let result = try run.run()
        #expect(result.ending == .ended)
        #expect(result.status == .completed)
        #expect(result.signals == [])
    }

    @Test func theDeadlinePasses() throws {
        #expect(
            try story(
                Samples.list(["a", "b"], more: #""deadline": "3s","#), [Rule(Target("b"), delay: .seconds(4))]) == [
                    "0 SagaStarted",
                    "0 StepStarted a #1",
                    "0 StepSucceeded a #1",
                    "0 StepStarted b #1",
                    "3000 SagaCompensating Saga.DeadlineExceeded",
                    "4000 StepSucceeded b #1",
                    "4000 CompensationStarted b #1",
                    "4000 CompensationSucceeded b #1",
                    "4000 CompensationStarted a #1",
                    "4000 CompensationSucceeded a #1",
                    "4000 SagaCompensated",
                    "ended compensated",
                    "done a",
                    "done b",
                    "undone b",
                    "undone a",
                ])
    }

    @Test func anOpenBreakerDefersAndIsProbed() throws {
        let breaker = #"{"minimumNumberOfCalls": 2, "waitDurationInOpenState": "30s"}"#
        #expect(
            try story(
                Samples.list(["a"], breaker: breaker),
                [
                    Rule(Target("a"), attempt: 1, reply: .unreachable),
                    Rule(Target("a"), attempt: 2, reply: .unreachable),
                ]) == [
                    "0 SagaStarted",
                    "0 StepStarted a #1",
                    "0 StepAttemptFailed a #1 Saga.ConnectFailed",
                    "1000 StepStarted a #2",
                    "1000 StepAttemptFailed a #2 Saga.ConnectFailed",
                    "3000 StepDeferred a",
                    "31000 StepStarted a #3",
                    "31000 StepSucceeded a #3",
                    "31000 SagaCompleted",
                    "ended completed",
                    "done a",
                ])
    }

    @Test func whoGoesOnForEverIsLeftAtTheHorizon() throws {
        let lines = try story(
            Samples.list(
                ["a"],
                retry: #"{"maximumAttempts": 0, "initialInterval": "1h", "backoffCoefficient": 1, "jitter": "none"}"#),
            [Rule(Target("a"), reply: .unreachable)], horizon: .minutes(150))
        #expect(
            lines == [
                "0 SagaStarted",
                "0 StepStarted a #1",
                "0 StepAttemptFailed a #1 Saga.ConnectFailed",
                "3600000 StepStarted a #2",
                "3600000 StepAttemptFailed a #2 Saga.ConnectFailed",
                "7200000 StepStarted a #3",
                "7200000 StepAttemptFailed a #3 Saga.ConnectFailed",
                "horizon running",
            ])
    }

    /// No daemon is there while only time passes; the one that takes the saga up then dies as one at its start would.
    @Test func aDaemonDiesAfterALongRest() throws {
        let definition = try Samples.list(
            ["a"], retry: #"{"maximumAttempts": 3, "initialInterval": "48h", "jitter": "none"}"#)
        let run = try SimulatedRun(
            definition, input: .null,
            script: SimulationScript(rules: [Rule(Target("a"), attempt: 1, reply: .unreachable)]),
            crashes: [.beforeCall(Target("a"), attempt: 2)]
        ).run()
        #expect(run.crashes == 1)
        #expect(
            Story(run).lines == [
                "0 SagaStarted",
                "0 StepStarted a #1",
                "0 StepAttemptFailed a #1 Saga.ConnectFailed",
                "172800000 StepStarted a #2",
                "172809999 StepAttemptFailed a #2 Saga.DaemonLost",
                "518410000 StepStarted a #3",
                "518410000 StepSucceeded a #3",
                "518410000 SagaCompleted",
                "ended completed",
                "done a",
            ])
    }

    @Test func aPersonActsAfterALongRest() throws {
        let run = try SimulatedRun(
            Samples.list(["a", "b"]), input: .null,
            script: SimulationScript(rules: [Rule(Target("a"), delay: .seconds(2))]),
            signals: [.init(at: .seconds(1), .pause), .init(at: .minutes(8_640), .resume)]
        ).run()
        #expect(
            Story(run).lines == [
                "0 SagaStarted",
                "0 StepStarted a #1",
                "1000 SagaPaused",
                "2000 StepSucceeded a #1",
                "518400000 SagaResumed",
                "518400000 StepStarted b #1",
                "518400000 StepSucceeded b #1",
                "518400000 SagaCompleted",
                "ended completed",
                "done a",
                "done b",
            ])
    }
}

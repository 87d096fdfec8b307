import JSON
import SagaCore
import SagaEngine
import SagaPostgres
import Testing

@Suite struct SteeringTests {
    typealias Run = SagaProgram.Run

    @Test func pauseResumeCancelTerminate() async throws {
        let program = try await SagaProgram.withDefinitions()
        _ = try await program.startSaga("order", key: "k")
        #expect(try await program.run("pause", "k").normalized == Run(0, "order ID1 is paused\n"))
        #expect(try await program.run("pause", "k").normalized == Run(0, "order ID1: the saga is paused already\n"))
        #expect(
            try await program.run("resume", "k", "--reason", "ready", "--format", "json").normalized
                == Run(0, #"{"id":"ID1","saga":"order","changed":true,"event":"SagaResumed","sequence":3}"# + "\n")
        )
        #expect(
            try await program.run("resume", "k", "--format", "json").normalized
                == Run(0, #"{"id":"ID1","saga":"order","changed":false,"event":null,"sequence":null}"# + "\n")
        )
        #expect(
            try await program.run("cancel", "k", "--reason", "not wanted").normalized
                == Run(0, "order ID1 is being cancelled\n")
        )
        #expect(
            try await program.run("cancel", "k", "--reason", "again").normalized
                == Run(0, "order ID1: the saga is being cancelled already\n")
        )
        #expect(
            try await program.run("terminate", "k", "--reason", "enough").normalized
                == Run(0, "order ID1 is terminated\n")
        )
        #expect(
            try await program.run("cancel", "k", "--reason", "late")
                == Run(1, error: "saga: the saga has ended: terminated\n")
        )
        #expect(
            try await program.run("events", "k").normalized
                == Run(
                    0,
                    """
                       1  TIME  SagaStarted
                       2  TIME  SagaPaused                               by USER@HOST
                       3  TIME  SagaResumed                              by USER@HOST, ready
                       4  TIME  SagaCancelRequested                      by USER@HOST, not wanted
                       5  TIME  SagaTerminated                           by USER@HOST, enough

                    """
                )
        )
        let status = try JSON.parse(try await program.run("status", "k", "--format", "json").output)
        #expect(status["status"] == "terminated")
        #expect(status["paused"] == false)
        await program.remove()
    }

    @Test func stuckCompensationIsRetriedOrResolved() async throws {
        let program = try await SagaProgram.withDefinitions()
        func stuck(_ key: String) async throws {
            let id = try await program.startSaga("order", key: key)
            try await program.append(
                [
                    (.stepStarted, #"{"step":"reserve","attempt":1}"#),
                    (.stepSucceeded, #"{"step":"reserve","attempt":1,"outcome":"done","output":{"hold":"h-1"}}"#),
                    (.stepStarted, #"{"step":"charge","attempt":1}"#),
                    (
                        .stepFailed,
                        #"{"step":"charge","attempt":1,"outcome":"failed","error":"CardDeclined","message":"no"}"#
                    ),
                    (.sagaCompensating, #"{"step":"charge","error":"CardDeclined","message":"no"}"#),
                    (.compensationStarted, #"{"step":"reserve","attempt":1}"#),
                    (
                        .compensationFailed,
                        #"{"step":"reserve","attempt":1,"outcome":"failed","error":"Refused","message":"closed"}"#
                    ),
                    (.sagaStuck, #"{"step":"reserve","error":"Refused","message":"closed"}"#),
                ],
                to: id,
                leaving: .stuck
            )
        }
        func step(_ key: String) async throws -> (saga: String?, step: String?, undo: String?) {
            let status = try JSON.parse(try await program.run("status", key, "--format", "json").output)
            let step = status["steps"]?[0]
            return (
                status["status"]?.stringValue, step?["status"]?.stringValue,
                step?["compensation"]?["status"]?.stringValue
            )
        }
        for key in ["retried", "done", "undone"] { try await stuck(key) }
        let overview = try JSON.parse(try await program.run("status", "--format", "json").output)
        #expect(
            overview["attention"]?.text
                == #"[{"saga":"order","step":"reserve","error":"Refused","count":3,"oldest":"2026-01-01T00:00:00.000Z"}]"#
        )
        #expect(try await step("retried") == ("stuck", "compensation_failed", "failed"))
        #expect(try await program.run("retry", "retried").normalized == Run(0, "order ID1 is tried again\n"))
        #expect(try await step("retried") == ("compensating", "compensating", "backoff"))
        #expect(
            try await program.run("retry", "retried")
                == Run(1, error: "saga: only a stuck saga can be retried, this one is compensating\n")
        )
        #expect(
            try await program.run("resolve", "done", "reserve", "--done", "--reason", "checked").normalized
                == Run(0, "order ID1 goes on from reserve, done\n")
        )
        #expect(try await step("done") == ("compensating", "compensating", "backoff"))
        #expect(try await program.run("resolve", "undone", "reserve", "--undone", "--reason", "by hand").status == 0)
        #expect(try await step("undone") == ("compensating", "compensated", "succeeded"))
        await program.remove()
    }

    @Test func stepInDoubtIsResolvedWithItsOutput() async throws {
        let program = try await SagaProgram.withDefinitions()
        let id = try await program.startSaga("transfer", key: "k", input: #"{"amount":1}"#)
        try await program.append(
            [
                (.stepSkipped, #"{"step":"check"}"#),
                (.stepStarted, #"{"step":"withdraw","attempt":1}"#),
                (.stepSucceeded, #"{"step":"withdraw","attempt":1,"outcome":"done","output":null}"#),
                (.stepStarted, #"{"step":"deposit","attempt":1}"#),
                (
                    .stepFailed,
                    #"{"step":"deposit","attempt":1,"outcome":"unknown","error":"Saga.BadResponse","message":"no JSON"}"#
                ),
                (.sagaStuck, #"{"step":"deposit","error":"Saga.BadResponse","message":"no JSON"}"#),
            ],
            to: id,
            leaving: .stuck
        )
        #expect(
            try await program.run("resolve", "k", "deposit", "--done", "--reason", "seen", "--output", "{")
                == Run(
                    1,
                    error:
                        "saga: the output isn't JSON: line 1, column 2: expected a member name in double quotes, found the end of the text\n"
                )
        )
        #expect(
            try await program.run("resolve", "k", "depsit", "--done", "--reason", "seen")
                == Run(1, error: "saga: transfer has no step depsit; it has check, withdraw, deposit, receipt\n")
        )
        #expect(
            try await program.run("resolve", "k", "deposit", "--done", "--reason", "seen", "--output", #"{"at": 1.0}"#)
                .normalized == Run(0, "transfer ID1 goes on from deposit, done\n")
        )
        let status = try JSON.parse(try await program.run("status", "k", "--format", "json").output)
        #expect(status["status"] == "running")
        #expect(
            status["steps"]?[2]?.text
                == #"{"name":"deposit","status":"succeeded","outcome":"done","attempts":1,"output":{"at":1.0},"#
                + #""error":null,"message":null,"nextAttemptAt":null,"compensation":null}"#
        )
        #expect(
            try await program.run("cancel", "k", "--reason", "late")
                == Run(1, error: "saga: the saga is past its pivot deposit and can only go forward\n")
        )
        await program.remove()
    }

    @Test func sagaThatCantBeReadIsShownStuckAndCanBeTerminated() async throws {
        let program = try await SagaProgram.withDefinitions()
        let id = try await program.startSaga("order", key: "k", input: #"{"n":1}"#)
        _ = try await program.startSaga("order", key: "other")
        try await program.append([(.stepStarted, #"{"step":"nowhere","attempt":1}"#)], to: id, leaving: .running)
        _ = try await program.pool.query("UPDATE saga.state SET unreadable = 'event 2 names no step' WHERE key = 'k'")
        let status = try JSON.parse(try await program.run("status", "k", "--format", "json").output)
        #expect(status["status"] == "stuck")
        #expect(status["input"]?.text == #"{"n":1}"#)
        #expect(
            status["failure"]?.text == #"{"step":null,"error":"Saga.Unreadable","message":"event 2 names no step"}"#
        )
        let list = try JSON.parse(try await program.run("list", "--status", "stuck", "--format", "json").output)
        #expect(list.elementCount == 1)
        #expect(list[0]?["failure"] == status["failure"])
        let overview = try JSON.parse(try await program.run("status", "--format", "json").output)
        #expect(overview["sagas"]?["stuck"] == 1)
        #expect(overview["attention"]?[0]?["error"] == "Saga.Unreadable")
        #expect(
            try await program.run("pause", "k")
                == Run(
                    1,
                    error: "saga: the saga can't be read (event 2, StepStarted: its definition has no step nowhere); "
                        + "all that can be done is to terminate it\n"
                )
        )
        #expect(
            try await program.run("graph", "k")
                == Run(1, error: "saga: the saga can't be read: event 2 names no step\n")
        )
        #expect(try await program.run("events", "k").status == 0)
        #expect(
            try await program.run("terminate", "k", "--reason", "broken").normalized
                == Run(0, "order ID1 is terminated\n")
        )
        let ended = try JSON.parse(try await program.run("status", "k", "--format", "json").output)
        #expect(ended["status"] == "terminated")
        await program.remove()
    }

    /// Somebody else appends between each look and each append.
    @Test func manyOperatorsAtOnceLoseNothing() async throws {
        let program = try await SagaProgram.withDefinitions()
        let id = try await program.startSaga("order", key: "k")
        let sagaOperator = SagaOperator(pool: program.pool)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for index in 0..<20 {
                group.addTask {
                    let act = Event.Act(actor: "a\(index)", reason: nil)
                    _ = try await sagaOperator.perform(index.isMultiple(of: 2) ? .pause : .resume, on: id, by: act)
                }
            }
            try await group.waitForAll()
        }
        let record = try #require(try await SagaReader(pool: program.pool).load(id))
        let types = record.events.dropFirst().map(\.type)
        #expect(record.events.map(\.sequence) == Array(1...record.events.count))
        // Each was decided on what was there: a pause follows a resume and the other way round.
        #expect(
            types
                == types.indices.map {
                    $0 % 2 == types.startIndex % 2 ? EventType.sagaPaused.rawValue : EventType.sagaResumed.rawValue
                }
        )
        await program.remove()
    }
}

import JSON
import SagaCore
import Testing

/// What the command line shows and does with rows and histories that no program writes.
@Suite(.timeLimit(.minutes(2))) struct UnreadableSagaTests {
    private typealias Run = SagaProgram.Run

    private func failure(_ reason: String) -> String {
        #"{"step":null,"error":"Saga.Unreadable","message":"\#(reason)"}"#
    }

    @Test(arguments: [0, 8]) func aStatusThatIsNoneIsShownAsStuckBesideOthers(status: Int) async throws {
        let program = try await SagaProgram.withDefinitions()
        _ = try await program.startSaga("order", key: "k", input: #"{"n":1}"#)
        _ = try await program.startSaga("order", key: "other")
        _ = try await program.pool.query("UPDATE saga.state SET status = \(status) WHERE key = 'k'")
        let reason = failure("its row has the status \(status), which is none")

        for filter in [[], ["--status", "stuck"], ["--error", "Saga.Unreadable"]] {
            let run = try await program.start(["list", "--format", "json"] + filter).ending()
            let list = try JSON.parse(run.output)
            #expect(list.elementCount == (filter.isEmpty ? 2 : 1))
            let shown = list[filter.isEmpty ? 1 : 0]
            #expect(shown?["status"] == "stuck")
            #expect(shown?["failure"]?.text == reason)
        }
        let pending = try JSON.parse(try await program.run("list", "--status", "pending", "--format", "json").output)
        #expect(pending.elementCount == 1)

        let overview = try JSON.parse(try await program.run("status", "--format", "json").output)
        #expect(overview["sagas"]?["stuck"] == 1)
        #expect(overview["sagas"]?["pending"] == 1)
        #expect(overview["attention"]?[0]?["error"] == "Saga.Unreadable")

        let shown = try JSON.parse(try await program.run("status", "k", "--format", "json").output)
        #expect(shown["status"] == "stuck")
        #expect(shown["input"]?.text == #"{"n":1}"#)
        #expect(shown["failure"]?.text == reason)
        #expect(try await program.run("events", "k").status == 0)

        let follower = try program.start(["watch", "k"])
        #expect(try await program.run("terminate", "k", "--reason", "broken").status == 0)
        #expect(await follower.ending().error == "")
        #expect(
            try JSON.parse(try await program.run("status", "k", "--format", "json").output)["status"] == "terminated")
        await program.remove()
    }

    /// Its history is whole: a retry has a daemon go on from there.
    @Test func aStatusThatIsNoneIsMendedByARetry() async throws {
        let program = try await SagaProgram.withDefinitions()
        _ = try await program.startSaga("order", key: "k")
        _ = try await program.pool.query("UPDATE saga.state SET status = 8, due_at = 'infinity'")
        #expect(
            try await program.run("retry", "k").normalized == Run(0, "order ID1 is tried again\n"))
        let row = try await program.pool.query("SELECT status, due_at < 'infinity' FROM saga.state")
        #expect(try row.rows[0].decode(0, as: Int16.self) == SagaStatus.stuck.rawValue)
        #expect(try row.rows[0].decode(1, as: Bool.self))
        await program.remove()
    }

    @Test func anEndedSagaWhoseStatusIsNoneIsOnlyRetried() async throws {
        let program = try await SagaProgram.withDefinitions()
        let id = try await program.startSaga("order", key: "k")
        try await program.append([(.sagaCompleted, #"{"output":1}"#)], to: id, leaving: .running)
        _ = try await program.pool.query("UPDATE saga.state SET status = 8")
        #expect(
            try await program.run("terminate", "k", "--reason", "broken")
                == Run(
                    1,
                    error: "saga: the saga has ended, its events say: completed; saga retry has a daemon write that on "
                        + "its row\n"))
        #expect(try await program.run("retry", "k").status == 0)
        await program.remove()
    }

    @Test func aHoleIsNotRetried() async throws {
        let program = try await SagaProgram.withDefinitions()
        let id = try await program.startSaga("order", key: "k")
        _ = try await program.pool.query(
            "INSERT INTO saga.event (saga_id, sequence, type, at, data) VALUES ('\(id)', 3, 18, now(), '{\"actor\":\"a\"}')"
        )
        _ = try await program.pool.query("UPDATE saga.state SET unreadable = 'event 2 is missing', due_at = 'infinity'")
        #expect(
            try await program.run("retry", "k")
                == Run(
                    1,
                    error:
                        "saga: the saga can't be read (event 2 is missing); all that can be done is to terminate it\n"))
        let status = try await program.run("status", "k").output
        #expect(status.contains("saga terminate"))
        #expect(!status.contains("saga retry"))
        let events = try await program.pool.query("SELECT max(sequence) FROM saga.event")
        #expect(try events.rows[0].decode(0, as: Int32.self) == 3)
        #expect(try await program.run("terminate", "k", "--reason", "broken").status == 0)
        await program.remove()
    }

    @Test func anEventThatCantBeDecodedIsShownAndTheSagaCanBeTerminated() async throws {
        let program = try await SagaProgram.withDefinitions()
        let id = try await program.startSaga("order", key: "k")
        _ = try await program.pool.query(
            """
            INSERT INTO saga.event (saga_id, sequence, type, at, data)
                VALUES ('\(id)', 2, 18, '294276-12-31T23:59:59Z', '{"actor":"a"}')
            """)
        let status = try JSON.parse(try await program.run("status", "k", "--format", "json").output)
        #expect(status["failure"]?["message"]?.text.contains("event 2 can't be decoded") == true)
        #expect(try await program.run("terminate", "k", "--reason", "broken").status == 0)
        let events = try await program.pool.query("SELECT max(sequence) FROM saga.event")
        #expect(try events.rows[0].decode(0, as: Int32.self) == 3)
        await program.remove()
    }

    @Test func aSagaWithoutEventsCanBeTerminated() async throws {
        let program = try await SagaProgram.withDefinitions()
        _ = try await program.startSaga("order", key: "k")
        _ = try await program.pool.query(
            "DO $$ BEGIN SET LOCAL session_replication_role = replica; DELETE FROM saga.event; END $$")
        #expect(
            try await program.run("pause", "k")
                == Run(
                    1,
                    error:
                        "saga: the saga can't be read (its events are gone); all that can be done is to terminate it\n"
                ))
        #expect(
            try await program.run("terminate", "k", "--reason", "broken").normalized
                == Run(0, "order ID1 is terminated\n"))
        let status = try JSON.parse(try await program.run("status", "k", "--format", "json").output)
        #expect(status["status"] == "terminated")
        await program.remove()
    }
}

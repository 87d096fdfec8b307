import Foundation
import PostgresClient
import SagaCore
import Testing

/// `saga prune`, and what is said of sagas whose histories are gone.
@Suite struct PruneTests {
    typealias Run = SagaProgram.Run

    /// A day with one saga that ended then, and one with one that is stuck since.
    private func program() async throws -> SagaProgram {
        let program = try await SagaProgram.withDefinitions()
        try await program.pool.execute(
            script: """
                SELECT saga.ensure_partitions(1, '2020-01-01T12:00:00Z');
                SELECT saga.ensure_partitions();
                WITH new AS (SELECT saga.id_at('2020-01-01T08:00:00.125Z') AS id), s AS (
                    INSERT INTO saga.state (id, started_at, definition_id, status, ended_at, key)
                        SELECT id, '2020-01-01T08:00:00.125Z', 1, 5, '2020-01-01T09:00:00Z', 'order-42' FROM new
                ), k AS (
                    INSERT INTO saga.key (key, saga_id, saga, input_hash)
                        SELECT 'order-42', id, 'order', jsonb_hash_extended('{}', 0) FROM new
                )
                INSERT INTO saga.event (saga_id, sequence, type, at, data)
                    SELECT id, 1, 1, '2020-01-01T08:00:00.125Z', '{"input":{}}' FROM new;
                WITH new AS (SELECT saga.id_at('2020-01-02T08:00:00Z') AS id), s AS (
                    INSERT INTO saga.state (id, started_at, definition_id, status, due_at)
                        SELECT id, '2020-01-02T08:00:00Z', 1, 4, 'infinity' FROM new
                )
                INSERT INTO saga.event (saga_id, sequence, type, at, data)
                    SELECT id, 1, 1, '2020-01-02T08:00:00Z', '{"input":{}}' FROM new
                """)
        return program
    }

    /// Without sizes and the widths of columns, which are the server's business.
    private func shown(_ run: Run) -> Run {
        let output = run.normalized.output.replacing(#/\d+ KiB/#, with: "SIZE").replacing(#/ +/#, with: " ")
        return Run(run.status, output.replacing(#/"bytes":\d+,/#, with: ""), error: run.normalized.error)
    }

    /// With `DAY` for the one on which it was dropped: today.
    private func told(_ run: Run) -> Run {
        Run(
            run.status, run.output,
            error: run.error.replacing(#/retention on \d{4}-\d\d-\d\d/#, with: "retention on DAY"))
    }

    @Test func saysWhatItWouldDropAndWhatPinsTheRest() async throws {
        let program = try await program()
        let pinned = "2020-01-02 1 SIZE kept: 1 saga hasn't ended, first ID1 (stuck)"
        #expect(
            shown(try await program.run("prune", "--dry-run"))
                == Run(
                    0,
                    """
                    DAY SAGAS SIZE OUTCOME
                    2020-01-01 1 SIZE would be dropped
                    \(pinned)

                    """))
        #expect(
            shown(try await program.run("prune", "--dry-run", "--format", "json"))
                == Run(
                    0,
                    #"[{"day":"2020-01-01","sagas":1,"outcome":"droppable","pinning":0,"unended":0,"oldest":null},"#
                        + #"{"day":"2020-01-02","sagas":1,"outcome":"kept","pinning":1,"unended":1,"#
                        + #""oldest":{"id":"ID1","status":"stuck","endedAt":null}}]"# + "\n"))
        #expect(
            shown(try await program.run("prune", "--older-than", "7d"))
                == Run(
                    0,
                    """
                    DAY SAGAS SIZE OUTCOME
                    2020-01-01 1 SIZE dropped
                    \(pinned)

                    """))
        #expect(
            try await program.run("prune", "--older-than", "soon").status == 64)
        await program.remove()
    }

    @Test func aDroppedSagaIsToldFromOneThatNeverWas() async throws {
        let program = try await program()
        let started = try await program.run("start", "order", "--key", "order-42")
        #expect(try await program.run("prune").status == 0)

        let id = started.output.dropLast()
        #expect(
            told(try await program.run("status", "order-42"))
                == Run(
                    1,
                    error:
                        "saga: the saga of key \"order-42\" (\(id), started 2020-01-01T08:00:00.125Z) has ended, and "
                        + "its history was dropped by retention on DAY\n"))
        #expect(
            told(try await program.run("events", String(id)))
                == Run(
                    1,
                    error:
                        "saga: no saga has the id \(id) any more: all that were started on 2020-01-01 have ended, and "
                        + "their histories were dropped by retention on DAY\n"))
        #expect(
            try await program.run("status", "order-43")
                == Run(1, error: "saga: no saga has the id or key \"order-43\"\n"))
        let never = "0190a0a0-0000-7000-8000-000000000001"
        #expect(
            try await program.run("status", never) == Run(1, error: "saga: no saga has the id or key \"\(never)\"\n"))
        // Started again, it is known and doesn't run.
        #expect(try await program.run("start", "order", "--key", "order-42") == started)
        await program.remove()
    }

    @Test func everyCallTellsThatASagaWasDropped() async throws {
        let program = try await program()
        let started = try await program.run("start", "order", "--key", "order-42")
        let id = String(started.output.dropLast())
        #expect(try await program.run("prune").status == 0)
        let byKey =
            "saga: the saga of key \"order-42\" (\(id), started 2020-01-01T08:00:00.125Z) has ended, and its history was "
            + "dropped by retention on DAY\n"
        let byID =
            "saga: no saga has the id \(id) any more: all that were started on 2020-01-01 have ended, and their histories "
            + "were dropped by retention on DAY\n"
        for call in [
            ["status"], ["events"], ["events", "--follow"], ["watch"], ["graph"], ["graph", "--as", "svg"],
            ["pause"], ["resume"], ["retry"], ["cancel", "--reason", "r"], ["compensate", "--reason", "r"],
            ["terminate", "--reason", "r"], ["resolve", "charge", "--done", "--reason", "r"],
        ] {
            for (name, error) in [("order-42", byKey), (id, byID)] {
                let run = try program.start([call[0], name] + call.dropFirst(), input: nil)
                let ending = told(await run.ending())
                #expect(ending == Run(1, error: error), "\(call) \(name)")
            }
        }
        // Its key is known, so nothing is started; there is nothing to wait for either.
        #expect(
            told(try await program.run("start", "order", "--key", "order-42", "--wait"))
                == Run(1, started.output, error: byKey))
        #expect(
            told(try await program.run("start", "order", "--key", "order-42", "--wait", "--format", "json"))
                == Run(1, error: byKey))
        await program.remove()
    }

    /// The schema of today says nothing of what was started in its time.
    @Test func aDroppedSagasKeyIsKnownWhateverTheSchemaIsByNow() async throws {
        let program = try await program()
        #expect(try await program.run("prune").status == 0)
        try program.write(
            Fixtures.order.replacingOccurrences(
                of: #"{"saga": "order","#, with: #"{"saga": "order", "input": {"required": ["n"]},"#),
            to: "sagas/order.json")
        #expect(try await program.run("apply", "sagas").status == 0)
        #expect(try await program.run("start", "order", "--key", "order-43").status == 1)
        #expect(try await program.run("start", "order", "--key", "order-42").normalized == Run(0, "ID1\n"))
        await program.remove()
    }

    @Test func withoutOldDaysThereIsNothingToDo() async throws {
        let program = try await SagaProgram.make()
        #expect(
            try await program.run("prune")
                == Run(0, "Nothing is old enough: no day of starts lies more than 30d back\n"))
        #expect(try await program.run("prune", "--format", "json") == Run(0, "[]\n"))
        await program.remove()
    }
}

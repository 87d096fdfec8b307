import Glibc
import JSON
import SagaCore
import SagaPostgres
import Testing

@testable import saga

@Suite struct BulkSteeringTests {
    typealias Run = SagaProgram.Run

    /// Starts an order that is stuck on undoing `reserve`.
    @discardableResult
    static func stuck(_ program: SagaProgram, _ key: String, error: String = "Refused") async throws -> SagaID {
        let id = try await program.startSaga("order", key: key)
        try await program.append(
            [
                (.stepStarted, #"{"step":"reserve","attempt":1}"#),
                (.stepSucceeded, #"{"step":"reserve","attempt":1,"outcome":"done","output":null}"#),
                (.sagaCompensating, #"{"step":"charge","error":"CardDeclined","message":"no"}"#),
                (.compensationStarted, #"{"step":"reserve","attempt":1}"#),
                (
                    .compensationFailed,
                    #"{"step":"reserve","attempt":1,"outcome":"failed","error":"\#(error)","message":"closed"}"#
                ),
                (.sagaStuck, #"{"step":"reserve","error":"\#(error)","message":"closed"}"#),
            ],
            to: id,
            leaving: .stuck
        )
        return id
    }

    @Test func stuckSagasAreShownAndRetriedByFilter() async throws {
        let program = try await SagaProgram.withDefinitions()
        for index in 1...6 { try await Self.stuck(program, "k\(index)") }
        try await Self.stuck(program, "other", error: "Busy")
        _ = try await program.startSaga("order", key: "fresh")
        let sample = (1...5).map { "  ID\($0)  order  k\($0)   stuck   reserve  Refused\n" }
            .joined()
        let shown =
            "6 sagas match\n  ID                                    SAGA   KEY  STATUS  STEP     ERROR\n"
            + sample + "  … and 1 more\n"
            + "retry: every operation that failed for good is tried again, with a fresh count of attempts\n"
        let filters = ["--saga", "order", "--step", "reserve", "--error", "Refused"]
        #expect(
            try await program.start(["retry"] + filters + ["--dry-run"]).ending().normalized
                == Run(0, shown + "dry run: nothing was done\n")
        )
        #expect(
            try await program.start(["retry"] + filters).ending().normalized
                == Run(
                    1,
                    shown,
                    error: "saga: 6 sagas match, and without a terminal nobody can be asked: give --yes to go on\n"
                )
        )
        let done = (1...6).map { "order ID\($0) is tried again\n" }.joined()
        #expect(
            try await program.start(
                ["retry"] + filters + ["--yes", "--batch", "2", "--rate", "0", "--actor", "ann of the desk"]
            ).ending().normalized
                == Run(0, shown + done + "6 matched: 6 changed, 0 already so, 0 refused, 0 failed\n")
        )
        #expect(try await program.start(["retry"] + filters + ["--yes"]).ending() == Run(0, "nothing matches\n"))
        let events = try await program.run("events", "k1").output
        #expect(events.contains("by ann of the desk"))
        let left = try JSON.parse(try await program.run("list", "--status", "stuck", "--format", "json").output)
        #expect(left.elementCount == 1)
        #expect(left[0]?["key"] == "other")
        // No daemon has acted on it yet, but none of the six needs a person any more.
        let overview = try JSON.parse(try await program.run("status", "--format", "json").output)
        #expect(overview["attention"]?.elementCount == 1)
        #expect(overview["attention"]?[0]?["error"] == "Busy")
        #expect(overview["attention"]?[0]?["count"] == 1)
        await program.remove()
    }

    @Test func everyCommandTakesFilters() async throws {
        let program = try await SagaProgram.withDefinitions()
        for key in ["a", "b"] { _ = try await program.startSaga("order", key: key) }
        try await Self.stuck(program, "c")
        func run(_ arguments: String...) async throws -> [String] {
            let run = try await program.start(arguments + ["--yes", "--rate", "1000/s"]).ending()
            #expect(run.error == "")
            return run.normalized.output.split(separator: "\n").filter { !$0.hasPrefix("  ") }.dropFirst(2).map(
                String.init)
        }
        #expect(
            try await run("pause", "--saga", "order", "--status", "running", "--status", "pending") == [
                "order ID1 is paused", "order ID2 is paused", "2 matched: 2 changed, 0 already so, 0 refused, 0 failed",
            ]
        )
        #expect(
            try await run("pause", "--since", "1h") == [
                "order ID1: already so: the saga is paused already",
                "order ID2: already so: the saga is paused already",
                "order ID3 is paused", "3 matched: 1 changed, 2 already so, 0 refused, 0 failed",
            ]
        )
        #expect(
            try await run("resume", "--saga", "order", "--limit", "2") == [
                "order ID1 goes on", "order ID2 goes on", "2 matched: 2 changed, 0 already so, 0 refused, 0 failed",
            ]
        )
        // Of three only one is paused still.
        #expect(
            try await run("resume", "--saga", "order") == [
                "order ID1 goes on", "1 matched: 1 changed, 0 already so, 0 refused, 0 failed",
            ]
        )
        #expect(
            try await run("resolve", "reserve", "--undone", "--reason", "by hand", "--saga", "order") == [
                "order ID1 goes on from reserve, undone", "1 matched: 1 changed, 0 already so, 0 refused, 0 failed",
            ]
        )
        #expect(
            try await run("cancel", "--saga", "order", "--reason", "recall") == [
                "order ID1 is being cancelled", "order ID2 is being cancelled",
                "order ID3: already so: the saga is being compensated already",
                "3 matched: 2 changed, 1 already so, 0 refused, 0 failed",
            ]
        )
        #expect(
            try await run("terminate", "--saga", "order", "--reason", "enough") == [
                "order ID1 is terminated", "order ID2 is terminated", "order ID3 is terminated",
                "3 matched: 3 changed, 0 already so, 0 refused, 0 failed",
            ]
        )
        #expect(
            try await program.run("terminate", "--since", "1h", "--reason", "r", "--yes") == Run(0, "nothing matches\n")
        )
        await program.remove()
    }

    @Test func jsonIsOneDocument() async throws {
        let program = try await SagaProgram.withDefinitions()
        try await Self.stuck(program, "a")
        let running = try await program.startSaga("order", key: "b")
        try await program.append([(.stepStarted, #"{"step":"reserve","attempt":1}"#)], to: running, leaving: .running)
        func run(_ arguments: String...) async throws -> Run {
            try await program.start(arguments + ["--format", "json"]).ending().normalized
        }
        #expect(
            try await run("retry", "--saga", "order", "--dry-run")
                == Run(
                    0,
                    #"{"matched":1,"sagas":[{"id":"ID1","saga":"order","result":"matches","message":null}],"#
                        + #""changed":0,"alreadySo":0,"refused":0,"failed":0}"# + "\n"
                )
        )
        #expect(
            try await run("retry", "--saga", "order")
                == Run(
                    1, error: "saga: 1 saga matches, and without a terminal nobody can be asked: give --yes to go on\n")
        )
        #expect(
            try await run("retry", "--status", "stuck", "--status", "running", "--yes")
                == Run(
                    1,
                    #"{"matched":2,"sagas":[{"id":"ID1","saga":"order","result":"changed","message":null},"#
                        + #"{"id":"ID2","saga":"order","result":"refused","#
                        + #""message":"only a stuck saga can be retried, this one is running"}],"#
                        + #""changed":1,"alreadySo":0,"refused":1,"failed":0}"# + "\n"
                )
        )
        #expect(
            try await run("retry", "--error", "Nothing", "--yes")
                == Run(0, #"{"matched":0,"sagas":[],"changed":0,"alreadySo":0,"refused":0,"failed":0}"# + "\n")
        )
        await program.remove()
    }

    @Test func whatFailsIsReportedAndTheOthersGoOn() async throws {
        let program = try await SagaProgram.withDefinitions()
        try await Self.stuck(program, "a")
        try await Self.stuck(program, "b")
        _ = try await program.pool.query("ALTER FUNCTION saga.append_operator_event RENAME TO gone")
        let run = try await program.run("retry", "--status", "stuck", "--yes").normalized
        let reason = "failed: the database's schema is missing or older than this program: run `saga migrate`"
        #expect(run.status == 1)
        #expect(run.error == "")
        #expect(
            run.output.hasSuffix(
                "order ID1: \(reason)\norder ID2: \(reason)\n"
                    + "2 matched: 0 changed, 0 already so, 0 refused, 2 failed\n")
        )
        await program.remove()
    }

    @Test func whatIsWrongIsSaid() async throws {
        let program = try await SagaProgram.withDefinitions()
        #expect(
            try await program.run("retry", "--saga", "ordr", "--yes")
                == Run(1, error: "saga: no saga is named \"ordr\"; did you mean `order`?\n")
        )
        #expect(try await program.run("retry", "--step", "nowhere") == Run(0, "nothing matches\n"))
        #expect(
            try await program.run("pause").error.hasPrefix(
                "Error: give a saga's id or key, or filters that say which are meant, such as: saga pause --saga NAME"))
        #expect(
            try await program.run("terminate", "--status", "completed", "--reason", "r").error.hasPrefix(
                "Error: --status completed: there is nothing to terminate in a saga that has ended\n"))
        await program.remove()
    }

    @Test func interruptedItSaysHowFarItCameAndGoesOnWhenRunAgain() async throws {
        let program = try await SagaProgram.withDefinitions()
        for index in 1...5 { try await Self.stuck(program, "k\(index)") }
        let running = try program.start(["retry", "--status", "stuck", "--yes", "--rate", "1"])
        while let line = await running.line(), !line.hasSuffix("is tried again") {}
        running.signal(2)
        let end = await running.ending()
        #expect(end.status == 130)
        let more = end.output.split(separator: "\n").count { $0.hasSuffix("is tried again") }
        let done = 1 + more
        #expect(
            end.output.hasSuffix(
                "5 matched: \(done) changed, 0 already so, 0 refused, 0 failed, "
                    + "\(5 - done) not looked at; run it again to go on\n")
        )
        let again = try await program.run("retry", "--status", "stuck", "--yes")
        #expect(again.status == 0)
        #expect(
            again.output.hasSuffix("\(5 - done) matched: \(5 - done) changed, 0 already so, 0 refused, 0 failed\n"))
        await program.remove()
    }

    /// What is written piece by piece is a whole document however it ends.
    @Test(arguments: [SIGINT, SIGTERM])
    func interruptedItsDocumentIsWhole(_ signal: Int32) async throws {
        let program = try await SagaProgram.withDefinitions()
        for index in 1...3 { try await Self.stuck(program, "k\(index)") }
        let running = try program.start(["retry", "--status", "stuck", "--yes", "--rate", "1", "--format", "json"])
        let retried = "SELECT count(*) FROM saga.event WHERE type = 21"
        while try await program.pool.query(retried).rows.first?.decode(0, as: Int.self) == 0 {}
        running.signal(signal)
        let end = await running.ending()
        #expect(end.status == 128 + signal)
        let document = try JSON.parse(end.output)
        let sagas = try #require(document["sagas"]?.arrayValue)
        #expect(sagas.allSatisfy { $0["result"] == .string("changed") })
        #expect(end.output.hasSuffix(#"],"changed":\#(sagas.count),"alreadySo":0,"refused":0,"failed":0}"# + "\n"))
        await program.remove()
    }

    /// Why `terminate` is refused to a saga that a filter found before; nil when it isn't.
    private static func refusal(_ sagaOperator: SagaOperator, _ id: SagaID, _ filter: SagaFilter) async -> String? {
        do {
            let act = Event.Act(actor: "ann", reason: "r")
            _ = try await sagaOperator.perform(.terminate, on: id, by: act, fitting: filter)
            return nil
        } catch .refused(let reason) {
            return reason
        } catch {
            return "\(error)"
        }
    }

    /// What another did between the listing and the act is reported, never run over.
    @Test func sagaThatChangedMeanwhileIsLeftAlone() async throws {
        let program = try await SagaProgram.withDefinitions()
        let id = try await Self.stuck(program, "k")
        let sagaOperator = SagaOperator(pool: program.pool)
        let act = Event.Act(actor: "ann", reason: "r")
        func expect(_ reason: String, _ filter: SagaFilter) async {
            #expect(await Self.refusal(sagaOperator, id, filter) == reason)
        }
        await expect("the saga has changed: its failure isn't Busy now", SagaFilter(error: "Busy"))
        await expect("the saga has changed: its failure isn't at charge now", SagaFilter(step: "charge"))
        await expect("the saga has changed: it isn't paused now", SagaFilter(isPaused: true))
        _ = try await sagaOperator.perform(.retry, on: id, by: act)
        let stuck = SagaFilter(statuses: [.stuck], step: "reserve", error: "Refused")
        await expect("the saga has changed: it is compensating now", stuck)
        let going = SagaFilter(saga: "order", statuses: [.compensating])
        _ = try await sagaOperator.perform(.terminate, on: id, by: act, fitting: going)
        await expect("the saga has ended: terminated", going)
        await program.remove()
    }

    @Test func pagesGoOnWhereNothingFits() async throws {
        let program = try await SagaProgram.withDefinitions()
        var ids: [SagaID] = []
        for index in 0..<6 {
            ids.append(try await Self.stuck(program, "k\(index)", error: index == 4 ? "Rare" : "Common"))
        }
        let reader = SagaReader(pool: program.pool)
        let rare = SagaFilter(statuses: [.stuck], error: "Rare", limit: .max)
        let found = try await reader.survey(rare, sample: 5)
        #expect(found.count == 1)
        #expect(found.sample.map(\.id) == [ids[4]])
        let first = try await reader.page(rare, after: nil, through: ids[5], size: 3)
        #expect(first == SagaPage(sagas: [], last: ids[2]))
        let second = try await reader.page(rare, after: first.last, through: ids[5], size: 3)
        #expect(second.sagas.map(\.id) == [ids[4]])
        #expect(second.last == ids[5])
        #expect(
            try await reader.page(rare, after: second.last, through: ids[5], size: 3) == SagaPage(sagas: [], last: nil))
        // A saga that starts later isn't meant.
        #expect(try await reader.page(rare, after: nil, through: ids[3], size: 10).sagas == [])
        let common = try await reader.survey(SagaFilter(error: "Common", limit: 2), sample: 5)
        #expect(common.count == 2)
        #expect(common.sample.map(\.id) == [ids[0], ids[1]])
        await program.remove()
    }

    @Test func listTakesTheSameFilters() async throws {
        let program = try await SagaProgram.withDefinitions()
        let refused = try await Self.stuck(program, "a")
        let busy = try await Self.stuck(program, "b", error: "Busy")
        let aside = try await program.startSaga("order", key: "c")
        _ = try await program.pool.query("UPDATE saga.state SET unreadable = 'why' WHERE key = 'c'")
        func ids(_ arguments: String...) async throws -> [SagaID] {
            let run = try await program.start(["list", "--format", "json"] + arguments).ending()
            let list = try JSON.parse(run.output)
            return (0..<(list.elementCount ?? 0)).compactMap { list[$0]?["id"]?.stringValue.flatMap { SagaID($0) } }
        }
        #expect(try await ids("--error", "Busy") == [busy])
        #expect(try await ids("--step", "reserve") == [busy, refused])
        #expect(try await ids("--step", "reserve", "--limit", "1") == [busy])
        #expect(try await ids("--error", "Saga.Unreadable") == [aside])
        #expect(try await ids("--status", "stuck") == [aside, busy, refused])
        #expect(try await ids("--status", "pending") == [])
        #expect(try await ids("--until", "1h") == [])
        #expect(try await ids("--until", "0s", "--error", "Refused") == [refused])
        await program.remove()
    }

    @Test(arguments: [
        ("y", true), ("Yes", true), (" Y ", true), ("", false), ("n", false), ("yy", false), ("no", false),
    ])
    func onlyYesIsYes(_ answer: String, _ expected: Bool) {
        #expect(Confirmation.isYes(answer) == expected)
    }

    @Test(arguments: [
        ("order-1", "order-1"), ("Saga.HTTP.503", "Saga.HTTP.503"), ("a b", "'a b'"), ("it's", #"'it'\''s'"#),
        ("$(rm x)", "'$(rm x)'"), ("", "''"), ("=ls", "'=ls'"), ("ü;", "'ü;'"), ("a\nb", "'a\nb'"), ("!x", "'!x'"),
    ])
    func commandsCanBePasted(_ text: String, _ expected: String) {
        #expect(text.shellQuoted == expected)
        #expect(String.option("--error", text) == "--error \(expected)")
        #expect(String.option("--error", "-x") == "--error=-x")
    }
}

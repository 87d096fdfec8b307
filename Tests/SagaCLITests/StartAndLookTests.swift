import JSON
import SagaCore
import Testing

@Suite struct StartAndLookTests {
    typealias Run = SagaProgram.Run

    @Test func migrateApplyStart() async throws {
        let program = try await SagaProgram.make(isMigrated: false)
        #expect(
            try await program.run("list")
                == Run(
                    1,
                    error: "saga: the database's schema is missing or older than this program: run `saga migrate`\n"
                )
        )
        let migrated = try await program.run("migrate", "--format", "json")
        let latest = try #require(try JSON.parse(migrated.output)["to"]?.text)
        #expect(migrated == Run(0, "{\"from\":0,\"to\":\(latest)}\n"))
        #expect(try await program.run("migrate") == Run(0, "schema version \(latest): up to date\n"))

        let order = try Fixtures.definition(Fixtures.order).digest.version
        let transfer = try Fixtures.definition(Fixtures.transfer).digest.version
        #expect(
            try await program.run("apply", "sagas") == Run(0, "order \(order) created\ntransfer \(transfer) created\n")
        )
        #expect(
            try await program.run("apply", "sagas/order.json", "--format", "json")
                == Run(0, "[{\"saga\":\"order\",\"version\":\"\(order)\",\"result\":\"unchanged\"}]\n")
        )

        let started = try await program.run("start", "order", "--input", #"{"n": 1.10}"#, "--key", "k")
        let id = started.output.dropLast()
        #expect(started.normalized == Run(0, "ID1\n"))
        #expect(
            try await program.run("start", "order", "--input", #"{"n":1.10}"#, "--key", "k", "--format", "json")
                == Run(
                    0,
                    "{\"id\":\"\(id)\",\"saga\":\"order\",\"version\":\"\(order)\",\"key\":\"k\",\"created\":false}\n"
                )
        )
        try program.write("{\n  \"n\": 2\n}", to: "input.json")
        #expect(
            try await program.run("start", "order", "--input", "@input.json", "--format", "json").normalized
                == Run(
                    0,
                    "{\"id\":\"ID1\",\"saga\":\"order\",\"version\":\"\(order)\",\"key\":null,\"created\":true}\n"
                )
        )
        #expect(try await program.run("start", "order", "--input", "-", input: "[1]\n").normalized == Run(0, "ID1\n"))
        await program.remove()
    }

    @Test func anInputThatBreaksTheSchemaIsRefusedWithEveryFault() async throws {
        let program = try await SagaProgram.withDefinitions()
        func apply(_ schema: String) async throws {
            try program.write(
                #"{"saga": "strict", "input": \#(schema), "steps": [{"name": "a", "action": {"noop": {}}}]}"#,
                to: "strict.json")
            #expect(try await program.run("apply", "strict.json").status == 0)
        }
        func start(_ input: String, _ more: String...) async throws -> Run {
            try await program.start(["start", "strict", "--input", input] + more).ending().normalized
        }
        try await apply(
            #"{"required": ["id"], "properties": {"id": {"type": "string"}, "n": {"items": {"minimum": 1}}}}"#)

        #expect(
            try await start(#"{"n": [1, 0, 1, -2]}"#)
                == Run(
                    1,
                    error: """
                        the input has no `id`
                        /n/1 must be at least 1
                        /n/3 must be at least 1
                        saga: the input breaks the schema of strict in 3 places

                        """))
        #expect(
            try await start(#"{"id": 7}"#, "--key", "k")
                == Run(
                    1, error: "saga: the input breaks the schema of strict: /id must be a string, not a number\n"))
        #expect(try await program.run("list", "--saga", "strict", "--format", "json").output == "[]\n")

        let first = try await start(#"{"id": "7"}"#, "--key", "k")
        #expect(first.status == 0)
        try await apply(#"{"required": ["other"]}"#)
        #expect(try await start(#"{"id": "7"}"#, "--key", "k") == first)
        #expect(try await start(#"{"id": "7"}"#).status == 1)
        try await apply("true")
        #expect(try await start("[]").status == 0)
        await program.remove()
    }

    @Test func aKnownVersionIsReactivated() async throws {
        let program = try await SagaProgram.withDefinitions()
        let first = try Fixtures.definition(Fixtures.order).digest.version
        let changed = Fixtures.order.replacing("/ship", with: "/send")
        let second = try Fixtures.definition(changed).digest.version
        try program.write(changed, to: "changed.json")
        #expect(try await program.run("apply", "changed.json") == Run(0, "order \(second) created\n"))
        #expect(try await program.run("apply", "sagas/order.json") == Run(0, "order \(first) reactivated\n"))
        await program.remove()
    }

    @Test func otherSettingsOfASharedServiceAreToldOf() async throws {
        let program = try await SagaProgram.withDefinitions()
        let other = Fixtures.order.replacing(#""saga": "order""#, with: #""saga": "other""#)
            .replacing(#""url": "http://127.0.0.1:9""#, with: #""url": "http://127.0.0.1:9", "maxConcurrent": 2"#)
        try program.write(other, to: "other.json")
        let version = try Fixtures.definition(other).digest.version
        #expect(
            try await program.run("apply", "other.json")
                == Run(
                    0,
                    "other \(version) created\n",
                    error: "warning: service shop at http://127.0.0.1:9 had other limits or another circuit breaker; "
                        + "those applied last hold for every definition that calls it\n"
                )
        )
        await program.remove()
    }

    @Test func whatCantBeStartedSaysWhy() async throws {
        let program = try await SagaProgram.withDefinitions()
        _ = try await program.startSaga("order", key: "k", input: #"{"n":1}"#)
        #expect(
            try await program.run("start", "ordr")
                == Run(1, error: "saga: no saga is named \"ordr\"; did you mean `order`?\n")
        )
        #expect(try await program.run("start", "zzzzzzzz") == Run(1, error: "saga: no saga is named \"zzzzzzzz\"\n"))
        #expect(
            try await program.run("start", "order", "--key", "k", "--input", #"{"n":2}"#).normalized
                == Run(
                    1,
                    error: "saga: the key \"k\" was used to start saga \"order\" with another input "
                        + "(It belongs to saga ID1)\n"
                )
        )
        #expect(
            try await program.run("start", "transfer", "--key", "k").normalized
                == Run(
                    1,
                    error: "saga: the key \"k\" was used to start saga \"order\", not \"transfer\" "
                        + "(It belongs to saga ID1)\n"
                )
        )
        #expect(
            try await program.run("start", "order", "--input", "{\n  \"a\": tru\n}").normalized
                == Run(1, error: "saga: the input isn't JSON: line 2, column 8: expected a value, found 't'\n")
        )
        #expect(
            try await program.run("start", "order", "--input", "@none.json")
                == Run(1, error: "saga: can't read none.json: No such file or directory\n")
        )
        let sagas = try await program.run("list", "--format", "json")
        #expect(try JSON.parse(sagas.output).elementCount == 1)
        await program.remove()
    }

    @Test func statusAndListAndEvents() async throws {
        let program = try await SagaProgram.withDefinitions()
        let order = try Fixtures.definition(Fixtures.order).digest.version
        let id = try await program.startSaga("order", key: "k", input: #"{"n": 1.10}"#)
        let expected =
            #"{"id":"ID1","saga":"order","version":"\#(order)","key":"k","status":"pending","paused":false,"#
            + #""input":{"n": 1.10},"output":null,"startedAt":"TIME","endedAt":null,"failure":null"#
        let status = try await program.run("status", "k", "--format", "json").normalized
        #expect(status.output.hasPrefix(expected + #","steps":[{"name":"reserve","#))
        #expect(try await program.run("status", id.description, "--format", "json").normalized == status)
        #expect(try await program.run("list", "--format", "json").normalized == Run(0, "[\(expected)}]\n"))
        #expect(
            try await program.run("events", "k").normalized == Run(0, "   1  TIME  SagaStarted\n")
        )
        #expect(
            try await program.run("events", "k", "--format", "json").normalized
                == Run(
                    0,
                    #"{"specversion":"1.0","id":"ID1/0000000001","source":"/sagas/order","type":"saga.SagaStarted","#
                        + #""subject":"ID1","time":"TIME","datacontenttype":"application/json","#
                        + #""sequence":"0000000001","correlationid":"ID1","causationid":null,"#
                        + #""data":{"input":{"n": 1.10}}}"# + "\n"
                )
        )
        let overview = try JSON.parse(try await program.run("status", "--format", "json").output)
        #expect(overview["sagas"]?["pending"] == 1)
        #expect(overview["oldestDue"]?["id"]?.stringValue == id.description)
        #expect(overview["attention"]?.elementCount == 0)
        await program.remove()
    }

    @Test func listFilters() async throws {
        let program = try await SagaProgram.withDefinitions()
        let first = try await program.startSaga("order")
        let second = try await program.startSaga("transfer", input: #"{"amount":1}"#)
        let third = try await program.startSaga("order")
        try await program.append([(.sagaTerminated, #"{"actor":"a","reason":"r"}"#)], to: first, leaving: .terminated)
        func ids(_ arguments: String...) async throws -> [String?] {
            let run = try await program.start(["list", "--format", "json"] + arguments).ending()
            guard case .array(let sagas) = try JSON.parse(run.output) else { return [] }
            return sagas.map { $0["id"]?.stringValue }
        }
        let (a, b, c) = (first.description, second.description, third.description)
        #expect(try await ids() == [c, b, a])
        #expect(try await ids("--saga", "order") == [c, a])
        #expect(try await ids("--status", "terminated") == [a])
        #expect(try await ids("--status", "terminated", "--status", "pending") == [c, b, a])
        #expect(try await ids("--status", "stuck") == [])
        #expect(try await ids("--limit", "1") == [c])
        #expect(try await ids("--since", "1h") == [c, b, a])
        #expect(try await ids("--since", "36500d") == [c, b, a])
        #expect(try await program.run("list", "--status", "stuck") == Run(0))
        await program.remove()
    }

    @Test func followingEndsWithTheSaga() async throws {
        let program = try await SagaProgram.withDefinitions()
        let id = try await program.startSaga("order", key: "k")
        let following = try program.start(["events", "k", "--follow"])
        #expect(await following.line()?.hasSuffix("SagaStarted") == true)
        #expect(try await program.run("terminate", "k", "--reason", "over").status == 0)
        let rest = await following.ending().normalized
        #expect(rest == Run(0, "   2  TIME  SagaTerminated                           by USER@HOST, over\n"))
        let watched = try await program.run("watch", "k").normalized
        #expect(
            watched
                == Run(
                    0,
                    "   1  TIME  SagaStarted\n   2  TIME  SagaTerminated                           by USER@HOST, over\n"
                        + "order ID1 terminated\n"
                )
        )
        let document = try await program.run("watch", id.description, "--format", "json")
        #expect(try await program.run("status", "k", "--format", "json") == document)
        await program.remove()
    }

    @Test(arguments: [(SagaStatus.completed, Int32(0)), (.compensated, 3), (.stuck, 4), (.terminated, 4)])
    func waitingEndsAsTheSagaDoes(_ end: SagaStatus, _ expected: Int32) async throws {
        let program = try await SagaProgram.withDefinitions()
        let waiting = try program.start(["start", "order", "--wait", "--format", "json", "--key", "k"])
        #expect(await waiting.errorLine() == "no daemon is alive: the saga waits until a sagad runs")
        let id = try await program.startSaga("order", key: "k")
        let events: [(EventType, String?)] =
            switch end {
            case .completed: [(.sagaCompleted, #"{"output":{"o":1}}"#)]
            case .compensated:
                [(.sagaCompensating, #"{"error":"Saga.Cancelled","message":"m"}"#), (.sagaCompensated, nil)]
            case .stuck: [(.sagaStuck, #"{"step":"ship","error":"E","message":"m"}"#)]
            default: [(.sagaTerminated, #"{"actor":"a","reason":"r"}"#)]
            }
        try await program.append(events, to: id, leaving: end)
        let run = await waiting.ending()
        #expect(run.status == expected)
        #expect(try JSON.parse(run.output)["status"]?.stringValue == end.name)
        #expect(try await program.run("status", "k", "--format", "json").output == run.output)
        await program.remove()
    }

    @Test func whoMayOnlyStartGetsTheID() async throws {
        let program = try await SagaProgram.withDefinitions()
        let run = try await program.run(
            "start",
            "order",
            "--format",
            "json",
            environment: ["PGOPTIONS": "-c role=saga_starter"]
        )
        #expect(
            run.normalized == Run(0, #"{"id":"ID1","saga":"order","version":null,"key":null,"created":true}"# + "\n")
        )
        await program.remove()
    }

    @Test func interruptedWaitLeavesTheSagaRunning() async throws {
        let program = try await SagaProgram.withDefinitions()
        let waiting = try program.start(["start", "order", "--wait"])
        let id = try #require(await waiting.line())
        #expect(await waiting.errorLine() == "no daemon is alive: the saga waits until a sagad runs")
        waiting.signal(2)
        #expect(await waiting.ending() == Run(130, error: "\nsaga \(id) goes on; look at it with: saga watch \(id)\n"))
        #expect(try await program.run("status", id).status == 0)
        await program.remove()
    }
}

extension JSON {
    /// How many elements an array has; nil for anything else.
    var elementCount: Int? {
        if case .array(let elements) = self { elements.count } else { nil }
    }
}

import JSON
import SagaCore
import SagaTestKit
import Testing

@Suite struct UsageTests {
    typealias Run = SagaProgram.Run

    @Test(arguments: [
        ["frobnicate"], ["status", "a", "b"], ["list", "--status", "unknown"], ["list", "--limit", "0"],
        ["list", "--since", "soon"], ["list", "--format", "xml"], ["start"], ["cancel", "k"], ["terminate", "k"],
        ["compensate", "k"], ["compensate", "--reason", "r"], ["retry", "k", "--input-patch"],
        ["cancel", "k", "--reason", " "], ["resolve", "k", "s", "--reason", "r"],
        ["resolve", "k", "s", "--done", "--undone", "--reason", "r"],
        ["resolve", "k", "s", "--undone", "--reason", "r", "--output", "1"], ["validate"],
        ["graph", "k", "--as", "dot"], ["init"], ["init", "a", "b"], ["init", "a", "--output", ""], ["schema", "a"],
        ["list", "--database", ""], ["retry"], ["retry", "--limit", "1"], ["retry", "k", "--saga", "order"],
        ["retry", "k", "--dry-run"], ["retry", "k", "--rate", "1"], ["retry", "--status", "unknown"],
        ["retry", "--status", "compensated"], ["retry", "--saga", "order", "--rate", "abc"],
        ["retry", "--saga", "order", "--rate", "-1"], ["retry", "--saga", "order", "--batch", "0"],
        ["retry", "--saga", "order", "--limit", "0"], ["retry", "k", "--actor", ""], ["retry", "k", "--actor", "a\nb"],
        ["retry", "k", "--actor", String(repeating: "a", count: 256)], ["cancel", "--saga", "order"],
        ["terminate", "--saga", "order", "--yes"], ["resolve", "s", "--undone", "--saga", "order"],
        ["resolve", "--undone", "--reason", "r", "--saga", "order"], ["resolve", "s", "--undone", "--reason", "r"],
        ["resolve", "k", "s", "--undone", "--reason", "r", "--saga", "order"],
        ["resolve", "k", "s", "t", "--undone", "--reason", "r"], ["list", "--until", "soon"],
    ])
    func wrongUsageIs64(_ arguments: [String]) async throws {
        let program = try await SagaProgram.make(isMigrated: false)
        let run = try await program.start(arguments).ending()
        #expect(run.status == 64)
        #expect(run.output == "")
        #expect(run.error != "")
        await program.remove()
    }

    @Test func helpAndVersionAndCompletion() async throws {
        let program = try await SagaProgram.make(isMigrated: false)
        let help = try await program.run("--help")
        #expect(help.status == 0)
        #expect(help.error == "")
        for command in [
            "migrate", "doctor", "prune", "validate", "apply", "start", "status", "list", "events", "watch", "cancel",
            "retry",
            "resolve",
            "terminate", "compensate", "pause", "resume", "graph", "init", "schema",
            "simulate", "test",
        ] {
            #expect(help.output.contains("\n  \(command) "))
            #expect(try await program.run(command, "--help").status == 0)
        }
        let version = try await program.run("--version")
        #expect(version.status == 0)
        #expect(version.output.wholeMatch(of: #/\d+\.\d+\.\d+\n/#) != nil)
        for shell in ["bash", "zsh", "fish"] {
            #expect(try await program.run("--generate-completion-script", shell).status == 0)
        }
        await program.remove()
    }

    @Test(arguments: ["status", "events", "watch", "retry", "pause", "resume"])
    func unknownSagaIs1(_ command: String) async throws {
        let program = try await SagaProgram.make()
        #expect(
            try await program.run(command, "no\u{1B}such")
                == Run(1, error: "saga: no saga has the id or key \"no\u{FFFD}such\"\n")
        )
        #expect(
            try await program.run(command, "0190f3a1-9be0-7d00-8000-000000000000").normalized
                == Run(1, error: "saga: no saga has the id or key \"ID1\"\n")
        )
        await program.remove()
    }

    @Test func databaseThatCantBeReachedIs69() async throws {
        let program = try await SagaProgram.make(isMigrated: false)
        for command in [
            ["list"], ["status"], ["migrate"], ["prune"], ["start", "order"], ["apply", "sagas"], ["graph", "order"],
        ] {
            let run = try await program.start(
                command,
                database: "postgresql:///x?host=/nonexistent&user=u&password=geheim"
            ).ending()
            #expect(run.status == 69)
            #expect(run.output == "")
            #expect(run.error.hasPrefix("saga: the database can't be reached: "))
            #expect(run.error.split(separator: "\n").count == 1)
            #expect(!run.error.contains("geheim"))
        }
        #expect(
            try await program.run("list", database: .some(nil))
                == Run(
                    69,
                    error: "saga: no database: no embedded cluster running for \(program.folder)/.saga; "
                        + "start sagad or give --database\n"
                )
        )
        await program.remove()
    }

    @Test func wrongPasswordIs69() async throws {
        let program = try await SagaProgram.make(isMigrated: false)
        let server = TestPostgres(hostBasedAuthentication: "local all postgres trust\nlocal all all scram-sha-256")
        let url = try await server.database()
        let run = try await program.run(
            "list",
            database: url.replacing("user=postgres", with: "user=nobody&password=geheim")
        )
        #expect(run.status == 69)
        #expect(run.error.hasPrefix("saga: the database can't be reached: "))
        #expect(run.error.contains("password authentication failed for user \"nobody\""))
        #expect(run.error.split(separator: "\n").count == 1)
        try await server.stop(mode: .immediate)
        await program.remove()
    }

    @Test func validationTellsEveryFault() async throws {
        let program = try await SagaProgram.make(isMigrated: false)
        #expect(try await program.run("validate", "sagas") == Run(0, "2 files are valid\n"))
        #expect(
            try await program.run("validate", "sagas", "sagas/order.json", "--format", "json")
                == Run(0, #"{"files":2,"errors":0,"warnings":0,"findings":[]}"# + "\n")
        )
        #expect(
            try await program.run("validate", "none")
                == Run(1, error: "saga: can't read none: No such file or directory\n")
        )
        try program.write("{\n  \"saga\": tru\n}", to: "broken.json")
        let text = try await program.run("validate", "broken.json")
        #expect(text.status == 1)
        #expect(text.output == "")
        #expect(text.error.hasPrefix("broken.json:2:11: error: "))
        let json = try await program.run("validate", "broken.json", "--format", "json")
        #expect(json.status == 1)
        #expect(json.error == "")
        let document = try JSON.parse(json.output)
        #expect(document["files"] == 1)
        #expect(document["errors"] == 1)
        #expect(document["warnings"] == 0)
        let finding = try #require(document["findings"]?[0])
        #expect(finding["file"] == "broken.json")
        #expect(finding["line"] == 2)
        #expect(finding["column"] == 11)
        #expect(finding["severity"] == "error")
        await program.remove()
    }

    @Test func warningsExitWith1OnlyWhenAskedTo() async throws {
        let program = try await SagaProgram.make(isMigrated: false)
        try program.write(
            #"{"saga": "s", "steps": [{"name": "a", "when": "1 > 2", "action": {"noop": {}}}]}"#, to: "doubtful.json")
        let warning = """
            doubtful.json:1:47: warning: the step `a` never runs: its `when` is always false
                1 | {"saga": "s", "steps": [{"name": "a", "when": "1 > 2", "action": {"noop": {}}}]}
                  |                                               ^~~~~~~

            """
        #expect(
            try await program.run("validate", "doubtful.json") == Run(0, "1 file is valid\n", error: warning))
        #expect(try await program.run("validate", "doubtful.json", "--strict") == Run(1, error: warning))
        #expect(try await program.run("validate", "sagas", "--strict") == Run(0, "2 files are valid\n"))
        let json = try await program.run("validate", "doubtful.json", "--strict", "--format", "json")
        #expect(json.status == 1)
        #expect(try JSON.parse(json.output)["warnings"] == 1)
        await program.remove()
    }

    @Test func nothingIsRegisteredWhenOneFileIsBroken() async throws {
        let program = try await SagaProgram.make()
        try program.write("{", to: "sagas/broken.json")
        let run = try await program.run("apply", "sagas")
        #expect(run.status == 1)
        #expect(run.output == "")
        #expect(run.error.hasPrefix("sagas/broken.json:1:2: error: "))
        #expect(
            try await program.run("start", "order")
                == Run(1, error: "saga: no saga is named \"order\": none is registered yet, see saga apply\n")
        )
        await program.remove()
    }

    @Test func otherFilesOfAFolderAreLeftAlone() async throws {
        let program = try await SagaProgram.make(isMigrated: false)
        for name in ["saga.schema.json", "order.test.json", "notes.txt", ".hidden.json"] {
            try program.write("no JSON", to: "sagas/\(name)")
        }
        #expect(try await program.run("validate", "sagas/") == Run(0, "2 files are valid\n"))
        await program.remove()
    }

    @Test func graphOfFileNameAndSaga() async throws {
        let program = try await SagaProgram.withDefinitions()
        let file = try await program.run("graph", "sagas/order.json", database: .some(nil))
        #expect(file.status == 0)
        #expect(try await program.run("graph", "order") == file)
        let picture = SVGGraph(try Fixtures.definition(Fixtures.order)).text
        for subject in ["sagas/order.json", "order"] {
            #expect(try await program.run("graph", subject, "--as", "svg") == Run(0, picture + "\n"))
        }
        _ = try await program.startSaga("order", key: "k")
        let saga = try await program.run("graph", "k")
        #expect(try await program.run("graph", "k", "--as", "svg").output.hasPrefix("<svg "))
        #expect(
            saga.output
                == file.output.replacing("reserve\"]", with: "reserve<br/>pending\"]")
                .replacing("charge\"]", with: "charge<br/>pending\"]").replacing("ship\"]", with: "ship<br/>pending\"]")
                .replacing("undo reserve<br/>pending", with: "undo reserve").replacing(
                    "undo charge<br/>pending",
                    with: "undo charge"
                )
        )
        #expect(
            try await program.run("graph", "nothing")
                == Run(1, error: "saga: nothing is named \"nothing\": no file, no definition, no saga's id or key\n")
        )
        #expect(
            try await program.run("graph", "none.json")
                == Run(1, error: "saga: can't read none.json: No such file or directory\n")
        )
        await program.remove()
    }
}

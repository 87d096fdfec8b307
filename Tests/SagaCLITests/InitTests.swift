import Foundation
import SagaCore
import Testing

@testable import saga

/// `saga init` and `saga schema`, which need no database.
@Suite struct InitTests {
    typealias Run = SagaProgram.Run

    private func text(_ path: String, _ program: SagaProgram) throws -> String {
        try String(contentsOfFile: "\(program.folder)/\(path)", encoding: .utf8)
    }

    private var committedScenarioSchema: String {
        get throws {
            let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "../..").standardized
            return try String(contentsOf: root.appending(path: "sagas/saga-test.schema.json"), encoding: .utf8)
        }
    }

    @Test func writesADefinitionThatIsValidAtOnce() async throws {
        let program = try await SagaProgram.make(isMigrated: false)
        let run = try await program.run("init", "checkout-2", database: .some(nil))
        #expect(
            run
                == Run(
                    0,
                    """
                    wrote sagas/checkout-2.json
                    wrote sagas/tests/checkout-2.test.json
                    wrote sagas/saga.schema.json
                    wrote sagas/saga-test.schema.json

                    next:
                      saga validate sagas/checkout-2.json
                      saga test sagas/tests/checkout-2.test.json
                      sagad --sagas sagas

                    """
                )
        )
        #expect(try text("sagas/checkout-2.json", program) == StartingDefinition.text(named: "checkout-2"))
        #expect(try text("sagas/saga.schema.json", program) == DefinitionSchema.text)
        #expect(try text("sagas/saga-test.schema.json", program) == committedScenarioSchema)
        #expect(
            try await program.run("validate", "sagas/checkout-2.json", "--format", "json")
                == Run(0, #"{"files":1,"errors":0,"warnings":0,"findings":[]}"# + "\n")
        )
        #expect(try await program.run("validate", "sagas") == Run(0, "3 files are valid\n"))
        #expect(
            try await program.run("test", "sagas/tests/checkout-2.test.json", database: .some(nil))
                == Run(
                    0,
                    """
                    ok      everything goes well
                    ok      nothing is to be paid
                    ok      the card is declined: the reservation is released
                    ok      the answer to the charge is lost: it is asked again under the same key, and charged once
                    ok      a person cancels before it is shipped
                    sagas/tests/checkout-2.test.json: 5 scenarios, all as expected

                    """
                )
        )
        await program.remove()
    }

    @Test func leavesWhatIsThere() async throws {
        let program = try await SagaProgram.make(isMigrated: false)
        try program.write("mine", to: "sagas/saga.schema.json")
        try program.write("mine too", to: "sagas/saga-test.schema.json")
        try FileManager.default.createDirectory(
            atPath: program.folder + "/sagas/tests", withIntermediateDirectories: false)
        try program.write("my scenarios", to: "sagas/tests/order.test.json")
        #expect(
            try await program.run("init", "order")
                == Run(1, error: "saga: sagas/order.json is there already; --force replaces it\n")
        )
        #expect(try text("sagas/order.json", program) == Fixtures.order)
        let forced = try await program.run("init", "order", "--force")
        #expect(
            forced
                == Run(
                    0,
                    """
                    wrote sagas/order.json

                    next:
                      saga validate sagas/order.json
                      saga test sagas/tests/order.test.json
                      sagad --sagas sagas

                    """
                )
        )
        #expect(try text("sagas/order.json", program) == StartingDefinition.text(named: "order"))
        #expect(try text("sagas/saga.schema.json", program) == "mine")
        #expect(try text("sagas/saga-test.schema.json", program) == "mine too")
        #expect(try text("sagas/tests/order.test.json", program) == "my scenarios")
        await program.remove()
    }

    @Test func makesTheFoldersOfAnotherPlace() async throws {
        let program = try await SagaProgram.make(isMigrated: false)
        let run = try await program.run("init", "s", "--output", "a/b/first.json")
        #expect(
            run
                == Run(
                    0,
                    """
                    wrote a/b/first.json
                    wrote a/b/tests/first.test.json
                    wrote a/b/saga.schema.json
                    wrote a/b/saga-test.schema.json

                    next:
                      saga validate a/b/first.json
                      saga test a/b/tests/first.test.json
                      sagad --sagas a/b

                    """
                )
        )
        #expect(try await program.run("test", "a/b/tests/first.test.json").status == 0)
        #expect(try await program.run("init", "s", "--output", "s.json").status == 0)
        #expect(try await program.run("init", "s", "--output", "odd").status == 0)
        #expect(try await program.run("test", "tests/s.test.json", "tests/odd.test.json").status == 0)
        #expect(
            try await program.run("init", "s", "--output", "s.json/x/s.json")
                == Run(1, error: "saga: can't make s.json/x/: Not a directory\n")
        )
        #expect(
            try await program.run("init", "s", "--output", "a/b")
                == Run(1, error: "saga: a/b is there already; --force replaces it\n")
        )
        #expect(
            try await program.run("init", "s", "--output", "a/b", "--force")
                == Run(1, error: "saga: can't write a/b: Is a directory\n")
        )
        await program.remove()
    }

    @Test func aNameThatCantBeOneIs1() async throws {
        let program = try await SagaProgram.make(isMigrated: false)
        for (name, shown, hint) in [
            ("my order", "my order", ", such as `my_order`"), ("7", "7", ""), ("a\"b", "a\"b", ", such as `a_b`"),
            ("", "", ""), ("../x", "../x", ", such as `x`"),
        ] {
            #expect(
                try await program.run("init", name)
                    == Run(
                        1,
                        error: "saga: `\(shown)` can't be a saga's name; a letter, then up to 62 letters, digits, "
                            + "_ and -\(hint)\n"
                    )
            )
        }
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: program.folder + "/sagas").sorted()
                == ["order.json", "transfer.json"]
        )
        await program.remove()
    }

    @Test func schemaIsPrinted() async throws {
        let program = try await SagaProgram.make(isMigrated: false)
        #expect(try await program.run("schema", database: .some(nil)) == Run(0, DefinitionSchema.text))
        #expect(try await program.run("schema", "--tests", database: .some(nil)) == Run(0, committedScenarioSchema))
        await program.remove()
    }
}

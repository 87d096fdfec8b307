import Foundation
import JSON
import SagaTestKit
import Testing

/// `saga test` with files of scenarios.
@Suite struct ScenarioCommandTests {
    typealias Run = SagaProgram.Run

    private func program(_ files: [String: String]) async throws -> SagaProgram {
        let program = try await SagaProgram.make(isMigrated: false)
        try FileManager.default.createDirectory(
            atPath: program.folder + "/sagas/tests", withIntermediateDirectories: false)
        for (path, text) in files { try program.write(text, to: path) }
        return program
    }

    private static let order = #"""
        {"scenarios": [
          {"name": "all goes well", "expect": {"status": "completed", "calls": ["reserve", "charge", "ship"]}},
          {"name": "declined", "answers": {"charge": {"status": 402, "error": "CardDeclined"}},
           "expect": {
             "status": "completed",
             "calls": ["reserve", {"step": "charge", "attempt": 2}, "ship"]}}]}
        """#

    @Test func whatIsExpectedStandsBesideWhatIsSeen() async throws {
        let program = try await program(["sagas/tests/order.test.json": Self.order])
        #expect(
            try await program.run("test", "sagas/tests/order.test.json", database: .some(nil))
                == Run(
                    1,
                    """
                    ok      all goes well
                    FAILED  declined
                      sagas/tests/order.test.json:5:6: not as expected: status
                        EXPECTED   SEEN
                      | completed  compensated

                      sagas/tests/order.test.json:6:6: not as expected: calls
                        EXPECTED          SEEN
                        reserve           reserve
                      | charge attempt 2  charge attempt 1
                      | ship              reserve:compensation

                      AFTER  EVENT                  STEP     TRY
                        0ms  SagaStarted
                        0ms  StepStarted            reserve    1
                        0ms  StepSucceeded          reserve    1
                        0ms  StepStarted            charge     1
                        0ms  StepFailed             charge     1  CardDeclined
                        0ms  SagaCompensating       charge        CardDeclined
                        0ms  CompensationStarted    reserve    1
                        0ms  CompensationSucceeded  reserve    1
                        0ms  SagaCompensated

                      compensated after 0ms: charge failed with CardDeclined
                      3 calls, no effect stands

                    sagas/tests/order.test.json: 2 scenarios, 1 failed

                    """
                ))
        #expect(
            try await program.run("test", "sagas/tests/order.test.json", "--filter", "well")
                == Run(0, "ok      all goes well\nsagas/tests/order.test.json: 1 scenario, all as expected\n"))
        #expect(
            try await program.run("test", "sagas", "--filter", "ill")
                == Run(1, error: "saga: there is no scenario with \"ill\" in its name\n"))
        await program.remove()
    }

    @Test func whatHasNoRoomStandsBelowEachOther() async throws {
        let body = String(repeating: "long ", count: 20)
        let program = try await program([
            "sagas/tests/order.test.json": #"""
            {"scenarios": [{"name": "n", "expect": {"calls": ["reserve", {"step": "charge", "body": "\#(body)"}, "ship", "ship"]}}]}
            """#
        ])
        let run = try await program.run("test", "sagas/tests/order.test.json")
        #expect(run.status == 1)
        #expect(
            run.output.split(separator: "\n").prefix(9).map(String.init) == [
                "FAILED  n", "  sagas/tests/order.test.json:1:41: not as expected: calls", "  - expected", "  + seen",
                "    reserve", "  - charge body \(body)", "  + charge body null", "    ship", "  - ship",
            ])
        await program.remove()
    }

    @Test func forPrograms() async throws {
        let program = try await program(["sagas/tests/order.test.json": Self.order])
        let run = try await program.run("test", "sagas/tests/order.test.json", "--format", "json")
        #expect(
            run
                == Run(
                    1,
                    #"{"runs":0,"problems":0,"cases":[],"undisturbed":[],"scenarios":["#
                        + #"{"file":"sagas/tests/order.test.json","line":2,"saga":"order","name":"all goes well","#
                        + #""passed":true,"status":"completed","ending":"ended","durationMs":0,"differences":[],"problems":[]},"#
                        + #"{"file":"sagas/tests/order.test.json","line":3,"saga":"order","name":"declined","#
                        + #""passed":false,"status":"compensated","ending":"ended","durationMs":0,"differences":["#
                        + #"{"expectation":"status","line":5,"column":6,"expected":["completed"],"seen":["compensated"]},"#
                        + #"{"expectation":"calls","line":6,"column":6,"#
                        + #""expected":["reserve","charge attempt 2","ship"],"#
                        + #""seen":["reserve","charge attempt 1","reserve:compensation"]}],"problems":[]}]}"# + "\n"))
        await program.remove()
    }

    /// A folder means its definitions, with the input of their scenarios, and the scenarios; no path means `sagas`.
    @Test func foldersAndNoPath() async throws {
        func picky(_ name: String) -> String {
            #"""
            {"saga": "\#(name)", "input": {"required": ["n"]}, "output": "${ input.n }",
             "steps": [{"name": "s", "action": {"noop": {}}}]}
            """#
        }
        let program = try await program([
            "sagas/order.json": picky("order"), "sagas/transfer.json": picky("transfer"),
            "sagas/tests/order.test.json":
                #"{"input": {"n": 1}, "scenarios": [{"name": "o", "expect": {"output": 1.0}}]}"#,
            "sagas/transfer.test.json":
                #"{"input": {"n": 1}, "scenarios": [{"name": "t", "input": {"n": 2}, "expect": {"output": 2}}]}"#,
        ])
        let all = """
            order: 0 runs, no problem
            transfer: 0 runs, no problem
            ok      t
            sagas/transfer.test.json: 1 scenario, all as expected
            ok      o
            sagas/tests/order.test.json: 1 scenario, all as expected

            """
        for arguments in [["test"], ["test", "sagas"], ["test", "sagas/", "sagas/tests/order.test.json"]] {
            #expect(try await program.start(arguments, database: .some(nil)).ending() == Run(0, all))
        }
        #expect(try await program.run("test", "sagas/order.json") == Run(0, "order: 0 runs, no problem\n"))
        #expect(
            try await program.run("test", "sagas/order.json", "--input", "{}")
                == Run(1, error: "saga: the input breaks the schema of order: the input has no `n`\n"))
        try program.write(#"{"input": {"n": 1}, "scenarios": ["#, to: "sagas/tests/order.test.json")
        #expect(
            try await program.run("test", "sagas/order.json")
                == Run(
                    1,
                    error: "sagas/tests/order.test.json:1:35: error: expected a value, found the end of the text\n"))
        #expect(
            try await program.run("test", "sagas/order.json", "--input", #"{"n": 1}"#)
                == Run(0, "order: 0 runs, no problem\n"))
        try program.write(
            #"{"definition": "../transfer.json", "input": {"n": 1}, "scenarios": []}"#,
            to: "sagas/tests/order.test.json")
        #expect(try await program.run("test", "sagas/order.json").status == 1)
        try program.write(
            #"{"input": {"n": 1}, "scenarios": [{"name": "o", "expect": {"output": 1.0}}]}"#,
            to: "sagas/tests/order.test.json")
        let both = try await program.run("test", "sagas/tests")
        #expect(both == Run(0, "ok      o\nsagas/tests/order.test.json: 1 scenario, all as expected\n"))
        try FileManager.default.removeItem(atPath: program.folder + "/sagas")
        #expect(
            try await program.run("test") == Run(64, error: "saga: no path is given, and there is no folder sagas\n"))
        await program.remove()
    }

    @Test func whatIsWrongInAFileHasItsPlace() async throws {
        let program = try await program([
            "sagas/tests/order.test.json": #"""
            {"scenarios": [{"name": "n", "answers": {"chrage": {}}, "expect": {}}]}
            """#,
            "sagas/tests/none.test.json": #"{"scenarios": []}"#,
            "sagas/tests/else.test.json": #"{"definition": "../../else.json", "scenarios": []}"#,
            "else.json": #"{"saga": "else", "steps": []}"#,
            "sagas/tests/late.test.json":
                #"{"definition": "../order.json", "scenarios": [{"name": "n", "answers": {"ship": [{}, {}]}, "expect": {"output": null}}]}"#,
        ])
        #expect(
            try await program.run("test", "sagas/tests/order.test.json", "sagas/tests/none.test.json")
                == Run(
                    1,
                    error: """
                        sagas/tests/order.test.json:1:42: error: the saga `order` has no step `chrage`; did you mean `charge`?
                            1 | {"scenarios": [{"name": "n", "answers": {"chrage": {}}, "expect": {}}]}
                              |                                          ^~~~~~~~
                        sagas/tests/order.test.json:1:67: error: the scenario expects nothing; say at least which `status` the saga must come to
                            1 | {"scenarios": [{"name": "n", "answers": {"chrage": {}}, "expect": {}}]}
                              |                                                                   ^~
                        sagas/tests/none.test.json:1:1: error: can't read sagas/none.json: No such file or directory; `definition` says where it is, from this file on
                            1 | {"scenarios": []}
                              | ^~~~~~~~~~~~~~~~~

                        """
                ))
        let faulty = try await program.run("test", "sagas/tests/else.test.json")
        #expect(faulty.status == 1)
        #expect(faulty.error.hasPrefix("else.json:1:"))
        let late = try await program.run("test", "sagas/tests/late.test.json")
        #expect(late.status == 1)
        #expect(
            late.output.contains(
                "sagas/tests/late.test.json:1:86: error: attempt 2 of ship was never made, and this answer never given")
        )
        await program.remove()
    }
}

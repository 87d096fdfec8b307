import Foundation
import JSON
import SagaTestKit
import Testing

/// `saga test` with a definition: every fault, and every two.
@Suite struct FaultMatrixCommandTests {
    typealias Run = SagaProgram.Run

    @Test func everyFaultAtEveryCall() async throws {
        let program = try await SagaProgram.make(isMigrated: false)
        try program.write(
            #"""
            {"saga": "one", "services": {"s": {"url": "http://s", "circuitBreaker": false}}, "steps": [
              {"name": "a", "action": {"http": {"service": "s", "path": "/a"}}, "compensation": "none"}]}
            """#,
            to: "one.json")
        #expect(
            try await program.run("test", "one.json", database: .some(nil))
                == Run(
                    0,
                    """
                    STEP  FAULT                         END            TIME  EFFECTS
                    a     refuses                       compensated      1s  none
                    a     unreachable                   compensated     12s  none
                    a     lost                          compensated     12s  a
                    a     timeout                       compensated  2m 37s  none
                    a     straggles                     compensated  2m 37s  a
                    a     daemon dies before the call   completed       11s  all
                    a     daemon dies after the call    completed       12s  all
                    a     daemon dies after the commit  completed        1s  all
                    a     cancel                        compensated      1s  a
                    a     deadline                      compensated      1s  a

                    one: 10 runs, no problem

                    """
                ))
        try program.write(#"{"saga": "b", "steps": [{"name": "s", "action": {"noop": {}}}]}"#, to: "b.json")
        #expect(
            try await program.run("test", "b.json", "--format", "json")
                == Run(
                    0,
                    #"{"runs":0,"problems":0,"cases":[],"undisturbed":[{"saga":"b","status":"completed","ending":"ended","#
                        + #""durationMs":0,"untried":[]}],"scenarios":[]}"# + "\n"))
        #expect(try await program.run("test", "b.json") == Run(0, "b: 0 runs, no problem\n"))
        #expect(
            try await program.run("test", "nowhere")
                == Run(1, error: "saga: can't read nowhere: No such file or directory\n"))
        let hole = Fixtures.order.replacing(
            #""name": "reserve","#, with: #""name": "reserve", "compensateWhen": "succeeded","#)
        try program.write(hole, to: "hole.json")
        let run = try await program.run("test", "hole.json", "--format", "json")
        #expect(run.status == 1)
        let wrong = try JSON.parse(Array(run.output.utf8))["cases"]?.arrayValue?.filter { $0["problems"]?[0] != nil }
        let problem = #""problems":["reserve still has its effect, though the saga is compensated"]}"#
        #expect(
            wrong?.map(\.text) == [
                #"{"saga":"order","step":"reserve","operation":"action","fault":"lost","status":"compensated","#
                    + #""ending":"ended","durationMs":12322,"effects":["reserve"],"# + problem,
                #"{"saga":"order","step":"reserve","operation":"action","fault":"straggles","status":"compensated","#
                    + #""ending":"ended","durationMs":157322,"effects":["reserve"],"# + problem,
            ])
        await program.remove()
    }

    @Test func everyTwoFaults() async throws {
        let program = try await SagaProgram.make(isMigrated: false)
        try program.write(
            #"""
            {"saga": "one", "services": {"s": {"url": "http://s", "circuitBreaker": false}}, "steps": [
              {"name": "a", "action": {"http": {"service": "s", "path": "/a"}, "retry": {"maximumAttempts": 2}},
               "compensation": "none"}]}
            """#,
            to: "one.json")
        let arguments = ["test", "one.json", "--pairs", "--limit", "5"]
        let text = try await program.start(arguments, database: .some(nil)).ending()
        #expect(
            text
                == Run(
                    0,
                    """
                    STEP  FAULT                         END           TIME  EFFECTS
                    a     refuses                       compensated     1s  none
                    a     unreachable                   compensated  2.43s  none
                    a     lost                          compensated  2.43s  a
                    a     timeout                       compensated     1m  none
                    a     straggles                     compensated     1m  a
                    a     daemon dies before the call   completed      11s  all
                    a     daemon dies after the call    completed      12s  all
                    a     daemon dies after the commit  completed       1s  all
                    a     cancel                        compensated     1s  a
                    a     deadline                      compensated     1s  a

                    FIRST FAULT AT  PAIRS  COMPENSATED  LONGEST
                    a                   5            5       1m

                    ONE IS                       PAIRS  COMPENSATED  LONGEST
                    unreachable                      2            2      30s
                    lost                             1            1      31s
                    timeout                          2            2       1m
                    straggles                        2            2       1m
                    daemon dies before the call      2            2       1m
                    cancel                           1            1       1s

                    one: 10 runs, 5 pairs of 77, no problem

                    """,
                    error: "saga: one: running 5 of 77 pairs of faults; --limit 0 runs all\n"))
        let document = try await program.start(arguments + ["--format", "json"], database: .some(nil)).ending()
        let parsed = try JSON.parse(Array(document.output.utf8))
        #expect(parsed["runs"]?.int64Value == 15)
        #expect(parsed["leftOut"]?.int64Value == 72)
        let start = #"{"saga":"one","step":"a","operation":"action","fault":"#
        #expect(
            (parsed["cases"]?.arrayValue ?? []).suffix(6).prefix(3).map(\.text) == [
                start + #""deadline","status":"compensated","ending":"ended","durationMs":1000,"effects":["a"],"#
                    + #""problems":[],"second":null}"#,
                start + #""unreachable","status":"compensated","ending":"ended","durationMs":1000,"effects":[],"#
                    + #""problems":[],"second":{"step":"a","operation":"action","fault":"cancel","attempt":1}}"#,
                start + #""timeout","status":"compensated","ending":"ended","durationMs":60437,"effects":["a"],"#
                    + #""problems":[],"second":{"step":"a","operation":"action","fault":"straggles","attempt":2}}"#,
            ])
        #expect(try await program.run("test", "one.json", "--limit", "-1").status == 64)
        await program.remove()
    }

    @Test func aSagaThatFailsByItselfIsAProblem() async throws {
        let program = try await SagaProgram.make(isMigrated: false)
        try program.write(
            """
            {"saga": "sum", "services": {"s": {"url": "http://s"}}, "steps": [
              {"name": "a", "action": {"http": {"service": "s", "method": "GET", "path": "/"}, "retry": {"maximumAttempts": 1}}},
              {"name": "b", "action": {"http": {"service": "s", "path": "/", "body": "${ steps.a.output.n * 2 }"}},
               "compensation": "none"}]}
            """, to: "sum.json")
        let run = try await program.run("test", "sum.json")
        #expect(run.status == 1)
        #expect(
            run.output.split(separator: "\n", omittingEmptySubsequences: false).drop { $0 != "no fault:" }
                .joined(separator: "\n")
                    == """
                    no fault:
                      it doesn't complete, though nothing goes wrong
                      AFTER  EVENT             STEP  TRY
                        0ms  SagaStarted
                        0ms  StepStarted       a       1
                         1s  StepSucceeded     a       1
                         1s  StepFailed        b          Saga.Expression, '*' can't be applied to a string and an int
                         1s  SagaCompensating  b          Saga.Expression, '*' can't be applied to a string and an int
                         1s  SagaCompensated

                      compensated after 1s: b failed with Saga.Expression
                      1 call, no effect stands
                      an expression failed: --output STEP=JSON gives it the output that the step really has

                    not tried, since no run calls it: b

                    sum: 11 runs, fails by itself

                    """)
        let document = try JSON.parse(Array(try await program.run("test", "sum.json", "--format", "json").output.utf8))
        #expect(
            document["undisturbed"]?.text
                == #"[{"saga":"sum","status":"compensated","ending":"ended","durationMs":1000,"untried":["b"]}]"#)
        let mended = try await program.run("test", "sum.json", "--output", #"a={"n": 1}"#)
        #expect(mended.status == 0)
        #expect(mended.output.hasSuffix("\nsum: 22 runs, no problem\n"))
        await program.remove()
    }
}

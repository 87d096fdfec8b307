import Foundation
import JSON
import SagaCore
import SagaSimulation
import Testing

/// What scenarios find in runs.
@Suite struct ScenarioTests {
    /// Steps a, b and c of `Samples.list` and one scenario.
    private func play(
        _ scenario: String, definition: Definition? = nil, common: String = ""
    ) throws -> [String] {
        let definition = try definition ?? Samples.list(["a", "b", "c"])
        let file = ScenarioFile.parse(
            Array(#"{\#(common) "scenarios": [{"name": "one", \#(scenario)}]}"#.utf8), file: "f"
        ) { _ in .found(definition) }
        guard let scenario = file.scenarios.first else { throw Samples.Broken(findings: "\(file.findings)") }
        let outcome = try scenario.play()
        #expect(
            outcome.hasPassed == (outcome.differences.isEmpty && outcome.findings.isEmpty && outcome.problems.isEmpty))
        return outcome.differences.flatMap { difference in
            ["\(difference.key):"]
                + difference.rows.map { row in
                    "\(row.isSame ? " " : "!") \(row.expected ?? "–") | \(row.seen ?? "–")"
                }
        } + outcome.findings.map(\.text) + outcome.problems
    }

    @Test func whatIsAsExpectedPasses() throws {
        #expect(
            try play(
                #"""
                "outputs": {"a": {"id": 7}},
                "answers": {"a": [{"status": 503, "delay": "2s"}, {}], "b": [{"timeout": true}, {"lost": true}, {"status": 200, "output": 1}],
                            "c": {"error": "No"}, "b:compensation": {"status": 200}},
                "expect": {
                  "status": "compensated", "failure": {"step": "c", "error": "No"}, "output": null,
                  "calls": [{"step": "a", "attempt": 1, "outcome": "unknown", "error": "Saga.HTTP.503"},
                            {"step": "a", "attempt": 2, "service": "s", "method": "POST", "target": "/a", "headers": {}, "body": null, "outcome": "done", "error": null},
                            "b", "b", "b", "c:action", "b:compensation", "a:compensation"],
                  "effects": [], "refused": [], "within": "20s",
                  "steps": {"a": "compensated", "b": {"status": "compensated", "attempts": 3.0, "output": 1.0, "compensation": {"attempts": 1}}, "c": {"error": "No", "outcome": "failed", "compensation": {"status": null}}}}
                """#) == [])
    }

    @Test func eachExpectationTellsWhatItSees() throws {
        #expect(
            try play(
                #"""
                "answers": {"b": {"status": 422, "error": "No"}},
                "expect": {"within": "0s", "status": "completed", "failure": {"error": "Yes", "step": "b"}, "output": {"x": 1},
                  "effects": ["a"], "steps": {"c": "succeeded", "a": {"attempts": 1, "compensation": {"attempts": 2}}},
                  "refused": ["pause"]}
                """#) == [
                    "status:", "! completed | compensated",
                    "failure:", "  step b | step b", "! error Yes | error No",
                    "output:", "! { | null", #"!   "x": 1 | –"#, "! } | –",
                    "effects:", "! a | –",
                    "steps:", "! c status succeeded | c status pending", "  a attempts 1 | a attempts 1",
                    "! a compensation attempts 2 | a compensation attempts 1",
                    "refused:", "! pause | –",
                ])
        #expect(
            try play(
                #""answers": {"b": {"delay": "1500ms"}}, "expect": {"within": "1s", "failure": {"error": "No"}}"#) == [
                    "failure:", "! error No | –",
                    "within:", "! at most 1s | 1500ms",
                ])
        #expect(
            try play(#""answers": {"a": {"error": "No"}}, "expect": {"failure": null}"#) == [
                "failure:", "! none | No",
            ])
    }

    @Test func listsAreComparedWholeAndSideBySide() throws {
        #expect(
            try play(#""answers": {"c": {"error": "No"}}, "expect": {"calls": ["b", "c", "a:compensation"]}"#) == [
                "calls:", "! – | a", "  b | b", "  c | c", "! – | b:compensation", "  a:compensation | a:compensation",
            ])
        #expect(
            try play(#""expect": {"calls": ["a", {"step": "b", "attempt": 2, "headers": {"X-A": "1"}}, "c", "c"]}"#)
                == [
                    "calls:", "  a | a", #"! b attempt 2 headers {"X-A":"1"} | b attempt 1 headers {}"#, "  c | c",
                    "! c | –",
                ])
        #expect(
            try play(
                #"""
                "answers": {"b": {"status": 422}},
                "expect": {"events": ["SagaStarted", "StepStarted a", "StepSucceeded", {"type": "StepStarted", "attempt": 1, "step": "b"},
                  {"type": "StepFailed", "step": "b", "error": "Saga.HTTP.500", "outcome": "failed"}, "SagaCompleted"]}
                """#) == [
                    "events:", "  SagaStarted | SagaStarted", "  StepStarted a | StepStarted a",
                    "  StepSucceeded | StepSucceeded", "  StepStarted b attempt 1 | StepStarted b attempt 1",
                    "! StepFailed b outcome failed error Saga.HTTP.500 | StepFailed b outcome failed error Saga.HTTP.422",
                    "! SagaCompleted | SagaCompensating b", "! – | CompensationStarted a",
                    "! – | CompensationSucceeded a", "! – | SagaCompensated",
                ])
        #expect(try play(#""expect": {"calls": []}"#) == ["calls:", "! – | a", "! – | b", "! – | c"])
    }

    @Test func numbersAreComparedByTheirWorthAndHeadersInAnyCase() throws {
        let definition = try Samples.definition(
            #"""
            {"saga": "s", "services": {"s": {"url": "http://s"}}, "output": {"n": "${ input.n }", "t": ["a", "b"]}, "steps": [
              {"name": "a", "action": {"http": {"service": "s", "path": "/a", "headers": {"X-Id": "7"}, "query": {"q": "1"},
                "body": {"n": "${ input.n }", "m": true}}}, "compensation": "none"}]}
            """#)
        let input = #""input": {"n": 10.0},"#
        #expect(
            try play(
                #"""
                "expect": {"output": {"t": ["a", "b"], "n": 1e1},
                  "calls": [{"step": "a", "target": "/a?q=1", "headers": {"x-id": "7"}, "body": {"m": true, "n": 10}}]}
                """#, definition: definition, common: input) == [])
        #expect(
            try play(
                #"""
                "expect": {"output": {"t": ["a", "c"], "n": 10},
                  "calls": [{"step": "a", "headers": {"x-id": "8"}, "body": {"m": true, "n": "10"}}]}
                """#, definition: definition, common: input) == [
                    "output:", "  { | {", #"    "t": [ |   "t": ["#, #"      "a", |     "a","#,
                    #"!     "c" |     "b""#, "    ], |   ],", #"    "n": 10 |   "n": 10"#, "  } | }",
                    "calls:",
                    #"! a headers {"x-id":"8"} body {"m":true,"n":"10"} | a headers {"X-Id":"7"} body {"n":10.0,"m":true}"#,
                ])
    }

    @Test func whatIsNeverUsedIsTold() throws {
        #expect(
            try play(
                #"""
                "answers": {"a": [{"lost": true}, {}, {"error": "X"}], "b:compensation": {}},
                "crashes": [{"beforeCall": "b"}, {"afterCall": "a", "attempt": 4}, {"afterCommit": 3}, {"beforeCommit": 99}],
                "expect": {"status": "completed"}
                """#) == [
                    "f:1:71: error: attempt 3 of a was never made, and this answer never given",
                    "f:1:106: error: attempt 1 of b:compensation was never made, and this answer never given",
                    "f:2:34: error: the run never came to where this daemon dies",
                    "f:2:88: error: the run never came to where this daemon dies",
                ])
    }

    @Test func theLastAnswerHoldsForAllThatFollow() throws {
        #expect(
            try play(
                #"""
                "answers": {"a": [{"error": "ConnectFailed"}, {"lost": true, "effect": false}]},
                "expect": {"calls": [{"step": "a", "error": "Saga.ConnectFailed"}, {"step": "a", "error": "Saga.ConnectionLost"},
                  {"step": "a", "error": "Saga.ConnectionLost"}, "a:compensation"], "effects": []}
                """#) == [])
    }

    @Test func eachCommandOfAPerson() throws {
        let stuck = #""answers": {"c": {"error": "No"}, "b:compensation": [{"error": "No"}, {}]},"#
        for (scenario, line) in [
            (
                #""answers": {"a": {"delay": "2s"}}, "signals": [{"at": "1s", "cancel": "r"}],"#
                    + #" "expect": {"calls": ["a", "a:compensation"], "failure": {"step": null, "error": "Saga.Cancelled"}}"#,
                #line
            ),
            (
                #""answers": {"a": {"delay": "2s"}}, "signals": [{"at": "1s", "pause": "r"}, {"at": "30s", "resume": "r"}],"#
                    + #" "expect": {"status": "completed", "within": "30s", "#
                    + #" "events": ["SagaStarted", "StepStarted a", "SagaPaused", "StepSucceeded a", "#
                    + #"{"type": "SagaResumed", "reason": "r"}, "StepStarted b", "StepSucceeded b", "StepStarted c", "#
                    + #""StepSucceeded c", "SagaCompleted"]}"#, #line
            ),
            (
                stuck + #""signals": [{"at": "1m", "retry": "r"}], "expect": {"status": "compensated", "effects": [], "#
                    + #""calls": ["a", "b", "c", "b:compensation", {"step": "b:compensation", "attempt": 2}, "#
                    + #""a:compensation"]}"#, #line
            ),
            (
                stuck + #""signals": [{"at": "1m", "retry": {"patch": {"x": 1}, "reason": "r"}}], "#
                    + #""expect": {"status": "compensated", "effects": []}"#, #line
            ),
            (
                #""answers": {"c": {"error": "No"}, "b:compensation": {"error": "No"}},"#
                    + #""signals": [{"at": "1m", "resolve": {"step": "b", "as": "undone", "reason": "r"}}], "#
                    + #""expect": {"status": "compensated", "effects": ["b"]}"#, #line
            ),
            (
                #""answers": {"c": {"error": "No"}, "b:compensation": {"error": "No"}},"#
                    + #""signals": [{"at": "1m", "terminate": "r"}], "#
                    + #""expect": {"status": "terminated", "effects": ["a", "b"]}"#, #line
            ),
            (
                #""signals": [{"at": "1m", "compensate": "r"}], "expect": {"status": "compensated", "effects": []}"#,
                #line
            ),
        ] {
            #expect(try play(scenario) == [], "line \(line)")
        }
    }

    @Test func aCommandThatChangesNothingFailsUnlessItIsSaid() throws {
        let late = #""signals": [{"at": "1m", "cancel": "too late"}],"#
        #expect(
            try play(#"\#(late) "expect": {"status": "completed"}"#) == [
                "refused:", "! – | cancel (the saga has ended: completed)",
            ])
        #expect(try play(#"\#(late) "expect": {"refused": ["cancel"]}"#) == [])
        #expect(
            try play(#"\#(late) "expect": {"refused": ["retry"]}"#) == [
                "refused:", "! retry | cancel (the saga has ended: completed)",
            ])
    }

    /// Unless the scenario says which effects stand, those that a run must not leave are a problem.
    @Test func anEffectThatIsLeftBehindIsAProblem() throws {
        let hole = try Samples.definition(
            #"""
            {"saga": "s", "services": {"s": {"url": "http://s"}}, "steps": [
              {"name": "a", "compensateWhen": "succeeded", "action": {"http": {"service": "s", "path": "/a"}},
               "compensation": {"http": {"service": "s", "path": "/undo"}}}]}
            """#)
        let answers = #""answers": {"a": {"lost": true}},"#
        #expect(
            try play(#"\#(answers) "expect": {"status": "compensated"}"#, definition: hole) == [
                "a still has its effect, though the saga is compensated"
            ])
        #expect(
            try play(#"\#(answers) "expect": {"status": "compensated", "effects": ["a"]}"#, definition: hole) == [])
    }

    @Test func theSeedSpreadsDelays() throws {
        let definition = try Samples.list(["a"], retry: #"{"maximumAttempts": 3, "initialInterval": "1s"}"#)
        func duration(_ common: String, _ own: String) throws -> TimeSpan {
            let file = ScenarioFile.parse(
                Array(
                    #"{\#(common) "scenarios": [{"name": "n", \#(own) "answers": {"a": [{"status": 500}, {}]}, "expect": {"status": "completed"}}]}"#
                        .utf8)
            ) { _ in .found(definition) }
            return try #require(file.scenarios.first).play().result.duration
        }
        #expect(try duration("", "") == duration(#""seed": 0,"#, ""))
        #expect(try duration(#""seed": 3,"#, "") == duration("", #""seed": 3,"#))
        #expect(try duration(#""seed": 3,"#, #""seed": 4,"#) == duration("", #""seed": 4,"#))
        #expect(try duration("", "") != duration(#""seed": 3,"#, ""))
    }

    /// The scenarios that come with the project.
    @Test(arguments: [("order", 7), ("transfer", 6), ("trip", 6)])
    func theShippedOnesPass(_ name: String, _ count: Int) throws {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "../../sagas")
            .standardized
        let bytes = Array(try Data(contentsOf: folder.appending(path: "tests/\(name).test.json")))
        let text = try String(contentsOf: folder.appending(path: "\(name).json"), encoding: .utf8)
        let definition = try Samples.definition(text)
        let file = ScenarioFile.parse(bytes, file: name) { _ in .found(definition) }
        #expect(file.findings.map(\.text) == [])
        #expect(file.scenarios.count == count)
        for scenario in file.scenarios { #expect(try scenario.play().hasPassed, "\(scenario.name)") }
        let schema = try #require(InputSchema(ScenarioSchema.json))
        #expect(schema.faults(of: RawJSON(unchecked: bytes)) == [])
    }
}

import Foundation
import JSON
import SagaCore
import SagaSimulation
import Testing

/// What is wrong in files of scenarios.
@Suite struct ScenarioParserTests {
    private func findings(_ text: String, _ definition: Definition? = nil) throws -> [String] {
        let definition = try definition ?? Samples.list(["charge", "ship"])
        let file = ScenarioFile.parse(Array(text.utf8)) { _ in .found(definition) }
        #expect(file.scenarios.isEmpty || file.findings.isEmpty)
        return file.findings.map(\.text)
    }

    /// A file with one scenario that is right but for this.
    private func faults(_ members: String) throws -> [String] {
        try findings(#"{"scenarios": [{"name": "n", "expect": {"status": "completed"}, \#(members)}]}"#)
            .map { String($0.drop { $0 != " " }.dropFirst()) }
    }

    private func expectFaults(_ members: String) throws -> [String] {
        try findings(#"{"scenarios": [{"name": "n", "expect": {\#(members)}}]}"#)
            .map { String($0.drop { $0 != " " }.dropFirst()) }
    }

    @Test func theFileAsAWhole() throws {
        #expect(
            try findings("") == [
                "1:1: error: the file is empty; a file of scenarios is an object with `scenarios`"
            ])
        #expect(try findings("{") == ["1:2: error: expected a member name in double quotes, found the end of the text"])
        #expect(try findings("[]") == ["1:1: error: a file of scenarios must be an object, not an array"])
        #expect(try findings("{}") == ["1:1: error: a file of scenarios has no `scenarios`"])
        #expect(try findings(#"{"scenarios": []}"#) == ["1:15: error: there are no scenarios"])
        #expect(try findings(#"{"scenarios": {}}"#) == ["1:15: error: `scenarios` must be an array, not an object"])
        #expect(
            try findings(
                #"""
                {"scenaroi": 1, "seed": -1, "input": 1, "input": 2, "outputs": {"pay": 1, "ship:compensation": 2},
                 "scenarios": [{"name": "", "expect": {}}, {"nam": "x"}, 7,
                  {"name": "n", "expect": {"status": "completed"}}, {"name": "n", "expect": {"status": "complete"}}]}
                """#) == [
                    "1:2: error: unknown key `scenaroi` in a file of scenarios; did you mean `scenarios`?",
                    "1:25: error: `seed` must be a whole number from 0 to 9223372036854775807",
                    "1:41: error: the key `input` is there twice",
                    "1:65: error: the saga `sample` has no step `pay`",
                    "1:75: error: nothing reads what a compensation answers",
                    "2:25: error: a scenario's name can't be empty",
                    "2:39: error: the scenario expects nothing; say at least which `status` the saga must come to",
                    "2:44: error: a scenario has no `expect`; what must come of the run",
                    "2:45: error: unknown key `nam` in a scenario; did you mean `name`?",
                    "2:58: error: a scenario must be an object, not a number",
                    "3:62: error: there is another scenario `n` in this file",
                    "3:88: error: `complete` is not a value of `status`; did you mean `completed`?",
                ])
    }

    @Test func theDefinition() throws {
        func file(_ text: String, _ lookup: ScenarioFile.Lookup) -> [String] {
            ScenarioFile.parse(Array(text.utf8), file: "f") { _ in lookup }.findings.map(\.text)
        }
        #expect(
            file(#"{"definition": "x.json", "scenarios": []}"#, .unreadable("can't read x.json"))
                == ["f:1:2: error: can't read x.json"])
        #expect(
            file(#"{"scenarios": []}"#, .unreadable("can't read x.json"))
                == ["f:1:1: error: can't read x.json; `definition` says where it is, from this file on"])
        #expect(file(#"{"scenarios": []}"#, .faulty) == [])
        #expect(file(#"{"definition": 1}"#, .faulty) == ["f:1:16: error: `definition` must be a string, not a number"])
        var asked: [String?] = []
        for text in [#"{"definition": "../x.json"}"#, "{}", "[]"] {
            _ = ScenarioFile.parse(Array(text.utf8)) { path in
                asked.append(path)
                return .faulty
            }
        }
        #expect(asked == ["../x.json", nil])
    }

    @Test func answers() throws {
        #expect(
            try faults(#""answers": []"#) == [
                "error: `answers` must be an object of steps and their answers, not an array"
            ])
        #expect(
            try faults(
                #"""
                "answers": {"chrage": {}, "charge:undo": {}, "ship": [], "charge": [{"lost": true, "status": 503},
                 {"timeout": true, "delay": "1s"}, {"status": 200, "error": "No"}, {"status": 503, "output": 1}, {"effect": true},
                 {"status": 100}, {"delay": "soon"}, {"error": "a b"}, {"error": "Saga.Cancelled"}, {"stauts": 1}, 7]}
                """#) == [
                    "error: the saga `sample` has no step `chrage`; did you mean `charge`?",
                    "error: `charge:undo` is no operation; write STEP or STEP:compensation",
                    "error: the list of answers is empty; an element an attempt, the last one also for all that follow",
                    "error: `lost` and `status` can't be true of one answer",
                    "error: `timeout` and `delay` can't be true of one answer",
                    "error: `status` and `error` can't be true of one answer",
                    "error: `status` and `output` can't be true of one answer",
                    "error: `effect` says nothing here; it stands beside `lost` or `timeout`: whether the call has had its effect",
                    "error: `status` must be a whole number from 200 to 599",
                    "error: `delay`: `soon` is not a duration; write a number and ms, s, m, h or d, such as \"30s\" or \"10m\"",
                    "error: `a b` can't be an error's name; 1 to 128 letters, digits, and . _ : -",
                    "error: no answer brings about `Saga.Cancelled`; of the engine's errors there are Saga.ConnectFailed, Saga.ConnectionLost, Saga.Timeout, Saga.DaemonLost or Saga.BadResponse and Saga.HTTP.NNN",
                    "error: unknown key `stauts` in an answer; did you mean `status`?",
                    "error: `status` must be a whole number from 200 to 599",
                    "error: an answer must be an object, not a number",
                ])
    }

    @Test func whatMakesNoCallHasNoAnswer() throws {
        let definition = try Samples.definition(
            #"""
            {"saga": "s", "services": {"s": {"url": "http://s"}}, "steps": [{"name": "p", "action": {"pass": 1}},
              {"name": "h", "action": {"http": {"service": "s", "path": "/"}}, "compensation": "none"}]}
            """#)
        #expect(
            try findings(
                #"""
                {"scenarios": [{"name": "n", "answers": {"p": {}, "h:compensation": {}}, "expect": {"calls": ["p", "h:compensation"]}}]}
                """#, definition) == [
                    "1:42: error: `p` makes no call: nothing can happen to it",
                    "1:51: error: the step `h` has no compensation",
                    "1:100: error: the step `h` has no compensation",
                ])
    }

    @Test func whatPersonsDoAndWhatDies() throws {
        #expect(
            try faults(
                #"""
                "signals": [{"cancel": "r"}, {"at": "1s"}, {"at": "1s", "cancel": "r", "pause": "r"}, {"at": "1s", "cancel": 7},
                  {"at": "1s", "resolve": {"step": "x", "as": "done"}}, {"at": "1s", "resolve": {"step": "ship", "as": "gone"}},
                  {"at": "1s", "resolve": {"step": "ship", "as": "undone", "output": 1}}, {"at": "1s", "retry": {"patch": 1}},
                  {"at": "1s", "stop": "r"}, {"at": "7d", "cancel": "r"}],
                "outages": [{"service": "s"}, {"service": "x", "until": "1s"}, {"service": "s", "from": "2s", "until": "2s"}],
                "crashes": [{}, {"beforeCall": "charge", "afterCall": "ship"}, {"afterCommit": 0}, {"afterCommit": 1, "attempt": 1}, {"beforeCall": "x"}, 1]
                """#) == [
                    "error: a signal has no `at`; so long after the start, such as \"3s\"",
                    "error: a signal has none of cancel, pause, resume, retry, terminate, compensate or resolve",
                    "error: a signal has `cancel` and `pause`; make two of it",
                    "error: `cancel`, the reason, must be a string, not a number",
                    "error: the saga `sample` has no step `x`",
                    "error: `gone` is not a value of `as`; did you mean `done`?",
                    "error: what is undone has no output",
                    "error: `patch` must be an object, not a number",
                    "error: unknown key `stop` in a signal; its keys are at, cancel, pause, resume, retry, terminate, compensate, resolve",
                    "error: `at` must be less than 7d; a run is looked at for so long",
                    "error: an outage has no `until`",
                    "error: the service `s` has no circuit breaker",
                    "error: the saga `sample` has no service `x`",
                    "error: the service `s` has no circuit breaker",
                    "error: the outage ends before it begins",
                    "error: a crash has none of beforeCall, afterCall, beforeCommit or afterCommit",
                    "error: a crash has `beforeCall` and `afterCall`; make two of it",
                    "error: `afterCommit` must be a whole number from 1 to 1000000",
                    "error: `afterCommit` and `attempt` can't be true of one crash",
                    "error: the saga `sample` has no step `x`",
                    "error: a crash must be an object, not a number",
                ])
    }

    @Test func expectations() throws {
        #expect(
            try expectFaults(
                #"""
                "status": 1, "failure": {"step": "x", "err": "y"}, "calls": ["x", {"attempt": 0}, {"step": "ship", "outcome": "maybe", "headers": 1}, 7],
                "effects": "none", "events": ["StepStart", "StepStarted x", {"type": "Nothing", "step": "x"}, {}, ""],
                "steps": {"x": "failed", "ship": "fine", "charge": {"compensation": {"state": 1, "status": "undone"}}}, "within": 7, "refused": ["stop"], "result": 1
                """#) == [
                    "error: `status` must be a string, not a number",
                    "error: the saga `sample` has no step `x`",
                    "error: unknown key `err` in `failure`; did you mean `error`?",
                    "error: the saga `sample` has no step `x`",
                    "error: a call has no `step`",
                    "error: `maybe` is not a value of `outcome`; write done, failed or unknown",
                    "error: `headers` must be an object, not a number",
                    "error: a call must be an object, not a number",
                    "error: `effects` must be an array, not a string",
                    "error: `StepStart` is no type of event; did you mean `StepStarted`?",
                    "error: the saga `sample` has no step `x`",
                    "error: `Nothing` is no type of event; such as StepSucceeded, as saga events prints them",
                    "error: the saga `sample` has no step `x`",
                    "error: an event has no `type`",
                    "error: `` is no type of event; such as StepSucceeded, as saga events prints them",
                    "error: the saga `sample` has no step `x`",
                    "error: `fine` is not a value of `status`; write pending, running, backoff, deferred, succeeded, failed, in_doubt, skipped, compensating, compensated or compensation_failed",
                    "error: unknown key `state` in `compensation`; did you mean `status`?",
                    "error: `undone` is not a value of `status`; write pending, running, backoff, deferred, succeeded or failed",
                    "error: `within` must be a duration, not a number; write it as a string, such as \"7s\"",
                    "error: `stop` is not a value of `refused`; write cancel, pause, resume, retry, terminate, compensate or resolve",
                    "error: unknown key `result` in `expect`; did you mean `output`?",
                ])
    }

    /// No file traps the parser, whatever is cut off or put in the place of what.
    @Test func noBytesTrapIt() throws {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "../../sagas")
            .standardized
        let bytes = Array(try Data(contentsOf: folder.appending(path: "tests/order.test.json")))
        let definition = try Samples.definition(
            String(contentsOf: folder.appending(path: "order.json"), encoding: .utf8))
        func parse(_ bytes: [UInt8]) -> ScenarioFile { ScenarioFile.parse(bytes) { _ in .found(definition) } }
        #expect(parse(bytes).findings == [])
        for length in stride(from: 0, to: bytes.count - 2, by: 397) {
            #expect(!parse(Array(bytes[..<length])).findings.isEmpty)
        }
        let text = String(decoding: bytes, as: UTF8.self)
        for (index, key) in text.matches(of: #/"(\w+)": /#).enumerated() where index % 3 == 0 {
            for value in [["null", "-1e999", "[]", "true"], ["7", "{}", "\"\"", "[[]]"]][index % 2] {
                var changed = text
                changed.replaceSubrange(key.range, with: "\(text[key.range])\(value), \"x\": ")
                let file = parse(Array(changed.utf8))
                #expect(file.scenarios.isEmpty != file.findings.isEmpty)
            }
        }
    }
}

/// The schema of files of scenarios.
@Suite struct ScenarioSchemaTests {
    @Test func theCommittedFileIsWhatTheProgramPrints() throws {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appending(path: "../../sagas/saga-test.schema.json").standardized
        let isSame = try String(contentsOf: file, encoding: .utf8) == ScenarioSchema.text
        #expect(isSame, "renew the file: saga schema --tests > sagas/saga-test.schema.json")
    }

    /// A key that the parser has and the schema doesn't know anything of has no description.
    @Test func everyKeyIsDescribedAndEveryReferenceLeadsSomewhere() {
        var missing: [String] = []
        var used: Set<String> = []
        let root = ScenarioSchema.json
        func walk(_ value: JSON, _ path: String) {
            if let reference = value["$ref"]?.stringValue { used.insert(reference) }
            value.arrayValue?.forEach { walk($0, path) }
            for (key, inner) in value.objectValue?.members ?? [] {
                if key == "properties", value["additionalProperties"] == false {
                    for (name, property) in inner.objectValue?.members ?? [] {
                        let target = property["$ref"]?.stringValue.map { String($0.dropFirst("#/$defs/".count)) }
                        let text = property["description"] ?? target.flatMap { root["$defs"]?[$0]?["description"] }
                        if text?.stringValue?.isEmpty ?? true { missing.append("\(path).\(name)") }
                    }
                }
                walk(inner, "\(path).\(key)")
            }
        }
        walk(root, "")
        #expect(missing == [])
        #expect(used == Set((root["$defs"]?.objectValue?.keys ?? []).map { "#/$defs/\($0)" }))
    }

    @Test func itRefusesWhatTheParserRefuses() throws {
        let schema = try #require(InputSchema(ScenarioSchema.json))
        func isRight(_ scenario: String) throws -> Bool {
            schema.faults(of: try RawJSON(validating: #"{"scenarios": [\#(scenario)]}"#)).isEmpty
        }
        #expect(try isRight(#"{"name": "n", "expect": {"status": "completed", "calls": ["a:compensation"]}}"#))
        for wrong in [
            #"{"name": "n"}"#, #"{"name": "n", "expect": {}}"#, #"{"name": "n", "expect": {"status": "done"}}"#,
            #"{"name": "n", "expect": {"calls": ["a:undo"]}}"#,
            #"{"name": "n", "expect": {"calls": [{"attempt": 1}]}}"#,
            #"{"name": "n", "expect": {"output": 1}, "answers": {"a": []}}"#,
            #"{"name": "n", "expect": {"output": 1}, "signals": [{"at": "1s"}]}"#,
            #"{"name": "n", "expect": {"output": 1}, "signals": [{"at": "1s", "cancel": "", "pause": ""}]}"#,
            #"{"name": "n", "expect": {"output": 1}, "crashes": [{"attempt": 1}]}"#,
        ] { #expect(try !isRight(wrong), "\(wrong)") }
    }
}

import Foundation
import Testing

@testable import SagaCore

/// What people read of findings: the whole line.
@Suite struct FindingTextTests {
    @Test func everyFaultOfAFileInOneRun() {
        let text = """
            {
              "saga": "order",
              "deadline": "10min",
              "services": {"payment": {"url": "payment:80"}},
              "steps": [
                {"name": "charge_payment",
                 "action": {"http": {"service": "paymnt", "path": "/charges"}, "retries": {}},
                 "compensateWhen": "uncertian"},
                {"name": "ship", "after": ["charge_paymet"], "action": {"pass": "${ steps.charge_payment.outptu.id }"}},
                {"name": "é t", "action": {"noop": {}}}
              ],
              "output": "${ steps.shipp.output }"
            }
            """
        #expect(
            DefinitionParser.parse(Array(text.utf8), file: "sagas/order.json").findings.map(\.text) == [
                #"sagas/order.json:3:15: error: `deadline`: `10min` is not a duration; write a number and ms, s, m, h or d, such as "30s" or "10m""#,
                "sagas/order.json:4:35: error: this URL can't be called: it doesn't begin with http:// or https://",
                "sagas/order.json:6:14: error: the step `charge_payment` doesn't say how it is undone; "
                    + "give it a `compensation`, or \"compensation\": \"none\" when it needs no undo",
                "sagas/order.json:7:37: error: there is no service `paymnt`; did you mean `payment`?",
                "sagas/order.json:7:68: error: unknown key `retries` in `action`; did you mean `retry`?",
                "sagas/order.json:8:24: error: `uncertian` is not a value of `compensateWhen`; did you mean `uncertain`?",
                "sagas/order.json:9:32: error: there is no step `charge_paymet`; did you mean `charge_payment`?",
                "sagas/order.json:9:94: error: a step has no `outptu`; did you mean `output`?",
                "sagas/order.json:10:14: error: `é t` can't be a step's name; "
                    + "a letter, then up to 62 letters, digits, _ and -, such as `t`",
                "sagas/order.json:12:23: error: there is no step `shipp`; did you mean `ship`?",
            ]
        )
    }

    @Test func aStepThatNoDotReachesIsShownInBrackets() {
        let text = #"""
            {"saga": "s", "steps": [{"name": "book-car", "action": {"noop": {}}}], "output": "${ steps.book-car.output }"}
            """#
        #expect(DefinitionParser.parse(Array(text.utf8)).findings.map(\.hint) == [#"write steps["book-car"]"#])
    }

    @Test func secretsAreNotRepeated() {
        let text = #"""
            {"saga": "s", "services": {"a": {"url": "http://me:secret@a", "headers": {"A": "${env:A:=secret}", "B": "secret\n"}}},
             "steps": [{"name": "a", "action": {"noop": {}}}]}
            """#
        let findings = DefinitionParser.parse(Array(text.utf8)).findings
        #expect(findings.map(\.code) == ["invalid-url", "invalid-environment", "invalid-header"])
        #expect(!findings.contains { $0.text.contains("secret") })
    }

    @Test func withoutAFileThePlaceStandsAlone() {
        #expect(
            DefinitionParser.parse([]).findings.map(\.text) == [
                "1:1: error: the file is empty; a definition is an object with `saga` and `steps`"
            ]
        )
    }

    @Test func whatIsQuotedStaysOnItsLine() {
        let name = String(repeating: "x", count: 100)
        let text =
            "{\"saga\": \"s\", \"steps\": [{\"name\": \"a\", \"action\": {\"noop\": {}}}], \"a\\n\\u202eb\(name)\": 1}"
        #expect(
            DefinitionParser.parse(Array(text.utf8)).findings.map(\.message) == [
                "unknown key `a\\u{a}\\u{202e}b\(name.prefix(56))…` in a definition"
            ]
        )
    }

    @Test func twoFilesWithOneNameAreAnError() {
        func file(_ path: String, _ name: String) -> (path: String, bytes: [UInt8]) {
            (path, Array("{\"saga\": \"\(name)\",\n \"steps\": [{\"name\": \"a\", \"action\": {\"noop\": {}}}]}".utf8))
        }
        let checked = DefinitionSet.check([
            file("a.json", "order"), file("b.json", "trip"), file("c.json", "order"), ("d.json", []),
        ])
        #expect(
            checked.definitions.map { "\($0.path) \($0.definition.name) \($0.bytes.count)" } == [
                "a.json order 68", "b.json trip 67",
            ]
        )
        #expect(
            checked.findings.map(\.text) == [
                "c.json:1:10: error: the saga `order` is defined in a.json too; give one of them another name",
                "d.json:1:1: error: the file is empty; a definition is an object with `saga` and `steps`",
            ]
        )
    }

    /// People look codes up: each stands in the table.
    @Test func everyCodeIsDocumented() throws {
        let page = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(
            path: "../../../docs/errors.md")
        let text = try String(contentsOf: page.standardized, encoding: .utf8)
        #expect(Finding.Code.allCases.map(\.rawValue).filter { !text.contains("`\($0)`") } == [])
    }
}

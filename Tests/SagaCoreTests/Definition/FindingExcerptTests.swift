import SagaCore
import Testing

/// The line below a finding, with what is at fault underlined.
@Suite struct FindingExcerptTests {
    /// The lines below the first finding of a definition.
    private func excerpt(_ text: String) -> [String] {
        DefinitionParser.parse(Array(text.utf8)).findings.first.map { Array($0.lines.dropFirst()) } ?? []
    }

    @Test func aKeyIsUnderlinedWithItsQuotes() {
        let text = """
            {
              "saga": "s",\r
              "stepps": [],
              "steps": [{"name": "a", "action": {"noop": {}}}]
            }
            """
        #expect(excerpt(text) == ["    3 |   \"stepps\": [],", "      |   ^~~~~~~~"])
    }

    @Test func inAnExpressionTheWordIs() {
        let text = #"""
            {"saga": "s", "steps": [{"name": "a", "action": {"noop": {}}}],
             "output": "${ steps.bb.output }"}
            """#
        #expect(excerpt(text) == [#"    2 |  "output": "${ steps.bb.output }"}"#, "      |                      ^~"])
    }

    @Test func aTextInAnExpressionIsWithItsQuotes() {
        let text = #"""
            {"saga": "s", "steps": [{"name": "a", "action": {"noop": {}}}],
             "output": "${ steps.a.status == 'done' }"}
            """#
        #expect(
            excerpt(text) == [
                #"    2 |  "output": "${ steps.a.status == 'done' }"}"#,
                "      |                                  ^~~~~~",
            ])
    }

    @Test func aValueInBracketsIsUnderlinedWhole() {
        let text = #"{"saga": {"a": "}"}, "steps": [{"name": "a", "action": {"noop": {}}}]}"#
        #expect(
            excerpt(text) == [
                #"    1 | {"saga": {"a": "}"}, "steps": [{"name": "a", "action": {"noop": {}}}]}"#,
                "      |          ^~~~~~~~~~",
            ])
    }

    @Test func bracketsThatCloseOnAnotherLineAreNot() {
        let text = "{\"saga\": {\n}, \"steps\": [{\"name\": \"a\", \"action\": {\"noop\": {}}}]}"
        #expect(excerpt(text) == ["    1 | {\"saga\": {", "      |          ^"])
    }

    @Test func ofALongLineThePartAroundTheFaultIsShown() {
        let padding = String(repeating: "é", count: 3_000)
        let text =
            #"{"description": "\#(padding)", "sagga": 1, "saga": "s", "output": "\#(padding)","#
            + #" "steps": [{"name": "a", "action": {"noop": {}}}]}"#
        let lead = String(repeating: "é", count: 37)
        let rest = String(repeating: "é", count: 24)
        #expect(
            excerpt(text) == [
                #"    1 | …\#(lead)", "sagga": 1, "saga": "s", "output": "\#(rest)…"#,
                "      | \(String(repeating: " ", count: 41))^~~~~~~",
            ])
    }

    @Test func whatCouldSteerATerminalIsReplaced() {
        let text =
            "{\"saga\": \"s\", \u{202E}\"x\": 1}"
        let findings = DefinitionParser.parse(Array(text.utf8)).findings
        #expect(findings.map(\.code) == ["syntax"])
        #expect(
            findings.first?.lines.dropFirst() == [
                "    1 | {\"saga\": \"s\", \u{FFFD}\"x\": 1}", "      |               ^",
            ])
    }

    @Test func aTabTakesOneColumn() {
        let text = "{\n\t\"stepps\": [], \"saga\": \"s\", \"steps\": [{\"name\": \"a\", \"action\": {\"noop\": {}}}]}"
        #expect(excerpt(text).last == "      |  ^~~~~~~~")
    }

    @Test func withoutATextAtThePlaceThereIsNone() {
        #expect(excerpt("") == [])
        #expect(excerpt("{") == [])
    }

    @Test func linesThatMayHoldSecretsAreNotShown() {
        let text = #"{"saga": "s", "services": {"a": {"url": "http://me:secret@a"}}, "steps": [{"name": "a"}]}"#
        let findings = DefinitionParser.parse(Array(text.utf8)).findings.filter { $0.code == "invalid-url" }
        #expect(findings.map(\.lines.count) == [1])
    }
}

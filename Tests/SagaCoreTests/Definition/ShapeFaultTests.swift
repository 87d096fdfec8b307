import SagaCore
import Testing

/// Every fault of a definition's shape is found, by its code, at its place.
@Suite struct ShapeFaultTests {
    private static let noop = #"{"name": "a", "action": {"noop": {}}}"#

    @Test(arguments: [
        BadDefinition("empty-file", "▸"),
        BadDefinition("empty-file", "▸ \n\t"),
        BadDefinition("syntax", "{▸"),
        BadDefinition("syntax", "{\"saga\": \"s\",\n \"steps\": [▸}"),
        BadDefinition("wrong-kind", "▸[]"),
        BadDefinition("wrong-kind", "▸null"),
        BadDefinition("missing-key missing-key", "▸▸{}"),
        BadDefinition("missing-key", #"▸{"saga": "s"}"#),
        BadDefinition("no-steps", #"{"saga": "s", "steps": ▸[]}"#),
        BadDefinition("wrong-kind", #"{"saga": "s", "steps": ▸{}}"#),
        BadDefinition("wrong-kind", #"{"saga": "s", "steps": [▸7]}"#),
        BadDefinition("wrong-kind", #"{"saga": ▸7, "steps": [\#(noop)]}"#),
        BadDefinition("invalid-name", #"{"saga": ▸"my order", "steps": [\#(noop)]}"#),
        BadDefinition("invalid-name", #"{"saga": ▸"", "steps": [\#(noop)]}"#),
        BadDefinition("invalid-name", #"{"saga": ▸"1st", "steps": [\#(noop)]}"#),
        BadDefinition("invalid-name", #"{"saga": ▸"é", "steps": [\#(noop)]}"#),
        BadDefinition(
            "unknown-key unknown-key",
            #"{"saga": "s", ▸"step": [], "steps": [\#(noop)], ▸"zzz": null}"#
        ),
        BadDefinition("duplicate-key", #"{"saga": "s", "steps": [\#(noop)], ▸"saga": "s"}"#),
        BadDefinition(
            "duplicate-key", #"{"saga": "s", "input": {"default": [{"é": 1, ▸"é": 2}]}, "steps": [\#(noop)]}"#),
        BadDefinition(
            "wrong-kind wrong-kind wrong-kind",
            #"{"$schema": ▸1, "saga": "s", "description": ▸[], "input": ▸"object", "steps": [\#(noop)]}"#
        ),
        BadDefinition("invalid-value", #"{"saga": "s", "onCompensationFailure": ▸"stop", "steps": [\#(noop)]}"#),
        BadDefinition("invalid-duration", #"{"saga": "s", "deadline": ▸"10", "steps": [\#(noop)]}"#),
        BadDefinition("invalid-duration", #"{"saga": "s", "deadline": ▸"0s", "steps": [\#(noop)]}"#),
        BadDefinition("wrong-kind", #"{"saga": "s", "deadline": ▸10, "steps": [\#(noop)]}"#),
        BadDefinition("wrong-kind", #"{"saga": "s", "deadline": ▸null, "steps": [\#(noop)]}"#),
    ])
    func file(_ bad: BadDefinition) {
        let text = MarkedText(bad.text)
        #expect(text.found == text.expected(bad.codes))
    }

    @Test(arguments: [
        BadDefinition("unknown-key", #"{"saga": "s", "defaults": {▸"timeouts": "1s"}, "steps": [\#(noop)]}"#),
        BadDefinition("wrong-kind", #"{"saga": "s", "defaults": ▸[], "steps": [\#(noop)]}"#),
        BadDefinition(
            "invalid-duration invalid-value",
            #"{"saga": "s", "defaults": {"timeout": ▸"0ms", "compensateWhen": ▸"always"}, "steps": [\#(noop)]}"#
        ),
        BadDefinition(
            "unknown-key out-of-range",
            #"{"saga": "s", "defaults": {"compensation": {▸"when": 1, "retry": {"maximumAttempts": ▸-1}}}, "steps": [\#(noop)]}"#
        ),
        BadDefinition(
            "out-of-range",
            #"{"saga": "s", "defaults": {"retry": {"initialInterval": ▸"2s", "maximumInterval": "1s"}}, "steps": [\#(noop)]}"#
        ),
        BadDefinition(
            "out-of-range",
            #"{"saga": "s", "defaults": {"retry": {"maximumInterval": "1s"}}, "steps": ["#
                + #"{"name": "a", "action": {"noop": {}, "retry": {"initialInterval": ▸"2s"}}}]}"#
        ),
        BadDefinition(
            "out-of-range",
            #"{"saga": "s", "defaults": {"compensation": {"retry": {"initialInterval": "2s"}}}, "steps": ["#
                + #"{"name": "a", "compensation": {"noop": {}, "retry": {"maximumInterval": ▸"1s"}}}]}"#
        ),
    ])
    func defaults(_ bad: BadDefinition) {
        let text = MarkedText(bad.text)
        #expect(text.found == text.expected(bad.codes))
    }

    @Test(arguments: [
        BadDefinition("out-of-range", step: #""action": {"noop": {}, "retry": {"maximumAttempts": ▸1.5}}"#),
        BadDefinition(
            "out-of-range",
            step: #""action": {"noop": {}, "retry": {"maximumAttempts": ▸99999999999999999999}}"#
        ),
        BadDefinition("wrong-kind", step: #""action": {"noop": {}, "retry": {"maximumAttempts": ▸"5"}}"#),
        BadDefinition("wrong-kind", step: #""action": {"noop": {}, "retry": ▸5}"#),
        BadDefinition("unknown-key", step: #""action": {"noop": {}, "retry": {▸"maxAttempts": 5}}"#),
        BadDefinition("out-of-range", step: #""action": {"noop": {}, "retry": {"backoffCoefficient": ▸0.5}}"#),
        BadDefinition("out-of-range", step: #""action": {"noop": {}, "retry": {"backoffCoefficient": ▸1e999}}"#),
        BadDefinition("invalid-value", step: #""action": {"noop": {}, "retry": {"jitter": ▸"ful"}}"#),
        BadDefinition("wrong-kind", step: #""action": {"noop": {}, "retry": {"jitter": ▸true}}"#),
        BadDefinition("invalid-duration", step: #""action": {"noop": {}, "retry": {"initialInterval": ▸"0s"}}"#),
        BadDefinition("wrong-kind", step: #""action": {"noop": {}, "retry": {"retryableErrors": ▸"E"}}"#),
        BadDefinition(
            "wrong-kind invalid-name duplicate-key",
            step: #""action": {"noop": {}, "retry": {"retryableErrors": [▸1, ▸"no way", "E", ▸"E"]}}"#
        ),
        BadDefinition(
            "conflicting-keys",
            step: #""action": {"noop": {}, "retry": {"retryableErrors": ["E"], "nonRetryableErrors": ["F", ▸"E"]}}"#
        ),
        BadDefinition(
            "unknown-error",
            step:
                #""action": {"noop": {}, "retry": {"retryableErrors": ["Saga.Timeout", "Saga.HTTP.500", ▸"Saga.TimeOut"]}}"#
        ),
        BadDefinition("invalid-duration", step: #""action": {"noop": {}, "timeout": ▸"1 s"}"#),
    ])
    func retry(_ bad: BadDefinition) {
        let text = MarkedText(bad.text)
        #expect(text.found == text.expected(bad.codes))
    }

    @Test(arguments: [
        ("file-too-large", [UInt8](repeating: 0x20, count: 1 << 20 + 1), 1, 1),
        ("not-utf-8", Array("{\n \"é\": \"".utf8) + [0xFF, 0x22], 2, 8),
        ("not-utf-8", [0xFF, 0xFE, 0x7B, 0x00, 0x7D, 0x00], 1, 1),
        ("syntax", Array(repeating: UInt8(ascii: "["), count: 100_000), 1, 129),
    ])
    func bytes(_ code: String, _ bytes: [UInt8], _ line: Int, _ column: Int) {
        let parsed = DefinitionParser.parse(bytes)
        #expect(parsed.findings.map(\.code) == [code])
        #expect(parsed.findings.map { [$0.line, $0.column] } == [[line, column]])
        #expect(parsed.definition == nil)
        #expect(parsed.name == nil)
    }

    @Test func byteOrderMarkDoesNotHideTheRest() {
        let parsed = DefinitionParser.parse([0xEF, 0xBB, 0xBF] + Array(#"{"saga": 7, "steps": [\#(Self.noop)]}"#.utf8))
        #expect(parsed.findings.map { "\($0.column) \($0.code)" } == ["1 byte-order-mark", "10 wrong-kind"])
    }

    @Test func findingsAreBounded() {
        let text = "{" + (0..<5_000).map { "\"k\($0)\": 1" }.joined(separator: ", ") + "}"
        let findings = DefinitionParser.parse(Array(text.utf8)).findings
        #expect(findings.count == 1_001)
        #expect(findings.last?.code == "too-many-findings")
        #expect(findings.last?.severity == .error)
    }

    @Test func tooManyWarningsAreNoError() {
        let body = (0..<1_200).map { "\"${\($0)}\": 1" }.joined(separator: ", ")
        let parsed = DefinitionParser.parse(Array(definitionText(body: "{\(body)}").utf8))
        #expect(parsed.findings.count == 1_001)
        #expect(parsed.findings.allSatisfy { $0.severity == .warning })
        #expect(parsed.definition != nil)
    }
}

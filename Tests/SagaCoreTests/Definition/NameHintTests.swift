import SagaCore
import Testing

@Suite struct NameHintTests {
    /// Each hint looks at all names: a file may ask for so many hints only.
    @Test func hintsAreBoundedForEachFile() {
        let names = (0..<2_000).map { "a_service_with_a_long_name_\($0)" }
        let services = names.map { #""\#($0)": {"url": "http://x"}"# }.joined(separator: ", ")
        let steps = (0..<100).map {
            #"{"name": "s\#($0)", "compensation": {"http": {"service": "a_servic_with_a_long_name_\#($0)", "path": "/"}}}"#
        }
        let text = #"{"saga": "s", "services": {\#(services)}, "steps": [\#(steps.joined(separator: ", "))]}"#
        let hints = DefinitionParser.parse(Array(text.utf8)).findings.filter { $0.code == "unknown-service" }.map(
            \.hint)
        let near = (0..<5).map { "did you mean `a_service_with_a_long_name_\($0)`?" }
        #expect(hints == near + Array(repeating: "state it under `services`", count: 95))
    }
}

import JSON
import Testing

@testable import JSONSchema

@Suite struct SuiteTests {
    private func options(
        _ unknown: JSONSchema.Options.UnknownKeywords,
        assertsFormat: Bool
    ) throws -> JSONSchema.Options {
        var options = JSONSchema.Options(unknownKeywords: unknown, assertsFormat: assertsFormat)
        options.documents = try SuiteCase.remotes()
        return options
    }

    /// The listed cases that are expected not to pass, and why.
    private func knownFailures(_ part: String) throws -> Set<String> {
        let listed = try #require(SuiteCase.resource("known-failures.json")[part]?.arrayValue)
        for one in listed { _ = try #require(one["reason"]?.stringValue) }
        return Set(try listed.map { try #require($0["case"]?.stringValue) })
    }

    private func check(_ cases: [SuiteCase], _ part: String, _ options: JSONSchema.Options) throws {
        let listed = try knownFailures(part)
        var failed: Set<String> = []
        for one in cases {
            let outcome = one.outcome(options)
            guard outcome != .right else { continue }
            failed.insert(one.id)
            if !listed.contains(one.id) { Issue.record("\(one.id): \(outcome)") }
        }
        #expect(listed.subtracting(failed).sorted() == [], "listed cases that pass")
    }

    @Test func requiredPart() throws {
        let cases = try SuiteCase.all(in: "draft2020-12")
        #expect(cases.count == 1_257)
        try check(cases, "required", options(.annotations, assertsFormat: false))
    }

    @Test func optionalPart() throws {
        let cases = try SuiteCase.all(in: "draft2020-12/optional")
        #expect(cases.count == 158)
        try check(cases, "optional", options(.annotations, assertsFormat: false))
    }

    @Test func formats() throws {
        let cases = try SuiteCase.all(in: "draft2020-12/optional/format")
        let options = try options(.annotations, assertsFormat: true)
        let unsupported = ["idn-email", "idn-hostname", "iri", "iri-reference", "unknown", "uri-template"]
        #expect(cases.count == 491)
        for one in cases {
            let format = one.schema["format"]?.stringValue ?? ""
            guard unsupported.contains(format) else {
                #expect(one.outcome(options) == .right, "\(one.id)")
                continue
            }
            #expect(one.outcome(options) == .refused(["/format: the format `\(format)` isn't supported"]))
        }
    }

    /// As definitions use it: what isn't understood is refused, and whatever is taken is answered rightly.
    @Test func theDefaultModeIsNeverWrong() throws {
        let options = try options(.refused, assertsFormat: true)
        var right = 0
        for one in try SuiteCase.all(in: "draft2020-12") where !one.id.hasPrefix("format/") {
            switch one.outcome(options) {
            case .right: right += 1
            case .wrong: Issue.record("\(one.id)")
            case .refused(let faults): #expect(!faults.isEmpty)
            }
        }
        #expect(right == 1_119)
    }
}

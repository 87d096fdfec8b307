import SagaCore
import Testing

/// A definition in which every `▸` marks a place where a finding is expected.
struct MarkedText {
    let bytes: [UInt8]
    /// `LINE:COLUMN` of each mark, counted in the text without marks.
    let places: [String]

    init(_ marked: String) {
        var text = String.UnicodeScalarView()
        var places: [String] = []
        var line = 1
        var column = 1
        for scalar in marked.unicodeScalars {
            if scalar == "▸" {
                places.append("\(line):\(column)")
                continue
            }
            text.append(scalar)
            column += 1
            if scalar == "\n" {
                line += 1
                column = 1
            }
        }
        bytes = Array(String(text).utf8)
        self.places = places
    }

    /// What the parser finds, as `LINE:COLUMN code`.
    var found: [String] {
        DefinitionParser.parse(bytes).findings.map { "\($0.line):\($0.column) \($0.code)" }
    }

    /// The marks with what is expected at each.
    func expected(_ codes: String) -> [String] {
        let codes = codes.split(separator: " ").map(String.init)
        return places.count == codes.count
            ? zip(places, codes).map { "\($0) \($1)" } : ["\(places.count) marks, \(codes.count) codes"]
    }
}

/// A faulty definition and the codes of its findings, in the order of its marks.
struct BadDefinition: CustomTestStringConvertible, Sendable {
    let text: String
    let codes: String

    init(_ codes: String, _ text: String) {
        self.text = text
        self.codes = codes
    }

    /// A definition whose `steps` are these; it has a service `pay` if they call one.
    init(_ codes: String, steps: String) {
        let services = steps.contains("service") ? #""services": {"pay": {"url": "http://pay"}}, "# : ""
        self.init(codes, #"{"saga": "s", \#(services)"steps": [\#(steps)]}"#)
    }

    /// A definition with this member in its only step, which is named `a`.
    init(_ codes: String, step: String) {
        self.init(codes, steps: #"{"name": "a", \#(step)}"#)
    }

    /// A definition with this `http` as its only action.
    init(_ codes: String, http: String) {
        self.init(codes, step: #""action": {"http": {\#(http)}}, "compensation": "none""#)
    }

    /// A definition with this text as the value of an otherwise right service `pay`.
    init(_ codes: String, service: String) {
        self.init(
            codes,
            #"{"saga": "s", "services": {"pay": \#(service)}, "steps": [{"name": "a", "#
                + #""action": {"http": {"service": "pay", "method": "GET", "path": "/"}}}]}"#
        )
    }

    var testDescription: String { "\(codes): \(text)" }
}

/// A definition that has nothing wrong but this value in its only step's body.
func definitionText(body: String) -> String {
    #"{"saga": "s", "services": {"pay": {"url": "http://pay"}}, "steps": [{"name": "a", "compensation": "none", "#
        + #""action": {"http": {"service": "pay", "path": "/", "body": \#(body)}}}]}"#
}

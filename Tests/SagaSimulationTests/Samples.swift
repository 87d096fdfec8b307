import JSON
import SagaCore
import SagaSimulation

enum Samples {
    static func definition(_ text: String) throws -> Definition {
        let parsed = DefinitionParser.parse(Array(text.utf8), file: "sample.json")
        guard let definition = parsed.definition else { throw Broken(findings: "\(parsed.findings)") }
        return definition
    }

    struct Broken: Error { let findings: String }

    /// Steps that call one service, each with a compensation, one after the other.
    static func list(
        _ names: [String], retry: String = #"{"maximumAttempts": 3, "initialInterval": "1s", "jitter": "none"}"#,
        breaker: String = "false", more: String = ""
    ) throws -> Definition {
        let steps = names.map {
            """
            {"name": "\($0)", "action": {"http": {"service": "s", "path": "/\($0)"}},
             "compensation": {"http": {"service": "s", "path": "/undo/\($0)"}}}
            """
        }
        return try definition(
            """
            {"saga": "sample", "defaults": {"timeout": "10s", "retry": \(retry), "compensation": {"retry": \(retry)}},
             "services": {"s": {"url": "http://s", "circuitBreaker": \(breaker)}}, \(more)
             "steps": [\(steps.joined(separator: ", "))]}
            """)
    }
}

/// A result as lines: milliseconds, type, step and attempt; then the calls and the books.
struct Story {
    let lines: [String]

    init(_ result: SimulationResult) {
        lines =
            result.events.map { event in
                let data = event.data.flatMap { try? JSON.parse($0) } ?? .null
                var line = "\((event.at - SimulatedRun.start).microseconds / 1_000) \(event.typeName)"
                if let step = data["step"]?.stringValue { line += " \(step)" }
                if let attempt = data["attempt"]?.int64Value { line += " #\(attempt)" }
                if let error = data["error"]?.stringValue { line += " \(error)" }
                return line
            } + ["\(result.ending.rawValue) \(result.status.name)"]
            + result.books.entries.map { "\($0.kind.rawValue) \($0.step)" }
    }
}

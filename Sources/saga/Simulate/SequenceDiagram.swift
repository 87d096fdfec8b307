import SagaCore
import SagaSimulation

/// A simulated run as a Mermaid sequence diagram: the saga, its services, and every call between them.
struct SequenceDiagram {
    private let result: SimulationResult
    private let definition: Definition

    init(_ result: SimulationResult, definition: Definition) {
        self.result = result
        self.definition = definition
    }

    /// The diagram's text, a statement a line, without newline at the end.
    ///
    /// The saga is `saga`; the services that were called are `p0`, `p1` and so on, in the definition's order. An answer
    /// that didn't come ends in a cross.
    var text: String {
        var lines = ["sequenceDiagram", "    participant saga as \(plain(definition.name))"]
        let called = Set(result.calls.compactMap { service($0.call.operation) })
        for index in definition.services.indices where called.contains(index) {
            lines.append("    participant p\(index) as \(plain(definition.services[index].name))")
        }
        var last = SimulatedRun.start
        for event in result.events {
            guard let recorded = try? EventCodec.decode(event, definition: definition) else { continue }
            if event.at > last { lines.append(note("after \((event.at - last).short)")) }
            last = event.at
            lines += statements(recorded.event).map { "    " + $0 }
        }
        return lines.joined(separator: "\n")
    }

    private func statements(_ event: Event) -> [String] {
        switch event {
        case .started(let operation, let attempt):
            let again = attempt > 1 ? ", attempt \(attempt)" : ""
            return ["saga->>\(partner(operation)): \(name(operation))\(again)"]
        case .succeeded(let operation, let attempt, _):
            let arrow = attempt == 0 ? "saga->>" : "\(partner(operation))-->>"
            return [arrow + "saga: \(attempt == 0 ? name(operation) : "done")"]
        case .attemptFailed(let operation, let failure, _), .failed(let operation, let failure):
            // An expression that fails is no call.
            guard definition.operation(operation) != nil, failure.attempt > 0 else {
                return ["Note over saga: \(name(operation)) failed, \(plain(failure.error))"]
            }
            let arrow = failure.outcome == .unknown ? "--x" : "-->>"
            return ["\(partner(operation))\(arrow)saga: \(plain(failure.error))"]
        case .deferred(let operation, _, let reason):
            return ["Note over saga: \(name(operation)) waits, \(plain(reason))"]
        case .stepSkipped(let step): return ["Note over saga: \(definition.steps[step].name) is skipped"]
        case .sagaCompensating(let failure):
            let step = failure.step.map { "\(definition.steps[$0].name), " } ?? ""
            return ["Note over saga: turns back, \(step)\(plain(failure.error))"]
        case .sagaStuck(let failure): return ["Note over saga: stuck, \(plain(failure.error))"]
        case .sagaCompleted: return ["Note over saga: completed"]
        case .sagaCompensated: return ["Note over saga: compensated"]
        case .terminated: return ["Note over saga: terminated"]
        case .cancelRequested: return ["Note over saga: a person cancels"]
        case .paused: return ["Note over saga: a person pauses"]
        case .resumed: return ["Note over saga: a person resumes"]
        case .retried: return ["Note over saga: a person retries"]
        case .stepResolved(let operation, let resolution, _, _):
            return ["Note over saga: a person says that \(name(operation)) is \(resolution.rawValue)"]
        case .compensationRequested: return ["Note over saga: a person wants it undone"]
        case .sagaStarted: return []
        }
    }

    private func note(_ text: String) -> String { "    Note over saga: \(text)" }

    private func name(_ operation: OperationReference) -> String {
        let step = definition.steps[operation.step].name
        return operation.side == .action ? step : "undo \(step)"
    }

    private func partner(_ operation: OperationReference) -> String {
        service(operation).map { "p\($0)" } ?? "saga"
    }

    private func service(_ operation: OperationReference) -> Int? {
        guard case .http(let http)? = definition.operation(operation)?.kind else { return nil }
        return http.service
    }

    /// Without the characters that end a statement or begin an entity or a comment.
    private func plain(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.map { ";#%\n\r".unicodeScalars.contains($0) ? " " : $0 }))
    }
}

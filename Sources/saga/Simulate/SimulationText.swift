import JSON
import SagaCore
import SagaSimulation

/// A simulated run as a timeline, and what came of it.
struct SimulationText {
    let result: SimulationResult
    let definition: Definition
    let terminal: Terminal
    /// How a step is given the output that it really has.
    var outputHint = "--output STEP=JSON gives it"

    init(_ result: SimulationResult, definition: Definition, terminal: Terminal) {
        self.result = result
        self.definition = definition
        self.terminal = terminal
    }

    var lines: [String] {
        timeline.lines(for: terminal) + ["", terminal.paint(ending, endingStyle)] + [effects] + refusals + hints
    }

    // MARK: Timeline

    private var timeline: Table {
        var table = Table([
            .init("AFTER", isNumeric: true), .init("EVENT"), .init("STEP"), .init("TRY", isNumeric: true),
            .init("", minimum: 12),
        ])
        var breakers = result.breakerEvents[...]
        for event in result.events {
            while let next = breakers.first, next.event.at < event.at {
                table.add(row(next))
                breakers.removeFirst()
            }
            table.add(row(event))
        }
        for rest in breakers { table.add(row(rest)) }
        return table
    }

    private func row(_ event: StoredEvent) -> [Table.Cell] {
        let data = event.data.flatMap { try? JSON.parse($0) } ?? .null
        let attempt = data["attempt"]?.int64Value.flatMap { $0 > 0 ? String($0) : nil } ?? ""
        return [
            .init((event.at - SimulatedRun.start).short, .dim), .init(event.typeName, style(event)),
            .init(data["step"]?.stringValue ?? ""), .init(attempt), .init(detail(event, data)),
        ]
    }

    private func row(_ line: SimulationResult.BreakerLine) -> [Table.Cell] {
        [
            .init((line.event.at - SimulatedRun.start).short, .dim), .init(line.event.type.name, .blue), .init(""),
            .init(""), .init("service \(line.service)"),
        ]
    }

    private func detail(_ event: StoredEvent, _ data: JSON) -> String {
        var parts: [String] = []
        if data["outcome"]?.stringValue == Outcome.unknown.rawValue { parts.append(Outcome.unknown.rawValue) }
        if let error = data["error"]?.stringValue {
            parts.append(error)
            if [EngineError.expression, EngineError.invalidInput].contains(error),
                let message = data["message"]?.stringValue
            {
                parts.append(message)
            }
        }
        if let next = instant(data["nextAttemptAt"]) { parts.append("again in \((next - event.at).short)") }
        if let until = instant(data["until"]), until < .distantFuture {
            parts.append("until \((until - SimulatedRun.start).short)")
        }
        if let reason = data["reason"]?.stringValue { parts.append(reason) }
        return parts.joined(separator: ", ")
    }

    private func instant(_ value: JSON?) -> Instant? { value?.stringValue.flatMap { Instant(text: $0) } }

    private func style(_ event: StoredEvent) -> Style? {
        switch EventType(rawValue: event.type) {
        case .stepSucceeded, .compensationSucceeded, .sagaCompleted: .green
        case .stepAttemptFailed, .compensationAttemptFailed, .stepDeferred, .compensationDeferred, .sagaCompensated:
            .yellow
        case .stepFailed, .compensationFailed, .sagaStuck: .red
        case .sagaCompensating, .compensationStarted: .magenta
        default: nil
        }
    }

    // MARK: What came of it

    private var ending: String {
        var text = result.status.name
        switch result.ending {
        case .ended: text += " after \(result.duration.short)"
        case .stuck: text += " after \(result.duration.short), and waits for a person"
        case .waiting: text += " after \(result.duration.short), and waits for ever"
        case .horizon: text += ", and still goes on after \(result.duration.short)"
        }
        if let failure = result.state.failure {
            let step = failure.step.map { "\(definition.steps[$0].name) failed with " } ?? ""
            text += ": \(step)\(failure.error)"
        }
        return text.sanitized
    }

    private var endingStyle: Style? {
        switch result.status {
        case .completed: .green
        case .compensated: .yellow
        case .stuck: .boldRed
        case .pending, .running, .compensating, .terminated: nil
        }
    }

    /// What the participants' books say, whatever the saga knows of it.
    private var effects: String {
        let calls = result.calls.count == 1 ? "1 call" : "\(result.calls.count) calls"
        let names = result.books.standing.map(\.step)
        if names.isEmpty { return "\(calls), no effect stands" }
        return "\(calls), effects that stand: \(names.joined(separator: ", "))"
    }

    private var refusals: [String] {
        result.signals.compactMap { signal in
            signal.refusal.map {
                "\(signal.signal.command.word) after \(signal.signal.at.short) changed nothing: \($0)".sanitized
            }
        }
    }

    private var hints: [String] {
        let failed = result.events.contains { event in
            guard let bytes = event.data, let data = try? JSON.parse(bytes) else { return false }
            return data["error"]?.stringValue == EngineError.expression
        }
        return failed ? ["an expression failed: \(outputHint) the output that the step really has"] : []
    }
}

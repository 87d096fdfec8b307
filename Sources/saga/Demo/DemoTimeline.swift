import JSON
import SagaCore

/// One saga's events with the time since its start.
struct DemoTimeline {
    let events: [StoredEvent]
    let terminal: Terminal

    var lines: [String] {
        var table = Table([
            .init("AFTER", isNumeric: true), .init("EVENT"), .init("STEP"), .init("TRY", isNumeric: true),
            .init("", minimum: 12),
        ])
        guard let start = events.first?.at else { return [] }
        for event in events {
            let data = event.data.flatMap { try? JSON.parse($0) } ?? .null
            table.add([
                .init((event.at - start).short, .dim), .init(event.typeName, style(event)),
                .init(data["step"]?.stringValue ?? ""), .init(attempt(data)), .init(detail(event, data)),
            ])
        }
        return table.lines(for: terminal)
    }

    private func attempt(_ data: JSON) -> String {
        guard let attempt = data["attempt"]?.int64Value, attempt > 0 else { return "" }
        return String(attempt)
    }

    private func detail(_ event: StoredEvent, _ data: JSON) -> String {
        var parts: [String] = []
        let outcome = data["outcome"]?.stringValue
        if let outcome, outcome != Outcome.done.rawValue { parts.append(outcome) }
        if let error = data["error"]?.stringValue { parts.append(error) }
        if let next = data["nextAttemptAt"]?.stringValue.flatMap({ Instant(text: $0) }) {
            parts.append("again in \((next - event.at).short)")
        }
        if outcome == Outcome.done.rawValue, let output = data["output"]?.objectValue,
            let id = output.first(where: { $0.key.hasSuffix("Id") })?.value.stringValue
        {
            parts.append(id)
        }
        return parts.joined(separator: ", ")
    }

    private func style(_ event: StoredEvent) -> Style? {
        switch EventType(rawValue: event.type) {
        case .stepSucceeded, .compensationSucceeded, .sagaCompleted: .green
        case .stepAttemptFailed, .compensationAttemptFailed, .sagaCompensated: .yellow
        case .stepFailed, .compensationFailed, .sagaStuck: .red
        case .sagaCompensating, .compensationStarted: .magenta
        default: nil
        }
    }
}

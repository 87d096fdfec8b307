import JSON
import SagaCore

/// Events as aligned lines: sequence, time in UTC, type, step, attempt, and what came of it.
struct EventText {
    let terminal: Terminal
    private let stepWidth: Int

    /// - Parameter stepNames: of the definition, whose longest sets the column's width.
    init(stepNames: [String], terminal: Terminal) {
        self.terminal = terminal
        stepWidth = min(stepNames.map(\.displayWidth).max() ?? 12, 20)
    }

    /// The event on one line.
    func line(_ event: StoredEvent) -> String {
        let data = event.data.flatMap { try? JSON.parse($0) } ?? .null
        let sequence = String(event.sequence)
        let fields = [
            String(repeating: " ", count: max(0, 4 - sequence.count)) + sequence,
            terminal.paint(event.at.compact, .dim),
            terminal.paint(event.typeName.padded(to: 25), style(event)),
            (data["step"]?.stringValue ?? "").sanitized.truncated(to: stepWidth).padded(to: stepWidth),
            attempt(data).padded(to: 3),
        ]
        let room = terminal.width - (4 + 18 + 25 + stepWidth + 3 + 5 * 2)
        return (fields + [terminal.fitted(detail(event, data).sanitized, to: room)]).joined(separator: "  ").trimmedEnd
    }

    private func attempt(_ data: JSON) -> String {
        guard case .number(let number)? = data["attempt"], number.literal != "0" else { return "" }
        return "#\(number.literal)"
    }

    private func detail(_ event: StoredEvent, _ data: JSON) -> String {
        var parts: [String] = []
        if let outcome = data["outcome"]?.stringValue, outcome != Outcome.done.rawValue { parts.append(outcome) }
        if let error = data["error"]?.stringValue { parts.append(error) }
        if let next = instant(data["nextAttemptAt"]) { parts.append("next in \((next - event.at).short)") }
        if let until = instant(data["until"]) { parts.append("until \(until.compact)") }
        if let operation = data["operation"]?.stringValue, let resolution = data["resolution"]?.stringValue {
            parts.append("\(operation) \(resolution)")
        }
        if let actor = data["actor"]?.stringValue { parts.append("by \(actor)") }
        for name in ["reason", "message"] {
            if let text = data[name]?.stringValue, !text.isEmpty { parts.append(text) }
        }
        if let patch = data["patch"] { parts.append("patch \(patch.text)") }
        return parts.joined(separator: ", ")
    }

    private func instant(_ value: JSON?) -> Instant? {
        value?.stringValue.flatMap { Instant(text: $0) }
    }

    private func style(_ event: StoredEvent) -> Style? {
        switch EventType(rawValue: event.type) {
        case .stepSucceeded, .compensationSucceeded, .sagaCompleted: .green
        case .stepAttemptFailed, .compensationAttemptFailed, .stepDeferred, .compensationDeferred, .sagaCompensated:
            .yellow
        case .stepFailed, .compensationFailed, .sagaTerminated: .red
        case .sagaStuck: .boldRed
        case .sagaCompensating, .compensationStarted: .magenta
        case .sagaCancelRequested, .sagaPaused, .sagaResumed, .stepResolved, .sagaRetried,
            .sagaCompensationRequested:
            .blue
        case .stepSkipped: .dim
        case .sagaStarted, .stepStarted, nil: nil
        }
    }
}

extension String {
    /// The text without blanks at its end.
    fileprivate var trimmedEnd: String {
        var end = endIndex
        while end > startIndex, self[index(before: end)] == " " { end = index(before: end) }
        return String(self[..<end])
    }
}

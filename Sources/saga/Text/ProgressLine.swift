import SagaCore

/// How far a saga is, on one line.
struct ProgressLine {
    private static let cells = 20

    /// The bar, the count of steps and what is going on, in at most `width` columns.
    static func text(_ document: StatusDocument, for terminal: Terminal) -> String {
        let steps = document.steps ?? []
        let (done, total) = count(document, steps)
        let filled = total == 0 ? 0 : cells * done / total
        let bar = String(repeating: "█", count: filled) + String(repeating: "░", count: cells - filled)
        let activity = steps.compactMap(activity).joined(separator: ", ")
        let status = document.status.name + (document.isPaused && !document.status.isEnded ? " (paused)" : "")
        let plain = " \(done)/\(total) \(status)\(activity.isEmpty ? "" : ": ")\(activity)"
        return terminal.paint(bar, document.status.style) + plain.sanitized.truncated(to: terminal.width - cells - 1)
    }

    /// Steps ended of all on the way there, compensations ended of those called for on the way back.
    private static func count(_ document: StatusDocument, _ steps: [StatusDocument.Step]) -> (done: Int, total: Int) {
        let undone = steps.compactMap { $0.compensation?.status }
        if document.status == .compensating || document.status == .compensated {
            return (undone.count { $0 == .succeeded }, undone.count)
        }
        return (steps.count { $0.status == .succeeded || $0.status == .skipped }, steps.count)
    }

    private static func activity(_ step: StatusDocument.Step) -> String? {
        let (attempts, isWaiting): (Int, Bool)
        switch step.status {
        case .running: (attempts, isWaiting) = (step.attempts, false)
        case .backoff, .deferred: (attempts, isWaiting) = (step.attempts, true)
        case .compensating:
            guard let undo = step.compensation else { return nil }
            (attempts, isWaiting) = (undo.attempts, undo.status != .running)
            return "undoing \(step.name)" + note(attempts, isWaiting)
        default: return nil
        }
        return step.name + note(attempts, isWaiting)
    }

    private static func note(_ attempts: Int, _ isWaiting: Bool) -> String {
        if isWaiting { return attempts > 0 ? " (waits, \(attempts) failed)" : " (waits)" }
        return attempts > 1 ? " (attempt \(attempts))" : ""
    }
}

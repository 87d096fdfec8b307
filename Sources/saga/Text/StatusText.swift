import SagaCore

/// One saga in full, for people.
struct StatusText {
    let document: StatusDocument
    /// The database's clock.
    let now: Instant
    let terminal: Terminal

    var lines: [String] {
        var lines = header + facts
        if let steps = document.steps, !steps.isEmpty {
            lines += [""] + stepTable(steps)
            let details = waiting(steps) + errors(steps)
            if !details.isEmpty { lines += [""] + details }
        }
        if let stuck = document.stuck {
            lines += StuckText(report: stuck, failure: document.failure, terminal: terminal).lines
        }
        return lines
    }

    // MARK: Header

    private var header: [String] {
        let status = terminal.paint(document.status.name, document.status.style)
        let paused = document.isPaused && !document.status.isEnded ? terminal.paint(" (paused)", .yellow) : ""
        return ["\(terminal.paint(document.saga, .bold)) \(document.id)  \(status)\(paused)"]
    }

    private var facts: [String] {
        var facts: [(String, String)] = []
        if let key = document.key { facts.append(("key", key)) }
        facts.append(("version", document.version))
        facts.append(("started", "\(document.startedAt.text) (\(document.startedAt.relative(to: now)))"))
        if let ended = document.endedAt {
            facts.append(("ended", "\(ended.text) (after \((ended - document.startedAt).short))"))
        }
        facts.append(("input", document.input.text))
        if let output = document.output { facts.append(("output", output.text)) }
        if let failure = document.failure {
            facts.append(
                ("failure", [failure.step, failure.error, failure.message].compactMap { $0 }.joined(separator: ": "))
            )
        }
        return facts.map { name, value in
            let value = value.sanitized.truncated(to: terminal.width - 11)
            return "  \(terminal.paint(name.padded(to: 8), .dim)) \(value)"
        }
    }

    // MARK: Steps

    private func stepTable(_ steps: [StatusDocument.Step]) -> [String] {
        var table = Table([
            .init("STEP", minimum: 12), .init("STATUS"), .init("OUTCOME"), .init("ATTEMPTS", isNumeric: true),
            .init("ERROR", minimum: 12), .init("COMPENSATION"), .init("ATTEMPTS", isNumeric: true),
            .init("ERROR", minimum: 12),
        ])
        for step in steps {
            let undo = step.compensation
            table.add([
                .init(step.name), .init(step.status.rawValue, step.status.style), .init(step.outcome?.rawValue ?? ""),
                .init(step.attempts == 0 ? "" : String(step.attempts)), .init(step.error ?? ""),
                .init(undo?.status?.rawValue ?? "", undo?.status?.style),
                .init(undo.map { $0.attempts == 0 ? "" : String($0.attempts) } ?? ""), .init(undo?.error ?? ""),
            ])
        }
        return table.lines(for: terminal)
    }

    /// What waits, and until when.
    private func waiting(_ steps: [StatusDocument.Step]) -> [String] {
        var lines: [String] = []
        for step in steps {
            if let at = step.nextAttemptAt { lines.append(waitingLine(step.name, step.status.rawValue, at)) }
            if let undo = step.compensation, let at = undo.nextAttemptAt {
                lines.append(waitingLine("the compensation of \(step.name)", undo.status?.rawValue ?? "", at))
            }
        }
        return lines
    }

    private func waitingLine(_ what: String, _ status: String, _ at: Instant) -> String {
        // Its time was the first probe's: from then on it waits for its turn.
        if status == "deferred", at <= now {
            return terminal.fitted(
                "\(what) is deferred until its service takes its call: saga breaker list", to: terminal.width)
        }
        let verb = status == "deferred" ? "is deferred until" : "is tried again at"
        let moment = at <= now ? "now" : at.relative(to: now)
        return terminal.fitted("\(what) \(verb) \(at.text) (\(moment))", to: terminal.width)
    }

    private func errors(_ steps: [StatusDocument.Step]) -> [String] {
        var lines: [String] = []
        for step in steps {
            if let error = step.error { lines.append("\(step.name): \(error): \(step.message ?? "")") }
            if let undo = step.compensation, let error = undo.error {
                lines.append("compensation of \(step.name): \(error): \(undo.message ?? "")")
            }
        }
        return lines.map { terminal.paint(terminal.fitted($0.sanitized, to: terminal.width), .dim) }
    }
}

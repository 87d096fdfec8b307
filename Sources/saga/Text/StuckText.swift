import SagaCore

/// What a person needs to know of a stuck saga: where its steps stand, the last request and answer, and the ways out as
/// commands to copy.
struct StuckText {
    let report: StuckReport
    let failure: StatusDocument.Failure?
    let terminal: Terminal

    /// Each part after an empty line.
    var lines: [String] {
        let parts = [standing] + report.operations.map(operation) + [waysOut]
        return parts.filter { !$0.isEmpty }.flatMap { [""] + $0 }
    }

    private var standing: [String] {
        let rows = [
            ("done", report.done), ("in doubt", report.inDoubt), ("undone", report.undone), ("to undo", report.left),
        ]
        return rows.filter { !$0.1.isEmpty }.map { name, steps in
            terminal.paint(name.padded(to: 8), .dim) + "  " + steps.joined(separator: ", ")
        }
    }

    private func operation(_ operation: StuckReport.Operation) -> [String] {
        let isUndo = operation.side == .compensation
        let name = isUndo ? "the compensation of \(operation.step)" : operation.step
        let attempts = operation.attempts == 1 ? "" : " (\(operation.attempts) attempts)"
        let answer = [operation.outcome?.rawValue, operation.error, operation.message].compactMap { text in
            text.flatMap { $0.isEmpty ? nil : $0 }
        }
        return [terminal.paint("Last request of \(name)\(attempts):", .bold)]
            + (operation.request.map(request) ?? ["none was made"]).map { "  \($0.sanitized)" }
            + [terminal.paint("Last answer:", .bold)]
            + ["  " + (answer.isEmpty ? "none" : answer.joined(separator: ": ")).sanitized]
    }

    private func request(_ request: StuckReport.Request) -> [String] {
        var lines = ["\(request.method) \(request.url)"]
        lines += request.headers.map { "\($0.name): \($0.value)" }
        guard let body = request.body else { return lines }
        return lines + [body.isCut ? "\(body.text)… (\(body.length) bytes)" : body.text]
    }

    private var waysOut: [String] {
        let title = failure?.step.map { "This saga needs a person: it is stuck on \($0)." }
        return [terminal.paint(title ?? "This saga needs a person.", .bold)]
            + report.choices.flatMap { choice in
                [
                    "  " + terminal.paint("# \(choice.meaning) -> \(choice.leadsTo)".sanitized, .dim),
                    "  \(choice.command)",
                ]
            }
    }
}

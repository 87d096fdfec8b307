import JSON
import SagaCore
import SagaSimulation

/// What became of a definition's runs.
struct FaultReport {
    let definition: Definition
    let outcome: FaultMatrix.Outcome
    /// nil when only single faults were asked for.
    let pairs: PairsReport?

    private var cases: [FaultMatrix.Case] { outcome.cases }

    /// A saga that fails by itself shows nothing of what faults do to it.
    private var failsByItself: Bool { outcome.undisturbed.status != .completed }

    /// Operations that call a service, and that no fault is laid at.
    private var untried: [String] {
        outcome.untried.filter { pairs?.targets.contains($0) != true }.map(\.description)
    }

    var hasProblems: Bool {
        failsByItself || cases.contains { !$0.problems.isEmpty } || pairs?.hasProblems ?? false
    }

    /// The table, and below it the story of each run that went wrong.
    func lines(for terminal: Terminal) -> [String] {
        var table = Table([
            .init("STEP"), .init("FAULT"), .init("END"), .init("TIME", isNumeric: true),
            .init("EFFECTS", minimum: 12),
        ])
        for run in cases {
            table.add([
                .init(run.target.description), .init(run.fault.rawValue),
                .init(run.result.status.name, style(run.result.status)), .init(run.result.duration.short),
                .init(effects(of: run.result)),
            ])
        }
        let wrong = cases.filter { !$0.problems.isEmpty }
        var lines = cases.isEmpty ? [] : table.lines(for: terminal) + [""]
        if failsByItself {
            lines += story(
                "no fault", ["it doesn't complete, though nothing goes wrong"], outcome.undisturbed, terminal)
        }
        for run in wrong {
            lines += story("\(run.target), \(run.fault.rawValue)", run.problems, run.result, terminal)
        }
        lines += pairs?.lines(for: terminal) ?? []
        if !untried.isEmpty {
            lines += [
                "not tried, since no run calls it: \(untried.joined(separator: ", "))", "",
            ]
        }
        let runs = cases.count == 1 ? "1 run" : "\(cases.count) runs"
        let count = wrong.count + (pairs?.problemCount ?? 0)
        var end = count == 0 ? "no problem" : "problems in \(count)"
        if failsByItself { end = "fails by itself" + (count == 0 ? "" : ", \(end)") }
        return lines + ["\(definition.name): \(runs)\(pairs?.summary ?? ""), \(end)"]
    }

    private func story(
        _ title: String, _ problems: [String], _ result: SimulationResult, _ terminal: Terminal
    ) -> [String] {
        let text = SimulationText(result, definition: definition, terminal: terminal)
        return [terminal.paint("\(title):", .bold)] + problems.map { terminal.paint("  \($0)", .boldRed) }
            + text.lines.map { $0.isEmpty ? "" : "  " + $0 } + [""]
    }

    /// `all` are those of a run in which nothing goes wrong.
    private func effects(of result: SimulationResult) -> String {
        let names = result.books.standing.map(\.step)
        if names.isEmpty { return "none" }
        let most = cases.map { $0.result.books.standing.count }.max() ?? 0
        return result.status == .completed && names.count == most ? "all" : names.joined(separator: ", ")
    }

    private func style(_ status: SagaStatus) -> Style? {
        switch status {
        case .completed: .green
        case .compensated: .yellow
        case .stuck: .boldRed
        case .pending, .running, .compensating, .terminated: nil
        }
    }

    static func json(_ reports: [FaultReport], _ scenarios: [ScenarioReport]) -> RawJSON {
        var writer = JSONWriter()
        writer.beginObject()
        let pairs = reports.compactMap(\.pairs)
        let runs = reports.reduce(0) { $0 + $1.cases.count } + pairs.reduce(0) { $0 + $1.outcomes.count }
        let problems = reports.reduce(0) { $0 + $1.cases.count { !$0.problems.isEmpty } }
        writer.field("runs", runs)
        writer.field("problems", problems + pairs.reduce(0) { $0 + $1.problemCount })
        if !pairs.isEmpty { writer.field("leftOut", pairs.reduce(0) { $0 + $1.faults.total - $1.outcomes.count }) }
        writer.key("cases")
        writer.beginArray()
        for report in reports {
            let name = report.definition.name
            for run in report.cases {
                writer.beginObject()
                let outcome = FaultPairs.Outcome(run.result, problems: run.problems)
                write(name, run.target, run.fault, outcome, to: &writer)
                if report.pairs != nil { writer.field("second", nil as String?) }
                writer.endObject()
            }
            report.pairs?.write(to: &writer) { write(name, $0.target, $0.fault, $1, to: &$2) }
        }
        writer.endArray()
        writer.key("undisturbed")
        writer.beginArray()
        for report in reports { report.writeUndisturbed(to: &writer) }
        writer.endArray()
        ScenarioReport.write(scenarios, to: &writer)
        writer.endObject()
        return writer.finished()
    }

    private func writeUndisturbed(to writer: inout JSONWriter) {
        let result = outcome.undisturbed
        writer.beginObject()
        writer.field("saga", definition.name)
        writer.field("status", result.status.name)
        writer.field("ending", result.ending.rawValue)
        writer.field("durationMs", result.duration.microseconds / 1_000)
        FaultReport.strings("untried", untried, &writer)
        writer.endObject()
    }

    private static func write(
        _ name: String, _ target: SimulationScript.Target, _ fault: FaultMatrix.Fault, _ outcome: FaultPairs.Outcome,
        to writer: inout JSONWriter
    ) {
        writer.field("saga", name)
        writer.field("step", target.step)
        writer.field("operation", target.side.rawValue)
        writer.field("fault", fault.rawValue)
        writer.field("status", outcome.status.name)
        writer.field("ending", outcome.ending.rawValue)
        writer.field("durationMs", outcome.duration.microseconds / 1_000)
        strings("effects", outcome.effects, &writer)
        strings("problems", outcome.problems, &writer)
    }

    private static func strings(_ name: String, _ texts: [String], _ writer: inout JSONWriter) {
        writer.key(name)
        writer.beginArray()
        for text in texts { writer.string(text) }
        writer.endArray()
    }
}

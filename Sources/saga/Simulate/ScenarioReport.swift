import JSON
import SagaCore
import SagaSimulation

/// What became of the scenarios of a file.
struct ScenarioReport {
    let path: String
    let outcomes: [ScenarioOutcome]

    var hasFailures: Bool { outcomes.contains { !$0.hasPassed } }

    /// A line a scenario; below each that failed what was expected and what was seen, and the run's story.
    func lines(for terminal: Terminal) -> [String] {
        var lines: [String] = []
        for outcome in outcomes {
            let name = outcome.scenario.name.sanitized
            if outcome.hasPassed {
                lines.append("\(terminal.paint("ok", .green))      \(name)")
            } else {
                lines.append("\(terminal.paint("FAILED", .boldRed))  \(terminal.paint(name, .bold))")
                lines += failure(outcome, terminal).map { $0.isEmpty ? "" : "  " + $0 }
            }
        }
        return lines + [summary]
    }

    private var summary: String {
        let failed = outcomes.count { !$0.hasPassed }
        let scenarios = outcomes.count == 1 ? "1 scenario" : "\(outcomes.count) scenarios"
        return "\(path): \(scenarios), \(failed == 0 ? "all as expected" : "\(failed) failed")".sanitized
    }

    private func failure(_ outcome: ScenarioOutcome, _ terminal: Terminal) -> [String] {
        var lines: [String] = []
        for difference in outcome.differences {
            let place = "\(path):\(difference.place.line):\(difference.place.column)"
            lines.append("\(place): \(title(difference, outcome.scenario))".sanitized)
            lines += SideBySide(difference.rows).lines(for: terminal) + [""]
        }
        for finding in outcome.findings { lines += finding.lines.map(\.sanitized) + [""] }
        if !outcome.problems.isEmpty {
            lines += outcome.problems.map { terminal.paint($0.sanitized, .boldRed) } + [""]
        }
        var story = SimulationText(outcome.result, definition: outcome.scenario.run.definition, terminal: terminal)
        story.outputHint = "`outputs` gives it"
        return lines + story.lines + [""]
    }

    private func title(_ difference: ScenarioDifference, _ scenario: Scenario) -> String {
        let isWritten = scenario.expectations.contains { $0.key == difference.key }
        return isWritten
            ? "not as expected: \(difference.key)"
            : "a signal changed nothing; if that is right, `refused` in `expect` says so"
    }

    // MARK: For programs

    static func write(_ reports: [ScenarioReport], to writer: inout JSONWriter) {
        writer.key("scenarios")
        writer.beginArray()
        for report in reports {
            for outcome in report.outcomes { report.write(outcome, to: &writer) }
        }
        writer.endArray()
    }

    private func write(_ outcome: ScenarioOutcome, to writer: inout JSONWriter) {
        writer.beginObject()
        writer.field("file", path)
        writer.field("line", outcome.scenario.place.line)
        writer.field("saga", outcome.scenario.run.definition.name)
        writer.field("name", outcome.scenario.name)
        writer.field("passed", outcome.hasPassed)
        writer.field("status", outcome.result.status.name)
        writer.field("ending", outcome.result.ending.rawValue)
        writer.field("durationMs", outcome.result.duration.microseconds / 1_000)
        writer.key("differences")
        writer.beginArray()
        for difference in outcome.differences {
            writer.beginObject()
            writer.field("expectation", difference.key)
            writer.field("line", difference.place.line)
            writer.field("column", difference.place.column)
            strings("expected", difference.rows.compactMap(\.expected), &writer)
            strings("seen", difference.rows.compactMap(\.seen), &writer)
            writer.endObject()
        }
        writer.endArray()
        strings("problems", outcome.problems + outcome.findings.map(\.text), &writer)
        writer.endObject()
    }

    private func strings(_ name: String, _ texts: [String], _ writer: inout JSONWriter) {
        writer.key(name)
        writer.beginArray()
        for text in texts { writer.string(text) }
        writer.endArray()
    }
}

/// What was expected beside what was seen; below each other where a line has no room for both.
///
/// As in `diff -y`: `|` marks what differs, `<` what is missing, `>` what wasn't expected.
struct SideBySide {
    private let rows: [ScenarioDifference.Row]

    init(_ rows: [ScenarioDifference.Row]) {
        self.rows = rows
    }

    /// How many lines that are the same stand around what differs.
    private static let context = 3
    private static let indentation = 2

    func lines(for terminal: Terminal) -> [String] {
        let expected = (rows.compactMap(\.expected) + ["EXPECTED"]).map(\.sanitized)
        let seen = (rows.compactMap(\.seen) + ["SEEN"]).map(\.sanitized)
        let width = expected.map(\.displayWidth).max() ?? 0
        let needed = width + (seen.map(\.displayWidth).max() ?? 0) + 4 + Self.indentation
        return needed > terminal.width ? unified(terminal) : columns(width, terminal)
    }

    private func columns(_ width: Int, _ terminal: Terminal) -> [String] {
        func line(_ mark: String, _ left: String, _ right: String, _ style: Style?) -> String {
            let gap = right.isEmpty ? "" : String(repeating: " ", count: width - left.displayWidth + 2)
            let line = terminal.paint("\(mark) \(left)\(gap)\(right)", style)
            return mark == " " && left.isEmpty && right.isEmpty ? "" : line
        }
        var lines = [line(" ", "EXPECTED", "SEEN", .dim)]
        var isFirst = true
        for row in rows {
            let mark = row.isSame ? " " : row.seen == nil ? "<" : row.expected == nil ? ">" : "|"
            let style: Style? = row.isSame ? nil : isFirst ? .boldRed : .red
            if !row.isSame { isFirst = false }
            lines.append(line(mark, (row.expected ?? "").sanitized, (row.seen ?? "").sanitized, style))
        }
        return lines
    }

    private func unified(_ terminal: Terminal) -> [String] {
        var lines = [terminal.paint("- expected", .dim), terminal.paint("+ seen", .dim)]
        let changed = rows.indices.filter { !rows[$0].isSame }
        var last = -1
        for index in rows.indices {
            let isNear = changed.contains { abs($0 - index) <= Self.context }
            guard isNear else { continue }
            if index > last + 1 { lines.append("  …") }
            last = index
            let row = rows[index]
            if row.isSame {
                lines.append("  \((row.expected ?? "").sanitized)")
            } else {
                if let expected = row.expected { lines.append(terminal.paint("- \(expected.sanitized)", .red)) }
                if let seen = row.seen { lines.append(terminal.paint("+ \(seen.sanitized)", .green)) }
            }
        }
        if last + 1 < rows.count { lines.append("  …") }
        return lines
    }
}

import JSON
import SagaCore
import SagaSimulation

/// What became of the runs with two faults.
struct PairsReport {
    /// Lines that tell of alike pairs, beside the first one's story.
    private static let mostAlike = 3

    let faults: FaultPairs
    /// In the order of the pairs.
    let outcomes: [FaultPairs.Outcome]
    /// The stories of the first of each alike problems that no single fault has.
    private let stories: [(group: Group, story: SimulationResult?)]

    /// Pairs that went wrong in the same way.
    private struct Group {
        let problems: [String]
        var numbers: [Int]
    }

    /// Runs the pairs.
    ///
    /// - Parameters:
    ///   - cases: the single faults'.
    ///   - limit: how many pairs at most; 0 is without limit.
    init(
        _ matrix: FaultMatrix, of cases: [FaultMatrix.Case], limit: Int, on runs: ParallelRuns
    ) throws(SimulationFault) {
        let all = try FaultPairs(matrix, of: cases, on: runs.spread)
        faults = limit > 0 && all.total > limit ? all.sampled(limit) : all
        if faults.pairs.count < all.total {
            Output.error(
                "saga: \(runs.name): running \(faults.pairs.count) of \(all.total) pairs of faults; --limit 0 runs all")
        }
        outcomes = try faults.run(on: runs.spread)
        var stories: [(Group, SimulationResult?)] = []
        for group in PairsReport.groups(outcomes) {
            let isTold = cases.contains { $0.problems == group.problems }
            stories.append((group, isTold ? nil : try faults.result(of: faults.pairs[group.numbers[0]])))
        }
        self.stories = stories
    }

    /// The operations at which the second faults lie.
    var targets: Set<SimulationScript.Target> { Set(faults.pairs.map(\.second.target)) }

    var hasProblems: Bool { !stories.isEmpty }

    var problemCount: Int { stories.reduce(0) { $0 + $1.group.numbers.count } }

    /// In the order of their first pairs.
    private static func groups(_ outcomes: [FaultPairs.Outcome]) -> [Group] {
        var groups: [Group] = []
        var places: [[String]: Int] = [:]
        for (number, outcome) in outcomes.enumerated() where !outcome.problems.isEmpty {
            if let place = places[outcome.problems] {
                groups[place].numbers.append(number)
            } else {
                places[outcome.problems] = groups.count
                groups.append(Group(problems: outcome.problems, numbers: [number]))
            }
        }
        return groups
    }

    // MARK: Text

    /// Tables that count the ends, and below them what went wrong.
    func lines(for terminal: Terminal) -> [String] {
        guard !outcomes.isEmpty else { return [] }
        var byCall = Counts()
        var byFault = Counts()
        for fault in FaultMatrix.Fault.allCases { byFault.prepare(fault.rawValue) }
        for (pair, outcome) in zip(faults.pairs, outcomes) {
            byCall.count(outcome, of: pair.first.target.description)
            byFault.count(outcome, of: pair.first.fault.rawValue)
            if pair.second.fault != pair.first.fault { byFault.count(outcome, of: pair.second.fault.rawValue) }
        }
        return byCall.lines("FIRST FAULT AT", for: terminal) + [""] + byFault.lines("ONE IS", for: terminal) + [""]
            + stories.flatMap { lines(of: $0.group, $0.story, terminal) }
    }

    /// How the definition's last line goes on: how many pairs, and how many need a person.
    var summary: String {
        let count = outcomes.count
        var text = count == 1 ? ", 1 pair" : ", \(count) pairs"
        if count < faults.total { text += " of \(faults.total)" }
        let stuck = outcomes.count { $0.status == .stuck }
        return stuck == 0 ? text : text + " (\(stuck) stuck: \(stuck == 1 ? "needs" : "need") a person)"
    }

    private func lines(of group: Group, _ story: SimulationResult?, _ terminal: Terminal) -> [String] {
        var numbers = group.numbers[...]
        var lines: [String] = []
        if let story, let first = numbers.popFirst() {
            lines.append(terminal.paint("\(name(first)):", .bold))
            lines += group.problems.map { terminal.paint("  \($0)", .boldRed) }
            lines += SimulationText(story, definition: faults.matrix.definition, terminal: terminal).lines
                .map { $0.isEmpty ? "" : "  " + $0 }
        } else {
            let pairs = numbers.count == 1 ? "1 pair goes" : "\(numbers.count) pairs go"
            lines.append(terminal.paint("\(pairs) wrong as a single fault does:", .bold))
            lines += group.problems.map { terminal.paint("  \($0)", .boldRed) }
        }
        lines += numbers.prefix(PairsReport.mostAlike).map { "  also \(name($0))" }
        if numbers.count > PairsReport.mostAlike { lines.append("  and \(numbers.count - PairsReport.mostAlike) more") }
        return lines + [""]
    }

    private func name(_ number: Int) -> String {
        let (first, second) = (faults.pairs[number].first, faults.pairs[number].second)
        let attempt = second.attempt > 1 ? " from attempt \(second.attempt)" : ""
        return "\(first.target), \(first.fault.rawValue) + \(second.target), \(second.fault.rawValue)\(attempt)"
    }

    // MARK: Documents

    /// Calls `write` for each pair within an object that it may add to.
    func write(to writer: inout JSONWriter, _ write: (FaultPairs.Part, FaultPairs.Outcome, inout JSONWriter) -> Void) {
        for (pair, outcome) in zip(faults.pairs, outcomes) {
            writer.beginObject()
            write(pair.first, outcome, &writer)
            writer.key("second")
            writer.beginObject()
            writer.field("step", pair.second.target.step)
            writer.field("operation", pair.second.target.side.rawValue)
            writer.field("fault", pair.second.fault.rawValue)
            writer.field("attempt", pair.second.attempt)
            writer.endObject()
            writer.endObject()
        }
    }
}

/// How runs ended, by something that they have in common.
private struct Counts {
    private struct Row {
        let name: String
        var runs = 0
        var byStatus: [SagaStatus: Int] = [:]
        var wrong = 0
        var longest = TimeSpan.zero
    }

    private var rows: [Row] = []
    private var places: [String: Int] = [:]

    /// Makes its row come before those that follow.
    mutating func prepare(_ name: String) {
        guard places[name] == nil else { return }
        places[name] = rows.count
        rows.append(Row(name: name))
    }

    mutating func count(_ outcome: FaultPairs.Outcome, of name: String) {
        prepare(name)
        guard let place = places[name] else { return }
        rows[place].runs += 1
        rows[place].byStatus[outcome.status, default: 0] += 1
        if !outcome.problems.isEmpty { rows[place].wrong += 1 }
        rows[place].longest = max(rows[place].longest, outcome.duration)
    }

    func lines(_ title: String, for terminal: Terminal) -> [String] {
        var table = Table([
            .init(title), .init("PAIRS", isNumeric: true), .init("COMPLETED", isNumeric: true),
            .init("COMPENSATED", isNumeric: true), .init("STUCK", isNumeric: true),
            .init("PROBLEMS", isNumeric: true), .init("LONGEST", isNumeric: true),
        ])
        func cell(_ count: Int, _ style: Style? = nil) -> Table.Cell { .init(count == 0 ? "" : "\(count)", style) }
        for row in rows where row.runs > 0 {
            table.add([
                .init(row.name), cell(row.runs), cell(row.byStatus[.completed] ?? 0, .green),
                cell(row.byStatus[.compensated] ?? 0, .yellow), cell(row.byStatus[.stuck] ?? 0, .boldRed),
                cell(row.wrong, .boldRed), .init(row.longest.short),
            ])
        }
        return table.lines(for: terminal)
    }
}

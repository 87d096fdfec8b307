import ArgumentParser
import JSON
import SagaCore
import SagaDatabase
import SagaSimulation

/// `saga test PATH…`: every fault at every call of a definition, and scenarios, in virtual time.
struct TestCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "test",
        abstract: "Run definitions through every fault at every call, and through scenarios of your own.",
        discussion: """
            Each call of each step, and each call that undoes one, is refused, never reached, lost, timed out, held \
            back by an open circuit breaker, hit by a daemon that dies before it, after it and after its commit, by a \
            cancel and by the deadline: one at a time, in virtual time, and with --pairs also two. Every run must end; \
            leave no effect when compensated, and all when completed; undo in reverse order, nothing past the point of \
            no return; call nothing after its undo; keep its keys. Exits with 1 if one doesn't. Needs no database and \
            no services.

            A *.test.json holds scenarios: what steps answer at each attempt, what persons do meanwhile, and what must \
            come of it. A folder means its definitions, and the scenarios in it and in its tests/. Without a path: \
            sagas. A definition's runs take input and outputs from its tests/NAME.test.json, unless --input and \
            --output say otherwise.
            """
    )

    @Argument(help: ArgumentHelp("Definitions, files of scenarios, or folders of them.", valueName: "path"))
    var paths: [String] = []
    @Option(
        help: ArgumentHelp("The input of every fault's run: JSON, @FILE, or -.", valueName: "json|@file|-"))
    var input: String?
    @Option(help: ArgumentHelp("What the step answers: JSON or @FILE.", valueName: "step=json"))
    var output: [String] = []
    @Option(
        help: ArgumentHelp("Decides how delays are spread; the same seed gives the same runs.", valueName: "number"))
    var seed: UInt64 = 0
    @Flag(help: "Also every two faults together.")
    var pairs = false
    @Option(
        help: ArgumentHelp(
            "With --pairs: of more pairs so many are run, chosen by the seed; 0 runs all.", valueName: "number"))
    var limit = 10_000
    @Option(help: ArgumentHelp("Only the scenarios with this in their name, and no faults.", valueName: "text"))
    var filter: String?
    @OptionGroup var format: FormatOptions

    func validate() throws {
        if limit < 0 { throw ValidationError("--limit must be 0 or more.") }
    }

    func run() async throws {
        let outputs = try output.map(SimulationArgument.output)
        let input = try self.input.map { try JSONArgument.read($0, what: "the input") }
        let files = try TestFiles(paths)
        let definitions = try filter == nil ? readDefinitions(files.definitions) : []
        let scenarios = try ScenarioRuns(files.scenarios, filter: filter)
        var reports: [FaultReport] = []
        for (path, definition) in definitions {
            let own = try ownScenarios(path, of: definition)
            let input = input ?? own?.input ?? RawJSON(unchecked: Array("{}".utf8))
            if let faults = definition.inputSchema?.faults(of: input) {
                try InputFaults.refuse(faults, schemaOf: definition.name)
            }
            var answers = StandInOutputs.of(definition).merging(own?.outputs ?? [:]) { $1 }
            for (step, output) in outputs where definition.index(ofStep: step) != nil { answers[step] = output }
            let matrix = FaultMatrix(definition, input: input, outputs: answers, seed: seed)
            do throws(SimulationFault) {
                let runs = ParallelRuns(name: definition.name, terminal: .error)
                let outcome = try matrix.run(on: runs.spread)
                let pairs = pairs ? try PairsReport(matrix, of: outcome.cases, limit: limit, on: runs) : nil
                reports.append(FaultReport(definition: definition, outcome: outcome, pairs: pairs))
            } catch {
                throw CommandFailure("\(definition.name): \(error)")
            }
        }
        let tried = try scenarios.play()
        if format.isJSON {
            Output.json(FaultReport.json(reports, tried))
        } else {
            for report in reports { Output.lines(report.lines(for: .output)) }
            for report in tried { Output.lines(report.lines(for: .output)) }
        }
        if reports.contains(where: \.hasProblems) || tried.contains(where: \.hasFailures) {
            throw ExitCode(ExitStatus.refused)
        }
    }

    /// The file of scenarios whose input and outputs a definition's runs take; nil if it has none.
    private func ownScenarios(_ path: String, of definition: Definition) throws -> ScenarioFile? {
        guard let own = try ScenarioReading.belonging(to: path) else { return nil }
        let findings = FindingsOutput(fileCount: 1, findings: own.definitionFindings + own.file.findings)
        if findings.hasErrors, input == nil {
            findings.printText()
            throw ExitCode(ExitStatus.refused)
        }
        return own.file.definition?.name == definition.name ? own.file : nil
    }

    private func readDefinitions(_ paths: [String]) throws -> [(path: String, definition: Definition)] {
        let files = try DefinitionFiles.read(paths)
        let findings = FindingsOutput(fileCount: files.count, findings: DefinitionSet.check(files).findings)
        findings.printText()
        if findings.hasErrors { throw ExitCode(ExitStatus.refused) }
        return files.compactMap { file in
            DefinitionParser.parse(file.bytes, file: file.path).definition.map { (file.path, $0) }
        }
    }
}

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

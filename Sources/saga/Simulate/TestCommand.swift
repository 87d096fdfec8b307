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

import JSON
import SagaCore

/// Reads scenario files: all faults of a file in one run, with their places.
struct ScenarioParser {
    static let keys = ["$schema", "definition", "description", "input", "outputs", "seed", "scenarios"]
    static let scenarioKeys = [
        "name", "description", "input", "outputs", "seed", "answers", "signals", "outages", "crashes", "expect",
    ]

    let file: LocatedFile
    let log: FindingLog
    let definition: Definition
    let steps: ScenarioSteps

    static func parse(
        _ bytes: [UInt8], file: String?, lookup: (String?) -> ScenarioFile.Lookup
    ) -> ScenarioFile {
        let (opened, log) = LocatedFile.open(
            bytes, file: file, subject: "a file of scenarios", keys: "`scenarios`")
        var nothing: ScenarioFile {
            ScenarioFile(
                definition: nil, input: nil, outputs: [:], seed: 0, scenarios: [], findings: log.findings)
        }
        guard let opened,
            let reader = ObjectReader(opened.root, "a file of scenarios", keys: keys, log: log)
        else { return nothing }
        let path = reader.string("definition")
        // A path of a wrong kind isn't looked for anywhere else.
        if reader["definition"] != nil, path == nil { return nothing }
        switch lookup(path) {
        case .found(let definition):
            let parser = ScenarioParser(
                file: opened, log: log, definition: definition, steps: ScenarioSteps(definition, log: log))
            return parser.read(reader)
        case .unreadable(let reason):
            let hint = path == nil ? "`definition` says where it is, from this file on" : nil
            log.error(.unreadableDefinition, at: reader.keyOffset("definition"), reason, hint: hint)
            return nothing
        case .faulty: return nothing
        }
    }

    private func read(_ reader: ObjectReader) -> ScenarioFile {
        _ = reader.string("$schema")
        _ = reader.string("description")
        let input = reader["input"].map(file.raw)
        let common = outputs(reader)
        let seed = self.seed(reader) ?? 0
        let scenarios = scenarios(
            reader, input: input ?? RawJSON(unchecked: Array("{}".utf8)), outputs: common, seed: seed)
        return ScenarioFile(
            definition: definition, input: input, outputs: common, seed: seed,
            scenarios: log.hasErrors ? [] : scenarios, findings: log.findings)
    }

    private func scenarios(
        _ reader: ObjectReader, input: RawJSON, outputs: [String: RawJSON], seed: UInt64
    ) -> [Scenario] {
        guard let node = reader.required("scenarios") else { return [] }
        guard let elements = node.elements else {
            log.wrongKind(node, "`scenarios`", expected: "an array")
            return []
        }
        if elements.isEmpty { log.error(.noScenarios, at: node.range.lowerBound, "there are no scenarios") }
        var names: Set<[UInt8]> = []
        return elements.compactMap { element in
            guard let scenario = ObjectReader(element, "a scenario", keys: Self.scenarioKeys, log: log) else {
                return nil
            }
            let name = self.name(scenario, &names)
            _ = scenario.string("description")
            let own = self.outputs(scenario)
            let ownSeed = self.seed(scenario)
            let happenings = ScenarioHappenings(file: file, log: log, definition: definition, steps: steps)
            let (rules, answers) = happenings.answers(scenario["answers"])
            let (crashes, deaths) = happenings.crashes(scenario["crashes"])
            let run = SimulatedRun(
                definition, input: scenario["input"].map(file.raw) ?? input,
                script: SimulationScript(
                    rules: rules,
                    outputs: StandInOutputs.of(definition).merging(outputs) { $1 }.merging(own) { $1 }),
                seed: ownSeed ?? seed, signals: happenings.signals(scenario["signals"]), crashes: crashes,
                outages: happenings.outages(scenario["outages"]), horizon: ScenarioHappenings.horizon)
            let expectations = scenario.required("expect", hint: "what must come of the run").map {
                ExpectationParser(log: log, steps: steps).expectations($0)
            }
            guard let name, let expectations else { return nil }
            let place = log.place(at: element.range.lowerBound)
            return Scenario(
                name: name, place: .init(line: place.line, column: place.column), run: run,
                expectations: expectations, prepared: answers + deaths)
        }
    }

    private func name(_ scenario: ObjectReader, _ names: inout Set<[UInt8]>) -> String? {
        guard let node = scenario.required("name"), let name = log.string(node, "`name`") else { return nil }
        if name.allSatisfy(\.isWhitespace) {
            log.error(.invalidName, at: node.range.lowerBound, "a scenario's name can't be empty")
        } else if !names.insert(Array(name.utf8)).inserted {
            log.error(
                .duplicateScenario, at: node.range.lowerBound, "there is another scenario \(quoted(name)) in this file")
        }
        return name
    }

    private func seed(_ reader: ObjectReader) -> UInt64? {
        reader.integer("seed", 0...Int.max).map { UInt64(clamping: $0) }
    }

    private func outputs(_ reader: ObjectReader) -> [String: RawJSON] {
        guard let node = reader["outputs"] else { return [:] }
        guard let members = node.members else {
            log.wrongKind(node, "`outputs`", expected: "an object of steps and what they answer")
            return [:]
        }
        var outputs: [String: RawJSON] = [:]
        for member in members {
            guard let target = steps.callable(member.key, at: member.keyRange.lowerBound) else { continue }
            if target.side == .compensation {
                log.error(
                    .invalidValue, at: member.keyRange.lowerBound, "nothing reads what a compensation answers")
            }
            outputs[target.step] = file.raw(member.value)
        }
        return outputs
    }
}

/// The steps of a definition, as scenario files name them: `STEP`, `STEP:compensation`.
struct ScenarioSteps {
    private let definition: Definition
    private let names: [String]
    private let log: FindingLog

    init(_ definition: Definition, log: FindingLog) {
        self.definition = definition
        self.log = log
        names = definition.steps.map(\.name)
    }

    /// An operation that there is; any other is reported.
    func target(_ text: String, at offset: Int) -> SimulationScript.Target? {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard let name = parts.first.map(String.init), parts.count <= 2,
            let side = parts.count == 1 ? OperationSide.action : OperationSide(rawValue: String(parts[1]))
        else {
            log.error(
                .invalidValue, at: offset, "\(quoted(text)) is no operation", hint: "write STEP or STEP:compensation")
            return nil
        }
        guard let index = step(name, at: offset) else { return nil }
        guard definition.operation(OperationReference(step: index, side: side)) != nil else {
            log.error(.invalidValue, at: offset, "the step \(quoted(name)) has no \(side.rawValue)")
            return nil
        }
        return .init(name, side)
    }

    /// An operation that calls a service; any other is reported.
    func callable(_ text: String, at offset: Int) -> SimulationScript.Target? {
        guard let target = target(text, at: offset), let index = definition.index(ofStep: target.step) else {
            return nil
        }
        guard case .http? = definition.operation(OperationReference(step: index, side: target.side))?.kind else {
            log.error(.invalidValue, at: offset, "\(quoted(text)) makes no call: nothing can happen to it")
            return nil
        }
        return target
    }

    /// The index of a step; one that isn't there is reported.
    func step(_ name: String, at offset: Int) -> Int? {
        if let index = definition.index(ofStep: name) { return index }
        log.error(
            .unknownStep, at: offset, "the saga \(quoted(definition.name)) has no step \(quoted(name))",
            hint: log.nearest(name, among: names))
        return nil
    }
}

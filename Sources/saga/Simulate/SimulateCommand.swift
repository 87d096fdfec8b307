import ArgumentParser
import JSON
import SagaCore
import SagaDatabase
import SagaSimulation

/// `saga simulate FILE`: runs a definition in virtual time, without a database or services.
struct SimulateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate",
        abstract: "Run a definition here and now, in virtual time, against participants that answer by your script.",
        discussion: """
            Prints one run as the daemon would make it: every attempt, delay, breaker and undo, with the times they \
            would take, in no time. Needs no database, no services and no daemon. What no option speaks of is done at \
            once.

            STEP is a step's name, or STEP:compensation for its undo. With @N only its Nth attempt is meant, else \
            every one. ERROR is a participant's own word that ends the attempts (NoCarrier), an HTTP status (503), or \
            the engine's ConnectFailed, ConnectionLost, Timeout, BadResponse. Steps answer a text for each field that \
            expressions read of their output, unless --output says what. Exits with 0 whatever the saga's end.

            EXAMPLES:
              saga simulate sagas/order.json --input @order-42.json --fail create_shipment=NoCarrier
              saga simulate sagas/order.json --input @order-42.json --lose charge_payment@1 --as mermaid
            """
    )

    /// What the text is.
    enum Language: String, ExpressibleByArgument, CaseIterable {
        /// A timeline.
        case text
        /// A sequence diagram.
        case mermaid
    }

    @Argument(help: ArgumentHelp("The definition.", valueName: "file"))
    var file: String
    @Option(help: ArgumentHelp("The input: JSON, @FILE, or - for standard input.", valueName: "json|@file|-"))
    var input = "{}"
    @Option(help: ArgumentHelp("The step's attempts fail with this error.", valueName: "step=error[@n]"))
    var fail: [String] = []
    @Option(help: ArgumentHelp("The step has its effect, and its answer is lost.", valueName: "step[@n]"))
    var lose: [String] = []
    @Option(help: ArgumentHelp("The step's answer takes so long.", valueName: "step=time[@n]"))
    var delay: [String] = []
    @Option(help: ArgumentHelp("What the step answers: JSON or @FILE.", valueName: "step=json"))
    var output: [String] = []
    @Option(
        name: .customLong("cancel-at"),
        help: ArgumentHelp("A person cancels so long after the start.", valueName: "time"),
        transform: { try SimulationArgument.span($0) }
    )
    var cancelAt: TimeSpan?
    @Option(help: ArgumentHelp("Decides how delays are spread; the same seed gives the same run.", valueName: "number"))
    var seed: UInt64 = 0
    @Option(name: .customLong("as"), help: "The picture: text or mermaid.")
    var language = Language.text
    @OptionGroup var format: FormatOptions

    func run() async throws {
        let arguments =
            try
            (fail.map(SimulationArgument.failing) + lose.map(SimulationArgument.losing)
            + delay.map(SimulationArgument.delaying))
        let outputs = try output.map(SimulationArgument.output)
        let definition = try readDefinition()
        let input = try JSONArgument.read(self.input, what: "the input")
        if let faults = definition.inputSchema?.faults(of: input) {
            try InputFaults.refuse(faults, schemaOf: definition.name)
        }
        let steps = SimulatedSteps(definition)
        var script = SimulationScript(
            rules: try arguments.map { try steps.rule($0) }, outputs: StandInOutputs.of(definition))
        for (step, output) in outputs {
            try steps.check(.init(step))
            script.outputs[step] = output
        }
        let signals = cancelAt.map { [SimulatedRun.Signal(at: $0, .cancel)] } ?? []
        let run = SimulatedRun(definition, input: input, script: script, seed: seed, signals: signals)
        do throws(SimulationFault) { show(try run.run(), definition) } catch {
            throw CommandFailure(error.description)
        }
    }

    private func readDefinition() throws -> Definition {
        let parsed = DefinitionParser.parse(try FileBytes.read(file), file: file)
        FindingsOutput(fileCount: 1, findings: parsed.findings).printText()
        guard let definition = parsed.definition else { throw ExitCode(ExitStatus.refused) }
        return definition
    }

    private func show(_ result: SimulationResult, _ definition: Definition) {
        if format.isJSON { return Output.json(SimulationDocument(result, definition: definition, seed: seed).json) }
        switch language {
        case .text: Output.lines(SimulationText(result, definition: definition, terminal: .output).lines)
        case .mermaid: Output.line(SequenceDiagram(result, definition: definition).text)
        }
    }
}

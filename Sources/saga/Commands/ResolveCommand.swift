import ArgumentParser
import SagaCore

/// `saga resolve ID|KEY STEP`: a person states what is true of a step.
struct ResolveCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resolve",
        abstract: "State what is true of a step in doubt, or of a compensation done by hand.",
        usage: """
            saga resolve <id|key> <step> --done --reason <text> [--output <json>] [--database <url>]
            saga resolve <id|key> <step> --undone --reason <text> [--database <url>]
            """,
        discussion: """
            --done: its effect stands. An action in doubt counts as done, with --output; a failed compensation is \
            tried again.
            --undone: there is no effect. An action counts as failed (after the pivot it is tried again), a \
            compensation as succeeded.
            """
    )

    /// What a person can state.
    enum Truth: String, EnumerableFlag {
        case done, undone

        static func help(for value: Truth) -> ArgumentHelp? {
            value == .done ? "Its effect stands." : "There is no effect of it."
        }
    }

    @OptionGroup var saga: SagaArgument
    @Argument(help: ArgumentHelp("The step's name.", valueName: "step"))
    var step: String
    @Flag var truth: Truth
    @OptionGroup var reason: RequiredReason
    @Option(help: ArgumentHelp("With --done: the output that the step has: JSON, @FILE, or -.", valueName: "json"))
    var output: String?
    @OptionGroup var database: DatabaseOptions
    @OptionGroup var format: FormatOptions

    func validate() throws {
        guard output == nil || truth == .done else { throw ValidationError("--output goes with --done only") }
    }

    func run() async throws {
        let output = try output.map { text throws(CommandFailure) in try JSONArgument.read(text, what: "the output") }
        let resolution: Event.Resolution = truth == .done ? .done : .undone
        let call = OperatorCall(saga: saga, database: database, format: format)
        try await call.perform(
            .resolve(step: step, resolution, output: output),
            reason: reason.reason,
            effect: "goes on from \(step), \(truth.rawValue)"
        )
    }
}

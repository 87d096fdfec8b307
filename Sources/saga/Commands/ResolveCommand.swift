import ArgumentParser
import SagaCore

/// `saga resolve`: a person states what is true of a step.
struct ResolveCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resolve",
        abstract: "State what is true of a step in doubt, or of a compensation done by hand.",
        usage: """
            saga resolve <id|key> <step> --done --reason <text> [--output <json>] [--actor <text>]
            saga resolve <id|key> <step> --undone --reason <text> [--actor <text>]
            saga resolve <step> --done|--undone --reason <text> <filters> [--dry-run] [--yes] [--limit <n>]
            """,
        discussion: """
            --done: its effect stands. An action in doubt counts as done, with --output; a failed compensation is \
            tried again.
            --undone: there is no effect. An action counts as failed (after the pivot it is tried again), a \
            compensation as succeeded.
            With filters, such as --saga and --error, the same is stated of a step of many sagas; without --status \
            they mean stuck ones.
            """
    )

    /// What a person can state.
    enum Truth: String, EnumerableFlag {
        case done, undone

        static func help(for value: Truth) -> ArgumentHelp? {
            value == .done ? "Its effect stands." : "There is no effect of it."
        }
    }

    @Argument(
        help: ArgumentHelp(
            "The saga's id or key, and the step's name; with filters the step alone.", valueName: "id|key step"))
    var names: [String]
    @Flag var truth: Truth
    @OptionGroup var reason: RequiredReason
    @Option(help: ArgumentHelp("With --done: the output that the step has: JSON, @FILE, or -.", valueName: "json"))
    var output: String?
    @OptionGroup var options: SteeringOptions

    /// nil when filters say which are meant.
    private var saga: String? { names.count > 1 ? names[0] : nil }

    func validate() throws {
        guard output == nil || truth == .done else { throw ValidationError("--output goes with --done only") }
        guard names.count <= 2 else { throw ValidationError("give a saga and one step") }
        if names.count < 2, options.filters.isEmpty {
            throw ValidationError(
                "give a saga's id or key and then the step, or the step alone and filters, such as: "
                    + "saga resolve STEP --undone --reason TEXT --saga NAME --error ERROR")
        }
        try options.check(saga: saga, name: "resolve")
    }

    func run() async throws {
        guard let step = names.last else { return }
        let output = try output.map { text throws(CommandFailure) in try JSONArgument.read(text, what: "the output") }
        let call = OperatorCall(
            name: "resolve",
            command: .resolve(step: step, truth == .done ? .done : .undone, output: output),
            reason: reason.reason,
            effect: "goes on from \(step), \(truth.rawValue)",
            intention: truth == .done
                ? "you state that the effect of \(step) stands in each"
                : "you state that there is no effect of \(step) in any, or none any more",
            impliedStatuses: [.stuck]
        )
        try await call.perform(on: saga, options)
    }
}

import ArgumentParser
import SagaCore

/// `saga retry ID|KEY`: a stuck saga takes up its failed operations again.
struct RetryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retry",
        abstract: "Take up again what a stuck saga, or many, failed on.",
        usage: SteeringUsage.text("retry", reason: false, more: " [--input-patch <file|json|->]"),
        discussion: """
            Every operation that failed for good is tried again, with a fresh count of attempts. Filters without \
            --status mean stuck sagas. --input-patch mends the data that is sent: a JSON merge patch (RFC 7396) of \
            the saga's input. It goes out under a new key, and only where no attempt can have had an effect.
            """
    )

    @OptionGroup var target: OptionalSagaArgument
    @OptionGroup var reason: OptionalReason
    @Option(
        help: ArgumentHelp(
            "What to change of the input: a merge patch as a file, as JSON, or - for standard input.",
            valueName: "file|json|-"
        )
    )
    var inputPatch: String?
    @OptionGroup var options: SteeringOptions

    func validate() throws { try options.check(saga: target.saga, name: "retry") }

    func run() async throws {
        let patch = try inputPatch.map { text throws(CommandFailure) in try JSONArgument.readPatch(text) }
        let change = patch == nil ? "" : " with the patched input"
        let call = OperatorCall(
            name: "retry",
            command: patch.map(OperatorCommand.retryPatched) ?? .retry,
            reason: reason.reason,
            effect: "is tried again" + change,
            intention: "every operation that failed for good is tried again\(change), with a fresh count of attempts",
            impliedStatuses: [.stuck]
        )
        try await call.perform(on: target.saga, options)
    }
}

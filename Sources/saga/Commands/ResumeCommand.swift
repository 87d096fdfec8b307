import ArgumentParser
import SagaCore

/// `saga resume`: paused sagas go on.
struct ResumeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resume",
        abstract: "Let a paused saga, or many, go on.",
        usage: SteeringUsage.text("resume", reason: false),
        discussion: "What was due while it was paused is done at once. Filters mean paused sagas only."
    )

    @OptionGroup var target: OptionalSagaArgument
    @OptionGroup var reason: OptionalReason
    @OptionGroup var options: SteeringOptions

    func validate() throws { try options.check(saga: target.saga, name: "resume") }

    func run() async throws {
        let call = OperatorCall(
            name: "resume",
            command: .resume,
            reason: reason.reason,
            effect: "goes on",
            intention: "each goes on; what was due meanwhile is done at once",
            onlyPaused: true
        )
        try await call.perform(on: target.saga, options)
    }
}

import ArgumentParser
import SagaCore

/// `saga resume ID|KEY`: a paused saga goes on.
struct ResumeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resume",
        abstract: "Let a paused saga go on.",
        discussion: "What was due while it was paused is done at once."
    )

    @OptionGroup var saga: SagaArgument
    @OptionGroup var reason: OptionalReason
    @OptionGroup var database: DatabaseOptions
    @OptionGroup var format: FormatOptions

    func run() async throws {
        let call = OperatorCall(saga: saga, database: database, format: format)
        try await call.perform(.resume, reason: reason.reason, effect: "goes on")
    }
}

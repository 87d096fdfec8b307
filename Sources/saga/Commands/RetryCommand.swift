import ArgumentParser
import SagaCore

/// `saga retry ID|KEY`: a stuck saga takes up its failed operations again.
struct RetryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retry",
        abstract: "Take up again what a stuck saga failed on.",
        discussion: "Every operation that failed for good is tried again, with a fresh count of attempts."
    )

    @OptionGroup var saga: SagaArgument
    @OptionGroup var reason: OptionalReason
    @OptionGroup var database: DatabaseOptions
    @OptionGroup var format: FormatOptions

    func run() async throws {
        let call = OperatorCall(saga: saga, database: database, format: format)
        try await call.perform(.retry, reason: reason.reason, effect: "is tried again")
    }
}

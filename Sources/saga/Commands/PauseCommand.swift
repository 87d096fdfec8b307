import ArgumentParser
import SagaCore

/// `saga pause ID|KEY`: no new operation is begun.
struct PauseCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pause",
        abstract: "Begin no new operation of a saga.",
        discussion: "Calls in flight finish and are recorded. A deadline goes on counting."
    )

    @OptionGroup var saga: SagaArgument
    @OptionGroup var reason: OptionalReason
    @OptionGroup var database: DatabaseOptions
    @OptionGroup var format: FormatOptions

    func run() async throws {
        let call = OperatorCall(saga: saga, database: database, format: format)
        try await call.perform(.pause, reason: reason.reason, effect: "is paused")
    }
}

import ArgumentParser
import SagaCore

/// `saga cancel ID|KEY`: stops going forward and compensates.
struct CancelCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cancel",
        abstract: "Stop a saga's way forward and compensate what it did.",
        discussion: "Refused once the saga is past its pivot or has ended. A daemon acts on it within a second."
    )

    @OptionGroup var saga: SagaArgument
    @OptionGroup var reason: RequiredReason
    @OptionGroup var database: DatabaseOptions
    @OptionGroup var format: FormatOptions

    func run() async throws {
        let call = OperatorCall(saga: saga, database: database, format: format)
        try await call.perform(.cancel, reason: reason.reason, effect: "is being cancelled")
    }
}

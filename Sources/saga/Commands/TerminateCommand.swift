import ArgumentParser
import SagaCore

/// `saga terminate ID|KEY`: ends a saga as it stands.
struct TerminateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "terminate",
        abstract: "End a saga as it stands, without compensating.",
        discussion:
            "The only way to skip compensation: what was done stays done. A call in flight leaves its step in doubt."
    )

    @OptionGroup var saga: SagaArgument
    @OptionGroup var reason: RequiredReason
    @OptionGroup var database: DatabaseOptions
    @OptionGroup var format: FormatOptions

    func run() async throws {
        let call = OperatorCall(saga: saga, database: database, format: format)
        try await call.perform(.terminate, reason: reason.reason, effect: "is terminated")
    }
}

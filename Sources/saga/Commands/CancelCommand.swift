import ArgumentParser
import SagaCore

/// `saga cancel`: stops going forward and compensates.
struct CancelCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cancel",
        abstract: "Stop a saga's way forward, or that of many, and compensate what was done.",
        usage: SteeringUsage.text("cancel", reason: true),
        discussion: "Refused once the saga is past its pivot or has ended. A daemon acts on it within a second."
    )

    @OptionGroup var target: OptionalSagaArgument
    @OptionGroup var reason: RequiredReason
    @OptionGroup var options: SteeringOptions

    func validate() throws { try options.check(saga: target.saga, name: "cancel") }

    func run() async throws {
        let call = OperatorCall(
            name: "cancel",
            command: .cancel,
            reason: reason.reason,
            effect: "is being cancelled",
            intention: "each goes no further forward, and what it did is compensated"
        )
        try await call.perform(on: target.saga, options)
    }
}

import ArgumentParser
import SagaCore

/// `saga terminate`: ends sagas as they stand.
struct TerminateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "terminate",
        abstract: "End a saga, or many, as it stands, without compensating.",
        usage: SteeringUsage.text("terminate", reason: true),
        discussion:
            "The only way to skip compensation: what was done stays done. A call in flight leaves its step in doubt."
    )

    @OptionGroup var target: OptionalSagaArgument
    @OptionGroup var reason: RequiredReason
    @OptionGroup var options: SteeringOptions

    func validate() throws { try options.check(saga: target.saga, name: "terminate") }

    func run() async throws {
        let call = OperatorCall(
            name: "terminate",
            command: .terminate,
            reason: reason.reason,
            effect: "is terminated",
            intention: "each ends as it stands, for good: what was done stays done, nothing is compensated"
        )
        try await call.perform(on: target.saga, options)
    }
}

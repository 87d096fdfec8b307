import ArgumentParser
import SagaCore

/// `saga retry`: stuck sagas take up their failed operations again.
struct RetryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retry",
        abstract: "Take up again what a stuck saga, or many, failed on.",
        usage: SteeringUsage.text("retry", reason: false),
        discussion: """
            Every operation that failed for good is tried again, with a fresh count of attempts. Filters without \
            --status mean stuck sagas.
            """
    )

    @OptionGroup var target: OptionalSagaArgument
    @OptionGroup var reason: OptionalReason
    @OptionGroup var options: SteeringOptions

    func validate() throws { try options.check(saga: target.saga, name: "retry") }

    func run() async throws {
        let call = OperatorCall(
            name: "retry",
            command: .retry,
            reason: reason.reason,
            effect: "is tried again",
            intention: "every operation that failed for good is tried again, with a fresh count of attempts",
            impliedStatuses: [.stuck]
        )
        try await call.perform(on: target.saga, options)
    }
}

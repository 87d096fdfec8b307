import ArgumentParser
import SagaCore

/// `saga pause`: no new operation is begun.
struct PauseCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pause",
        abstract: "Begin no new operation of a saga, or of many.",
        usage: SteeringUsage.text("pause", reason: false),
        discussion: "Calls in flight finish and are recorded. A deadline goes on counting."
    )

    @OptionGroup var target: OptionalSagaArgument
    @OptionGroup var reason: OptionalReason
    @OptionGroup var options: SteeringOptions

    func validate() throws { try options.check(saga: target.saga, name: "pause") }

    func run() async throws {
        let call = OperatorCall(
            name: "pause",
            command: .pause,
            reason: reason.reason,
            effect: "is paused",
            intention: "none begins a new operation until it is resumed; deadlines go on counting"
        )
        try await call.perform(on: target.saga, options)
    }
}

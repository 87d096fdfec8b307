import ArgumentParser
import SagaCore

/// `saga compensate ID|KEY`: undoes a saga that has completed.
struct CompensateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "compensate",
        abstract: "Undo a saga that has completed.",
        discussion: """
            What its steps did is undone in reverse, as when a saga fails on its way; it ends compensated. Refused for \
            a saga that hasn't completed or is past its pivot. To stop one that still runs, see saga cancel.
            """
    )

    @OptionGroup var saga: SagaArgument
    @OptionGroup var reason: RequiredReason
    @OptionGroup var actor: ActorOption
    @OptionGroup var database: DatabaseOptions
    @OptionGroup var format: FormatOptions

    func run() async throws {
        let call = OperatorCall(
            name: "compensate",
            command: .compensate,
            reason: reason.reason,
            effect: "is being compensated",
            intention: "what it did is undone"
        )
        let act = Event.Act.byUser(actor.actor, reason: reason.reason)
        try await call.perform(on: saga.saga, by: act, database, format)
    }
}

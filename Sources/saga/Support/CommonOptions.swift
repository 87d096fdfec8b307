import ArgumentParser

/// How a call prints what it found.
enum OutputFormat: String, ExpressibleByArgument, CaseIterable, Sendable {
    /// For people.
    case text
    /// For programs.
    case json
}

/// `--format`, of every call that prints data.
struct FormatOptions: ParsableArguments {
    @Option(help: "How the result is printed: text or json.")
    var format = OutputFormat.text

    var isJSON: Bool { format == .json }
}

/// ID|KEY, of every call about one saga.
struct SagaArgument: ParsableArguments {
    @Argument(help: ArgumentHelp("The saga's id, or the key it was started with.", valueName: "id|key"))
    var saga: String
}

/// ID|KEY, of the calls that take filters in its place.
struct OptionalSagaArgument: ParsableArguments {
    @Argument(
        help: ArgumentHelp("The saga's id or key; left out where filters say which are meant.", valueName: "id|key"))
    var saga: String?
}

/// `--actor`, of every call that steers.
struct ActorOption: ParsableArguments {
    @Option(help: ArgumentHelp("Who does it, for the saga's history; else user@host.", valueName: "text"))
    var actor: String?

    func validate() throws {
        guard let actor else { return }
        let hasControl = actor.unicodeScalars.contains { $0.properties.generalCategory == .control }
        guard (1...255).contains(actor.utf8.count), !hasControl, !actor.allSatisfy(\.isWhitespace) else {
            throw ValidationError("--actor is a text of 1 to 255 bytes without control characters")
        }
    }
}

/// `--reason`, as the calls that end or turn a saga require it.
struct RequiredReason: ParsableArguments {
    @Option(help: ArgumentHelp("Why; kept in the saga's history.", valueName: "text"))
    var reason: String

    func validate() throws { try checkReason(reason) }
}

/// `--reason`, where a reason is welcome.
struct OptionalReason: ParsableArguments {
    @Option(help: ArgumentHelp("Why; kept in the saga's history.", valueName: "text"))
    var reason: String?

    func validate() throws {
        if let reason { try checkReason(reason) }
    }
}

private func checkReason(_ reason: String) throws {
    guard (1...4_096).contains(reason.utf8.count), !reason.allSatisfy(\.isWhitespace) else {
        throw ValidationError("--reason is a text of 1 to 4096 bytes")
    }
}

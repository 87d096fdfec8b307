import JSON
import SagaCore

/// Reads what persons do in a scenario.
extension ScenarioHappenings {
    /// A command that states nothing but a reason.
    static let plainCommands: [(key: String, command: OperatorCommand)] = [
        ("cancel", .cancel), ("pause", .pause), ("resume", .resume), ("retry", .retry), ("terminate", .terminate),
        ("compensate", .compensate),
    ]
    static let commands = plainCommands.map(\.key) + ["resolve"]
    static let signalKeys = ["at"] + commands
    static let resolveKeys = ["step", "as", "output", "reason"]
    static let retryKeys = ["patch", "reason"]

    func signals(_ node: LocatedJSON?) -> [SimulatedRun.Signal] {
        elements(node, "signals").compactMap { element in
            guard let reader = ObjectReader(element, "a signal", keys: Self.signalKeys, log: log) else { return nil }
            let at = reader.required("at", hint: "so long after the start, such as \"3s\"")
                .flatMap { _ in time("at", reader) }
            guard let key = oneOf(Self.commands, reader, "a signal"), let value = reader[key] else { return nil }
            guard let (command, reason) = command(key, value), let at else { return nil }
            return .init(at: at, command, reason: reason)
        }
    }

    private func command(_ key: String, _ value: LocatedJSON) -> (OperatorCommand, reason: String?)? {
        if key == "resolve" { return resolve(value) }
        if key == "retry", value.members != nil {
            guard let reader = ObjectReader(value, "`retry`", keys: Self.retryKeys, log: log),
                let patch = reader.required("patch")
            else { return nil }
            if patch.members == nil { log.wrongKind(patch, "`patch`", expected: "an object") }
            return (.retryPatched(file.raw(patch)), reader.string("reason"))
        }
        guard let command = Self.plainCommands.first(where: { $0.key == key })?.command,
            let reason = log.string(value, "`\(key)`, the reason,")
        else { return nil }
        return (command, reason)
    }

    private func resolve(_ value: LocatedJSON) -> (OperatorCommand, reason: String?)? {
        guard let reader = ObjectReader(value, "`resolve`", keys: Self.resolveKeys, log: log) else { return nil }
        let resolution = reader.required("as").flatMap { _ in reader.choice("as", Event.Resolution.self) }
        let output = reader["output"].map(file.raw)
        let reason = reader.string("reason")
        guard let node = reader.required("step"), let step = log.string(node, "`step`"),
            steps.step(step, at: node.range.lowerBound) != nil, let resolution
        else { return nil }
        if output != nil, resolution == .undone {
            log.error(.conflictingKeys, at: reader.keyOffset("output"), "what is undone has no output")
        }
        return (.resolve(step: step, resolution, output: output), reason)
    }
}

extension OperatorCommand {
    /// The word that scenario files and the command line have for it.
    public var word: String {
        switch self {
        case .cancel: "cancel"
        case .pause: "pause"
        case .resume: "resume"
        case .retry, .retryPatched: "retry"
        case .resolve: "resolve"
        case .terminate: "terminate"
        case .compensate: "compensate"
        }
    }
}

import JSON

extension StuckReport {
    /// What a person can do, each tried out on the state: nothing of it happens.
    static func choices(
        _ state: SagaState, definition: Definition, stuckOn operations: [OperationReference], now: Instant
    ) -> [Choice] {
        var choices: [Choice] = []
        func add(_ command: OperatorCommand, _ text: String, meaning: String) {
            let consequence = Consequence(of: command, on: state, definition: definition, now: now)
            guard let leadsTo = consequence.text else { return }
            choices.append(Choice(command: text, meaning: meaning, leadsTo: leadsTo))
        }
        add(.retry, "saga retry \(state.id)", meaning: "try again what failed")
        // Whether it is taken depends on what was sent, not on what is changed.
        add(
            .retryPatched(RawJSON(.object(JSONObject()))), "saga retry \(state.id) --input-patch FILE",
            meaning: "the same with data mended by a merge patch")
        for operation in operations {
            let name = definition.steps[operation.step].name
            let command = "saga resolve \(state.id) \(name)"
            let isUndo = operation.side == .compensation
            add(
                .resolve(step: name, .done, output: nil), "\(command) --done --reason TEXT",
                meaning: isUndo ? "its effect stands: undo it again" : "its effect is there")
            add(
                .resolve(step: name, .undone, output: nil), "\(command) --undone --reason TEXT",
                meaning: isUndo ? "its effect is gone, undone by hand" : "there is no effect of it")
        }
        add(.terminate, "saga terminate \(state.id) --reason TEXT", meaning: "end it as it stands")
        return choices
    }
}

/// What a command would lead to, found out by applying it and deciding what follows, with no call made.
private struct Consequence {
    /// nil when the command is refused.
    let text: String?

    init(of command: OperatorCommand, on state: SagaState, definition: Definition, now: Instant) {
        let act = Event.Act(actor: "", reason: nil)
        guard case .event(let event) = state.result(of: command, by: act, in: definition) else {
            text = nil
            return
        }
        var next = state
        next.evolve(
            RecordedEvent(sequence: state.sequence + 1, cause: nil, at: now, event: event), definition: definition)
        if next.status.isEnded {
            text = Self.end(of: next, definition: definition)
            return
        }
        let isPaused = next.isPaused
        next.isPaused = false
        var wait = ""
        var decision = decide(next, .proceed, now: now, definition: definition)
        if decision.events.isEmpty, let due = next.nextDue(in: definition), due > now {
            wait = "waits until \(due.text), then "
            decision = decide(next, .proceed, now: due, definition: definition)
        }
        text =
            (isPaused ? "once resumed: " : "") + wait
            + Self.describe(decision, turns: state.turnedBackBy == nil, definition: definition)
    }

    private static func describe(_ decision: Decision, turns: Bool, definition: Definition) -> String {
        let state = decision.state
        let isGoingBack = state.turnedBackBy != nil
        let turn = isGoingBack && turns ? "turns back: " : ""
        if state.status.isEnded { return turn + end(of: state, definition: definition) }
        if !decision.calls.isEmpty {
            let way = isGoingBack ? (turns ? turn : "goes on undoing: ") : "goes forward: "
            return way + "calls " + list(decision.calls.map(name))
        }
        if state.status == .stuck, let failure = state.stuckOn {
            let step = failure.step.flatMap { definition.steps.indices.contains($0) ? definition.steps[$0].name : nil }
            return turn + "is stuck again: " + [step, failure.error].compactMap { $0 }.joined(separator: ", ")
        }
        return turn + "goes on; nothing is called yet"
    }

    private static func name(_ call: Call) -> String {
        let operation = call.operation.side == .action ? call.stepName : "the compensation of \(call.stepName)"
        return call.attempt > 1 ? "\(operation) (attempt \(call.attempt))" : operation
    }

    private static func end(of state: SagaState, definition: Definition) -> String {
        let standing = Standing(state, definition: definition)
        var text = "ends \(state.status.name)"
        guard state.status != .completed else { return text }
        if !standing.done.isEmpty { text += "; stays done: \(list(standing.done))" }
        if !standing.inDoubt.isEmpty { text += "; stays in doubt: \(list(standing.inDoubt))" }
        return text
    }

    /// The first few, and how many more.
    private static func list(_ names: [String]) -> String {
        let shown = names.prefix(5).joined(separator: ", ")
        return names.count > 5 ? "\(shown) and \(names.count - 5) more" : shown
    }
}

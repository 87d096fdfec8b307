import JSON

/// What a person can do to a saga from outside.
public enum OperatorCommand: Sendable, Hashable {
    case cancel
    case pause
    case resume
    case retry
    /// A retry with the input changed by a JSON merge patch (RFC 7396).
    case retryPatched(RawJSON)
    case resolve(step: String, Event.Resolution, output: RawJSON?)
    case terminate
    /// Undo a completed saga.
    case compensate
}

/// What a command comes to, given the saga's state.
public enum CommandResult: Sendable, Hashable {
    /// To be appended; a daemon acts on it.
    case event(Event)
    /// It is so already: nothing to append.
    case alreadySo(String)
    /// It can't be done: the reason, in words for a person.
    case refused(String)
}

extension SagaState {
    /// What `command` comes to now.
    public func result(of command: OperatorCommand, by act: Event.Act, in definition: Definition) -> CommandResult {
        if command == .compensate { return compensate(act, definition) }
        if status.isEnded { return .refused("the saga has ended: \(status.name)") }
        switch command {
        case .cancel: return cancel(act, definition)
        case .pause: return isPaused ? .alreadySo("the saga is paused already") : .event(.paused(act))
        case .resume: return isPaused ? .event(.resumed(act)) : .alreadySo("the saga isn't paused")
        case .retry:
            return status == .stuck
                ? .event(.retried(act)) : .refused("only a stuck saga can be retried, this one is \(status.name)")
        case .retryPatched(let patch): return retry(patch, act, definition)
        case .resolve(let step, let resolution, let output):
            return resolve(step, resolution, output: output, act, definition)
        case .terminate: return .event(.terminated(act))
        case .compensate: return compensate(act, definition)
        }
    }

    private func cancel(_ act: Event.Act, _ definition: Definition) -> CommandResult {
        if let pivot = definition.pivot, isPastPivot(in: definition) {
            return .refused("the saga is past its pivot \(definition.steps[pivot].name) and can only go forward")
        }
        if forwardIsOver { return .alreadySo("the saga is being compensated already") }
        if cancelRequest != nil { return .alreadySo("the saga is being cancelled already") }
        return .event(.cancelRequested(act))
    }

    private func compensate(_ act: Event.Act, _ definition: Definition) -> CommandResult {
        if compensationRequest != nil {
            // Asked again, perhaps because the first answer was lost.
            if status == .compensated { return .alreadySo("the saga was compensated already") }
            if !status.isEnded { return .alreadySo("the saga is being compensated already") }
        }
        switch status {
        case .completed: break
        case .pending, .running:
            return .refused("the saga is \(status.name), not completed: saga cancel stops it and undoes what it did")
        case .stuck: return .refused("the saga is stuck, not completed: saga status shows what can be done")
        case .compensating: return .refused("the saga is being compensated already, without having completed")
        case .compensated, .terminated:
            return .refused("the saga has ended: \(status.name); only a completed one can be compensated")
        }
        if let pivot = definition.pivot, isPastPivot(in: definition) {
            return .refused("the saga is past its pivot \(definition.steps[pivot].name) and can't be undone")
        }
        return .event(.compensationRequested(act))
    }

    private func resolve(
        _ name: String, _ resolution: Event.Resolution, output: RawJSON?, _ act: Event.Act, _ definition: Definition
    ) -> CommandResult {
        guard let index = definition.index(ofStep: name), steps.indices.contains(index) else {
            return .refused(
                "\(definition.name) has no step \(name); it has \(definition.steps.map(\.name).joined(separator: ", "))"
            )
        }
        let step = steps[index]
        if step.compensation.phase == .failed {
            guard output == nil else {
                return .refused("an output belongs to an action that is done, not to a compensation")
            }
            return .event(
                .stepResolved(OperationReference(step: index, side: .compensation), resolution, output: nil, act))
        }
        let shown = status(ofStep: index)
        let isFailedPastReturn = status == .stuck && turnedBackBy == nil && step.action.phase == .failed
        guard shown == .inDoubt || isFailedPastReturn else {
            return .refused(
                "step \(name) is \(shown.rawValue): only a step in doubt or one that the saga is stuck on can be resolved"
            )
        }
        guard output == nil || resolution == .done else { return .refused("an output goes with --done only") }
        return .event(.stepResolved(OperationReference(step: index, side: .action), resolution, output: output, act))
    }
}

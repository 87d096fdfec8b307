/// Whether events may follow one another as they do.
///
/// The fold is total: an event that doesn't fit moves what it can. What no decision of any daemon and no person's
/// command can have written is found here, by the state before each event. Times aren't looked at.
public struct HistoryOrder {
    private let definition: Definition
    private var state: SagaState

    /// What is wrong with the first event that doesn't fit; nil when all do.
    ///
    /// - Parameter history: without holes.
    public static func fault(of history: [RecordedEvent], id: SagaID, definition: Definition) -> String? {
        guard let start = SagaState(folding: history.prefix(1), id: id, key: nil, definition: definition) else {
            return nil
        }
        var order = HistoryOrder(definition: definition, state: start)
        if let first = history.first, let fault = causeFault(of: first) {
            return "event \(first.sequence), \(first.event.type.name), \(fault)"
        }
        for recorded in history.dropFirst() {
            if let fault = causeFault(of: recorded) ?? order.fault(of: recorded.event) {
                return "event \(recorded.sequence), \(recorded.event.type.name), \(fault)"
            }
            order.state.evolve(recorded, definition: definition)
        }
        return nil
    }

    private static func causeFault(of recorded: RecordedEvent) -> String? {
        guard let cause = recorded.cause, cause < 1 || cause >= recorded.sequence else { return nil }
        return "has event \(cause) for its cause, which doesn't come before it"
    }

    private func fault(of event: Event) -> String? {
        if state.status.isEnded {
            // A completed saga may be wanted undone; nothing else comes after the end.
            if case .compensationRequested = event, state.status == .completed {
                return state.isPastPivot(in: definition) ? "undoes a saga that is past its pivot" : nil
            }
            // The SQL function once asked before it looked at the history; nothing comes of it.
            if case .cancelRequested = event { return nil }
            return "comes after the saga has ended: \(state.status.name)"
        }
        switch event {
        case .sagaStarted: return "starts it a second time"
        case .started(let operation, let attempt): return beginning(operation, attempt)
        case .succeeded(let operation, let attempt, _): return success(operation, attempt)
        case .attemptFailed(let operation, let failure, _):
            if operation.side == .action, state.turnedBackBy != nil {
                return "tries \(name(operation)) again though the saga has turned round"
            }
            return answer(operation, failure.attempt)
        case .failed(let operation, let failure):
            // An expression that can't be evaluated fails an operation that no call is out for.
            if failure.error == EngineError.expression, mayBegin(state[operation]) {
                return turn(operation, "fails the expressions of")
            }
            return answer(operation, failure.attempt)
        case .stepSkipped(let step): return skipping(step)
        case .deferred(let operation, _, _):
            return mayBegin(state[operation])
                ? turn(operation, "holds back") : "holds \(name(operation)) back, which doesn't wait"
        case .sagaCompensating: return turning
        case .sagaCompleted: return completion
        case .sagaCompensated: return compensated
        case .sagaStuck: return stuck
        case .compensationRequested: return "undoes a saga that hasn't completed"
        // A retry also takes up what a daemon of another version had set aside, whatever its status.
        case .cancelRequested, .paused, .resumed, .stepResolved, .retried, .terminated: return nil
        }
    }

    // MARK: Operations

    private func beginning(_ operation: OperationReference, _ attempt: Int) -> String? {
        let known = state[operation]
        if attempt != known.attempts + 1 {
            return "begins attempt \(attempt) of \(name(operation)) after \(known.attempts)"
        }
        if !mayBegin(known) { return "begins \(name(operation)), which \(word(known))" }
        return turn(operation, "begins")
    }

    private func skipping(_ step: Int) -> String? {
        let operation = OperationReference(step: step, side: .action)
        guard state[operation].attempts == 0, mayBegin(state[operation]) else {
            return "skips step \(name(step)), which has begun"
        }
        return turn(operation, "skips")
    }

    private func success(_ operation: OperationReference, _ attempt: Int) -> String? {
        guard attempt == 0 else { return answer(operation, attempt) }
        let isCall: Bool =
            switch definition.operation(operation)?.kind {
            case .http, .noop: true
            case .pass, nil: false
            }
        if isCall { return "tells of an outcome of \(name(operation)), which was never begun" }
        return mayBegin(state[operation])
            ? turn(operation, "does") : "tells of an outcome of \(name(operation)), which \(word(state[operation]))"
    }

    /// An outcome belongs to the attempt that is under way.
    private func answer(_ operation: OperationReference, _ attempt: Int) -> String? {
        let known = state[operation]
        if case .running(attempt, _) = known.phase { return nil }
        if case .running(let other, _) = known.phase {
            return "tells of an outcome of attempt \(attempt) of \(name(operation)), and attempt \(other) is under way"
        }
        return "tells of an outcome of \(name(operation)), which \(word(known))"
    }

    /// Why it isn't an operation's turn; nil when it is.
    ///
    /// - Parameter verb: what the event does with it.
    private func turn(_ operation: OperationReference, _ verb: String) -> String? {
        let reason = state.isPaused ? " while the saga is paused" : reasonToWait(operation)
        return reason.map { "\(verb) \(name(operation))\($0)" }
    }

    private func reasonToWait(_ operation: OperationReference) -> String? {
        let step = operation.step
        guard state.steps.indices.contains(step), definition.steps.indices.contains(step) else { return nil }
        switch operation.side {
        case .action:
            if state.turnedBackBy != nil || state.status == .compensating {
                return " though the saga has turned round"
            }
            if state.status == .stuck { return " of a saga that is stuck" }
            if state.steps[step].isSkipped { return ", which was skipped" }
            if !definition.graph.predecessors[step].allSatisfy({ state.steps[$0].isEnded }) {
                return " before the steps that it comes after have ended"
            }
            if state.isPastPivot(in: definition) || state.pivotIsOpen(in: definition) { return nil }
            return state.cancelRequest == nil ? nil : " though the saga is cancelled"
        case .compensation:
            if state.status != .compensating || state.turnedBackBy == nil {
                return state.status == .compensating
                    ? " of a saga that hasn't turned round" : " of a saga that is \(state.status.name)"
            }
            if !state.isLeftToUndo(step, in: definition) { return ", which isn't called for" }
            if let action = state.steps.indices.first(where: { state.steps[$0].action.isRunning }) {
                return " while step \(name(action)) is out"
            }
            if definition.onCompensationFailure == .halt, let failed = failedCompensation {
                return " though that of step \(name(failed)) has failed"
            }
            return definition.graph.descendants[step].first { state.isLeftToUndo($0, in: definition) }
                .map { " before step \(name($0)) is undone" }
        }
    }

    private func mayBegin(_ operation: OperationState) -> Bool {
        switch operation.phase {
        case .idle, .waiting, .deferred: true
        case .running, .succeeded, .failed: false
        }
    }

    private func word(_ operation: OperationState) -> String {
        switch operation.phase {
        case .idle: "was never begun"
        case .running: "is under way"
        case .waiting: "waits for its next attempt"
        case .deferred: "waits for its service"
        case .succeeded: "has succeeded"
        case .failed: "has failed for good"
        }
    }

    // MARK: The saga

    private var failedCompensation: Int? { state.steps.firstIndex { $0.compensation.phase == .failed } }

    private var turning: String? {
        if state.isPastPivot(in: definition) { return "turns round a saga that is past its pivot" }
        switch state.status {
        case .pending, .running: return nil
        case .compensating where state.turnedBackBy == nil: return nil
        default: return "turns round a saga that is \(state.status.name)"
        }
    }

    private var completion: String? {
        if state.turnedBackBy != nil || state.status == .compensating {
            return "completes a saga that has turned round"
        }
        if state.status == .stuck { return "completes a saga that is stuck" }
        guard let step = state.steps.firstIndex(where: { !$0.isEnded }) else { return nil }
        return "completes the saga with step \(name(step)) left"
    }

    private var compensated: String? {
        if state.turnedBackBy == nil { return "tells that all is undone of a saga that hasn't turned round" }
        if state.status != .compensating { return "tells that all is undone of a saga that is \(state.status.name)" }
        if let call = state.callsInFlight.first {
            return "tells that all is undone while \(name(call.operation)) is out"
        }
        let left = state.steps.indices.first { state.isLeftToUndo($0, in: definition) } ?? failedCompensation
        return left.map { "tells that all is undone, and step \(name($0)) isn't" }
    }

    private var stuck: String? {
        if state.status == .stuck { return "comes a second time" }
        if let call = state.callsInFlight.first { return "comes while \(name(call.operation)) is out" }
        if state.status == .compensating {
            return failedCompensation == nil ? "comes though no compensation has failed for good" : nil
        }
        guard state.steps.contains(where: { $0.action.phase == .failed }) else {
            return "comes though no step has failed for good"
        }
        return state.isPastPivot(in: definition) || state.pivotIsOpen(in: definition)
            ? nil : "comes though the saga can turn round"
    }

    // MARK: Words

    private func name(_ step: Int) -> String {
        definition.steps.indices.contains(step) ? definition.steps[step].name : "\(step)"
    }

    private func name(_ operation: OperationReference) -> String {
        operation.side == .action ? "step \(name(operation.step))" : "the compensation of step \(name(operation.step))"
    }
}

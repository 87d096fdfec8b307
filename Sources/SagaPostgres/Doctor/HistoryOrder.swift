import SagaCore

/// Whether events may follow one another as they do.
///
/// The fold is total: an event that doesn't fit moves what it can. What no decision of any daemon and no person's
/// command can have written is found here, by the state before each event.
struct HistoryOrder {
    private let definition: Definition
    private var state: SagaState

    /// What is wrong with the first event that doesn't fit; nil when all do.
    ///
    /// - Parameter history: without holes.
    static func fault(of history: [RecordedEvent], id: SagaID, definition: Definition) -> String? {
        guard let start = SagaState(folding: history.prefix(1), id: id, key: nil, definition: definition) else {
            return nil
        }
        var order = HistoryOrder(definition: definition, state: start)
        for recorded in history.dropFirst() {
            if let fault = order.fault(of: recorded.event) {
                return "event \(recorded.sequence), \(recorded.event.type.name), \(fault)"
            }
            order.state.evolve(recorded, definition: definition)
        }
        return nil
    }

    private func fault(of event: Event) -> String? {
        if state.status.isEnded {
            // A completed saga may be wanted undone; nothing else comes after the end.
            if case .compensationRequested = event, state.status == .completed { return nil }
            return "comes after the saga has ended: \(state.status.name)"
        }
        switch event {
        case .sagaStarted: return "starts it a second time"
        case .started(let operation, let attempt): return beginning(operation, attempt)
        case .succeeded(let operation, let attempt, _): return success(operation, attempt)
        case .attemptFailed(let operation, let failure, _): return answer(operation, failure.attempt)
        case .failed(let operation, let failure):
            // An expression that can't be evaluated fails an operation that no call is out for.
            if failure.error == EngineError.expression, mayBegin(state[operation]) { return nil }
            return answer(operation, failure.attempt)
        case .stepSkipped(let step):
            let isIdle = state.steps.indices.contains(step) && state.steps[step].action.attempts == 0
            return isIdle && mayBegin(state.steps[step].action) && !state.steps[step].isSkipped
                ? nil : "skips step \(name(step)), which has begun"
        case .deferred(let operation, _, _):
            return mayBegin(state[operation]) ? nil : "holds \(name(operation)) back, which doesn't wait"
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
        if state.isPaused { return "begins \(name(operation)) while the saga is paused" }
        switch operation.side {
        case .action:
            if state.turnedBackBy != nil || state.status == .compensating {
                return "begins \(name(operation)) though the saga has turned round"
            }
            if state.steps.indices.contains(operation.step), state.steps[operation.step].isSkipped {
                return "begins \(name(operation)), which was skipped"
            }
            let isReady = definition.graph.predecessors[operation.step].allSatisfy { state.steps[$0].isEnded }
            return isReady ? nil : "begins \(name(operation)) before the steps that it comes after have ended"
        case .compensation:
            return state.status == .compensating
                ? nil : "begins \(name(operation)) of a saga that is \(state.status.name)"
        }
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
            ? nil : "tells of an outcome of \(name(operation)), which \(word(state[operation]))"
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

    private var turning: String? {
        switch state.status {
        case .pending, .running: nil
        case .compensating where state.turnedBackBy == nil: nil
        default: "turns round a saga that is \(state.status.name)"
        }
    }

    private var completion: String? {
        if state.turnedBackBy != nil { return "completes a saga that has turned round" }
        guard let step = state.steps.firstIndex(where: { !$0.isEnded }) else { return nil }
        return "completes the saga with step \(name(step)) left"
    }

    private var compensated: String? {
        if state.turnedBackBy == nil { return "tells that all is undone of a saga that hasn't turned round" }
        if let call = state.callsInFlight.first {
            return "tells that all is undone while \(name(call.operation)) is out"
        }
        let left = state.steps.indices.first {
            state.mustBeUndone(step: $0, in: definition) && state.steps[$0].compensation.phase != .succeeded
        }
        return left.map { "tells that all is undone, and step \(name($0)) isn't" }
    }

    private var stuck: String? {
        if state.status == .stuck { return "comes a second time" }
        return state.callsInFlight.first.map { "comes while \(name($0.operation)) is out" }
    }

    // MARK: Words

    private func name(_ step: Int) -> String {
        definition.steps.indices.contains(step) ? definition.steps[step].name : "\(step)"
    }

    private func name(_ operation: OperationReference) -> String {
        operation.side == .action ? "step \(name(operation.step))" : "the compensation of step \(name(operation.step))"
    }
}

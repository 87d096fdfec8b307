/// What a status shows of a step.
public enum StepStatus: String, Sendable, Hashable, CaseIterable {
    case pending, running, backoff, deferred, succeeded, failed
    case inDoubt = "in_doubt"
    case skipped, compensating, compensated
    case compensationFailed = "compensation_failed"
}

/// What a status shows of a compensation.
public enum CompensationStatus: String, Sendable, Hashable, CaseIterable {
    case pending, running, backoff, deferred, succeeded, failed
}

extension SagaState {
    /// The status of a step: its compensation's once that began, else its action's.
    public func status(ofStep index: Int) -> StepStatus {
        guard steps.indices.contains(index) else { return .pending }
        let step = steps[index]
        switch step.compensation.phase {
        case .running, .waiting, .deferred: return .compensating
        case .succeeded: return .compensated
        case .failed: return .compensationFailed
        case .idle: break
        }
        if step.isSkipped { return .skipped }
        switch step.action.phase {
        case .idle: return .pending
        case .running: return .running
        case .succeeded: return .succeeded
        case .failed: return step.outcome == .unknown ? .inDoubt : .failed
        case .waiting, .deferred:
            if !forwardIsOver {
                if case .waiting = step.action.phase { return .backoff }
                return .deferred
            }
            switch step.outcome {
            case .unknown: return .inDoubt
            case .failed: return .failed
            case .done, nil: return .pending
            }
        }
    }

    /// The status of a step's compensation; nil while none is called for.
    public func compensationStatus(ofStep index: Int, in definition: Definition) -> CompensationStatus? {
        guard steps.indices.contains(index) else { return nil }
        switch steps[index].compensation.phase {
        case .idle: return turnedBackBy != nil && mustBeUndone(step: index, in: definition) ? .pending : nil
        case .running: return .running
        case .waiting: return .backoff
        case .deferred: return .deferred
        case .succeeded: return .succeeded
        case .failed: return .failed
        }
    }

    /// Whether the step is one of those that going back undoes, by its outcome and its `compensateWhen`.
    public func mustBeUndone(step index: Int, in definition: Definition) -> Bool {
        guard steps.indices.contains(index), definition.steps.indices.contains(index) else { return false }
        let step = definition.steps[index]
        let state = steps[index]
        guard step.compensation != nil, !step.isPivot, !state.isSkipped else { return false }
        switch step.compensateWhen {
        case .succeeded: return state.outcome == .done
        case .uncertain: return state.outcome == .done || state.outcome == .unknown
        case .attempted: return state.action.attempts > 0 || state.outcome == .done
        }
    }

    /// Whether the point of no return is behind.
    public func isPastPivot(in definition: Definition) -> Bool {
        guard let pivot = definition.pivot, steps.indices.contains(pivot) else { return false }
        return steps[pivot].action.phase == .succeeded
    }

    /// Whether the pivot's effect may be there without its outcome being known for good.
    func pivotIsOpen(in definition: Definition) -> Bool {
        guard let pivot = definition.pivot, steps.indices.contains(pivot) else { return false }
        let step = steps[pivot]
        return step.action.isRunning || (step.outcome == .unknown && step.action.phase != .succeeded)
    }
}

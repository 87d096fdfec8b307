import CEL
import JSON

extension Decider {
    /// One round of going forward: turns round, ends, gets stuck, or begins what is due.
    mutating func goForward() {
        if state.steps.allSatisfy(\.isEnded) { return complete() }
        if let failure = reasonToTurn() { return emit(.sagaCompensating(failure)) }
        if mayBegin { beginDueSteps() }
        if let failure = reasonToBeStuck() { emit(.sagaStuck(failure)) }
    }

    /// Why the saga can't go on forward; nil while it can, or while the point of no return forbids turning.
    private func reasonToTurn() -> SagaFailure? {
        if state.isPastPivot(in: definition) { return nil }
        if let failure = firstFailedAction {
            // A pivot whose outcome is unknown for good can neither be undone nor taken as done.
            if failure.step == definition.pivot, state.pivotIsOpen(in: definition) { return nil }
            return failure
        }
        if state.pivotIsOpen(in: definition) { return nil }
        if let request = state.cancelRequest { return .cancelled(by: request) }
        if let deadline = definition.deadline, state.startedAt + deadline <= now {
            return SagaFailure(step: nil, error: EngineError.deadlineExceeded, message: "the saga's deadline passed")
        }
        // Whoever started it from SQL hasn't been told: before anything begins, the input has to fit.
        if state.status == .pending, let faults = definition.inputSchema?.faults(of: state.input), !faults.isEmpty {
            return SagaFailure(step: nil, error: EngineError.invalidInput, message: faults.joined(separator: "; "))
        }
        return nil
    }

    private var firstFailedAction: SagaFailure? {
        for index in definition.graph.topologicalOrder where state.steps[index].action.phase == .failed {
            let action = state.steps[index].action
            return SagaFailure(
                step: index, error: action.error ?? EngineError.unreadable, message: action.message ?? "")
        }
        return nil
    }

    private mutating func beginDueSteps() {
        for index in definition.graph.topologicalOrder {
            let operation = OperationReference(step: index, side: .action)
            guard !state.steps[index].isSkipped, isDue(state[operation]),
                definition.graph.predecessors[index].allSatisfy({ state.steps[$0].isEnded })
            else { continue }
            if state[operation].attempts > 0 || passesWhen(index) { begin(operation) }
            if state[operation].phase == .failed { return }
        }
    }

    /// Evaluates the step's `when`; a step that doesn't run is skipped, a `when` that fails fails the step.
    private mutating func passesWhen(_ index: Int) -> Bool {
        guard let when = definition.steps[index].when else { return true }
        let operation = OperationReference(step: index, side: .action)
        let scope = ExpressionScope(state: state, definition: definition, operation: operation)
        do throws(CELError) {
            switch try when.evaluateJSON(scope.activation) {
            case .bool(true): return true
            case .bool(false), .null: emit(.stepSkipped(step: index))
            default: throw CELError(offset: 0, message: "`when` must be true, false or null", hint: nil)
            }
        } catch {
            failExpression(operation, error)
        }
        return false
    }

    /// Past the pivot, or with its outcome unknown for good, a failure needs a person once nothing else can move.
    private func reasonToBeStuck() -> SagaFailure? {
        guard let failure = firstFailedAction, reasonToTurn() == nil else { return nil }
        for (index, step) in state.steps.enumerated() where !step.isSkipped {
            switch step.action.phase {
            case .running, .waiting, .deferred: return nil
            case .idle where definition.graph.predecessors[index].allSatisfy({ state.steps[$0].isEnded }): return nil
            case .idle, .succeeded, .failed: continue
            }
        }
        return failure
    }

    private mutating func complete() {
        guard let output = definition.output else { return emit(.sagaCompleted(output: .null, failure: nil)) }
        let scope = ExpressionScope(state: state, definition: definition, operation: nil)
        do throws(CELError) {
            emit(.sagaCompleted(output: try output.evaluateRaw(scope.activation, limits: .output), failure: nil))
        } catch {
            let failure = SagaFailure(step: nil, error: EngineError.expression, message: "output: \(error.message)")
            // All effects are there and none may be undone any more: the saga has completed, without an output.
            if state.isPastPivot(in: definition) {
                emit(.sagaCompleted(output: .null, failure: failure))
            } else {
                emit(.sagaCompensating(failure))
            }
        }
    }
}

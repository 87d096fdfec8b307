extension Decider {
    /// One round of going back: waits, ends, gets stuck, or begins the compensations that are due.
    mutating func goBack() {
        if state.turnedBackBy == nil, let request = state.compensationRequest {
            return emit(.sagaCompensating(.cancelled(by: request)))
        }
        guard !state.steps.contains(where: { $0.action.isRunning }) else { return }
        if let end = state.lostCallsEnd, end > now { return }
        let isHalted = definition.onCompensationFailure == .halt && firstFailedCompensation != nil
        if !isHalted, mayBegin { beginDueCompensations() }
        endIfNothingIsLeft()
    }

    private var firstFailedCompensation: SagaFailure? {
        for index in definition.graph.topologicalOrder.reversed() where state.steps[index].compensation.phase == .failed
        {
            let compensation = state.steps[index].compensation
            return SagaFailure(
                step: index, error: compensation.error ?? EngineError.unreadable, message: compensation.message ?? "")
        }
        return nil
    }

    /// A step is undone only after everything that came after it, also through steps that need no undo.
    private mutating func beginDueCompensations() {
        for index in definition.graph.topologicalOrder.reversed() {
            let operation = OperationReference(step: index, side: .compensation)
            guard isLeftToUndo(index), isDue(state[operation]),
                !definition.graph.descendants[index].contains(where: isLeftToUndo)
            else { continue }
            begin(operation)
            if state[operation].phase == .failed, definition.onCompensationFailure == .halt { return }
        }
    }

    private func isLeftToUndo(_ index: Int) -> Bool { state.isLeftToUndo(index, in: definition) }

    private mutating func endIfNothingIsLeft() {
        guard !state.steps.contains(where: { $0.compensation.isRunning }) else { return }
        if let failure = firstFailedCompensation {
            let isWaiting =
                definition.onCompensationFailure == .continue && state.steps.indices.contains(where: isLeftToUndo)
            if !isWaiting { emit(.sagaStuck(failure)) }
        } else if !state.steps.indices.contains(where: isLeftToUndo) {
            emit(.sagaCompensated)
        }
    }
}

extension SagaFailure {
    /// What turns a saga round when a person wants it.
    static func cancelled(by act: Event.Act) -> SagaFailure {
        SagaFailure(step: nil, error: EngineError.cancelled, message: act.reason ?? "cancelled by \(act.actor)")
    }
}

extension SagaState {
    /// The earliest time at which `decide(.proceed)` would do something by itself; nil when the saga waits for
    /// an answer, for a person, or has ended.
    ///
    /// - Parameter waiting: operations that somebody else wakes the saga for, since they wait for their service.
    public func nextDue(in definition: Definition, except waiting: Set<OperationReference> = []) -> Instant? {
        switch status {
        case .completed, .compensated, .terminated, .stuck: return nil
        case .pending, .running: return nextDueForward(in: definition, except: waiting)
        case .compensating: return nextDueBack(in: definition, except: waiting)
        }
    }

    private func nextDueForward(in definition: Definition, except waiting: Set<OperationReference>) -> Instant? {
        var due: Instant?
        if !isPaused {
            for (index, step) in steps.enumerated()
            where waiting.isEmpty || !waiting.contains(OperationReference(step: index, side: .action)) {
                if let at = step.action.dueAt { due = min(due ?? at, at) }
                if step.action.phase == .idle, !step.isSkipped,
                    definition.graph.predecessors[index].allSatisfy({ steps[$0].isEnded })
                {
                    due = startedAt
                }
            }
        }
        if let deadline = definition.deadline, !isPastPivot(in: definition), !pivotIsOpen(in: definition) {
            due = min(due ?? .distantFuture, startedAt + deadline)
        }
        return due
    }

    /// Whether the step is to be undone and its compensation hasn't ended; a failed one has only under `continue`.
    func isLeftToUndo(_ index: Int, in definition: Definition) -> Bool {
        switch steps[index].compensation.phase {
        case .succeeded: false
        case .failed: definition.onCompensationFailure == .halt
        case .idle: mustBeUndone(step: index, in: definition)
        case .running, .waiting, .deferred: true
        }
    }

    private func nextDueBack(in definition: Definition, except waiting: Set<OperationReference>) -> Instant? {
        if turnedBackBy == nil, compensationRequest != nil { return startedAt }
        if steps.contains(where: { $0.action.isRunning }) { return nil }
        let isHalted =
            definition.onCompensationFailure == .halt && steps.contains { $0.compensation.phase == .failed }
        let isRunning = steps.contains { $0.compensation.isRunning }
        var due: Instant?
        if isPaused || isHalted {
            // Nothing begins; what has nothing left to do ends all the same.
            let isOver = isHalted || !steps.indices.contains { isLeftToUndo($0, in: definition) }
            if isOver, !isRunning { due = startedAt }
        } else {
            for (index, step) in steps.enumerated() {
                guard let at = step.compensation.dueAt,
                    !waiting.contains(OperationReference(step: index, side: .compensation))
                else { continue }
                due = min(due ?? at, at)
            }
            // With none under way or waiting, the next to begin is due as soon as lost calls must have ended.
            if due == nil, !isRunning, waiting.isEmpty { due = startedAt }
        }
        return due.map { max($0, lostCallsEnd ?? $0) }
    }
}

import JSON

extension SagaState {
    /// The state after `events`, from the first on; nil when the first isn't a start.
    public init?(folding events: some Sequence<RecordedEvent>, id: SagaID, key: String?, definition: Definition) {
        var state = SagaState(id: id, key: key, stepCount: definition.steps.count)
        for event in events {
            if state.sequence == 0, event.event.type != .sagaStarted { return nil }
            state.evolve(event, definition: definition)
        }
        guard state.sequence > 0 else { return nil }
        self = state
    }

    /// Moves the state by one event. Total: an event that doesn't fit the state moves what it can.
    public mutating func evolve(_ recorded: RecordedEvent, definition: Definition) {
        sequence = recorded.sequence
        switch recorded.event {
        case .sagaStarted(let input):
            self.input = input
            startedAt = recorded.at
        case .started(let operation, let attempt):
            begin(recorded, operation) {
                $0.phase = .running(attempt: attempt, since: recorded.at)
                $0.attempts = attempt
                $0.deferredSince = nil
            }
            if self[operation].inputVersion == nil { self[operation].inputVersion = patchedInputs.count }
        case .succeeded(let operation, let attempt, let output):
            begin(recorded, operation) { $0.attempts = max($0.attempts, attempt) }
            succeed(operation, output: output)
        case .attemptFailed(let operation, let failure, let next):
            noteLostCall(operation, failure, definition: definition)
            begin(recorded, operation) { $0.phase = .waiting(until: next) }
            note(failure, of: operation)
        case .failed(let operation, let failure):
            noteLostCall(operation, failure, definition: definition)
            begin(recorded, operation) { $0.phase = .failed }
            note(failure, of: operation)
        case .stepSkipped(let step):
            if status == .pending { status = .running }
            if steps.indices.contains(step) {
                steps[step].isSkipped = true
                steps[step].action.phase = .idle
            }
        case .deferred(let operation, let until, _):
            begin(recorded, operation) {
                $0.phase = .deferred(until: until)
                $0.deferredSince = $0.deferredSince ?? recorded.at
            }
        case .sagaCompensating(let failure):
            status = .compensating
            turnedBackBy = failure
        case .sagaCompleted(let output, let failure):
            end(.completed, at: recorded.at)
            outputFailure = failure
            self.output = output
        case .sagaCompensated: end(.compensated, at: recorded.at)
        case .sagaStuck(let failure):
            status = .stuck
            stuckOn = failure
        case .cancelRequested(let act): cancelRequest = act
        case .paused: isPaused = true
        case .resumed: isPaused = false
        case .stepResolved(let operation, let resolution, let output, _):
            resolve(operation, resolution, output: output, recorded: recorded, definition: definition)
        case .retried(_, let patch):
            if let patch { mend(patch) }
            takeUpFailed(recorded)
        case .terminated: terminate(at: recorded.at)
        case .compensationRequested(let act): reopen(act)
        }
    }

    private mutating func begin(
        _ recorded: RecordedEvent, _ operation: OperationReference, _ change: (inout OperationState) -> Void
    ) {
        if status == .pending { status = .running }
        change(&self[operation])
        self[operation].lastSequence = recorded.sequence
    }

    private mutating func succeed(_ operation: OperationReference, output: RawJSON?) {
        self[operation].phase = .succeeded
        self[operation].error = nil
        self[operation].message = nil
        self[operation].outcome = .done
        if operation.side == .action, steps.indices.contains(operation.step) {
            steps[operation.step].output = output ?? .null
        }
    }

    private mutating func note(_ failure: Event.AttemptFailure, of operation: OperationReference) {
        self[operation].error = failure.error
        self[operation].message = failure.message
        if self[operation].outcome != .unknown { self[operation].outcome = failure.outcome }
    }

    /// A lost daemon's call may still arrive until its timeout has passed.
    private mutating func noteLostCall(
        _ operation: OperationReference, _ failure: Event.AttemptFailure, definition: Definition
    ) {
        guard operation.side == .action, failure.error == EngineError.daemonLost,
            case .running(_, let since) = self[operation].phase,
            definition.steps.indices.contains(operation.step), let action = definition.steps[operation.step].action
        else { return }
        lostCallsEnd = max(lostCallsEnd ?? since, since + action.timeout)
    }

    private mutating func end(_ status: SagaStatus, at instant: Instant) {
        self.status = status
        endedAt = instant
        stuckOn = nil
    }

    private mutating func resolve(
        _ operation: OperationReference, _ resolution: Event.Resolution, output: RawJSON?, recorded: RecordedEvent,
        definition: Definition
    ) {
        let isPastPivot = isPastPivot(in: definition)
        self[operation].lastSequence = recorded.sequence
        switch (operation.side, resolution) {
        case (.action, .done): succeed(operation, output: output)
        case (.action, .undone):
            self[operation].outcome = .failed
            if isPastPivot, turnedBackBy == nil {
                freshBudget(operation, at: recorded.at)
            } else {
                self[operation].phase = .failed
            }
        case (.compensation, .done):
            // The action's effect stands: no attempt to undo it had one.
            self[operation].outcome = .failed
            freshBudget(operation, at: recorded.at)
        case (.compensation, .undone): succeed(operation, output: nil)
        }
        leaveStuck()
    }

    /// What a retry takes up: the operations that failed for good, on the side that the saga is on.
    var operationsToRetry: [OperationReference] {
        let side: OperationSide = turnedBackBy == nil ? .action : .compensation
        return steps.indices.map { OperationReference(step: $0, side: side) }.filter { self[$0].phase == .failed }
    }

    /// What the newest input becomes by `patch`; nil when one of the two isn't JSON.
    func patchedInput(_ patch: RawJSON) -> RawJSON? {
        guard let input = try? newestInput.parsed(), let patch = try? patch.parsed() else { return nil }
        return RawJSON(input.merging(patch: patch))
    }

    /// What the retry takes up sees the changed input, under a key of its own where one went out already.
    private mutating func mend(_ patch: RawJSON) {
        patchedInputs.append(patchedInput(patch) ?? newestInput)
        for operation in operationsToRetry {
            self[operation].inputVersion = nil
            guard self[operation].attempts > self[operation].attemptsBeforeKey else { continue }
            self[operation].attemptsBeforeKey = self[operation].attempts
            self[operation].keyRevision += 1
        }
    }

    private mutating func takeUpFailed(_ recorded: RecordedEvent) {
        for operation in operationsToRetry {
            freshBudget(operation, at: recorded.at)
            self[operation].lastSequence = recorded.sequence
        }
        leaveStuck()
    }

    private mutating func freshBudget(_ operation: OperationReference, at instant: Instant) {
        self[operation].phase = .waiting(until: instant)
        self[operation].attemptsBeforeBudget = self[operation].attempts
    }

    private mutating func leaveStuck() {
        guard status == .stuck else { return }
        status = turnedBackBy == nil ? .running : .compensating
        stuckOn = nil
    }

    /// A completed saga isn't ended any more; that it turns round is the next decision.
    private mutating func reopen(_ act: Event.Act) {
        guard status == .completed else { return }
        status = .compensating
        compensationRequest = act
        endedAt = nil
        output = nil
        outputFailure = nil
    }

    private mutating func terminate(at instant: Instant) {
        let stuck = stuckOn
        for (operation, _) in callsInFlight {
            self[operation].phase = .failed
            self[operation].outcome = .unknown
        }
        end(.terminated, at: instant)
        stuckOn = stuck
    }
}

import JSON

/// Where a saga stands.
///
/// ```
/// pending ─► running ─► completed          anything not ended ─► terminated
///    │          │             ▼
///    │          ├────► compensating ─► compensated
///    │          └──► stuck ◄┘      stuck ─► running | compensating
///    └─────────────────────────────► compensated
/// ```
public enum SagaStatus: Int16, Sendable, Hashable, CaseIterable {
    /// Accepted, no step begun. Exits: `running`, `compensating`, `terminated`.
    case pending = 1
    /// Going forward. Exits: `completed`, `compensating`, `stuck`, `terminated`.
    case running
    /// Undoing. Exits: `compensated`, `stuck`, `terminated`.
    case compensating
    /// Needs a person. Exits: `running`, `compensating`, `terminated`.
    case stuck
    /// Ended: all steps succeeded or were skipped. Exit: `compensating`, at a person's wish.
    case completed
    /// Ended: every compensation that was called for succeeded.
    case compensated
    /// Ended by an operator, as it stood.
    case terminated

    public var isEnded: Bool { self == .completed || self == .compensated || self == .terminated }

    /// The name that users see.
    public var name: String { String(describing: self) }

    public init?(name: some StringProtocol) {
        guard let status = SagaStatus.allCases.first(where: { $0.name == name }) else { return nil }
        self = status
    }
}

/// A saga as its events tell it.
public struct SagaState: Sendable, Hashable {
    public let id: SagaID
    /// The caller's own name for it.
    public let key: String?
    public internal(set) var status = SagaStatus.pending
    public internal(set) var isPaused = false
    public internal(set) var startedAt: Instant
    public internal(set) var endedAt: Instant?
    /// What it was started with.
    public internal(set) var input: RawJSON
    /// What the input became by each patch of a person, in order.
    public internal(set) var patchedInputs: [RawJSON] = []
    public internal(set) var output: RawJSON?
    /// What turned the saga round; nil while it goes forward.
    public internal(set) var turnedBackBy: SagaFailure?
    /// What it needs a person for; nil unless stuck, or terminated while stuck.
    public internal(set) var stuckOn: SagaFailure?
    public internal(set) var cancelRequest: Event.Act?
    /// Who wanted it undone after it had completed.
    public internal(set) var compensationRequest: Event.Act?
    /// No compensation begins before: the latest end that a lost call of an action can have.
    public internal(set) var lostCallsEnd: Instant?
    /// Why a completed saga has no output although its definition states one.
    public internal(set) var outputFailure: SagaFailure?
    /// The sequence of the last event.
    public internal(set) var sequence = 0
    /// In the order of the definition.
    public internal(set) var steps: [StepState]

    /// What a status shows as the saga's failure.
    public var failure: SagaFailure? { status == .completed ? outputFailure : stuckOn ?? turnedBackBy }

    /// Whether the saga has turned round, or has ended: actions begin nothing more.
    public var forwardIsOver: Bool { turnedBackBy != nil || compensationRequest != nil || status.isEnded }

    init(id: SagaID, key: String?, stepCount: Int) {
        self.id = id
        self.key = key
        self.startedAt = Instant(microseconds: 0)
        self.input = .null
        self.steps = Array(repeating: StepState(), count: stepCount)
    }

    /// The input that operations see which begin from now on.
    public var newestInput: RawJSON { patchedInputs.last ?? input }

    /// The input that the operation sees: the one its attempts are bound to, else the newest.
    public func input(of operation: OperationReference) -> RawJSON {
        guard let version = self[operation].inputVersion else { return newestInput }
        return patchedInputs.indices.contains(version - 1) ? patchedInputs[version - 1] : input
    }

    /// The operation's own part of the state; an idle one for a step that isn't there.
    public subscript(operation: OperationReference) -> OperationState {
        get {
            guard steps.indices.contains(operation.step) else { return OperationState() }
            return operation.side == .action ? steps[operation.step].action : steps[operation.step].compensation
        }
        set {
            guard steps.indices.contains(operation.step) else { return }
            switch operation.side {
            case .action: steps[operation.step].action = newValue
            case .compensation: steps[operation.step].compensation = newValue
            }
        }
    }

    /// The operations whose call is in flight, steps in file order, actions first.
    public var callsInFlight: [(operation: OperationReference, attempt: Int)] {
        var calls: [(OperationReference, Int)] = []
        for (index, step) in steps.enumerated() {
            if case .running(let attempt, _) = step.action.phase {
                calls.append((OperationReference(step: index, side: .action), attempt))
            }
            if case .running(let attempt, _) = step.compensation.phase {
                calls.append((OperationReference(step: index, side: .compensation), attempt))
            }
        }
        return calls
    }
}

/// A step as its events tell it.
public struct StepState: Sendable, Hashable {
    public internal(set) var action = OperationState()
    public internal(set) var compensation = OperationState()
    /// Its `when` was false.
    public internal(set) var isSkipped = false
    /// Of the action, once succeeded.
    public internal(set) var output: RawJSON?

    /// The action's.
    public var outcome: Outcome? { action.outcome }

    /// Whether what comes after it may begin.
    public var isEnded: Bool { isSkipped || action.phase == .succeeded }
}

/// An action or a compensation as its events tell it.
public struct OperationState: Sendable, Hashable {
    public enum Phase: Sendable, Hashable {
        /// Not begun. Exits: running, succeeded (without a call), deferred, failed (an expression).
        case idle
        /// A call is in flight. Exits: succeeded, waiting, failed.
        case running(attempt: Int, since: Instant)
        /// Waits for its next attempt. Exits: running, deferred, failed (an expression).
        case waiting(until: Instant)
        /// The service takes no call now; no attempt is spent. Exits: running, failed (an expression).
        case deferred(until: Instant)
        case succeeded
        /// For good. Exits: waiting (a person's retry), succeeded (a person's word).
        case failed
    }

    public internal(set) var phase = Phase.idle
    /// Begun so far.
    public internal(set) var attempts = 0
    /// Done once an attempt was done; else unknown if any was; else failed; nil before any ended.
    public internal(set) var outcome: Outcome?
    /// Which input all attempts see: 0 the start's, n that after the n-th patch; nil until the first attempt begins.
    public internal(set) var inputVersion: Int?
    /// Raised when a patch changes what is sent after an attempt went out: a known key must not come with another body.
    public internal(set) var keyRevision = 1
    /// The attempts that went out under earlier keys.
    public internal(set) var attemptsBeforeKey = 0
    /// The attempts that a fresh budget doesn't count.
    public internal(set) var attemptsBeforeBudget = 0
    /// Of the last attempt that wasn't done; nil once succeeded.
    public internal(set) var error: String?
    public internal(set) var message: String?
    /// When its service first had no room for the attempt that is to come; nil for one that doesn't wait for that.
    public internal(set) var deferredSince: Instant?
    /// The sequence of its last event.
    public internal(set) var lastSequence: Int?

    public var isRunning: Bool {
        if case .running = phase { true } else { false }
    }

    /// When it is to be taken up: for one that waits or is deferred.
    public var dueAt: Instant? {
        switch phase {
        case .waiting(let until), .deferred(let until): until
        case .idle, .running, .succeeded, .failed: nil
        }
    }
}

/// What can come to a saga.
public enum SagaInput: Sendable, Hashable {
    /// Time has passed, or something was appended from outside: whatever is due now is done.
    case proceed
    /// A daemon took the saga up: calls in flight that aren't among its own are lost.
    case takenUp(ownCalls: Set<OperationReference>)
    /// An attempt ended.
    case answered(OperationReference, attempt: Int, Answer)
}

/// What follows from an input: the events to commit, and what may be done once they are.
public struct Decision: Sendable, Hashable {
    public let events: [RecordedEvent]
    /// To be made after the commit, never before.
    public let calls: [Call]
    /// The state after the events.
    public let state: SagaState
}

/// Whether a service takes a call of `operation`, of which `attempts` were begun so far, now.
public typealias Admit = (_ operation: OperationReference, _ service: Service, _ attempts: Int) -> Admission

/// What whoever guards a service says of a call that is due.
public enum Admission: Sendable, Hashable {
    case admitted
    /// It has its turn within moments: nothing is recorded, and whoever made it wait comes again.
    case wait
    /// Recorded, unless it is deferred already; no attempt is spent.
    case deferred(until: Instant, reason: String)
    /// The attempt is spent without a call.
    case refused(Answer.Refusal)
}

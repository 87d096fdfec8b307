/// What can come to a saga.
public enum SagaInput: Sendable, Hashable {
    /// Time has passed, or something was appended from outside: whatever is due now is done.
    case proceed
    /// A daemon took the saga up: calls in flight that aren't among its own are lost.
    case takenUp(ownCalls: Set<OperationReference>)
    /// An attempt ended.
    case answered(OperationReference, attempt: Int, Answer)
    /// The service of a waiting operation takes no call before `until`.
    case deferred(OperationReference, until: Instant, reason: String)
}

/// What follows from an input: the events to commit, and what may be done once they are.
public struct Decision: Sendable, Hashable {
    public let events: [RecordedEvent]
    /// To be made after the commit, never before.
    public let calls: [Call]
    /// The state after the events.
    public let state: SagaState
}

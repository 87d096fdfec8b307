import SagaCore

/// Makes one attempt at a participant.
public protocol StepInvoker: Sendable {
    /// Makes the call and reports how it ended; never later than the call's timeout, and never by throwing.
    ///
    /// A cancelled task means that nobody waits for the answer any more: the connection may be dropped.
    func invoke(_ call: Call) async -> Answer
}

import DequeModule
import SagaCore

/// A saga in memory.
///
/// Exits: it leaves memory once a commit that ends or parks it is through, or with the lease.
final class SagaRunner {
    let id: SagaID
    let definition: Definition
    let definitionID: DefinitionID
    /// With the events under way to the database.
    var state: SagaState
    /// The status that the saga's row has, or will have once the commit under way is through.
    var rowStatus: SagaStatus
    var loggedStatus: SagaStatus
    /// What came while a commit was under way.
    var inbox: Deque<SagaInput> = []
    var isCommitting = false
    /// To be made once the commit under way is through.
    var callsAfterCommit: [Call] = []
    /// Calls of this saga that this daemon makes or has the answer of in hand.
    var ownCalls: Set<OperationReference> = []
    /// What waits for its service.
    var waiters: [OperationReference: Waiter] = [:]
    /// What the commit under way was decided on.
    var inputUnderWay: SagaInput?
    /// The commit under way parks or ends the saga.
    var isLeaving = false
    /// Something was appended from outside: what is in memory is behind.
    var mustReload = false
    /// When its timer is set to; an entry of another time isn't meant any more.
    var timerDue: Instant?
    /// The time its timer last rang for.
    var timerRang: Instant?

    init(state: SagaState, definition: Definition, definitionID: DefinitionID, rowStatus: SagaStatus) {
        self.id = state.id
        self.state = state
        self.definition = definition
        self.definitionID = definitionID
        self.rowStatus = rowStatus
        self.loggedStatus = state.status
    }
}

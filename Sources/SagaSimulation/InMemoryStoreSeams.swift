import SagaCore
import SagaEngine

/// What a simulation sees of the store, and what it can have it do wrong.
extension InMemoryStore {
    /// What was changed, told to `observer` as it happens.
    enum Change: Sendable {
        case joined(Int32, DaemonIdentity)
        /// A daemon's lease has ended, and its sagas are nobody's.
        case freed(Int32)
        case claimed([SagaID], by: Int32)
        /// nil: from outside.
        case appended(SagaID, [StoredEvent], by: Int32?)
        /// Nobody runs the saga any more.
        case released(SagaID)
        case wroteService(String, [BreakerEvent])
    }

    /// A promise that this store doesn't keep: for tests of whoever relies on it.
    enum Breach: Sendable, Hashable, CaseIterable {
        /// Writes under a lease that was taken over go through.
        case fence
        /// A place in a history that is taken is no hindrance: what comes later stands behind.
        case sequence
        /// Writes to services go through whatever was written meanwhile.
        case compareAndSet
        /// Sagas of others are claimed too.
        case ownership
        /// Row and history don't agree.
        case status
    }
}

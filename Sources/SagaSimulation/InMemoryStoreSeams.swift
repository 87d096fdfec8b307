import SagaCore
import SagaEngine

/// What a simulation sees of the store, and what it can have it do wrong.
extension InMemoryStore {
    /// What was changed, told to `observer` as it happens.
    enum Change: Sendable {
        case joined(Lease, DaemonIdentity)
        /// A daemon has been let do this, and does it now.
        case acted(Act, under: Lease)
        /// Reading a commit back has raised the epoch to this one.
        case raised(Lease)
        /// A daemon's lease has ended, and its sagas are nobody's.
        case freed(Int32)
        case claimed([SagaID], by: Int32)
        /// nil: from outside.
        case appended(SagaID, [StoredEvent], by: Int32?)
        /// A daemon changes the saga's row.
        case changedRow(SagaID, by: Int32)
        /// Nobody runs the saga any more.
        case released(SagaID)
        case wroteService(String, [BreakerEvent])
    }

    /// What only the holder of a lease may do.
    enum Act: String, Sendable, Hashable {
        case renew, leave, claim, claimWaiting, reclaim, commit, setAside, enterService, writeService
    }

    /// A promise that this store doesn't keep: for tests of whoever relies on it.
    enum Breach: Sendable, Hashable, CaseIterable {
        /// Writes under a lease that was taken over go through.
        case fence
        /// Only this goes through under such a lease.
        case fenceOfLeaving, fenceOfSettingAside, fenceOfServices
        /// Other daemons change a saga's row too.
        case rowOwner
        /// A lease is taken over before its end.
        case leaseEnd
        /// A place in a history that is taken is no hindrance: what comes later stands behind.
        case sequence
        /// Writes to services go through whatever was written meanwhile.
        case compareAndSet
        /// Sagas of others are claimed too.
        case ownership
        /// The same for the claim of those that wait for a service.
        case ownershipOfWaiting
        /// Row and history don't agree.
        case status
    }

    /// Those whose place in their saga's history is taken.
    func taken(_ appends: [Append]) -> Set<SagaID> {
        Set(
            appends.filter { append in
                append.events.first.map { $0.sequence <= rows[append.saga]?.events.count ?? 0 } ?? false
            }.map(\.saga))
    }
}

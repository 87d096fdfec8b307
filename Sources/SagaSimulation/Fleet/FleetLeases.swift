import SagaCore
import SagaEngine

/// Leases as the ledger reckons them by itself, apart from the store: what it lets a daemon do is held against them.
extension FleetLedger {
    /// A lease, from joining to its end.
    struct Incarnation: Sendable {
        let daemon: Int
        var epoch: Int32
        /// Nobody may take it over before.
        var until: Instant
        var freedAt: Instant?
        /// It was given up, not taken over.
        var hasLeft = false
        /// Its daemon has asked for that, whatever came of it.
        var wantsToLeave = false
        /// Its daemon knows of it, and has used it.
        var isUsed = false
    }
}

extension FleetLedger.State {
    mutating func join(_ lease: Lease, _ daemon: Int, at now: Instant) {
        let standing = incarnations.filter { $0.value.daemon == daemon && $0.value.freedAt == nil && $0.value.isUsed }
        for other in standing.keys.sorted() {
            problems.append((nil, "daemon \(daemon) joins anew though its lease \(other) stands"))
        }
        incarnations[lease.daemon] = FleetLedger.Incarnation(
            daemon: daemon, epoch: lease.epoch, until: now + lease.length)
    }

    /// The store has let a daemon do something that only the holder of the lease may.
    mutating func act(_ act: InMemoryStore.Act, under lease: Lease, at now: Instant) {
        guard var held = incarnations[lease.daemon] else {
            problems.append((nil, "\(act.rawValue) under lease \(lease.daemon), which nobody was given"))
            return
        }
        if held.freedAt != nil {
            problems.append((nil, "\(act.rawValue) under lease \(lease.daemon), which has ended"))
        }
        if held.epoch != lease.epoch {
            problems.append(
                (nil, "\(act.rawValue) under lease \(lease.daemon) as it was before a commit was read back"))
        }
        switch act {
        case .renew: held.until = now + lease.length
        case .leave: held.hasLeft = true
        default: held.isUsed = true
        }
        incarnations[lease.daemon] = held
    }

    mutating func raise(_ lease: Lease) {
        if let held = incarnations[lease.daemon], held.epoch >= lease.epoch {
            problems.append((nil, "a commit of lease \(lease.daemon) is read back, and may still come"))
        }
        incarnations[lease.daemon]?.epoch = lease.epoch
    }

    mutating func free(_ lease: Int32, at now: Instant) {
        if let held = incarnations[lease], !held.hasLeft, now <= held.until {
            let left = (held.until - now).microseconds
            problems.append((nil, "lease \(lease) is taken over \(left) µs before its end"))
        }
        incarnations[lease]?.freedAt = now
    }

    /// A daemon has stopped of itself: nobody is to wait for the end of its lease.
    mutating func hasDrained(_ daemon: Int) {
        let standing = incarnations.filter {
            $0.value.daemon == daemon && $0.value.freedAt == nil && $0.value.isUsed && !$0.value.wantsToLeave
        }
        for lease in standing.keys.sorted() {
            problems.append((nil, "daemon \(daemon) has stopped, and its lease \(lease) stands"))
        }
    }

    mutating func changeRow(_ saga: SagaID, by lease: Int32) {
        guard let place = places[saga], sagas[place].owner != lease else { return }
        let owner = sagas[place].owner.map { "lease \($0)'s" } ?? "nobody's"
        problems.append((place, "lease \(lease) changes its row, and it is \(owner)"))
    }
}

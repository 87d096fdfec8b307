/// Which daemon holds how many of a service's `maxConcurrent` permits: leases by time, so that those of a dead daemon
/// come back by themselves.
///
/// What unexpired holders hold is never more than the limit in all, whatever reports come, and in what order; only a
/// limit that has just been lowered is above until calls end. Permits are shared by max-min fairness (Bertsekas and
/// Gallager, Data Networks, 6.5.2): each daemon has what it needs up to an equal share. Those that can't be shared
/// evenly, so all of them where there are more daemons than permits, go round by turns.
public struct Bulkhead: Sendable, Hashable {
    /// By daemon, rising.
    var holders: [Holder] = []

    public init() {}

    /// What one daemon holds and would like.
    struct Holder: Sendable, Hashable {
        var daemon: Int32
        var held: Int
        /// When the last call on these permits has ended for certain.
        var until: Instant
        /// How many more it would like.
        var wanted: Int
        /// When it last reported.
        var seen: Instant
        /// While it has a permit above the even share: until when it keeps it.
        ///
        /// Else since when it waits for a turn.
        var turn: Instant

        /// One that hasn't reported for longer isn't waited for.
        ///
        /// An exchange may be based on a somewhat earlier time than one that was written before it.
        func isHungry(at now: Instant) -> Bool {
            wanted > 0 && now < seen + Bulkhead.patience && seen < now + Bulkhead.patience
        }

        func isKept(at now: Instant) -> Bool { (held > 0 && until > now) || isHungry(at: now) }
    }

    /// How long a daemon that wants permits and doesn't report counts as one that waits.
    static let patience = TimeSpan.seconds(2)
    /// How long a daemon keeps a permit for which others wait their turn.
    static let turnLength = TimeSpan.seconds(1)

    /// What a daemon may have.
    private struct Claim {
        /// The permits it may have in use.
        var permits: Int
        /// Those it holds by the books: as many, or more while calls are in flight.
        var held: Int
        /// Whether one of them is above the even share.
        var isTurn: Bool
    }

    /// Replaces a daemon's entry by what it reports.
    ///
    /// - Parameters:
    ///   - wanted: how many more calls it would begin if it had the permits; nil when none may begin.
    ///   - limit: `maxConcurrent`.
    ///   - validUntil: when the last call on what it gets begins.
    /// - Returns: how many permits it may have in use.
    mutating func exchange(
        _ report: ServiceReport, wanted: Int?, limit: Int, validUntil: Instant, now: Instant
    ) -> Int {
        let last = holders.first { $0.daemon == report.daemon }
        holders.removeAll { $0.daemon == report.daemon || !$0.isKept(at: now) }
        let inUse = max(0, report.inUse)
        let demand = inUse.addingClamped(max(0, wanted ?? 0))
        let turn = last?.turn ?? now
        let claim = claim(of: report.daemon, inUse: inUse, demand: demand, turn: turn, limit: limit, now: now)
        let permits = wanted == nil ? 0 : claim.permits
        guard demand > 0 else { return permits }
        let lastEnd = validUntil + max(.zero, report.longestTimeout)
        let inUseUntil = report.inUseUntil ?? lastEnd
        let isNewTurn = claim.isTurn && turn <= now
        let holder = Holder(
            daemon: report.daemon, held: claim.held,
            // Until it has the answer it may begin a call wherever one ends, even if none is to begin any more.
            until: claim.held == 0 ? now : max(inUseUntil, lastEnd),
            wanted: demand - max(claim.held, inUse), seen: now,
            turn: isNewTurn ? now + Self.turnLength : min(turn, now + Self.turnLength)
        )
        let index = holders.firstIndex { $0.daemon > holder.daemon } ?? holders.count
        holders.insert(holder, at: index)
        return permits
    }

    /// Permits that unexpired holders hold in all.
    public func held(at now: Instant) -> Int {
        holders.reduce(0) { $1.until > now ? $0.addingClamped($1.held) : $0 }
    }

    private func others(wait now: Instant) -> Bool { holders.contains { $0.isHungry(at: now) } }

    /// What a daemon that isn't among the holders may have beside them.
    private func claim(of daemon: Int32, inUse: Int, demand: Int, turn: Instant, limit: Int, now: Instant) -> Claim {
        let room = max(0, max(0, limit) - held(at: now))
        guard others(wait: now) else {
            let permits = min(demand, room)
            return Claim(permits: permits, held: permits, isTurn: false)
        }
        let others = holders.map { holder in
            let held = holder.until > now ? holder.held : 0
            return Demand(
                daemon: holder.daemon, amount: holder.isHungry(at: now) ? held.addingClamped(holder.wanted) : held,
                turn: holder.turn)
        }
        let own = Demand(daemon: daemon, amount: demand, turn: turn)
        let (share, isTurn) = Self.share(of: own, beside: others, total: max(0, limit), now: now)
        let permits = min(share, room)
        return Claim(permits: permits, held: max(permits, min(inUse, room)), isTurn: isTurn && permits == share)
    }

    private struct Demand {
        var daemon: Int32
        var amount: Int
        var turn: Instant
    }

    /// The share of one among others by max-min fairness, and whether it is one above the even share by its turn.
    ///
    /// Turns: first those that are in theirs, then those that have waited longest.
    private static func share(of own: Demand, beside others: [Demand], total: Int, now: Instant) -> (Int, Bool) {
        let all = (others + [own]).sorted { ($0.amount, $0.daemon) < ($1.amount, $1.daemon) }
        var left = total
        for (index, demand) in all.enumerated() {
            let even = left / (all.count - index)
            if demand.amount <= even {
                if demand.daemon == own.daemon { return (demand.amount, false) }
                left -= demand.amount
                continue
            }
            // From here on all want more than the even share.
            let surplus = left - even * (all.count - index)
            let order = all[index...].sorted { first, second in
                let isFirstOn = first.turn > now
                guard isFirstOn == (second.turn > now) else { return isFirstOn }
                return (first.turn, first.daemon) < (second.turn, second.daemon)
            }
            let isTurn = order.prefix(surplus).contains { $0.daemon == own.daemon }
            return (isTurn ? even + 1 : even, isTurn)
        }
        return (own.amount, false)
    }
}

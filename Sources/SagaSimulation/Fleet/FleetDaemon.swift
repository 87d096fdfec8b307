import SagaCore
import SagaEngine
import Synchronization

/// The parts of the world that all of a simulation shares.
struct FleetWorld: Sendable {
    let plan: FleetPlan
    let dice: Dice
    let clock: VirtualClock
    let ledger: FleetLedger
    let conditions: FleetConditions
    let executor: SimulatedExecutor
    let breach: FleetBreach?

    var now: Instant { SimulatedRun.start + TimeSpan(microseconds: clock.now()) }

    /// Whether this goes wrong here and now.
    func happens(_ fault: FleetPlan.Fault, times: Int = 1) -> Bool {
        !conditions.isHealed && dice.chance(plan.rate(of: fault) * times)
    }
}

/// How the world is at the moment.
final class FleetConditions: Sendable {
    private struct State {
        var isHealed = false
        var isOver = false
        var outageUntil: Int64 = 0
        var slowUntil: Int64 = 0
        var onTheWayUntil: Int64 = 0
        var poisoned: Set<SagaID> = []
    }

    private let state = Mutex(State())

    var isHealed: Bool { state.withLock { $0.isHealed } }
    /// Nothing has an effect any more: all that is left has to notice it.
    var isOver: Bool { state.withLock { $0.isOver } }

    func heal() {
        state.withLock {
            $0.isHealed = true
            $0.outageUntil = 0
            $0.slowUntil = 0
            $0.poisoned = []
        }
    }

    func end() { state.withLock { $0.isOver = true } }
    /// When the last request has arrived that was on its way while its sender stood still.
    var onTheWayUntil: Int64 { state.withLock { $0.onTheWayUntil } }
    func isOnTheWay(until end: Int64) { state.withLock { $0.onTheWayUntil = max($0.onTheWayUntil, end) } }
    func breakStore(until end: Int64) { state.withLock { $0.outageUntil = max($0.outageUntil, end) } }
    func slowStore(until end: Int64) { state.withLock { $0.slowUntil = max($0.slowUntil, end) } }
    func isStoreDown(at now: Int64) -> Bool { state.withLock { now < $0.outageUntil } }
    func isStoreSlow(at now: Int64) -> Bool { state.withLock { now < $0.slowUntil } }

    /// What is appended to this saga is content that the store refuses, until the world is well.
    func poison(_ saga: SagaID) { _ = state.withLock { $0.poisoned.insert(saga) } }
    func isPoisoned(_ saga: SagaID) -> Bool { state.withLock { !$0.poisoned.isEmpty && $0.poisoned.contains(saga) } }
}

/// One daemon of a fleet: its executor, and whether it lives.
final class FleetDaemon: Sendable {
    private struct State {
        var isDead = false
        var isLeaving = false
        var pausedUntil: Int64 = 0
        var cutOffUntil: Int64 = 0
    }

    let number: Int
    let lane: DaemonLane
    private let world: FleetWorld
    private let state = Mutex(State())

    init(number: Int, world: FleetWorld) {
        self.number = number
        self.world = world
        lane = DaemonLane(world.executor)
    }

    /// Whether it works and is to go on working.
    var isAlive: Bool { state.withLock { !$0.isDead && !$0.isLeaving } }
    var isDead: Bool { state.withLock { $0.isDead } }

    func isCutOff(at now: Int64) -> Bool { state.withLock { now < $0.cutOffUntil } }

    func leave() {
        world.ledger.leave(number)
        state.withLock { $0.isLeaving = true }
    }

    func cutOff(for span: TimeSpan) {
        state.withLock { $0.cutOffUntil = max($0.cutOffUntil, world.clock.now() + span.microseconds) }
    }

    /// Nothing of it runs any more.
    func die(_ kind: FleetKind = .daemonDied) {
        guard !isDead else { return }
        lane.hold()
        state.withLock { $0.isDead = true }
        if kind != .daemonDied { world.ledger.count(.daemonDied) }
        world.ledger.die(number)
        world.ledger.note(kind, number, 0, "daemon \(number): dies (\(kind.name))")
        world.clock.ring()
    }

    /// Nothing of it runs for a while, and then it goes on as if nothing had been.
    func pause(for span: TimeSpan, _ kind: FleetKind = .daemonPaused) {
        guard !isDead else { return }
        lane.hold()
        let end = world.clock.now() + span.microseconds
        state.withLock { $0.pausedUntil = max($0.pausedUntil, end) }
        let now = world.now
        world.ledger.pause(number, from: now, until: now + span)
        if kind != .daemonPaused { world.ledger.count(.daemonPaused) }
        world.ledger.note(
            kind, number, Int(span.microseconds),
            "daemon \(number): stands still for \(span.microseconds / 1_000) ms (\(kind.name))")
        let world = world
        Task(executorPreference: world.executor) {
            await world.clock.sleep(until: end)
            self.goOn()
        }
    }

    /// It stands still in the middle of what it is at, perhaps with a request or two on their way.
    func pauseSoon() {
        let span = world.dice.milliseconds(5...3_000)
        lane.stop(after: world.dice.roll(1...8)) {
            if !self.world.conditions.isHealed { self.pause(for: span, .pausedBetweenJobs) }
        }
    }

    private func goOn() {
        let mayGoOn = state.withLock { !$0.isDead && $0.pausedUntil <= world.clock.now() }
        if mayGoOn { lane.release() }
    }

    /// The world is well: it goes on, if it lives.
    func heal() {
        state.withLock {
            $0.pausedUntil = 0
            $0.cutOffUntil = 0
        }
        goOn()
    }

    /// The simulation is over: what is left of it runs to its end.
    func bury() { lane.release() }
}

/// A daemon's own clock: its zero means nothing.
struct FleetClock: EngineClock {
    let clock: VirtualClock
    let offset: Int64

    func now() -> Int64 { clock.now() + offset }

    nonisolated(nonsending) func sleep(until deadline: Int64) async {
        let (own, overflow) = deadline.subtractingReportingOverflow(offset)
        await clock.sleep(until: overflow ? (deadline < 0 ? .min : .max) : own)
    }
}

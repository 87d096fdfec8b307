import SagaCore
import SagaEngine
import Synchronization

/// A promise that a part of the simulation, never of the product, doesn't keep: the checks must find it.
public enum FleetBreach: String, Sendable, CaseIterable {
    /// The store lets writes through under a lease that was taken over.
    case noFence
    /// The same for a daemon that leaves, for sagas set aside, and for services.
    case noFenceOfLeaving, noFenceOfSettingAside, noFenceOfServices
    /// The store lets a daemon change the rows of sagas that aren't its own.
    case foreignRows
    /// The store takes a lease over before its end.
    case earlyTakeOver
    /// The store doesn't mind that a place in a history is taken.
    case noSequenceLock
    /// The store gives a saga to two daemons.
    case noOwnership
    /// The same when sagas that wait for a service are taken up.
    case noOwnershipOfWaiting
    /// The store lets every change of a service through.
    case noCompareAndSet
    /// The store's row says something else than the history.
    case wrongStatus
    /// The store says that a commit is done which isn't.
    case lyingCommit
    /// The same of a change of a service.
    case lyingServiceWrite
    /// The store says so before it is.
    case earlyAnswer
    /// Participants do an action after its undo.
    case noGuard
    /// A retry goes out under another key.
    case changingKey
    /// A call goes out twice.
    case repeatedCall
    /// What is stuck is never looked after.
    case absentPerson
}

/// Several daemons, their store, participants and persons in virtual time, with whatever may go wrong, all from one
/// seed: the engine itself under simulation, in the way of FoundationDB's (Zhou et al., SIGMOD 2021).
///
/// The daemons are the engine as `sagad` has it, each on an executor that can be held. After a while nothing goes wrong
/// any more, and everything must come to an end.
public struct FleetSimulation: Sendable {
    public let seed: UInt64
    /// A run has far fewer: with more something goes round in circles.
    private static let mostJobs = 10_000_000
    /// Whether the result tells all that happened.
    public var isTraced = false
    public var breach: FleetBreach?

    public init(seed: UInt64) {
        self.seed = seed
    }

    /// Runs it on the calling thread; the same seed gives the same result, to the last byte.
    public func run() -> FleetResult {
        let dice = Dice(seed: seed)
        guard let plan = FleetPlan(dice) else { return FleetResult(seed: seed, fault: "a definition is not valid") }
        let clock = VirtualClock()
        let executor = SimulatedExecutor()
        let ledger = FleetLedger(definitions: plan.definitions, isTraced: isTraced) {
            SimulatedRun.start + TimeSpan(microseconds: clock.now())
        }
        let world = FleetWorld(
            plan: plan, dice: dice, clock: clock, ledger: ledger, conditions: FleetConditions(), executor: executor,
            breach: breach)
        let room = FleetRoom(world)
        let isOver = Mutex(false)
        Task(executorPreference: executor) {
            await room.play()
            isOver.withLock { $0 = true }
        }
        let ending = executor.run(clock, mostJobs: Self.mostJobs) { isOver.withLock { $0 } }
        if case .over = ending {
            // What is left are tasks that have to notice that it is over.
            _ = executor.run(clock) { false }
        } else {
            ledger.fail("the simulation came to no end: \(ending) at \(clock.now()) µs")
        }
        if executor.strayJobs > 0 { ledger.fail("the order of its jobs isn't given") }
        return FleetResult(seed: seed, plan: plan, ledger: ledger.snapshot)
    }
}

/// What came of a fleet's simulation.
public struct FleetResult: Sendable {
    public let seed: UInt64
    /// What no run may come to, each a sentence; empty when all is well.
    public let problems: [String]
    public let coverage: FleetCoverage
    /// Of all that happened, whether it was traced or not.
    public var hash: UInt64 { fingerprint.value }
    /// The same as text.
    public var hashText: String { fingerprint.text }
    private let fingerprint: FleetHash
    /// All that happened, a line each; empty unless traced.
    public let trace: [String]
    /// The definitions, as files.
    public let documents: [String]

    init(seed: UInt64, fault: String) {
        self.seed = seed
        problems = [fault]
        coverage = FleetCoverage()
        fingerprint = FleetHash()
        trace = []
        documents = []
    }

    init(seed: UInt64, plan: FleetPlan, ledger: FleetLedger.State) {
        let checks = FleetChecks(ledger, plan: plan)
        self.seed = seed
        problems =
            ledger.problems.map { problem in
                problem.saga.map { "saga \($0): \(problem.text)" } ?? problem.text
            } + checks.problems
        coverage = ledger.coverage
        fingerprint = ledger.hash
        trace = ledger.lines
        documents = plan.documents.map { String(decoding: $0, as: UTF8.self) }
    }
}

import DequeModule
import HeapModule
import Logging
import SagaCore

/// Runs sagas: claims what is due, decides, commits, then makes the calls that were decided on.
///
/// Everything happens on one executor that is given from outside, so that a simulation can order it. The
/// background services are extensions named by their job: `LeaseKeeper`, `TakeOver`, `Claimer`,
/// `Writer`, `Dispatcher`, `Timers`, `ServiceDesk`, `Drain`.
public actor SagaEngine {
    let configuration: EngineConfiguration
    let store: any SagaStore
    let invoker: any StepInvoker
    let clock: any EngineClock
    let identity: DaemonIdentity
    let parse: @Sendable ([UInt8]) -> Definition?
    let logger: Logger
    private nonisolated let executor: any SerialExecutor

    public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    var runners: [SagaID: SagaRunner] = [:]
    var definitions: [DefinitionID: Definition] = [:]

    // LeaseKeeper
    var lease: Lease?
    /// Monotonic; no call is made after it.
    var leaseEnd = Int64.min
    var databaseClock = DatabaseClock()

    var trouble = DatabaseTrouble()

    // Claimer
    /// The database may count sagas as this daemon's that it doesn't have.
    var mustReclaim = false
    /// Monotonic; when something was due last.
    var lastFound = Int64.min
    /// The store is asked to: taken up meanwhile, a saga would run here and be nobody's.
    var settingAside: Set<SagaID> = []
    /// Halved while what was claimed can't be loaded.
    var loadSize: Int

    // Writer
    var queue: Deque<Append> = []
    /// Monotonic; when what is queued began to wait.
    var queuedSince = Int64.min
    var writerWaiters: [CheckedContinuation<Void, Never>] = []
    var writersAtWork = 0
    /// One was resumed and hasn't looked yet.
    var isWriterWoken = false
    /// A task looks soon whether a writer has to join in.
    var isJoinDue = false
    var readBacksUnderWay = 0
    /// Counts leases: what belongs to an earlier one is dropped.
    var incarnation = 0

    // Dispatcher
    var callQueue: Deque<Call> = []
    var callsOut: [Int: Task<Void, Never>] = [:]
    var nextCallNumber = 0

    // ServiceDesk
    var gates: [ServiceKey: ServiceGate] = [:]
    /// In the order in which they were first asked for.
    var gateOrder: [ServiceGate] = []
    /// By the decision under way.
    var admitted: [(key: ServiceGate.CallKey, gate: ServiceGate)] = []
    var deskSleep: Task<Void, Never>?
    /// Monotonic; when the desk looks again by itself.
    var deskWakesAt = Int64.max
    /// Monotonic; when it was last looked for sagas that nobody runs and that wait for a service.
    var lookedForParked = Int64.min / 2

    // Timers
    var timers = Heap<TimerEntry>()
    var timerSleep: Task<Void, Never>?

    var phase = Phase.idle
    var stopWaiters: [CheckedContinuation<Void, Never>] = []
    var readyWaiters: [CheckedContinuation<Bool, Never>] = []

    /// idle ─► working ─► draining ─► stopped; `stop` before `run` goes straight to stopped.
    enum Phase { case idle, working, draining, stopped }

    /// - Parameters:
    ///   - parse: compiles a definition's bytes; nil for one that this program can't read.
    ///   - executor: where all of the engine runs.
    public init(
        configuration: EngineConfiguration = EngineConfiguration(), store: any SagaStore, invoker: any StepInvoker,
        clock: any EngineClock, identity: DaemonIdentity, parse: @escaping @Sendable ([UInt8]) -> Definition?,
        logger: Logger, executor: any SerialExecutor
    ) {
        self.configuration = configuration
        self.store = store
        self.invoker = invoker
        self.clock = clock
        self.identity = identity
        self.parse = parse
        self.logger = logger
        self.executor = executor
        self.loadSize = configuration.claimSize
    }

    /// Works until `drain` has been called and is through. To be called once.
    public func run() async {
        guard phase == .idle else { return }
        phase = .working
        let services = [
            task { await $0.keepLease() },
            task { await $0.claimDue() },
            task { await $0.runTimers() },
            task { await $0.takeOver() },
            task { await $0.runDesk() },
        ]
        let writers = (0..<max(1, configuration.writers)).map { _ in task { await $0.write() } }
        await withCheckedContinuation { waiter in
            if phase == .stopped { waiter.resume() } else { stopWaiters.append(waiter) }
        }
        for service in services { service.cancel() }
        for service in services { await service.value }
        wakeWriters()
        for writer in writers { await writer.value }
    }

    /// A task of the engine's: all of them are made here.
    ///
    /// On an executor that tasks can prefer, it stays there from its first job to its last. From any other it leaves for
    /// a moment whenever it goes on after a wait, and whoever orders the executor's jobs would know nothing of it.
    @discardableResult
    func task(_ work: @escaping @Sendable (isolated SagaEngine) async -> Void) -> Task<Void, Never> {
        guard let executor = executor as? any TaskExecutor else { return Task { await work(self) } }
        return Task(executorPreference: executor) { await work(self) }
    }

    /// The same with a value of the engine's own, which doesn't leave it.
    @discardableResult
    func task<Value>(
        with value: Value, _ work: @escaping @Sendable (isolated SagaEngine, Value) async -> Void
    ) -> Task<Void, Never> {
        nonisolated(unsafe) let value = value
        return task { await work($0, value) }
    }

    /// Returns once the engine holds a lease and works, or has stopped.
    ///
    /// - Returns: whether it ever got its lease.
    public func waitUntilReady() async -> Bool {
        if lease != nil { return true }
        if phase == .stopped { return false }
        return await withCheckedContinuation { readyWaiters.append($0) }
    }

    /// The sagas in memory and the calls in flight, for logs and tests.
    public var load: (sagas: Int, calls: Int) {
        (runners.count, callsOut.count + callQueue.count + gateOrder.reduce(0) { $0 + $1.late.count })
    }

    /// The database's time.
    func now() -> Instant { databaseClock.time(at: clock.now()) }

    // MARK: One saga

    /// Lets `input` come to a saga, or keeps it until the commit under way is through.
    func advance(_ runner: SagaRunner, _ input: SagaInput) {
        if runner.isCommitting {
            runner.inbox.append(input)
            return
        }
        let decision = decideGuarded(runner, input)
        runner.state = decision.state
        runner.callsAfterCommit = decision.calls
        runner.inputUnderWay = input
        commit(decision.events, of: runner)
    }

    private func commit(_ events: [RecordedEvent], of runner: SagaRunner) {
        let hold = hold(of: runner)
        if hold == .keep, events.isEmpty, runner.rowStatus == runner.state.status {
            noteInputIsThrough(runner)
            setTimer(runner)
            return
        }
        var row: Append.RowChange?
        if hold != .keep || runner.rowStatus != runner.state.status {
            row = Append.RowChange(status: runner.state.status, hold: hold)
        }
        runner.rowStatus = runner.state.status
        runner.isLeaving = hold != .keep
        runner.isCommitting = true
        let stored = events.map { EventCodec.encode($0, definition: runner.definition) }
        enqueue(Append(saga: runner.id, events: stored, row: row))
    }

    private func hold(of runner: SagaRunner) -> Append.Hold {
        let state = runner.state
        if state.status.isEnded { return .end(at: state.endedAt ?? now()) }
        // A daemon that drains holds back what is due: giving up the lease frees its sagas for others at once.
        guard phase == .working, state.callsInFlight.isEmpty, runner.inbox.isEmpty, !runner.mustReload else {
            return .keep
        }
        let due = state.nextDue(in: runner.definition, except: Set(runner.waiters.keys))
        if let due, due < now() + configuration.parkAfter { return .keep }
        if runner.waiters.isEmpty { return .park(dueAt: due, lastSequence: state.sequence, awaiting: nil) }
        guard let awaited = awaitedService(runner) else { return .keep }
        // The row names one service at most; for the others it is looked at now and then.
        let isNamed = awaited != nil && Set(runner.waiters.values.map { ObjectIdentifier($0.gate) }).count == 1
        let review = !isNamed ? now() + configuration.serviceReview : nil
        return .park(
            dueAt: [due, review].compactMap { $0 }.min(), lastSequence: state.sequence, awaiting: awaited)
    }

    /// After a commit: makes the calls, takes what came meanwhile, or lets the saga leave memory.
    func committed(_ runner: SagaRunner) {
        runner.isCommitting = false
        if runner.loggedStatus != runner.state.status {
            runner.loggedStatus = runner.state.status
            log(runner.state, of: runner)
        }
        if runner.isLeaving {
            forget(runner)
            // It was changed from outside and claimed again before its leaving was known here.
            if runner.mustReload { mustReclaim = true }
            return
        }
        noteInputIsThrough(runner)
        takeInbox(runner)
    }

    private func noteInputIsThrough(_ runner: SagaRunner) {
        if case .answered(let operation, let attempt, _) = runner.inputUnderWay {
            // An answer that came too late says nothing of the attempt that is out now.
            if case .running(let current, _) = runner.state[operation].phase, current != attempt {
            } else {
                runner.ownCalls.remove(operation)
            }
        }
        runner.inputUnderWay = nil
        let calls = runner.callsAfterCommit
        runner.callsAfterCommit = []
        for call in calls {
            runner.ownCalls.insert(call.operation)
            enqueue(call)
        }
    }

    func takeInbox(_ runner: SagaRunner) {
        guard runners[runner.id] === runner else { return }
        if runner.mustReload, !runner.isCommitting {
            reload(runner)
            return
        }
        while !runner.isCommitting, let input = runner.inbox.popFirst() { advance(runner, input) }
        if !runner.isCommitting { setTimer(runner) }
    }

    func forget(_ runner: SagaRunner) {
        runners[runner.id] = nil
        leaveRooms(runner)
        for call in runner.callsAfterCommit { release(call, nil, duration: .zero) }
        runner.callsAfterCommit = []
        runner.timerDue = nil
    }

    private func log(_ state: SagaState, of runner: SagaRunner) {
        let level: Logger.Level = state.status == .stuck ? .warning : state.status.isEnded ? .info : .debug
        guard logger.logLevel <= level else { return }
        var metadata: Logger.Metadata = ["saga": "\(runner.id)", "name": "\(runner.definition.name)"]
        if let failure = state.failure {
            metadata["error"] = "\(failure.error)"
            if let step = failure.step { metadata["step"] = "\(runner.definition.steps[step].name)" }
        }
        logger.log(level: level, "saga is \(state.status.name)", metadata: metadata)
    }
}

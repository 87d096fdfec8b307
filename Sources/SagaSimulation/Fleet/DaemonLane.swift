import DequeModule
import Synchronization

/// The executor of one simulated daemon: it goes by the simulation's order, and can be held, so that nothing in the
/// daemon runs, as in a stopped process.
///
/// What comes meanwhile runs when it goes on, in the order in which it came, and finds that time has passed.
final class DaemonLane: SerialExecutor, TaskExecutor {
    fileprivate struct State {
        var isHeld = false
        var held: Deque<UnownedJob> = []
        /// What to do once so many more jobs have run.
        var stop: (jobsLeft: Int, act: @Sendable () -> Void)?
    }

    private let state = Mutex(State())
    private let executor: SimulatedExecutor

    init(_ executor: SimulatedExecutor) {
        self.executor = executor
    }

    func enqueue(_ job: consuming ExecutorJob) {
        executor.enqueue(UnownedJob(job), of: self)
    }

    /// Runs a job whose turn has come, or keeps it while the lane is held.
    func run(_ job: UnownedJob) {
        let (isHeld, stop) = state.withLock { state in
            if state.isHeld { state.held.append(job) }
            return (state.isHeld, state.isHeld ? nil : state.countDown())
        }
        if isHeld { return }
        defer { stop?() }
        job.runSynchronously(isolatedTo: asUnownedSerialExecutor(), taskExecutor: asUnownedTaskExecutor())
    }

    /// Does `act` once so many more jobs have run: between any two of them a process may be stopped.
    func stop(after jobs: Int, _ act: @escaping @Sendable () -> Void) {
        state.withLock { $0.stop = $0.stop ?? (jobs, act) }
    }

    func hold() { state.withLock { $0.isHeld = true } }

    func release() {
        let held = state.withLock { state in
            state.isHeld = false
            defer { state.held = [] }
            return state.held
        }
        for job in held { executor.enqueue(job, of: self) }
    }
}

extension DaemonLane.State {
    /// One job runs; returns what is to be done after it.
    fileprivate mutating func countDown() -> (@Sendable () -> Void)? {
        guard let stop else { return nil }
        self.stop = stop.jobsLeft > 1 ? (stop.jobsLeft - 1, stop.act) : nil
        return stop.jobsLeft > 1 ? nil : stop.act
    }
}

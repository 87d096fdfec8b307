import DequeModule
import Synchronization

/// The executor of one simulated daemon: it goes by the simulation's order, and can be held, so that nothing in the
/// daemon runs, as in a stopped process.
///
/// What comes meanwhile runs when it goes on, in the order in which it came, and finds that time has passed.
final class DaemonLane: SerialExecutor, TaskExecutor {
    private struct State {
        var isHeld = false
        var held: Deque<UnownedJob> = []
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
        let isHeld = state.withLock { state in
            if state.isHeld { state.held.append(job) }
            return state.isHeld
        }
        if isHeld { return }
        job.runSynchronously(isolatedTo: asUnownedSerialExecutor(), taskExecutor: asUnownedTaskExecutor())
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

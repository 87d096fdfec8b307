import SagaCore
import SagaSimulation
import Synchronization

public typealias InMemoryStore = SagaSimulation.InMemoryStore

extension InMemoryStore {
    /// A store that runs beside whatever uses it, as a server would.
    ///
    /// - Parameter clock: what stands for the database's clock.
    public init(clock: @escaping @Sendable () -> Instant) {
        self.init(clock: clock, executor: PoolExecutor())
    }
}

/// Runs jobs one after the other on the threads of the runtime's pool, as an actor without an executor of its own does.
final class PoolExecutor: SerialExecutor {
    private struct State {
        var jobs: [UnownedJob] = []
        var isRunning = false
    }

    private let state = Mutex(State())

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let mustRun = state.withLock { state in
            state.jobs.append(job)
            defer { state.isRunning = true }
            return !state.isRunning
        }
        if mustRun { Task.detached { self.runJobs() } }
    }

    private func runJobs() {
        while true {
            let jobs = state.withLock { state in
                let jobs = state.jobs
                state.jobs = []
                state.isRunning = !jobs.isEmpty
                return jobs
            }
            if jobs.isEmpty { return }
            for job in jobs { job.runSynchronously(on: asUnownedSerialExecutor()) }
        }
    }
}

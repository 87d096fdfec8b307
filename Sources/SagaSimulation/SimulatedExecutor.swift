import DequeModule
import Glibc
import Synchronization

/// Runs jobs one after the other on the thread that calls `run`, first in first out: the same jobs in the same order,
/// whenever and wherever it runs.
///
/// It holds only as long as everything stays on it: actors have it as their executor, and whatever isn't isolated to
/// one of them is never awaited.
public final class SimulatedExecutor: SerialExecutor, TaskExecutor {
    private struct Entry {
        let job: UnownedJob
        /// nil for the simulation's own.
        let lane: DaemonLane?
    }

    private struct State {
        var jobs: Deque<Entry> = []
        var thread: pthread_t?
        var strayJobs = 0
    }

    /// How a run came to its end.
    enum Ending {
        case over
        /// Nothing can run, and nobody sleeps.
        case idle
        /// Time stands still though there is always something to run.
        case standstill
        /// Time goes on, and there was more to run than was allowed.
        case endless
    }

    /// So many jobs at one instant are work without end.
    private static let mostJobsAtOnce = 2_000_000

    private let state = Mutex(State())

    public init() {}

    /// Jobs that came from another thread while it ran: with any, the order isn't given.
    public var strayJobs: Int { state.withLock { $0.strayJobs } }

    public func enqueue(_ job: consuming ExecutorJob) {
        enqueue(UnownedJob(job), of: nil)
    }

    func enqueue(_ job: UnownedJob, of lane: DaemonLane?) {
        state.withLock { state in
            state.jobs.append(Entry(job: job, lane: lane))
            if let thread = state.thread, pthread_equal(thread, pthread_self()) == 0 { state.strayJobs += 1 }
        }
    }

    /// Runs what there is, and lets time pass whenever there is nothing, until `isOver`.
    func run(_ clock: VirtualClock, mostJobs: Int = .max, until isOver: () -> Bool) -> Ending {
        state.withLock { $0.thread = pthread_self() }
        defer { state.withLock { $0.thread = nil } }
        var count = 0
        var total = 0
        while !isOver() {
            if let entry = state.withLock({ $0.jobs.popFirst() }) {
                if let lane = entry.lane {
                    lane.run(entry.job)
                } else {
                    entry.job.runSynchronously(
                        isolatedTo: asUnownedSerialExecutor(), taskExecutor: asUnownedTaskExecutor())
                }
                count += 1
                total += 1
                if total > mostJobs { return .endless }
                if count > SimulatedExecutor.mostJobsAtOnce { return .standstill }
            } else {
                let before = clock.now()
                guard clock.advance() else { return .idle }
                if clock.now() > before { count = 0 }
            }
        }
        return .over
    }
}

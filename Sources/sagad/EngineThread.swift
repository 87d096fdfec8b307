import Glibc
import Synchronization

/// The one thread that the engine runs on.
///
/// Without work it sleeps in the kernel, reading a pipe. It lives as long as the process.
final class EngineThread: SerialExecutor {
    private struct State {
        var jobs: [UnownedJob] = []
        var isAsleep = false
    }

    private let state = Mutex(State())
    /// A byte from one end to the other wakes the thread.
    private let sleepingEnd: Int32
    private let wakingEnd: Int32

    /// Starts the thread; nil when the process may open no more descriptors or threads.
    init?() {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { return nil }
        (sleepingEnd, wakingEnd) = (ends[0], ends[1])
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        var thread = pthread_t()
        let itself = Unmanaged.passRetained(self)
        let code = pthread_create(
            &thread,
            nil,
            { argument in
                if let argument { Unmanaged<EngineThread>.fromOpaque(argument).takeUnretainedValue().runJobs() }
                return nil
            },
            itself.toOpaque()
        )
        guard code == 0 else {
            itself.release()
            return nil
        }
        pthread_detach(thread)
    }

    deinit {
        close(sleepingEnd)
        close(wakingEnd)
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let mustWake = state.withLock { state in
            state.jobs.append(job)
            defer { state.isAsleep = false }
            return state.isAsleep
        }
        guard mustWake else { return }
        var byte: UInt8 = 0
        while write(wakingEnd, &byte, 1) < 0, errno == EINTR {}
    }

    private func runJobs() {
        let executor = asUnownedSerialExecutor()
        var batch: [UnownedJob] = []
        while true {
            batch.removeAll(keepingCapacity: true)
            state.withLock { state in
                swap(&batch, &state.jobs)
                state.isAsleep = batch.isEmpty
            }
            if batch.isEmpty {
                var byte: UInt8 = 0
                while read(sleepingEnd, &byte, 1) < 0, errno == EINTR {}
            }
            for job in batch { job.runSynchronously(on: executor) }
        }
    }
}

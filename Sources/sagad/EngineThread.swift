import Glibc
import Synchronization

/// The one thread that the engine runs on, with its timers.
///
/// Without work it sleeps in the kernel until the next timer. It lives as long as the process.
final class EngineThread: SerialExecutor {
    private struct Sleeper {
        let deadline: Int64
        let number: UInt64
        let continuation: CheckedContinuation<Void, Never>
    }

    private struct State {
        var jobs: [UnownedJob] = []
        var isAsleep = false
        /// Few: the engine's services.
        var sleepers: [Sleeper] = []
        var nextNumber: UInt64 = 0
    }

    /// Definitions and inputs are gone through by recursion, up to limits that take a megabyte, or several in a debug
    /// build; `ulimit -s` has no say in it.
    private static let stackBytes = 8 << 20

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
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setstacksize(&attributes, EngineThread.stackBytes)
        var thread = pthread_t()
        let itself = Unmanaged.passRetained(self)
        let code = pthread_create(
            &thread,
            &attributes,
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
        wake { $0.jobs.append(job) }
    }

    /// Returns at `deadline`, in `BootClock`'s microseconds, or when the task is cancelled.
    nonisolated(nonsending) func sleep(until deadline: Int64) async {
        let number = state.withLock { state in
            state.nextNumber += 1
            return state.nextNumber
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                wake { $0.sleepers.append(Sleeper(deadline: deadline, number: number, continuation: continuation)) }
                // A cancellation before that found nobody.
                if Task.isCancelled { rouse(number) }
            }
        } onCancel: {
            rouse(number)
        }
    }

    private func rouse(_ number: UInt64) {
        let sleeper = state.withLock { state in
            state.sleepers.firstIndex { $0.number == number }.map { state.sleepers.remove(at: $0) }
        }
        sleeper?.continuation.resume()
    }

    /// Changes what the thread has to do, and wakes it if it sleeps.
    private func wake(_ change: (inout sending State) -> Void) {
        let mustWake = state.withLock { state in
            change(&state)
            defer { state.isAsleep = false }
            return state.isAsleep
        }
        guard mustWake else { return }
        var byte: UInt8 = 0
        while write(wakingEnd, &byte, 1) < 0, errno == EINTR {}
    }

    private func runJobs() {
        let executor = asUnownedSerialExecutor()
        var jobs: [UnownedJob] = []
        while true {
            jobs.removeAll(keepingCapacity: true)
            var due: [Sleeper] = []
            var pause = Int64.max
            state.withLock { state in
                swap(&jobs, &state.jobs)
                if !state.sleepers.isEmpty { pause = Self.takeDue(&state.sleepers, &due) }
                state.isAsleep = jobs.isEmpty && due.isEmpty
            }
            for sleeper in due { sleeper.continuation.resume() }
            if jobs.isEmpty, due.isEmpty { rest(upTo: pause) }
            for job in jobs { job.runSynchronously(on: executor) }
        }
    }

    /// Moves those whose time has come; returns the microseconds until the next.
    private static func takeDue(_ sleepers: inout [Sleeper], _ due: inout [Sleeper]) -> Int64 {
        let now = BootClock.microseconds()
        due = sleepers.filter { $0.deadline <= now }
        if !due.isEmpty { sleepers.removeAll { $0.deadline <= now } }
        let next = sleepers.map(\.deadline).min() ?? .max
        return next == .max ? .max : next &- now
    }

    /// The kernel doesn't count the machine's sleep here, so no wait with a timer is longer than a second.
    private func rest(upTo pause: Int64) {
        let milliseconds = pause == .max ? -1 : Int32(min(1_000, (max(0, pause) + 999) / 1_000))
        var descriptor = pollfd(fd: sleepingEnd, events: Int16(POLLIN), revents: 0)
        let ready = poll(&descriptor, 1, milliseconds)
        // Set before the byte was written: whoever woke the thread has reset it.
        let wasWoken = state.withLock { state in
            defer { state.isAsleep = false }
            return !state.isAsleep
        }
        guard ready > 0 || wasWoken else { return }
        var byte: UInt8 = 0
        while read(sleepingEnd, &byte, 1) < 0, errno == EINTR {}
    }
}

import CLibpq
import Glibc
import Synchronization

/// One thread that runs one connection's work, so that libpq's calls and `poll(2)` never block Swift's thread pool.
///
/// Between jobs, and while the connection waits for the server, the thread sleeps in the kernel on an eventfd: idle it
/// costs no CPU. The thread keeps the executor alive until `stop()`.
final class ConnectionExecutor: SerialExecutor {
    /// Readable when a job came while the thread slept, or when `wake()` was called.
    ///
    /// A wait for the server watches it beside the socket.
    let wakeDescriptor: Int32

    private struct State {
        var jobs: [UnownedJob] = []
        var isAsleep = false
        var isStopped = false
    }

    private let state = Mutex(State())

    /// Starts the thread.
    ///
    /// - Throws: `.connectFailed` when the process may open no more descriptors or threads.
    init() throws(PostgresError) {
        wakeDescriptor = eventfd(0, Int32(EFD_CLOEXEC))
        guard wakeDescriptor >= 0 else { throw PostgresError.outOfResources("eventfd", errno) }
        do throws(ThreadStartFailure) {
            try Self.startThread(self) { $0.runJobs() }
        } catch {
            throw PostgresError.outOfResources("thread", error.code)
        }
    }

    deinit {
        if wakeDescriptor >= 0 { close(wakeDescriptor) }
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let mustWake = state.withLock { state in
            state.jobs.append(job)
            defer { state.isAsleep = false }
            return state.isAsleep
        }
        if mustWake { wake() }
    }

    /// Ends a wait for the server early, so that it looks at its interruption again.
    ///
    /// Needless calls do no harm.
    func wake() {
        var one: UInt64 = 1
        while write(wakeDescriptor, &one, 8) < 0, errno == EINTR {}
    }

    /// Lets the thread end once it has run what is enqueued.
    func stop() {
        state.withLock { $0.isStopped = true }
        wake()
    }

    /// Takes the wake-ups that have come; blocks until there is one.
    func consumeWakeUps() {
        var count: UInt64 = 0
        while read(wakeDescriptor, &count, 8) < 0, errno == EINTR {}
    }

    private func runJobs() {
        let executor = asUnownedSerialExecutor()
        var batch: [UnownedJob] = []
        while true {
            batch.removeAll(keepingCapacity: true)
            let isStopped = state.withLock { state in
                swap(&batch, &state.jobs)
                state.isAsleep = batch.isEmpty && !state.isStopped
                return state.isStopped
            }
            if batch.isEmpty {
                if isStopped { return }
                consumeWakeUps()
                state.withLock { $0.isAsleep = false }
                continue
            }
            for job in batch { job.runSynchronously(on: executor) }
        }
    }
}

/// Why a thread couldn't be started.
struct ThreadStartFailure: Error {
    let code: Int32
}

extension ConnectionExecutor {
    /// Starts a detached thread that takes no signals, with a small stack.
    static func startThread<Argument: AnyObject & Sendable>(
        _ argument: Argument,
        _ body: @escaping @Sendable (Argument) -> Void
    ) throws(ThreadStartFailure) {
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        pthread_attr_setstacksize(&attributes, 1 << 20)
        let start = Unmanaged.passRetained(ThreadStart { body(argument) })
        // The new thread inherits the mask: a program's signal handlers never run on it.
        var all = sigset_t()
        var previous = sigset_t()
        sigfillset(&all)
        pthread_sigmask(SIG_SETMASK, &all, &previous)
        var thread = pthread_t()
        let code = pthread_create(
            &thread,
            &attributes,
            { start in
                if let start { Unmanaged<ThreadStart>.fromOpaque(start).takeRetainedValue().body() }
                return nil
            },
            start.toOpaque()
        )
        pthread_sigmask(SIG_SETMASK, &previous, nil)
        if code != 0 {
            start.release()
            throw ThreadStartFailure(code: code)
        }
    }
}

private final class ThreadStart: Sendable {
    let body: @Sendable () -> Void

    init(_ body: @escaping @Sendable () -> Void) {
        self.body = body
    }
}

extension PostgresError {
    fileprivate static func outOfResources(_ what: String, _ code: Int32) -> PostgresError {
        PostgresError(.connectFailed, "can't make a \(what) for a connection: \(String(cString: strerror(code)))")
    }
}

import Glibc
import SagaEngine

/// The time since the machine started, its sleep included (`CLOCK_BOOTTIME`): no setting of the wall clock moves it.
///
/// It sleeps on the engine's own thread, which saves a third of what the runtime's timers cost an idle daemon.
struct BootClock: EngineClock {
    let thread: EngineThread

    func now() -> Int64 { Self.microseconds() }

    /// Returns at `deadline`, up to a millisecond late, or when the task is cancelled.
    nonisolated(nonsending) func sleep(until deadline: Int64) async {
        await thread.sleep(until: deadline)
    }

    static func microseconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        return Int64(time.tv_sec) &* 1_000_000 &+ Int64(time.tv_nsec) / 1_000
    }
}

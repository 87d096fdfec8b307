import Glibc
import SagaEngine

/// The time since the machine started, its sleep included (`CLOCK_BOOTTIME`): no setting of the wall clock moves it.
struct BootClock: EngineClock {
    func now() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        return Int64(time.tv_sec) &* 1_000_000 &+ Int64(time.tv_nsec) / 1_000
    }

    /// Sleeps on the standard library's continuous clock, which on Linux is this very one.
    ///
    /// Without tolerance: the probe's interval is part of every saga's latency.
    func sleep(until deadline: Int64) async {
        let (left, overflow) = deadline.subtractingReportingOverflow(now())
        guard left > 0 else { return }
        // A day at a time, so that no distant deadline overflows what the runtime counts in.
        let pause = overflow ? 86_400_000_000 : min(left, 86_400_000_000)
        try? await Task.sleep(for: .microseconds(pause), tolerance: .zero, clock: .continuous)
        if pause < left, !Task.isCancelled { await sleep(until: deadline) }
    }
}

import SagaCore
import SagaEngine
import Synchronization

/// A clock that moves only when nothing can run any more: then to the earliest sleeper, so that hours take no time.
///
/// Those that wake at one instant wake in the order in which they fell asleep.
public final class VirtualClock: EngineClock {
    private struct Sleeper {
        let deadline: Int64
        let number: UInt64
        let isWatching: Bool
        let continuation: CheckedContinuation<Void, Never>
    }

    private struct State {
        var now: Int64 = 0
        var sleepers: [Sleeper] = []
        var nextNumber: UInt64 = 0
        var rings = 0
    }

    private let state = Mutex(State())

    public init() {}

    /// Microseconds since the clock was made.
    public func now() -> Int64 { state.withLock { $0.now } }

    /// Returns at `deadline` or when the task is cancelled; never before everything else that can run has run.
    public nonisolated(nonsending) func sleep(until deadline: Int64) async {
        await sleep(until: deadline, watchingSince: nil)
    }

    /// How often `ring` was called.
    var rings: Int { state.withLock { $0.rings } }

    /// Returns at `deadline`, when the task is cancelled, or when `ring` is called, which counts from when it had been
    /// called `rings` times.
    nonisolated(nonsending) func watch(until deadline: Int64, since rings: Int) async {
        await sleep(until: deadline, watchingSince: rings)
    }

    /// Sleeps for `span`, which may be of any length.
    nonisolated(nonsending) func sleep(for span: TimeSpan) async {
        let (deadline, overflow) = now().addingReportingOverflow(max(0, span.microseconds))
        await sleep(until: overflow ? .max : deadline, watchingSince: nil)
    }

    /// Wakes those that watch: something happened that they may have waited for.
    func ring() {
        state.withLock { $0.rings += 1 }
        wake { $0.isWatching }
    }

    /// Moves time to the earliest sleeper and wakes all whose time has come; false when nobody sleeps.
    func advance() -> Bool {
        let earliest = state.withLock { state in
            guard let earliest = state.sleepers.map(\.deadline).min() else { return false }
            state.now = max(state.now, earliest)
            return true
        }
        guard earliest else { return false }
        let now = now()
        wake { $0.deadline <= now }
        return true
    }

    private nonisolated(nonsending) func sleep(until deadline: Int64, watchingSince rings: Int?) async {
        let number = state.withLock { state in
            state.nextNumber += 1
            return state.nextNumber
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let sleeper = Sleeper(
                    deadline: deadline, number: number, isWatching: rings != nil, continuation: continuation)
                state.withLock { $0.sleepers.append(sleeper) }
                // What came before that found nobody.
                if Task.isCancelled || rings.map({ $0 != self.rings }) ?? false { wake { $0.number == number } }
            }
        } onCancel: {
            wake { $0.number == number }
        }
    }

    private func wake(_ isMeant: (Sleeper) -> Bool) {
        let woken = state.withLock { state in
            let woken = state.sleepers.filter(isMeant)
            if !woken.isEmpty { state.sleepers.removeAll(where: isMeant) }
            return woken
        }
        for sleeper in woken { sleeper.continuation.resume() }
    }
}

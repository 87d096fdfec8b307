import HeapModule
import SagaCore

/// One saga's wish to be looked at.
struct TimerEntry: Comparable {
    /// Monotonic microseconds.
    let at: Int64
    let due: Instant
    let saga: SagaID

    static func < (left: TimerEntry, right: TimerEntry) -> Bool { (left.at, left.saga) < (right.at, right.saga) }
}

/// Wakes sagas in memory when their next attempt, deadline or end of waiting is due.
extension SagaEngine {
    func runTimers() async {
        while phase == .working || phase == .draining, !Task.isCancelled {
            ring()
            let next = timers.min?.at ?? clock.now() + 3_600_000_000
            let sleep = task { await $0.clock.sleep(until: next) }
            timerSleep = sleep
            await withTaskCancellationHandler {
                await sleep.value
            } onCancel: {
                sleep.cancel()
            }
        }
    }

    /// Lets every saga whose time has come go on.
    func ring() {
        let monotonic = clock.now()
        while let entry = timers.min, entry.at <= monotonic {
            timers.removeMin()
            guard let runner = runners[entry.saga], runner.timerDue == entry.due else { continue }
            runner.timerDue = nil
            runner.timerRang = entry.due
            advance(runner, .proceed)
        }
    }

    /// An entry stays when its saga is set to another time or leaves; now and then they are all thrown out.
    private func dropStaleTimers() {
        guard timers.count > 2 * runners.count + 1_024 else { return }
        timers = Heap(timers.unordered.filter { runners[$0.saga]?.timerDue == $0.due })
    }

    /// Sets the saga's timer to the next time it can do something by itself.
    func setTimer(_ runner: SagaRunner) {
        guard runners[runner.id] === runner,
            let due = runner.state.nextDue(in: runner.definition, except: Set(runner.waiters.keys))
        else {
            runner.timerDue = nil
            return
        }
        guard runner.timerDue != due else { return }
        runner.timerDue = due
        var at = databaseClock.monotonic(of: due)
        // Rang for this already and nothing followed: the clock was set back a little, or it is held.
        if runner.timerRang == due { at = max(at, clock.now() + 100_000) }
        let isEarliest = timers.min.map { at < $0.at } ?? true
        timers.insert(TimerEntry(at: at, due: due, saga: runner.id))
        dropStaleTimers()
        if isEarliest { timerSleep?.cancel() }
    }
}

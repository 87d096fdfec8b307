import Dispatch
import Synchronization

/// Makes runs on all cores, and says on a terminal how far they are if they take long.
struct ParallelRuns {
    /// What is being run, such as a definition's name.
    let name: String
    let terminal: Terminal

    /// A `FaultMatrix.Spread`.
    @Sendable func spread(_ count: Int, _ work: @escaping @Sendable (Int) -> Void) {
        let progress = RunProgress(name: name, count: count, terminal: terminal)
        DispatchQueue.concurrentPerform(iterations: count) { number in
            work(number)
            progress.step()
        }
        progress.end()
    }
}

/// How many runs are over, on a line of standard error that is gone at the end.
private final class RunProgress: Sendable {
    private struct State {
        var done = 0
        var isShown = false
        /// Nothing is said of what is over before.
        var next = ContinuousClock.now + .seconds(1)
    }

    private let name: String
    private let count: Int
    private let terminal: Terminal
    private let state = Mutex(State())

    init(name: String, count: Int, terminal: Terminal) {
        self.name = name
        self.count = count
        self.terminal = terminal
    }

    func step() {
        state.withLock { state in
            state.done += 1
            guard terminal.isTerminal, ContinuousClock.now >= state.next else { return }
            state.next = .now + .milliseconds(200)
            state.isShown = true
            let text = "\(name): \(state.done) of \(count) runs".truncated(to: terminal.width - 1)
            Output.rawError("\r\(text)\u{1B}[K")
        }
    }

    func end() {
        state.withLock { if $0.isShown { Output.rawError("\r\u{1B}[K") } }
    }
}

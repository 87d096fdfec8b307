import PostgresClient
import SagaCore
import SagaPostgres

/// Follows a run to the end of its last saga.
///
/// It looks at a window of sagas in the order of their starts and moves on once all of it is over, so that every saga is
/// looked at about once, however many there are.
struct BenchFollower {
    let total: Int
    let database: BenchDatabase
    let ledger: BenchLedger
    let daemon: BenchDaemon?

    private static let window = 256
    private static let pause = Duration.milliseconds(50)
    /// How long nothing may end while a daemon is alive: longer than all attempts of a step that only times out.
    private static let patience = Duration.seconds(240)
    private static let daemonCheck = Duration.seconds(2)

    /// Returns when every saga has ended or needs a person.
    ///
    /// - Throws: `CommandFailure` when nothing goes on any more, `PostgresError`, `CancellationError`.
    func followToEnd() async throws {
        var progress = BenchProgress(total: total)
        defer { progress.end() }
        var (place, over) = (0, 0)
        var changed = ContinuousClock.now
        var checked = changed
        while place < total {
            let ids = ledger.ids(from: place, most: Self.window)
            let count = ids.isEmpty ? 0 : try await database.countOver(ids)
            if place + count > over {
                over = place + count
                changed = .now
            }
            if count == ids.count { place += count }
            progress.show(started: ledger.count, over: over)
            if count == Self.window || place == total { continue }
            if ContinuousClock.now - checked >= Self.daemonCheck {
                checked = .now
                try await check(over: over, since: changed)
            }
            try await Task.sleep(for: Self.pause)
        }
    }

    private func check(over: Int, since changed: ContinuousClock.Instant) async throws {
        try await daemon?.check()
        let stand = "\(over) of \(total) sagas have ended"
        if try await database.liveDaemons().isEmpty {
            throw CommandFailure("no daemon is alive any more: \(stand)")
        }
        guard ContinuousClock.now - changed < Self.patience else {
            throw CommandFailure("nothing has ended for \(Self.patience): \(stand)")
        }
    }
}

/// How far a run is, on a line of standard error that is written over; nothing where that isn't a terminal.
struct BenchProgress {
    let total: Int
    private let terminal = Terminal.error
    private let began = ContinuousClock.now
    private var shown = ""

    init(total: Int) { self.total = total }

    mutating func show(started: Int, over: Int) {
        guard terminal.isTerminal else { return }
        let seconds = (ContinuousClock.now - began).components.seconds
        let starts = started < total ? "\(started) started, " : ""
        let line = "\(starts)\(over) of \(total) ended, \(seconds) s".truncated(to: terminal.width - 1)
        guard line != shown else { return }
        shown = line
        Output.rawError("\r\u{1B}[K" + line)
    }

    /// Takes the line away.
    func end() {
        if !shown.isEmpty { Output.rawError("\r\u{1B}[K") }
    }
}

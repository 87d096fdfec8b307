import SagaCore

/// How many of the orders have ended: a bar on a terminal, elsewhere a line for each quarter.
struct DemoProgress {
    let total: Int
    let terminal: Terminal
    private var quartersShown = 0
    private var shown = ""

    private static let cells = 30

    init(total: Int, terminal: Terminal) {
        self.total = total
        self.terminal = terminal
    }

    /// What to write to standard output for the state reached; nil when there is nothing new to say.
    mutating func text(_ statuses: [SagaStatus]) -> String? {
        let over = statuses.count { $0.isEnded || $0 == .stuck }
        let counts = SagaStatus.allCases.compactMap { status -> (text: String, status: SagaStatus)? in
            let count = statuses.count { $0 == status }
            return count > 0 ? ("\(count) \(status.name)", status) : nil
        }
        if terminal.isTerminal {
            let filled = total > 0 ? Self.cells * over / total : Self.cells
            let bar = String(repeating: "█", count: filled) + String(repeating: "░", count: Self.cells - filled)
            let detail = "  \(over)/\(total)  " + counts.map(\.text).joined(separator: ", ")
            let line = terminal.paint(bar, .green) + detail.truncated(to: terminal.width - Self.cells - 1)
            guard line != shown else { return nil }
            shown = line
            return "\r\u{1B}[K" + line
        }
        let quarters = total > 0 ? 4 * over / total : 4
        guard quarters > quartersShown else { return nil }
        quartersShown = quarters
        let ended = counts.filter { $0.status.isEnded || $0.status == .stuck }.map(\.text).joined(separator: ", ")
        return "  \(over) of \(total) ended: \(ended)\n"
    }

    /// What ends the progress' line.
    var end: String { terminal.isTerminal ? "\n" : "" }
}

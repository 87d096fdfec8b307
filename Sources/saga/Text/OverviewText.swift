import SagaCore

/// The overview, for people: what needs attention first.
struct OverviewText {
    let overview: Overview
    /// The database's clock.
    let now: Instant
    let terminal: Terminal

    /// So many groups are shown: a participant that puts a number into the names of its errors makes one of each.
    private static let shownGroups = 20

    var lines: [String] {
        var lines: [String] = []
        if !overview.attention.isEmpty { lines += attention + [""] }
        if !troubled.isEmpty { lines += breakers + [""] }
        lines += counts + [""] + daemons
        if let due = overview.oldestDue { lines += ["", oldestDue(due)] }
        return lines
    }

    private var attention: [String] {
        var table = Table([
            .init("STUCK", isNumeric: true), .init("SAGA", minimum: 12), .init("STEP", minimum: 12),
            .init("ERROR", minimum: 16), .init("SINCE"),
        ])
        let groups = overview.attention.prefix(Self.shownGroups)
        for item in groups {
            table.add([
                .init(String(item.count), .boldRed), .init(item.saga), .init(item.step ?? ""), .init(item.error),
                .init(item.oldest.relative(to: now)),
            ])
        }
        let title = terminal.paint("Needs a person", .bold)
        let rows = table.lines(for: terminal)
        var lines = ["\(title) (look first: \(lookCommand.sanitized))"]
        lines += rows.prefix(1).map { "  \($0)" }
        for (row, item) in zip(rows.dropFirst(), groups) {
            lines += ["  \(row)", "      \(item.retryCommand.sanitized)"]
        }
        let rest = overview.attention.dropFirst(Self.shownGroups)
        if !rest.isEmpty {
            let sagas = rest.reduce(0) { $0 + $1.count }
            lines.append("  … and \(rest.count) more such groups with \(sagas) \(sagas == 1 ? "saga" : "sagas")")
        }
        return lines
    }

    /// How to see them: the one group, or the one saga, where there is no other.
    private var lookCommand: String {
        guard overview.attention.count == 1, let item = overview.attention.first else {
            return "saga list --status stuck"
        }
        return item.id.map { "saga status \($0)" } ?? "saga list \(item.filters)"
    }

    private var troubled: [Overview.Breaker] {
        overview.breakers.filter { $0.state != BreakerState.closed.rawValue }
    }

    /// The services that aren't called as usual.
    private var breakers: [String] {
        var table = Table([
            .init("SERVICE", minimum: 12), .init("BREAKER"), .init("SINCE"), .init("NEXT PROBE"),
            .init("URL", minimum: 12),
        ])
        for breaker in troubled {
            table.add([
                .init(breaker.service), .init(breaker.state, BreakerState(rawValue: breaker.state)?.style),
                .init(breaker.since.relative(to: now)),
                .init(breaker.nextProbe.map { $0 <= now ? "when one is due" : $0.relative(to: now) } ?? ""),
                .init(breaker.url),
            ])
        }
        let title = terminal.paint("Services held back", .bold)
        return ["\(title) (saga breaker list)"] + table.lines(for: terminal).map { "  \($0)" }
    }

    private var counts: [String] {
        var table = Table([.init("SAGAS"), .init("", isNumeric: true)])
        for status in SagaStatus.allCases {
            table.add([.init(status.name, status.style), .init(String(overview.sagas[status] ?? 0))])
        }
        return table.lines(for: terminal)
    }

    private var daemons: [String] {
        if overview.daemons.isEmpty { return ["No daemon is alive: start sagad"] }
        var table = Table([
            .init("DAEMON", isNumeric: true), .init("HOST", minimum: 12), .init("PID", isNumeric: true),
            .init("EPOCH", isNumeric: true), .init("SAGAS", isNumeric: true), .init("LEASE"),
        ])
        for daemon in overview.daemons {
            let isAlive = daemon.leaseUntil >= now
            let lease = isAlive ? "alive" : "lost \(daemon.leaseUntil.relative(to: now))"
            table.add([
                .init(String(daemon.id)), .init(daemon.host), .init(String(daemon.pid)), .init(String(daemon.epoch)),
                .init(String(daemon.sagas)), .init(lease, isAlive ? .green : .red),
            ])
        }
        return table.lines(for: terminal)
    }

    private func oldestDue(_ due: Overview.Due) -> String {
        let what = due.step.map { "\(due.saga) \(due.id), \($0)" } ?? "\(due.saga) \(due.id)"
        return "Oldest waiting: \(what): due \(due.dueAt.relative(to: now))".truncated(to: terminal.width)
    }
}

extension Overview.Attention {
    /// The options that find these sagas and no others, to be pasted into a shell.
    var filters: String {
        var words = [String.option("--saga", saga), "--status stuck"]
        if let step { words.append(.option("--step", step)) }
        words.append(.option("--error", error))
        return words.joined(separator: " ")
    }

    /// The command that takes them up again.
    var retryCommand: String { "saga retry \(id.map(\.description) ?? filters)" }
}

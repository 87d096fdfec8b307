import SagaCore

/// What the demo says when all orders are over.
struct DemoReport {
    let ends: [DemoEnd]
    let books: [DemoBooks]
    /// The order that the timeline is of, and its saga's events.
    let example: (end: DemoEnd, events: [StoredEvent])?
    let terminal: Terminal

    /// The table of ends, the timeline and the books, with what disagrees.
    var lines: [String] {
        var lines = section("What became of them", fates)
        if let example {
            let order = example.end.order
            let title = "One of them, \(order.id)" + (order.fate == .fine ? "" : ": \(order.fate.text)")
            lines += section(title, DemoTimeline(events: example.events, terminal: inner).lines)
        }
        return lines + section("What the services' books hold", holdings) + verdict
    }

    /// What there was to see, in two sentences.
    var conclusion: [String] {
        let undone = ends.count { $0.status == .compensated }
        let unknown = ends.count { $0.status == .compensated && $0.order.fate == .answersLost }
        var orders = counted(ends.count { $0.status == .completed }, "order") + " went through all four services"
        if undone > 0 {
            orders += ", and \(undone) failed on the way and \(undone == 1 ? "was" : "were") undone in reverse order"
        }
        if unknown > 0 { orders += ", \(unknown) of them without anybody knowing whether the card had been charged" }
        let events =
            "Every step was committed to PostgreSQL before it was acted on, and the services hold just what the"
            + " completed orders asked for"
        return ["\(orders).", "\(events)."].flatMap { $0.wrapped(to: min(terminal.width, 100)) }
    }

    /// The order whose history tells most: one whose charge had an unknown outcome, else one that was undone.
    static func example(among ends: [DemoEnd]) -> DemoEnd? {
        ends.first { $0.order.fate == .answersLost } ?? ends.first { $0.status == .compensated } ?? ends.first
    }

    // MARK: Sections

    /// Two columns are for the indentation.
    private var inner: Terminal {
        Terminal(
            isTerminal: terminal.isTerminal,
            hasColour: terminal.hasColour,
            width: min(terminal.width, 100) - 2,
            height: terminal.height
        )
    }

    private func section(_ title: String, _ lines: [String]) -> [String] {
        ["", terminal.paint(title, .bold)] + lines.map { "  \($0)" }
    }

    private var fates: [String] {
        let statuses = SagaStatus.allCases.filter { status in ends.contains { $0.status == status } }
        var table = Table(
            [.init("IN STORE", minimum: 20), .init("ORDERS", isNumeric: true)]
                + statuses.map { .init($0.name.uppercased(), isNumeric: true) } + [.init("FAILED ON", minimum: 20)]
        )
        for fate in DemoFate.allCases {
            let those = ends.filter { $0.order.fate == fate }
            if those.isEmpty { continue }
            let counts = statuses.map { status in
                let count = those.count { $0.status == status }
                return Table.Cell(count > 0 ? String(count) : "", status.style)
            }
            var failures: [String] = []
            for case let failure? in those.map(\.failure) where !failures.contains(failure) { failures.append(failure) }
            table.add(
                [.init(fate.text), .init(String(those.count))] + counts + [.init(failures.joined(separator: "; "))]
            )
        }
        return table.lines(for: inner)
    }

    private var holdings: [String] {
        var table = Table([
            .init("SERVICE"), .init("HELD", isNumeric: true), .init("UNDONE", isNumeric: true), .init("", minimum: 12),
        ])
        for book in books {
            let what =
                switch book.service {
                case .inventory: "reservations, of \(counted(book.amount, "unit")) of stock"
                case .payment: "charges, of \(book.amount.money)"
                case .shipping: "shipments"
                case .notification: "confirmations"
                }
            table.add([
                .init(book.service.rawValue), .init(String(book.held)), .init(String(book.undone)), .init(what),
            ])
        }
        return table.lines(for: inner)
    }

    private var verdict: [String] {
        let wrong = DemoAudit(ends: ends, books: books).disagreements
        if wrong.isEmpty {
            let text = "They agree with the ends: each completed order has one of each held, all others have none."
            return text.wrapped(to: inner.width).map { "  " + terminal.paint($0, .green) }
        }
        let shown = wrong.prefix(20).map {
            "  " + terminal.paint("disagrees: \($0)".truncated(to: inner.width), .boldRed)
        }
        return shown + (wrong.count > 20 ? ["  … and \(wrong.count - 20) more"] : [])
    }
}

/// The count and its noun, such as `1 order` or `22 orders`.
func counted(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }

extension Int {
    /// Cents as an amount of money, such as `1234.05 EUR`.
    fileprivate var money: String {
        let cents = magnitude % 100
        return "\(magnitude / 100).\(cents < 10 ? "0" : "")\(cents) EUR"
    }
}

extension String {
    /// The text in lines of at most `width` columns, broken between words.
    func wrapped(to width: Int) -> [String] {
        var lines: [String] = []
        for word in split(separator: " ") {
            if let last = lines.last, last.displayWidth + 1 + String(word).displayWidth <= width {
                lines[lines.count - 1] += " \(word)"
            } else {
                lines.append(String(word))
            }
        }
        return lines
    }
}

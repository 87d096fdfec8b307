import JSON
import SagaCore

/// Services, their breakers and limits, for people.
struct BreakerText {
    let documents: [BreakerDocument]
    let terminal: Terminal

    var lines: [String] {
        if documents.isEmpty { return ["No service is known yet: apply a definition that calls one"] }
        var table = Table([
            .init("SERVICE", minimum: 12), .init("STATE"), .init("SINCE"), .init("NEXT PROBE"),
            .init("FAILED", isNumeric: true), .init("SLOW", isNumeric: true), .init("IN USE", isNumeric: true),
            .init("RATE"), .init("WAITING", isNumeric: true), .init("URL", minimum: 12),
        ])
        for document in documents {
            let counts = document.state.breaker.counts
            let breaker = document.breaker
            let inUse = document.settings.maxConcurrent.map { "\(document.held ?? 0)/\($0)" } ?? ""
            table.add([
                .init(document.service),
                .init(breaker?.state.rawValue ?? (document.fault == nil ? "none" : "unreadable"), breaker?.state.style),
                .init(breaker?.since.relative(to: document.readAt) ?? ""), .init(nextProbe(document)),
                .init(breaker == nil ? "" : "\(counts.failures)/\(counts.calls)"),
                .init(breaker == nil ? "" : "\(counts.slowCalls)/\(counts.calls)"), .init(inUse),
                .init(document.settings.rateLimit.map { "\($0.calls)/\($0.per.written)" } ?? ""),
                .init(document.waiting == 0 ? "" : String(document.waiting)), .init(document.url),
            ])
        }
        let quiet = documents.compactMap { document in
            document.heldOffUntil.map {
                "\(document.service) asked for no calls until \($0.text) (\($0.relative(to: document.readAt)))"
            }
        }
        let faults = documents.compactMap { document in
            document.fault.map { "\(document.service): \($0); saga breaker reset makes it a new service" }
        }
        let notes = quiet + faults
        return table.lines(for: terminal) + (notes.isEmpty ? [] : [""] + notes.map(\.sanitized))
    }

    private func nextProbe(_ document: BreakerDocument) -> String {
        guard let at = document.breaker?.nextProbe else { return "" }
        return at <= document.readAt ? "when one is due" : at.relative(to: document.readAt)
    }

    /// An event on one line.
    static func line(_ event: BreakerEvent, of service: String, for terminal: Terminal) -> String {
        let data = (try? JSON.parse(event.data.bytes)) ?? .null
        var parts: [String] = []
        if let from = data["from"]?.stringValue, let to = data["to"]?.stringValue { parts.append("\(from) to \(to)") }
        if case .number(let calls)? = data["calls"] {
            let failures = data["failures"]?.literal ?? "0"
            let slow = data["slowCalls"]?.literal ?? "0"
            parts.append("\(failures) of \(calls.literal) failed, \(slow) slow")
        }
        if let probe = data["nextProbe"]?.stringValue.flatMap({ Instant(text: $0) }) {
            parts.append("next probe \(probe.compact)")
        }
        if let actor = data["actor"]?.stringValue { parts.append("by \(actor)") }
        if let reason = data["reason"]?.stringValue { parts.append(reason) }
        let fields = [
            terminal.paint(event.at.compact, .dim), service.sanitized.truncated(to: 24).padded(to: 16),
            terminal.paint(event.type.name.padded(to: 17), event.type.style),
            terminal.fitted(parts.joined(separator: ", ").sanitized, to: terminal.width - 58),
        ]
        return fields.joined(separator: "  ")
    }
}

extension JSON {
    fileprivate var literal: String? {
        if case .number(let number) = self { number.literal } else { nil }
    }
}

extension BreakerState {
    /// How the state is coloured.
    var style: Style? {
        switch self {
        case .closed: .green
        case .open, .forcedOpen: .boldRed
        case .halfOpen: .yellow
        case .disabled: .dim
        }
    }
}

extension BreakerEventType {
    fileprivate var style: Style? {
        switch self {
        case .breakerOpened, .breakerForcedOpen: .red
        case .breakerHalfOpened: .yellow
        case .breakerClosed, .breakerReset: .green
        case .breakerDisabled: .dim
        }
    }
}

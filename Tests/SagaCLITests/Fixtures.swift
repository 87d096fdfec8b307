import JSON
import SagaCore
import SagaEngine

/// Definitions and histories that the tests share.
enum Fixtures {
    /// Three steps in a row, the last without undo.
    static let order = #"""
        {"saga": "order", "services": {"shop": {"url": "http://127.0.0.1:9"}}, "steps": [
          {"name": "reserve", "action": {"http": {"service": "shop", "path": "/reserve"}},
           "compensation": {"http": {"service": "shop", "path": "/release"}}},
          {"name": "charge", "action": {"http": {"service": "shop", "path": "/charge"}},
           "compensation": {"http": {"service": "shop", "path": "/refund"}}},
          {"name": "ship", "action": {"http": {"service": "shop", "path": "/ship"}}, "compensation": "none"}
        ]}
        """#

    /// A graph with two ways that join, a condition and a pivot.
    static let transfer = #"""
        {"saga": "transfer", "services": {"bank": {"url": "http://127.0.0.1:9"}}, "steps": [
          {"name": "check", "when": "${ input.amount > 100 }", "after": [],
           "action": {"http": {"service": "bank", "method": "GET", "path": "/check"}}},
          {"name": "withdraw", "after": [], "action": {"http": {"service": "bank", "path": "/withdraw"}},
           "compensation": {"http": {"service": "bank", "path": "/return"}}},
          {"name": "deposit", "after": ["check", "withdraw"], "pivot": true,
           "action": {"http": {"service": "bank", "path": "/deposit"}}},
          {"name": "receipt", "action": {"http": {"service": "bank", "path": "/receipt"}}}
        ]}
        """#

    static let id = SagaID(high: 0x0190_0000_0000_7000, low: 0x8000_0000_0000_0001)

    static func definition(_ text: String) throws -> Definition {
        let parsed = DefinitionParser.parse(Array(text.utf8))
        guard let definition = parsed.definition else {
            throw Broken(reason: parsed.findings.map(\.text).joined(separator: "\n"))
        }
        return definition
    }

    /// The fold of a history that begins with a start at 2026-01-01T00:00:00Z; each further event is a second later.
    static func state(
        _ definition: Definition,
        input: String = "{}",
        key: String? = nil,
        _ events: [Event]
    ) throws -> SagaState {
        let all = [.sagaStarted(input: RawJSON(unchecked: Array(input.utf8)))] + events
        let history = all.enumerated().map { index, event in
            RecordedEvent(sequence: index + 1, cause: index == 0 ? nil : index, at: at(index), event: event)
        }
        guard let state = SagaState(folding: history, id: id, key: key, definition: definition) else {
            throw Broken(reason: "the history doesn't begin with a start")
        }
        return state
    }

    /// So many seconds after 2026-01-01T00:00:00Z.
    static func at(_ seconds: Int) -> Instant { Instant(microseconds: (1_767_225_600 + Int64(seconds)) * 1_000_000) }

    struct Broken: Error {
        let reason: String
    }
}

func json(_ text: String) -> RawJSON { RawJSON(unchecked: Array(text.utf8)) }

func action(_ step: Int) -> OperationReference { OperationReference(step: step, side: .action) }

func undo(_ step: Int) -> OperationReference { OperationReference(step: step, side: .compensation) }

func failure(_ attempt: Int, _ outcome: Outcome, _ error: String, _ message: String = "no") -> Event.AttemptFailure {
    Event.AttemptFailure(attempt: attempt, outcome: outcome, error: error, message: message)
}

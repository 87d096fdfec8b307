import SagaCore

/// What the events, the calls and the books of a run must have in common, whatever its definition is.
struct HistoryChecks {
    private let result: SimulationResult
    private let events: [RecordedEvent]

    /// - Parameter events: the run's that can be read.
    init(_ result: SimulationResult, events: [RecordedEvent]) {
        self.result = result
        self.events = events
    }

    var problems: [String] { eventProblems + keyProblems + callProblems + bookProblems }

    /// The events are 1, 2, 3 …, all can be read, none follows the end, and the row says what they say.
    private var eventProblems: [String] {
        var problems: [String] = []
        let readable = Set(events.map(\.sequence))
        var ended: EventType?
        for (index, event) in result.events.enumerated() {
            if event.sequence != index + 1 { return problems + ["event \(index + 1) is missing"] }
            if !readable.contains(event.sequence) { problems.append("event \(event.sequence) can't be read") }
            let type = EventType(rawValue: event.type)
            if let end = ended, type != .sagaCompensationRequested {
                problems.append("\(event.typeName) comes after \(end.name)")
            }
            switch type {
            case .sagaCompleted, .sagaCompensated, .sagaTerminated: ended = type
            default: ended = nil
            }
        }
        if result.status != result.state.status {
            problems.append("the saga's row says \(result.status.name), its events \(result.state.status.name)")
        }
        return problems
    }

    /// A key stays the same for all attempts, but for what a person has patched, and an undo names the key of its action.
    private var keyProblems: [String] {
        struct Use: Hashable {
            let target: SimulationScript.Target
            let revision: Int
        }
        var keys: [Use: String] = [:]
        var ofActions: [String: Set<String>] = [:]
        var problems: [String] = []
        for made in result.calls {
            let key = made.call.idempotencyKey
            let use = Use(target: made.target, revision: made.call.keyRevision)
            if keys[use] ?? key != key { problems.append("the key of \(made.target) changes") }
            keys[use] = key
            if let named = made.call.compensates {
                if let used = ofActions[made.target.step], !used.contains(named) {
                    problems.append("\(made.target) names a key that \(made.target.step) never had")
                }
            } else {
                ofActions[made.target.step, default: []].insert(key)
            }
        }
        return problems
    }

    /// A call goes out only when its attempt is recorded, once for each time that it is, and none after the end.
    private var callProblems: [String] {
        struct Attempt: Hashable {
            let operation: OperationReference
            let number: Int
        }
        var recorded: [Attempt: [Instant]] = [:]
        for event in events {
            guard case .started(let operation, let number) = event.event else { continue }
            recorded[Attempt(operation: operation, number: number), default: []].append(event.at)
        }
        var made: [Attempt: Int] = [:]
        var problems: [String] = []
        for call in result.calls {
            let attempt = Attempt(operation: call.call.operation, number: call.call.attempt)
            let name = "attempt \(attempt.number) of \(call.target)"
            made[attempt, default: 0] += 1
            let before = recorded[attempt, default: []].count { $0 <= call.at }
            if before == 0 {
                problems.append("\(name) goes out before it is recorded")
            } else if made[attempt, default: 0] > before {
                problems.append("\(name) goes out twice")
            }
            if let end = result.state.endedAt, call.at > end { problems.append("\(name) goes out after the end") }
        }
        return problems
    }

    /// No key has its effect twice.
    private var bookProblems: [String] {
        var done: Set<String> = []
        var problems: [String] = []
        for entry in result.books.entries where entry.kind == .done || entry.kind == .undone {
            guard !done.insert(entry.key).inserted else { continue }
            problems.append("\(entry.step) is \(entry.kind.rawValue) twice under one key")
        }
        return problems
    }
}

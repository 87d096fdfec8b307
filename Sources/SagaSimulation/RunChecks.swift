import JSON
import SagaCore

/// What must be so of every run, whatever goes wrong in it.
///
/// `HistoryChecks` has what is told by the events and calls alone, here is what the definition promises.
public struct RunChecks: Sendable {
    private let result: SimulationResult
    private let definition: Definition
    private let events: [RecordedEvent]

    public init(_ result: SimulationResult, definition: Definition) {
        self.result = result
        self.definition = definition
        events = result.decodedEvents(of: definition)
    }

    /// All that is wrong, each a clause; empty when nothing is.
    public var problems: [String] {
        endProblems + effectProblems + orderProblems + pivotProblems + undoProblems
            + HistoryChecks(result, events: events).problems
    }

    private var endProblems: [String] {
        switch result.ending {
        case .stuck:
            switch result.state.stuckOn {
            case nil: ["the saga is stuck, and doesn't say on what"]
            // No participant has refused anything: the definition asks for a value that isn't there.
            case .some(let failure) where failure.error == EngineError.expression:
                ["the saga is stuck on an expression of \(failure.step.map { definition.steps[$0].name } ?? "its own")"]
            case .some: []
            }
        case .ended: []
        case .waiting: ["the saga waits for ever as \(result.status.name)"]
        case .horizon: ["the saga comes to no end"]
        }
    }

    private var effectProblems: [String] {
        let standing = Set(result.books.standing.map(\.step))
        switch result.status {
        case .compensated:
            return definition.steps.enumerated().filter { index, step in
                standing.contains(step.name) && isUndone(step, at: index)
            }.map { "\($0.element.name) still has its effect, though the saga is compensated" }
        case .completed:
            return definition.steps.enumerated().filter { index, step in
                hasEffect(step) && !result.state.steps[index].isSkipped && !standing.contains(step.name)
            }.map { "\($0.element.name) has no effect, though the saga is completed" }
        case .pending, .running, .compensating, .stuck, .terminated: return []
        }
    }

    /// Whether a compensated saga can't leave the step's effect: a call undoes it, or there is no compensation since the
    /// step is the pivot or comes after it, and then the saga must complete.
    private func isUndone(_ step: Step, at index: Int) -> Bool {
        if let compensation = step.compensation {
            if case .http = compensation.kind { return true }
            return false
        }
        guard let pivot = definition.pivot else { return false }
        return index == pivot || definition.graph.descendants[pivot].contains(index)
    }

    private func hasEffect(_ step: Step) -> Bool {
        guard case .http(let http)? = step.action?.kind else { return false }
        return http.method != "GET" && http.method != "HEAD"
    }

    /// An undo begins only after those of everything that came after its step have ended.
    private var orderProblems: [String] {
        var begun: [Int: Int] = [:]
        var ended: [Int: Int] = [:]
        for recorded in events {
            switch recorded.event {
            case .started(let operation, _) where operation.side == .compensation:
                begun[operation.step] = begun[operation.step] ?? recorded.sequence
            case .succeeded(let operation, _, _) where operation.side == .compensation,
                .failed(let operation, _) where operation.side == .compensation:
                ended[operation.step] = recorded.sequence
            default: break
            }
        }
        var problems: [String] = []
        for (index, step) in definition.steps.enumerated() {
            guard let beginning = begun[index] else { continue }
            for (later, other) in definition.steps.enumerated()
            where definition.graph.descendants[index].contains(later) {
                guard begun[later] != nil, (ended[later] ?? .max) > beginning else { continue }
                problems.append("\(step.name) is undone before \(other.name), which came after it")
            }
        }
        return problems
    }

    private var pivotProblems: [String] {
        guard result.state.isPastPivot(in: definition) else { return [] }
        return definition.steps.enumerated().filter { result.state.steps[$0.offset].compensation.attempts > 0 }
            .map { "\($0.element.name) is undone past the point of no return" }
    }

    /// Nothing is called, and nothing happens, after its undo.
    private var undoProblems: [String] {
        var called: Set<String> = []
        var problems: [String] = []
        for made in result.calls {
            if made.target.side == .compensation {
                called.insert(made.target.step)
            } else if called.contains(made.target.step) {
                problems.append("\(made.target.step) is called after its undo")
            }
        }
        var undone: Set<String> = []
        for entry in result.books.entries {
            switch entry.kind {
            case .undone, .tombstone: undone.insert(entry.step)
            case .done where undone.contains(entry.step):
                problems.append("the effect of \(entry.step) comes after its undo")
            case .done, .repeated, .refused: break
            }
        }
        return problems
    }
}

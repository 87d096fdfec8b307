import JSON
import SagaCore
import SagaEngine

/// What a saga's tables and views come to beside its events.
enum HistoryVerdict: Sendable, Hashable {
    case sound
    /// The sequences aren't 1, 2, 3 …
    case hole(String)
    case unreadable(String)
    /// Events follow one another as no decision has them; `end` is how they end the saga, if they do.
    case illegal(String, end: SagaStatus?)
    /// `repair` sets the row as the events have it, where that is known.
    case stateDiffers(String, repair: String? = nil)
    /// No daemon looks at it, or not when it should.
    case forgotten(String)
    case viewDiffers(String)
}

/// A saga as the database has it: its row, its events, its views.
struct StoredHistory: Sendable {
    let id: SagaID
    /// Its definition's number.
    let definition: Int32
    let key: String?
    let statusCode: Int16
    let isPaused: Bool
    let startedAt: Instant
    let endedAt: Instant?
    /// Why a daemon set it aside.
    let unreadable: String?
    /// The number of the daemon that has it in memory.
    let owner: Int32?
    let dueAt: Instant?
    /// The number of the service that it waits for, and whether there is one.
    let waitsFor: Int32?
    let isServiceThere: Bool
    let events: [StoredEvent]
    /// nil when the view doesn't have it.
    let shown: ShownSaga?
    /// The saga that its definition is of.
    let saga: String?
    /// What `saga.key` has for its key: whose it is; nil when it has nothing.
    let keyEntry: KeyEntry?

    struct KeyEntry: Sendable, Hashable {
        var id: SagaID
        var saga: String
    }
}

/// A row of the view `saga.sagas` with those of `saga.steps`.
struct ShownSaga: Sendable, Hashable {
    var saga: String
    var version: String
    var key: String?
    /// nil for a code that is none.
    var status: String?
    var isPaused: Bool
    var input: [UInt8]?
    var output: [UInt8]?
    var failureStep: String?
    var failureError: String?
    var failureMessage: String?
    var startedAt: Instant
    var endedAt: Instant?
    var steps: [ShownStep] = []
}

/// A row of the view `saga.steps`.
struct ShownStep: Sendable, Hashable {
    var name: String
    var status: String
    var outcome: String?
    var attempts: Int
    var output: [UInt8]?
    var error: String?
    var compensationStatus: String?
    var compensationAttempts: Int
    var compensationError: String?
}

extension StoredHistory {
    /// Compares row and views with the fold of the events.
    ///
    /// - Parameters:
    ///   - definition: nil when this program can't read it.
    ///   - grace: how much later than its events say it may be due.
    func verdict(definition: Definition?, now: Instant, grace: TimeSpan) -> HistoryVerdict {
        if let hole { return .hole(hole) }
        guard let definition else { return unfolded("its definition can't be read") }
        var history: [RecordedEvent] = []
        history.reserveCapacity(events.count)
        do throws(EventCodecError) {
            for event in events { history.append(try EventCodec.decode(event, definition: definition)) }
        } catch {
            return unfolded(error.message)
        }
        guard let state = SagaState(folding: history, id: id, key: key, definition: definition) else {
            return unfolded("its events don't begin with a SagaStarted")
        }
        if status == nil {
            let text = "its row's status is \(statusCode), which is none; its events say \(state.status.name)"
            return .stateDiffers(text, repair: repair(state.status))
        }
        if unreadable == nil, let fault = HistoryOrder.fault(of: history, id: id, definition: definition) {
            return .illegal(fault, end: state.status.isEnded ? state.status : nil)
        }
        if let difference = rowDifference(state, history, definition) { return .stateDiffers(difference) }
        if let late = neglect(state, definition, now: now, grace: grace) { return .forgotten(late) }
        if let difference = viewDifference(state, definition) { return .viewDiffers(difference) }
        return .sound
    }

    /// nil for a code that is none.
    var status: SagaStatus? { SagaStatus(rawValue: statusCode) }

    /// Of a history that can't be folded. One that a daemon set aside is told of as such.
    private func unfolded(_ reason: String) -> HistoryVerdict {
        if status == nil { return .stateDiffers("its row's status is \(statusCode), which is none, and \(reason)") }
        return unreadable == nil ? .unreadable(reason) : .sound
    }

    /// What gives the row the status that its events have, and what goes with it.
    private func repair(_ folded: SagaStatus) -> String {
        let isOver = folded.isEnded
        let end =
            switch (isOver, endedAt) {
            case (true, nil):
                """
                , ended_at = (SELECT max(at) FROM saga.event WHERE saga_id = '\(id)' AND type IN (14, 15, 22)), \
                owner = NULL, due_at = NULL
                """
            case (false, .some): ", ended_at = NULL, due_at = now()"
            default: ""
            }
        let next = unreadable != nil && !isOver ? " then saga retry \(id)" : ""
        return """
            somebody wrote into the tables; as the schema's owner: UPDATE saga.state SET status = \
            \(folded.rawValue)\(end) WHERE id = '\(id)';\(next)
            """
    }

    /// Why no daemon will look at it when it should; nil for one that is looked at, or that waits for a person.
    private func neglect(_ state: SagaState, _ definition: Definition, now: Instant, grace: TimeSpan) -> String? {
        guard endedAt == nil, owner == nil, !state.status.isEnded else { return nil }
        guard let dueAt else { return "nobody owns it, and it is never due" }
        guard dueAt > now + grace, unreadable == nil else { return nil }
        if let waitsFor { return isServiceThere ? nil : "it waits for service \(waitsFor), which isn't there" }
        let next = state.nextDue(in: definition)
        // Calls whose daemon is gone are looked into at once, and what isn't held by a person goes on by itself.
        let isHeld = state.isPaused || state.status == .stuck
        if state.callsInFlight.isEmpty, next == nil, isHeld { return nil }
        let wanted = state.callsInFlight.isEmpty ? next ?? now : now
        guard dueAt > max(wanted, now) + grace else { return nil }
        let due = dueAt == .distantFuture ? "it is never due" : "it is due at \(dueAt.text)"
        return "\(due), and its events have something to do \(wanted <= now ? "now" : "at \(wanted.text)")"
    }

    /// How the row's key and `saga.key` differ, so that a repeated start isn't known again; nil when they agree.
    var keyFault: String? {
        guard let key else { return nil }
        guard let keyEntry else { return "its key \(key) isn't in saga.key" }
        if keyEntry.id != id { return "its key \(key) is saga \(keyEntry.id)'s in saga.key" }
        guard let saga, keyEntry.saga != saga else { return nil }
        return "saga.key has its key \(key) as one of \(keyEntry.saga), and it is \(saga)"
    }

    private var hole: String? {
        if events.isEmpty { return "it has no events" }
        for (index, event) in events.enumerated() where event.sequence != index + 1 {
            return "event \(index + 1) is missing"
        }
        return nil
    }

    private func rowDifference(
        _ state: SagaState, _ history: [RecordedEvent], _ definition: Definition
    ) -> String? {
        // A row that a daemon set aside keeps the status that it had.
        if unreadable == nil, status != state.status, status != statusLeftByDaemons(history, definition) {
            return "its row is \(status?.name ?? ""), its events say \(state.status.name)"
        }
        return Difference.first([
            ("paused", isPaused == state.isPaused), ("started_at", startedAt == state.startedAt),
            ("ended_at", endedAt == state.endedAt),
        ]).map { "the row's \($0) isn't what its events say" }
    }

    /// A person's events move the status at once, the row follows when a daemon has taken note.
    private func statusLeftByDaemons(_ history: [RecordedEvent], _ definition: Definition) -> SagaStatus? {
        let persons = events.reversed().prefix { (17...23).contains($0.type) }.count
        guard persons > 0 else { return nil }
        return SagaState(folding: history.dropLast(persons), id: id, key: key, definition: definition)?.status
    }

    private func viewDifference(_ state: SagaState, _ definition: Definition) -> String? {
        guard let shown else { return "saga.sagas doesn't show it" }
        let document = StatusDocument(state, definition: definition)
        let status = unreadable != nil && endedAt == nil ? SagaStatus.stuck : self.status
        let hasNUL = events.contains { $0.data.map(Difference.mayHoldNUL) ?? false }
        if let column = Difference.first([
            ("saga", shown.saga == document.saga), ("version", shown.version == document.version),
            ("key", shown.key == document.key), ("status", shown.status == status?.name),
            ("paused", shown.isPaused == document.isPaused),
            // SQL has no NUL: the views show another character there.
            ("input", hasNUL || Difference.isSame(shown.input, document.input)),
            ("output", hasNUL || Difference.isSame(shown.output, document.output)),
            ("failure", hasNUL || unreadable != nil || isSameFailure(shown, document.failure)),
            ("started_at", shown.startedAt == document.startedAt), ("ended_at", shown.endedAt == document.endedAt),
        ]) {
            return "\(column) of saga.sagas isn't what its events say"
        }
        guard !hasNUL else { return nil }
        let steps = Dictionary(shown.steps.map { ($0.name, $0) }) { first, _ in first }
        for step in document.steps ?? [] {
            guard let row = steps[step.name] else { return "saga.steps doesn't show step \(step.name)" }
            if let column = row.firstDifference(from: step) {
                return "\(column) of step \(step.name) in saga.steps isn't what its events say"
            }
        }
        return shown.steps.count == document.steps?.count ? nil : "saga.steps shows steps that there aren't"
    }

    private func isSameFailure(_ shown: ShownSaga, _ failure: StatusDocument.Failure?) -> Bool {
        shown.failureStep == failure?.step && shown.failureError == failure?.error
            && (shown.failureMessage ?? "") == (failure?.message ?? "")
    }
}

extension ShownStep {
    /// The first column that differs from the fold.
    fileprivate func firstDifference(from step: StatusDocument.Step) -> String? {
        Difference.first([
            ("status", status == step.status.rawValue), ("outcome", outcome == step.outcome?.rawValue),
            ("attempts", attempts == step.attempts), ("output", Difference.isSame(output, step.output)),
            ("error", error == step.error),
            ("compensation_status", compensationStatus == step.compensation?.status?.rawValue),
            ("compensation_attempts", compensationAttempts == step.compensation?.attempts ?? 0),
            ("compensation_error", compensationError == step.compensation?.error),
        ])
    }
}

private enum Difference {
    /// The name of the first that isn't so.
    static func first(_ comparisons: [(String, Bool)]) -> String? { comparisons.first { !$0.1 }?.0 }

    /// Whether two payloads are the same; SQL's null and JSON's count as one.
    static func isSame(_ shown: [UInt8]?, _ folded: RawJSON?) -> Bool {
        (shown ?? RawJSON.null.bytes) == (folded ?? .null).bytes
    }

    /// Whether a payload has the escape of a NUL anywhere.
    static func mayHoldNUL(_ bytes: [UInt8]) -> Bool {
        let escape = Array("\\u0000".utf8)
        guard bytes.count >= escape.count else { return false }
        return (0...(bytes.count - escape.count)).contains { start in
            bytes[start] == escape[0] && bytes[start..<(start + escape.count)].elementsEqual(escape)
        }
    }
}

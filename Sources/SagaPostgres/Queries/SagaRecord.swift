import JSON
import SagaCore
import SagaEngine

/// A saga as the database has it: its row, its definition's text and its events.
public struct SagaRecord: Sendable {
    public let id: SagaID
    /// The definition's name.
    public let saga: String
    /// The first 12 digits of the definition's digest.
    public let version: String
    /// The definition's text.
    public let document: [UInt8]
    public let key: String?
    /// What the starter gave; nil stands for the saga's id.
    public let correlationID: String?
    /// The status on the row; stuck when that is none.
    public let status: SagaStatus
    public let isPaused: Bool
    public let startedAt: Instant
    public let endedAt: Instant?
    /// Why a daemon set it aside, or will; nil for all others.
    public let unreadable: String?
    /// Those that can be decoded.
    public let events: [StoredEvent]
    /// Why one of the events can't be decoded.
    let fault: String?
    /// The highest of all events; 0 without any.
    let lastSequence: Int
    /// The database's clock when this was read.
    public let readAt: Instant

    /// What reading a record comes to.
    public enum Reading: Sendable {
        case readable(SagaState, Definition)
        /// Its definition or its events can't be read; says why.
        case unreadable(String)
    }

    /// The fold of the events, whatever a daemon made of them.
    public func folded() -> Reading {
        guard let definition = DefinitionParser.parse(document, checks: .stored).definition else {
            return .unreadable("this program can't read the definition \(saga) \(version)")
        }
        if let fault { return .unreadable(fault) }
        var history: [RecordedEvent] = []
        history.reserveCapacity(events.count)
        do throws(EventCodecError) {
            for (index, event) in events.enumerated() {
                guard event.sequence == index + 1 else { return .unreadable("event \(index + 1) is missing") }
                history.append(try EventCodec.decode(event, definition: definition))
            }
        } catch {
            return .unreadable(error.message)
        }
        guard let state = SagaState(folding: history, id: id, key: key, definition: definition) else {
            return .unreadable(
                events.isEmpty ? "its events are gone" : "its events don't begin with a SagaStarted")
        }
        return .readable(state, definition)
    }

    /// The fold of the events, unless a daemon set the saga aside.
    public func read() -> Reading {
        asShown(folded())
    }

    /// A fold as people are shown it: not at all when a daemon set the saga aside.
    func asShown(_ folded: Reading) -> Reading {
        if let unreadable, !status.isEnded { return .unreadable(unreadable) }
        return folded
    }

    /// What a status shows of it.
    public var statusDocument: StatusDocument {
        let folded = folded()
        let shown = asShown(folded)
        var document = document(of: shown)
        switch (shown, folded) {
        case (.readable(let state, let definition), _): document.stuck = stuckReport(state, definition)
        case (.unreadable, .readable) where document.status == .stuck:
            document.stuck = StuckReport(unreadable: id, canBeRetried: true)
        case (.unreadable, .unreadable) where document.status == .stuck:
            document.stuck = StuckReport(unreadable: id, canBeRetried: false)
        case (.unreadable, _): break
        }
        return document
    }

    /// What a status shows of it but for what a person needs to know of a stuck one.
    func document(of reading: Reading) -> StatusDocument {
        switch reading {
        case .readable(let state, let definition): StatusDocument(state, definition: definition)
        case .unreadable(let reason):
            StatusDocument(
                unreadable: reason,
                id: id,
                saga: saga,
                version: version,
                key: key,
                status: status,
                isPaused: isPaused,
                input: input,
                startedAt: startedAt,
                endedAt: endedAt
            )
        }
    }

    private func stuckReport(_ state: SagaState, _ definition: Definition) -> StuckReport? {
        guard state.status == .stuck else { return nil }
        var outcomes: [OperationReference: Outcome] = [:]
        for operation in state.operationsStuckOn {
            guard let last = events.first(where: { $0.sequence == state[operation].lastSequence }),
                case .failed(_, let failure) = try? EventCodec.decode(last, definition: definition).event
            else { continue }
            outcomes[operation] = failure.outcome
        }
        return StuckReport(state, definition: definition, outcomes: outcomes, now: readAt)
    }

    /// The input without the rest of the history; null when the first event doesn't have it.
    private var input: RawJSON {
        guard let data = events.first?.data, let root = try? LocatedJSON.parse(data), let input = root["input"] else {
            return .null
        }
        return RawJSON(unchecked: Array(data[input.range]))
    }
}

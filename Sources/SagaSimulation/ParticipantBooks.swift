import SagaCore

/// What the participants of a simulation have in their books: which effects stand, in which order they came, and what
/// became of each call.
///
/// They keep the guard of `participant.sql`: a call with a known key does nothing again, an undo of what never was
/// leaves a tombstone, and an action that comes after its own is refused.
public struct ParticipantBooks: Sendable, Hashable {
    /// An action's effect.
    public struct Effect: Sendable, Hashable {
        /// Of the call that had it.
        public let key: String
        public let step: String
        public let at: Instant
    }

    /// One line of the books.
    public struct Entry: Sendable, Hashable {
        public enum Kind: String, Sendable, Hashable, CaseIterable {
            /// The action has had its effect.
            case done
            /// The call was here before: nothing is done again.
            case repeated
            /// The effect is gone.
            case undone
            /// There was nothing to undo: the action is refused from now on.
            case tombstone
            /// The action came after its undo.
            case refused
        }

        public let at: Instant
        public let kind: Kind
        public let key: String
        public let step: String
    }

    /// In the order in which they came.
    public internal(set) var entries: [Entry] = []
    /// The effects that stand, in the order in which they came.
    public internal(set) var standing: [Effect] = []
    /// Keys whose action has no effect any more, or never will.
    private var closed: Set<String> = []
    private var known: Set<String> = []

    /// Enters a call that has its effect.
    mutating func enter(_ call: Call, at now: Instant) -> Entry.Kind {
        let kind: Entry.Kind
        if let action = call.compensates {
            kind = undo(action, by: call.idempotencyKey)
        } else {
            kind = act(call, at: now)
        }
        entries.append(Entry(at: now, kind: kind, key: call.idempotencyKey, step: call.stepName))
        return kind
    }

    private mutating func act(_ call: Call, at now: Instant) -> Entry.Kind {
        let key = call.idempotencyKey
        if closed.contains(key) { return .refused }
        guard known.insert(key).inserted else { return .repeated }
        standing.append(Effect(key: key, step: call.stepName, at: now))
        return .done
    }

    private mutating func undo(_ action: String, by key: String) -> Entry.Kind {
        guard known.insert(key).inserted else { return .repeated }
        closed.insert(action)
        guard let index = standing.firstIndex(where: { $0.key == action }) else { return .tombstone }
        standing.remove(at: index)
        return .undone
    }
}

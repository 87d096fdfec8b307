import JSON
import SagaCore

/// What came of a simulated run.
public struct SimulationResult: Sendable, Hashable {
    /// Why the run was over.
    public enum Ending: String, Sendable, Hashable, CaseIterable {
        /// The saga has ended.
        case ended
        /// The saga needs a person.
        case stuck
        /// The saga waits for something that doesn't come: it is paused, or can't be read.
        case waiting
        /// The saga still goes on after the longest time that was to be looked at.
        case horizon
    }

    /// What became of a person's wish.
    public struct SignalResult: Sendable, Hashable {
        public let signal: SimulatedRun.Signal
        /// Why it changed nothing; nil when it was accepted.
        public let refusal: String?
    }

    public let saga: SagaID
    public internal(set) var ending: Ending
    /// By the saga's row.
    public internal(set) var status: SagaStatus
    /// The fold of the events.
    public internal(set) var state: SagaState
    public internal(set) var events: [StoredEvent]
    /// In the order in which they were made.
    public internal(set) var calls: [SimulatedCall]
    public internal(set) var books: ParticipantBooks
    public let signals: [SignalResult]
    /// What happened to the breakers of the definition's services, in the order of time.
    public let breakerEvents: [BreakerLine]
    /// Daemons that died.
    public let crashes: Int
    /// The saga's own time: from its start to its end, or to its last event.
    public let duration: TimeSpan

    /// An event of a breaker.
    public struct BreakerLine: Sendable, Hashable {
        public let service: String
        public let event: BreakerEvent
    }
}

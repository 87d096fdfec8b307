import SagaCore
import SagaEngine
import Synchronization

/// What really happened in a fleet's simulation, written down by its parts as it happens and apart from what the engine
/// believes: what the checks go by.
final class FleetLedger: Sendable {
    /// An event in a saga's history, and who wrote it.
    struct Written: Sendable {
        let event: RecordedEvent
        /// The lease; nil for what came from outside.
        let by: Int32?
        let at: Instant
    }

    struct Saga: Sendable {
        let id: SagaID
        /// Its place in the plan's list.
        let definition: Int
        var history: [Written] = []
        var owner: Int32?
        /// When it was last set aside: what its daemon had out then is nobody's any more.
        var setAsideAt: Instant?
        /// What its row says in the end.
        var rowStatus: SagaStatus?
    }

    /// A call that went out.
    struct Sent: Sendable {
        let call: Call
        let saga: Int
        let daemon: Int
        /// The lease under which it was decided on.
        var lease: Int32?
        /// When it was decided on, by the daemon's account of the store's clock.
        var decidedAt: Instant?
        /// When the engine asked for it; after that its process may stand still for a while.
        let askedAt: Instant
        let at: Instant
        /// When nobody waited for it any more: it was answered, timed out or dropped.
        var endedAt: Instant?
        var answer: Answer?
    }

    struct Effect: Sendable {
        let at: Instant
        let saga: Int
        let step: String
        let key: String
        let compensates: String?
        let kind: ParticipantBooks.Entry.Kind
    }

    struct BreakerChange: Sendable {
        let service: String
        let event: BreakerEvent
        let at: Instant

        var type: BreakerEventType { event.type }
    }

    struct Pause: Sendable {
        let daemon: Int
        let from: Instant
        let until: Instant
    }

    struct State: Sendable {
        var sagas: [Saga] = []
        var incarnations: [Int32: Incarnation] = [:]
        var sent: [Sent] = []
        var effects: [Effect] = []
        var breakers: [BreakerChange] = []
        var pauses: [Pause] = []
        var dead: Set<Int> = []
        /// Daemons that were asked to leave.
        var leaving: Set<Int> = []
        /// Services of which a daemon may have told something twice, since it couldn't know that it was written.
        var blurred: Set<String> = []
        /// What each breaker was in the end.
        var counted: [String: CircuitBreaker] = [:]
        /// By how much a daemon may be wrong about the store's clock: half of what reading it took at most.
        var skew = TimeSpan.zero
        var coverage = FleetCoverage()
        /// What was seen to be wrong at once.
        var problems: [(saga: Int?, text: String)] = []
        var hash = FleetHash()
        var lines: [String] = []
        var places: [SagaID: Int] = [:]
        fileprivate var sentKeys: Set<SentKey> = []
    }

    fileprivate struct SentKey: Hashable {
        let saga: Int
        let operation: OperationReference
        let attempt: Int
    }

    private let state = Mutex(State())
    private let time: @Sendable () -> Instant
    private let definitions: [Definition]
    let isTraced: Bool

    init(definitions: [Definition], isTraced: Bool, time: @escaping @Sendable () -> Instant) {
        self.definitions = definitions
        self.isTraced = isTraced
        self.time = time
    }

    var snapshot: State { state.withLock { $0 } }

    /// Notes that something happened; `numbers` and the kind are what the run's hash is made of.
    func note(_ kind: FleetKind?, _ first: Int = 0, _ second: Int = 0, _ text: @autoclosure () -> String) {
        let now = time()
        // The text may ask this very ledger.
        let line = isTraced ? text() : nil
        state.withLock { state in
            if let kind { state.coverage[kind] += 1 }
            state.hash.add(now.microseconds, Int64(kind?.rawValue ?? -1), Int64(first), Int64(second))
            if let line { state.write(line, at: now) }
        }
    }

    func setAside(_ saga: SagaID) {
        let now = time()
        state.withLock { state in
            if let place = state.places[saga] { state.sagas[place].setAsideAt = now }
        }
    }

    func count(_ kind: FleetKind) { state.withLock { $0.coverage[kind] += 1 } }

    // MARK: The store

    func add(saga id: SagaID, definition: Int) {
        state.withLock { state in
            state.places[id] = state.sagas.count
            state.sagas.append(Saga(id: id, definition: definition))
        }
    }

    func place(of saga: SagaID) -> Int? { state.withLock { $0.places[saga] } }

    /// What the store tells.
    func take(_ change: InMemoryStore.Change) {
        let now = time()
        state.withLock { state in
            switch change {
            case .joined(let lease, let daemon):
                state.join(lease, Int(daemon.pid), at: now)
                state.hash.add(now.microseconds, 1_001, Int64(lease.daemon), Int64(daemon.pid))
                if isTraced { state.write("store: lease \(lease.daemon) to daemon \(daemon.pid)", at: now) }
            case .acted(let act, let lease): state.act(act, under: lease, at: now)
            case .raised(let lease): state.raise(lease)
            case .changedRow(let id, let lease): state.changeRow(id, by: lease)
            case .freed(let lease):
                state.free(lease, at: now)
                for index in state.sagas.indices where state.sagas[index].owner == lease {
                    state.sagas[index].owner = nil
                }
                state.hash.add(now.microseconds, 1_002, Int64(lease), 0)
                if isTraced { state.write("store: lease \(lease) has ended", at: now) }
            case .claimed(let ids, let lease):
                for id in ids { state.claim(id, by: lease, at: now, isTraced: isTraced) }
            case .released(let id):
                if let place = state.places[id] { state.sagas[place].owner = nil }
            case .wroteService(let name, let events):
                for event in events { state.change(name, event, at: now, isTraced: isTraced) }
            case .appended(let id, let events, let lease):
                guard let place = state.places[id] else { return }
                for event in events {
                    state.append(
                        event, to: place, by: lease, at: now, definition: definitions[state.sagas[place].definition],
                        isTraced: isTraced)
                }
            }
        }
    }

    // MARK: Calls

    /// A call leaves a daemon; returns its number.
    func send(_ call: Call, by daemon: Int, askedAt: Instant) -> Int {
        let now = time()
        return state.withLock { state in
            let saga = state.places[call.saga] ?? 0
            var sent = Sent(call: call, saga: saga, daemon: daemon, askedAt: askedAt, at: now)
            let decision = state.sagas[saga].history.last {
                $0.event.event == .started(call.operation, attempt: call.attempt)
            }
            sent.lease = decision?.by
            sent.decidedAt = decision?.event.at
            let name = "\(call.stepName):\(call.operation.side.rawValue) #\(call.attempt)"
            if decision == nil { state.problems.append((saga, "\(name) goes out before its decision is committed")) }
            let key = SentKey(saga: saga, operation: call.operation, attempt: call.attempt)
            if !state.sentKeys.insert(key).inserted { state.problems.append((saga, "\(name) goes out twice")) }
            state.sent.append(sent)
            state.hash.add(now.microseconds, 1_003, Int64(saga), Int64(call.attempt))
            if isTraced { state.write("daemon \(daemon): saga \(saga) calls \(name)", at: now) }
            if let lease = decision?.by, state.incarnations[lease]?.freedAt != nil {
                state.coverage[.callAfterLostLease] += 1
            }
            return state.sent.count - 1
        }
    }

    func end(_ number: Int, _ answer: Answer) {
        let now = time()
        state.withLock { state in
            state.sent[number].endedAt = now
            state.sent[number].answer = answer
            let call = state.sent[number].call
            state.hash.add(now.microseconds, 1_004, Int64(number), Int64(answer.number))
            if isTraced {
                state.write(
                    "daemon \(state.sent[number].daemon): saga \(state.sent[number].saga) has of "
                        + "\(call.stepName):\(call.operation.side.rawValue) #\(call.attempt) \(answer.word)", at: now)
            }
        }
    }

    func enter(_ call: Call, _ kind: ParticipantBooks.Entry.Kind) {
        let now = time()
        state.withLock { state in
            let saga = state.places[call.saga] ?? 0
            state.effects.append(
                Effect(
                    at: now, saga: saga, step: call.stepName, key: call.idempotencyKey, compensates: call.compensates,
                    kind: kind))
            switch kind {
            case .done: state.coverage[.effect] += 1
            case .undone: state.coverage[.undone] += 1
            case .tombstone: state.coverage[.tombstone] += 1
            case .repeated, .refused: break
            }
            state.hash.add(now.microseconds, 1_005, Int64(saga), Int64(kind.rawValue.utf8.count))
            if isTraced {
                state.write(
                    "participant: saga \(saga) \(call.stepName):\(call.operation.side.rawValue) #\(call.attempt) "
                        + kind.rawValue, at: now)
            }
        }
    }

    func blur(_ service: String) { _ = state.withLock { $0.blurred.insert(service) } }

    func end(_ service: String, _ breaker: CircuitBreaker) { state.withLock { $0.counted[service] = breaker } }

    func triesToLeave(_ lease: Int32) { state.withLock { $0.incarnations[lease]?.wantsToLeave = true } }

    /// A daemon has stopped of itself.
    func hasDrained(_ daemon: Int) { state.withLock { $0.hasDrained(daemon) } }

    func leave(_ daemon: Int) { _ = state.withLock { $0.leaving.insert(daemon) } }

    func die(_ daemon: Int) { _ = state.withLock { $0.dead.insert(daemon) } }

    func pause(_ daemon: Int, from: Instant, until: Instant) {
        state.withLock { $0.pauses.append(Pause(daemon: daemon, from: from, until: until)) }
    }

    /// A daemon read the store's clock, and its question took so long on the way.
    func tookToRead(_ span: TimeSpan) {
        state.withLock { $0.skew = max($0.skew, TimeSpan(microseconds: span.microseconds / 2)) }
    }

    /// The simulation is over, and this is what the saga's row says.
    func end(_ place: Int, status: SagaStatus) { state.withLock { $0.sagas[place].rowStatus = status } }

    func fail(_ text: String, saga: Int? = nil) { state.withLock { $0.problems.append((saga, text)) } }
}

extension FleetLedger.State {
    fileprivate mutating func write(_ text: String, at now: Instant) {
        let microseconds = String((now - SimulatedRun.start).microseconds)
        lines.append(String(repeating: " ", count: max(0, 9 - microseconds.count)) + microseconds + "  " + text)
    }

    fileprivate mutating func claim(_ id: SagaID, by lease: Int32, at now: Instant, isTraced: Bool) {
        guard let place = places[id] else { return }
        if let owner = sagas[place].owner, owner != lease {
            problems.append((place, "lease \(lease) claims it from lease \(owner), which stands"))
        }
        sagas[place].owner = lease
        hash.add(now.microseconds, 1_006, Int64(place), Int64(lease))
        if isTraced { write("store: saga \(place) to lease \(lease)", at: now) }
    }

    fileprivate mutating func change(_ service: String, _ event: BreakerEvent, at now: Instant, isTraced: Bool) {
        breakers.append(FleetLedger.BreakerChange(service: service, event: event, at: now))
        switch event.type {
        case .breakerOpened: coverage[.breakerOpened] += 1
        case .breakerHalfOpened: coverage[.breakerHalfOpened] += 1
        case .breakerClosed: coverage[.breakerClosed] += 1
        case .breakerForcedOpen, .breakerDisabled, .breakerReset: break
        }
        hash.add(now.microseconds, 1_007, Int64(event.type.rawValue), 0)
        if isTraced { write("service \(service): \(event.type.name) \(event.data.text)", at: now) }
    }

    fileprivate mutating func append(
        _ stored: StoredEvent, to place: Int, by lease: Int32?, at now: Instant, definition: Definition, isTraced: Bool
    ) {
        hash.add(now.microseconds, 1_008, Int64(place), Int64(stored.sequence) << 8 | Int64(stored.type))
        if isTraced {
            let writer = lease.map { "lease \($0)" } ?? "outside"
            let data = String(decoding: stored.data ?? [], as: UTF8.self)
            write("\(writer): saga \(place) \(stored.sequence) \(stored.typeName) \(data)", at: now)
        }
        guard let event = try? EventCodec.decode(stored, definition: definition) else {
            problems.append((place, "event \(stored.sequence) can't be read"))
            return
        }
        if event.sequence != sagas[place].history.count + 1 {
            problems.append((place, "event \(event.sequence) stands at place \(sagas[place].history.count + 1)"))
        }
        if let lease {
            if incarnations[lease]?.freedAt != nil {
                problems.append((place, "lease \(lease) has ended and writes event \(event.sequence)"))
            } else if sagas[place].owner != lease {
                problems.append((place, "lease \(lease) doesn't own it and writes event \(event.sequence)"))
            }
        }
        sagas[place].history.append(FleetLedger.Written(event: event, by: lease, at: now))
        tally(event.event, definition)
    }

    private mutating func tally(_ event: Event, _ definition: Definition) {
        switch event {
        case .succeeded(let operation, _, _):
            if operation.side == .action, operation.step == definition.pivot { coverage[.pivotPassed] += 1 }
        case .sagaStarted: coverage[.sagaStarted] += 1
        case .stepSkipped: coverage[.skipped] += 1
        case .deferred: coverage[.deferred] += 1
        case .sagaCompensating(let failure):
            coverage[.compensating] += 1
            if failure.error == EngineError.deadlineExceeded { coverage[.deadlinePassed] += 1 }
        case .sagaCompleted: coverage[.completed] += 1
        case .sagaCompensated: coverage[.compensated] += 1
        case .sagaStuck: coverage[.stuck] += 1
        case .terminated: coverage[.terminated] += 1
        case .attemptFailed(_, let failure, _), .failed(_, let failure):
            if failure.error == EngineError.daemonLost { coverage[.daemonLost] += 1 }
            if failure.error == EngineError.circuitOpen { coverage[.circuitOpen] += 1 }
        case .started, .cancelRequested, .paused, .resumed, .stepResolved, .retried,
            .compensationRequested:
            break
        }
    }
}

/// The FNV-1a hash (Fowler, Noll, Vo) of 64 bits, over whole numbers.
public struct FleetHash: Sendable, Hashable {
    public private(set) var value: UInt64 = 0xCBF2_9CE4_8422_2325

    public init() {}

    /// Takes in the hash of a run.
    public mutating func add(_ hash: UInt64) { add(Int64(bitPattern: hash)) }

    /// Sixteen hexadecimal digits.
    public var text: String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    mutating func add(_ numbers: Int64...) {
        for number in numbers {
            value = (value ^ UInt64(bitPattern: number)) &* 0x0000_0100_0000_01B3
            value ^= value >> 29
        }
    }
}

extension Answer {
    fileprivate var number: Int {
        switch self {
        case .done: 0
        case .failed: 1
        case .unknown: 2
        }
    }

    fileprivate var word: String {
        switch self {
        case .done: "done"
        case .failed(let refusal): "failed \(refusal.error)"
        case .unknown(let refusal): "unknown \(refusal.error)"
        }
    }
}

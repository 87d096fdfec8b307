import JSON
import SagaCore
import Testing

/// Random definitions under random fates: what must hold whatever happens.
@Suite struct RandomSagaTests {
    @Test(arguments: 0..<40) func everyPathEndsAndTheUndoingIsTheReverse(block: UInt64) {
        for seed in (block * 50)..<(block * 50 + 50) {
            var run = RandomRun(seed: seed)
            run.toTheEnd()
            run.check()
            run.undoAfterTheEnd()
            run.check()
        }
    }

    @Test func anyInputInAnyStateIsSurvived() {
        for seed in 1_000_000..<UInt64(1_000_300) {
            var run = RandomRun(seed: seed)
            for _ in 0..<60 { run.anything() }
            let folded = SagaState(folding: run.history, id: sagaID, key: nil, definition: run.definition)
            #expect(folded == run.state, "seed \(seed)")
        }
    }

    @Test func anyEventOnAnyStateIsSurvived() {
        for seed in 2_000_000..<UInt64(2_000_300) {
            var random = SeededGenerator(seed: seed)
            let definition = RandomRun.randomDefinition(&random)
            var state = SagaState(
                folding: [RecordedEvent(sequence: 1, cause: nil, at: at(0), event: .sagaStarted(input: .null))],
                id: sagaID, key: nil, definition: definition)!
            for sequence in 2..<40 {
                let event = RandomRun.randomEvent(&random)
                state.evolve(
                    RecordedEvent(sequence: sequence, cause: nil, at: at(Double(sequence)), event: event),
                    definition: definition)
                _ = decide(state, .proceed, now: at(Double(sequence)), definition: definition)
                _ = state.nextDue(in: definition)
                for step in -1...definition.steps.count { _ = state.status(ofStep: step) }
            }
            #expect(state.sequence == 39)
        }
    }

    /// Given rows that somebody or something has changed, then they are refused or give a state that goes on.
    @Test func anyRowIsSurvived() {
        var (refused, taken) = (0, 0)
        for seed in 3_000_000..<UInt64(3_000_200) {
            var run = RandomRun(seed: seed)
            run.toTheEnd()
            var random = SeededGenerator(seed: seed)
            let rows = run.history.prefix(40).map { EventCodec.encode($0, definition: run.definition) }
            for _ in 0..<20 {
                var changed = rows
                let index = Int.random(in: 0..<rows.count, using: &random)
                changed[index] = spoilt(rows[index], &random)
                let events = changed.compactMap { try? EventCodec.decode($0, definition: run.definition) }
                guard events.count == rows.count,
                    let state = SagaState(folding: events, id: sagaID, key: nil, definition: run.definition)
                else {
                    refused += 1
                    continue
                }
                taken += 1
                for now in [at(0), at(40), Instant(microseconds: .min), .distantFuture] {
                    let decision = decide(state, .takenUp(ownCalls: []), now: now, definition: run.definition)
                    _ = decision.state.nextDue(in: run.definition)
                    for event in decision.events { _ = EventCodec.encode(event, definition: run.definition) }
                }
            }
        }
        #expect(refused > 500)
        #expect(taken > 500)
    }

    private func spoilt(_ row: StoredEvent, _ random: inout SeededGenerator) -> StoredEvent {
        let extremes: [Int64] = [.min, -1, 0, 1, Int64(Int32.max), .max]
        var (type, at, data) = (row.type, row.at, row.data)
        switch Int.random(in: 0..<5, using: &random) {
        case 0: type = Int16.random(in: -1...26, using: &random)
        case 1: at = Instant(microseconds: extremes.randomElement(using: &random)!)
        case 2: data = nil
        case 3:
            guard var bytes = data, !bytes.isEmpty else { break }
            bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            data = bytes
        default:
            // A number in it becomes another.
            guard let bytes = data, let first = bytes.firstIndex(where: { (0x30...0x39).contains($0) }) else { break }
            let rest = bytes[first...].drop { (0x30...0x39).contains($0) }
            data = bytes[..<first] + Array("\(extremes.randomElement(using: &random)!)".utf8) + rest
        }
        return StoredEvent(sequence: row.sequence, cause: row.cause, type: type, at: at, data: data)
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014).
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 &+ 1 }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

private struct RandomRun {
    let seed: UInt64
    let definition: Definition
    private(set) var state: SagaState
    private(set) var history: [RecordedEvent]
    private var random: SeededGenerator
    private var clock = 0.0
    /// In the order of their events.
    private var undone: [Int] = []
    /// What each key was sent with.
    private var inputs: [String: RawJSON] = [:]

    init(seed: UInt64) {
        self.seed = seed
        random = SeededGenerator(seed: seed)
        definition = Self.randomDefinition(&random)
        history = [RecordedEvent(sequence: 1, cause: nil, at: at(0), event: .sagaStarted(input: .null))]
        state = SagaState(folding: history, id: sagaID, key: nil, definition: definition)!
    }

    static func randomDefinition(_ random: inout SeededGenerator) -> Definition {
        let count = Int.random(in: 1...7, using: &random)
        let isList = Bool.random(using: &random)
        // With a pivot every step stands before or after it: a plain list is such a graph.
        let pivot = isList && Bool.random(using: &random) ? Int.random(in: 0..<count, using: &random) : -1
        let steps = (0..<count).map { index in
            let before = (0..<index).filter { _ in Int.random(in: 0..<3, using: &random) == 0 }.map { "s\($0)" }
            return step(
                "s\(index)", after: isList ? nil : before,
                retry: noJitter(attempts: Int.random(in: 1...3, using: &random)),
                compensation: index < pivot || pivot < 0 ? Int.random(in: 0..<5, using: &random) > 0 : false,
                compensateWhen: CompensateWhen.allCases.randomElement(using: &random)!, pivot: index == pivot,
                action: Int.random(in: 0..<8, using: &random) == 0 ? .pass(.constant(.null)) : randomCall(&random),
                compensationKind: randomCall(&random))
        }
        return SagaCoreTests.definition(
            steps, deadline: Int.random(in: 0..<4, using: &random) == 0 ? .seconds(30) : nil,
            onCompensationFailure: Bool.random(using: &random) ? .halt : .continue)
    }

    /// To a service that can hold it back, or to none.
    private static func randomCall(_ random: inout SeededGenerator) -> Operation.Kind {
        Bool.random(using: &random) ? serviceCall : .noop
    }

    private static let serviceCall = call(body: "x")

    /// Plays fate until the saga has ended, helping it out whenever it is stuck.
    mutating func toTheEnd() {
        take(.takenUp(ownCalls: []))
        var rounds = 0
        while !state.status.isEnded, rounds < 3_000 {
            rounds += 1
            clock += Double.random(in: 0...2, using: &random)
            if Int.random(in: 0..<60, using: &random) == 0 { command(.cancel) }
            if Int.random(in: 0..<60, using: &random) == 0 { command(.pause) }
            if state.isPaused, Int.random(in: 0..<4, using: &random) == 0 { command(.resume) }
            if Int.random(in: 0..<40, using: &random) == 0 { take(.takenUp(ownCalls: [])) }
            if state.status.isEnded { return }
            if let call = state.callsInFlight.randomElement(using: &random) {
                take(.answered(call.operation, attempt: call.attempt, randomAnswer(likelyDone: rounds > 400)))
            } else if let due = state.nextDue(in: definition) {
                clock = max(clock, Double(due.microseconds) / 1e6)
                take(.proceed)
            } else if state.status == .stuck {
                helpOut()
            } else if state.isPaused {
                command(.resume)
            } else {
                Issue.record("seed \(seed): nothing in flight, nothing due, not stuck: \(state.status)")
                return
            }
        }
    }

    /// A completed saga is wanted back, now and then while it is paused, and has nowhere to go but back.
    mutating func undoAfterTheEnd() {
        guard state.status == .completed else { return }
        let isPastPivot = state.isPastPivot(in: definition)
        command(.compensate)
        #expect((state.status == .completed) == isPastPivot, "seed \(seed): undone unless past its pivot")
        toTheEnd()
        #expect(isPastPivot || state.status == .compensated, "seed \(seed)")
    }

    mutating func anything() {
        clock += Double.random(in: -1...3, using: &random)
        let operation = Self.randomOperation(&random)
        switch Int.random(in: 0..<8, using: &random) {
        case 0: take(.proceed)
        case 1: take(.takenUp(ownCalls: [operation]))
        case 2: take(.proceed, admission: .deferred(until: at(clock + 1), reason: "x"))
        case 3: take(.takenUp(ownCalls: []))
        case 4: command([.cancel, .pause, .resume, .retry, .terminate, .compensate].randomElement(using: &random)!)
        case 5:
            command(
                .resolve(
                    step: "s\(operation.step)", Bool.random(using: &random) ? .done : .undone, output: nil))
        default:
            take(.answered(operation, attempt: Int.random(in: 0...3, using: &random), randomAnswer(likelyDone: false)))
        }
    }

    private mutating func helpOut() {
        switch Int.random(in: 0..<4, using: &random) {
        case 0: command(.retry)
        case 1: command(.retryPatched(json(#"{"n":\#(Int.random(in: 0..<9, using: &random))}"#)))
        default:
            let stuck = state.stuckOn?.step ?? 0
            command(
                .resolve(step: definition.steps[stuck].name, Bool.random(using: &random) ? .done : .undone, output: nil)
            )
        }
    }

    private mutating func randomAnswer(likelyDone: Bool) -> Answer {
        if likelyDone || Int.random(in: 0..<10, using: &random) < 6 { return .done(output: .null) }
        let refusal = Answer.Refusal(
            error: "E\(Int.random(in: 0..<3, using: &random))", message: "m", isRetryable: Bool.random(using: &random))
        return Bool.random(using: &random) ? .failed(refusal) : .unknown(refusal)
    }

    /// - Parameter admission: what the services say; nil lets every call out.
    private mutating func take(_ input: SagaInput, admission: Admission? = nil) {
        let admit: Admit? = admission.map { admission in { _, _, _ in admission } }
        let decision = decide(state, input, now: at(clock), definition: definition, admit: admit)
        for call in decision.calls where call.operation.side == .compensation {
            // Between the decision to undo and the action's end there is never a call of the saga's actions in flight.
            #expect(!state.steps.contains { $0.action.isRunning } || isAnswer(input), "seed \(seed)")
        }
        for call in decision.calls {
            let input = decision.state.input(of: call.operation)
            #expect(inputs[call.idempotencyKey, default: input] == input, "seed \(seed): a known key, another body")
            inputs[call.idempotencyKey] = input
        }
        note(decision.events)
        state = decision.state
        if state.nextDue(in: definition) == nil {
            // A saga that waits for nobody would be parked for good.
            let later = decide(state, .proceed, now: .distantFuture, definition: definition)
            #expect(later.events.isEmpty, "seed \(seed): nothing is due and yet \(later.events) would follow")
        }
    }

    private func isAnswer(_ input: SagaInput) -> Bool {
        switch input {
        case .answered, .takenUp: true
        case .proceed: false
        }
    }

    private mutating func command(_ command: OperatorCommand) {
        guard case .event(let event) = state.result(of: command, by: .init(actor: "ann", reason: nil), in: definition)
        else { return }
        let recorded = RecordedEvent(sequence: state.sequence + 1, cause: nil, at: at(clock), event: event)
        state.evolve(recorded, definition: definition)
        note([recorded])
        take(.proceed)
    }

    private mutating func note(_ events: [RecordedEvent]) {
        history += events
        for event in events {
            if case .succeeded(let operation, _, _) = event.event, operation.side == .compensation {
                undone.append(operation.step)
            }
            if case .started(let operation, _) = event.event, operation.side == .action {
                #expect(state.turnedBackBy == nil, "seed \(seed): an action began on the way back")
                #expect(!undone.contains(operation.step), "seed \(seed): an action ran after its own undo")
            }
        }
    }

    func check() {
        #expect(state.status.isEnded, "seed \(seed) ends")
        #expect(history.map(\.sequence) == Array(1...history.count), "seed \(seed): no hole in the history")
        let folded = SagaState(folding: history, id: sagaID, key: nil, definition: definition)
        #expect(folded == state, "seed \(seed): the state is the fold")
        // Under `continue` a failed compensation counts as ended for the order, and a person may take it up later.
        let failed = Set(
            history.compactMap { event in
                if case .failed(let operation, _) = event.event, operation.side == .compensation {
                    operation.step
                } else {
                    nil
                }
            })
        let mayComeLate = definition.onCompensationFailure == .continue ? failed : []
        for (place, step) in undone.enumerated() {
            for later in undone[(place + 1)...] where !mayComeLate.contains(later) {
                #expect(
                    !definition.graph.descendants[step].contains(later), "seed \(seed): s\(later) undone after s\(step)"
                )
            }
        }
        for (index, step) in state.steps.enumerated() {
            switch state.status {
            case .completed: #expect(step.isEnded && step.compensation.phase == .idle, "seed \(seed)")
            case .compensated:
                let isUndone = step.compensation.phase == .succeeded
                #expect(
                    isUndone == state.mustBeUndone(step: index, in: definition) || isUndone, "seed \(seed) s\(index)")
                #expect(isUndone || !state.mustBeUndone(step: index, in: definition), "seed \(seed) s\(index) is left")
                if let pivot = definition.pivot {
                    #expect(state.steps[pivot].action.phase != .succeeded, "seed \(seed)")
                }
            default: break
            }
        }
    }

    static func randomOperation(_ random: inout SeededGenerator) -> OperationReference {
        OperationReference(
            step: Int.random(in: 0..<8, using: &random), side: Bool.random(using: &random) ? .action : .compensation)
    }

    static func randomEvent(_ random: inout SeededGenerator) -> Event {
        let operation = randomOperation(&random)
        let failure = Event.AttemptFailure(
            attempt: Int.random(in: 0...3, using: &random), outcome: Outcome.allCases.randomElement(using: &random)!,
            error: Bool.random(using: &random) ? EngineError.daemonLost : "E", message: "")
        let act = Event.Act(actor: "a", reason: nil)
        let sagaFailure = SagaFailure(step: Bool.random(using: &random) ? operation.step : nil, error: "E", message: "")
        return [
            .sagaStarted(input: .null), .started(operation, attempt: 1),
            .succeeded(operation, attempt: 1, output: .null),
            .attemptFailed(operation, failure, next: .distantFuture), .failed(operation, failure),
            .stepSkipped(step: operation.step), .deferred(operation, until: at(5), reason: ""),
            .sagaCompensating(sagaFailure), .sagaCompleted(output: .null, failure: nil), .sagaCompensated,
            .sagaStuck(sagaFailure), .cancelRequested(act), .paused(act), .resumed(act),
            .stepResolved(operation, .done, output: nil, act), .stepResolved(operation, .undone, output: nil, act),
            .retried(act), .retried(act, patch: json(#"{"n":1}"#)), .retried(act, patch: json("{")), .terminated(act),
            .compensationRequested(act),
        ].randomElement(using: &random)!
    }
}

import JSON
import SagaCore
import Testing

/// Given a history, when something comes, then exactly these events and calls follow.
///
/// Events and calls are told in words (see `words`), so that a test reads as the story it is and asserts all of it,
/// also that nothing happened.
struct Specification {
    let definition: Definition
    private(set) var state: SagaState
    private(set) var history: [RecordedEvent]
    private(set) var calls: [Call] = []
    private(set) var last: [RecordedEvent] = []
    private var clock = at(0)

    /// A saga that was accepted at second 0.
    init(_ definition: Definition, input: String = "null") {
        self.definition = definition
        let start = RecordedEvent(
            sequence: 1, cause: nil, at: at(0), event: .sagaStarted(input: RawJSON(unchecked: Array(input.utf8))))
        history = [start]
        state = SagaState(folding: [start], id: sagaID, key: nil, definition: definition)!
    }

    /// Lets `input` come at `seconds` (or now) and asserts what follows.
    mutating func when(
        _ input: SagaInput, at seconds: Double? = nil, then expected: [String], calls expectedCalls: [String] = [],
        location: SourceLocation = #_sourceLocation
    ) {
        if let seconds { clock = at(seconds) }
        let decision = decide(state, input, now: clock, definition: definition)
        accept(decision)
        #expect(last.map { words($0.event) } == expected, sourceLocation: location)
        #expect(decision.calls.map { words($0) } == expectedCalls, sourceLocation: location)
    }

    /// As `when` above, with a service's guard who is asked: `admissions` in turn, the last one again and again.
    mutating func when(
        _ input: SagaInput, at seconds: Double? = nil, admitting admissions: [Admission], then expected: [String],
        calls expectedCalls: [String] = [], asking expectedQuestions: [String] = [],
        location: SourceLocation = #_sourceLocation
    ) {
        if let seconds { clock = at(seconds) }
        var questions: [String] = []
        let before = self
        let decision = decide(state, input, now: clock, definition: definition) { operation, service, attempts in
            questions.append("\(before.words(operation)) after \(attempts)")
            return admissions.isEmpty ? .wait : admissions[min(questions.count, admissions.count) - 1]
        }
        accept(decision)
        #expect(last.map { words($0.event) } == expected, sourceLocation: location)
        #expect(decision.calls.map { words($0) } == expectedCalls, sourceLocation: location)
        #expect(questions == expectedQuestions, sourceLocation: location)
    }

    /// A person's command, as the command line does it: one event appended, then a daemon looks.
    mutating func command(
        _ command: OperatorCommand, at seconds: Double? = nil, then expected: [String],
        calls expectedCalls: [String] = [], location: SourceLocation = #_sourceLocation
    ) {
        if let seconds { clock = at(seconds) }
        let act = Event.Act(actor: "ann", reason: "test")
        guard case .event(let event) = state.result(of: command, by: act, in: definition) else {
            Issue.record("refused: \(state.result(of: command, by: act, in: definition))", sourceLocation: location)
            return
        }
        let recorded = RecordedEvent(sequence: state.sequence + 1, cause: nil, at: clock, event: event)
        state.evolve(recorded, definition: definition)
        history.append(recorded)
        let decision = decide(state, .proceed, now: clock, definition: definition)
        accept(decision)
        #expect(([recorded] + last).map { words($0.event) } == expected, sourceLocation: location)
        #expect(decision.calls.map { words($0) } == expectedCalls, sourceLocation: location)
    }

    func result(of command: OperatorCommand) -> CommandResult {
        state.result(of: command, by: Event.Act(actor: "ann", reason: "test"), in: definition)
    }

    private mutating func accept(_ decision: Decision) {
        last = decision.events
        calls = decision.calls
        history += decision.events
        state = decision.state
        let folded = SagaState(folding: history, id: sagaID, key: nil, definition: definition)
        #expect(folded == state, "the state isn't the fold of its events")
    }

    private func name(_ step: Int) -> String { definition.steps[step].name }

    private func words(_ operation: OperationReference) -> String {
        operation.side == .action ? name(operation.step) : "undo \(name(operation.step))"
    }

    func words(_ call: Call) -> String { "\(words(call.operation)) #\(call.attempt)" }

    func words(_ event: Event) -> String {
        switch event {
        case .sagaStarted: "started"
        case .started(let operation, let attempt): "begin \(words(operation)) #\(attempt)"
        case .succeeded(let operation, let attempt, _): "done \(words(operation)) #\(attempt)"
        case .attemptFailed(let operation, let failure, let next):
            "\(failure.outcome.rawValue) \(words(operation)) #\(failure.attempt) \(failure.error), next \(next.text.dropFirst(14))"
        case .failed(let operation, let failure):
            "\(failure.outcome.rawValue) for good \(words(operation)) #\(failure.attempt) \(failure.error)"
        case .stepSkipped(let step): "skip \(name(step))"
        case .deferred(let operation, let until, _): "defer \(words(operation)) until \(until.text.dropFirst(14))"
        case .sagaCompensating(let failure): "turn: \(failure.step.map(name) ?? "–") \(failure.error)"
        case .sagaCompleted: "completed"
        case .sagaCompensated: "compensated"
        case .sagaStuck(let failure): "stuck: \(failure.step.map(name) ?? "–") \(failure.error)"
        case .cancelRequested: "cancel requested"
        case .paused: "paused"
        case .resumed: "resumed"
        case .stepResolved(let operation, let resolution, _, _): "\(words(operation)) resolved \(resolution.rawValue)"
        case .retried(_, let patch): "retried" + (patch.map { ", patch \($0.text)" } ?? "")
        case .terminated: "terminated"
        case .compensationRequested: "compensation requested"
        }
    }
}

extension SagaInput {
    /// The action of `step` was done.
    static func done(_ step: Int, _ attempt: Int = 1, output: String = "null") -> SagaInput {
        .answered(OperationReference(step: step, side: .action), attempt: attempt, .done(output: json(output)))
    }

    /// The compensation of `step` was done.
    static func undone(_ step: Int, _ attempt: Int = 1) -> SagaInput {
        .answered(OperationReference(step: step, side: .compensation), attempt: attempt, .done(output: .null))
    }

    /// The participant refused, and trying again is of no use.
    static func refused(_ step: Int, _ side: OperationSide = .action, _ attempt: Int = 1, _ error: String = "No")
        -> SagaInput
    {
        answered(step, side, attempt, .failed(.init(error: error, message: "no", isRetryable: false)))
    }

    /// Certainly not done, and may be tried again.
    static func failed(
        _ step: Int, _ side: OperationSide = .action, _ attempt: Int = 1, _ error: String = "Busy",
        retryAfter: TimeSpan? = nil
    ) -> SagaInput {
        answered(
            step, side, attempt, .failed(.init(error: error, message: "no", isRetryable: true, retryAfter: retryAfter)))
    }

    /// May have been done; may be tried again.
    static func lost(
        _ step: Int, _ side: OperationSide = .action, _ attempt: Int = 1, _ error: String = EngineError.timeout,
        isRetryable: Bool = true
    ) -> SagaInput {
        answered(step, side, attempt, .unknown(.init(error: error, message: "?", isRetryable: isRetryable)))
    }

    private static func answered(_ step: Int, _ side: OperationSide, _ attempt: Int, _ answer: Answer) -> SagaInput {
        .answered(OperationReference(step: step, side: side), attempt: attempt, answer)
    }
}

func json(_ text: String) -> RawJSON { RawJSON(unchecked: Array(text.utf8)) }

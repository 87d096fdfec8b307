import JSON
import SagaCore
import SagaEngine

/// A call that reached, or was to reach, a participant.
public struct SimulatedCall: Sendable, Hashable {
    public internal(set) var call: Call
    public internal(set) var at: Instant
    /// When its answer came, and what it was; nil for one that nobody heard of any more.
    public internal(set) var answer: Answer?
    public internal(set) var answeredAt: Instant?

    public var target: SimulationScript.Target { .init(call.stepName, call.operation.side) }

    /// nil without an answer.
    public var outcome: Outcome? {
        switch answer {
        case .done: .done
        case .failed: .failed
        case .unknown: .unknown
        case nil: nil
        }
    }
}

/// All participants of a simulation: answers by script and keeps the books.
public actor ScriptedParticipant: StepInvoker {
    /// The participants' books, that is the effects as they really are.
    public private(set) var books = ParticipantBooks()
    /// In the order in which they were made.
    public private(set) var calls: [SimulatedCall] = []
    private(set) var callsInFlight = 0
    /// Requests that are still on their way though nobody waits for their answer any more.
    private(set) var stragglers = 0

    private let script: SimulationScript
    private let clock: VirtualClock
    private let time: @Sendable () -> Instant
    private nonisolated let executor: SimulatedExecutor

    public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// - Parameter time: what the books are dated by.
    public init(
        script: SimulationScript, clock: VirtualClock, time: @escaping @Sendable () -> Instant,
        executor: SimulatedExecutor
    ) {
        self.script = script
        self.clock = clock
        self.time = time
        self.executor = executor
    }

    public func invoke(_ call: Call) async -> Answer {
        let number = calls.count
        calls.append(SimulatedCall(call: call, at: time()))
        callsInFlight += 1
        let answer = await answer(call)
        callsInFlight -= 1
        calls[number].answer = answer
        calls[number].answeredAt = time()
        clock.ring()
        return answer
    }

    /// The effect happens when the call arrives, whatever the answer takes; that of a straggler when its time has come.
    private func answer(_ call: Call) async -> Answer {
        let target = SimulationScript.Target(call.stepName, call.operation.side)
        let reply = script.reply(to: target, attempt: call.attempt)
        let answer = take(call, reply)
        let delay = script.delay(of: target, attempt: call.attempt)
        switch reply {
        case .timeout, .straggles: return await timeOut(call)
        case .done, .status, .failed, .unknown: break
        }
        if delay >= call.timeout { return await timeOut(call) }
        if delay > .zero { await clock.sleep(for: delay) }
        return answer
    }

    private func timeOut(_ call: Call) async -> Answer {
        await clock.sleep(for: call.timeout)
        return .unknown(
            .init(error: EngineError.timeout, message: "no answer within the timeout", isRetryable: true))
    }

    private func take(_ call: Call, _ reply: SimulationScript.Reply) -> Answer {
        switch reply {
        case .done(let output):
            if let refusal = enter(call) { return refusal }
            return .done(output: output ?? self.output(of: call))
        case .status(let status, let error):
            var outcomes: [Int: Outcome] = [:]
            if case .http(let request) = call.request { outcomes = request.outcomes }
            let answer = Answer.status(status, error: error, outcomes: outcomes)
            if case .done = answer, let refusal = enter(call) { return refusal }
            return answer
        case .failed(let refusal): return .failed(refusal)
        case .unknown(let refusal, let hasEffect):
            if hasEffect { _ = enter(call) }
            return .unknown(refusal)
        case .timeout(let hasEffect):
            if hasEffect { _ = enter(call) }
            return .done(output: .null)
        case .straggles(let span):
            stragglers += 1
            Task(executorPreference: executor) { await self.arrive(call, after: span) }
            return .done(output: .null)
        }
    }

    private func arrive(_ call: Call, after span: TimeSpan) async {
        await clock.sleep(for: span)
        _ = enter(call)
        stragglers -= 1
        clock.ring()
    }

    private func output(of call: Call) -> RawJSON {
        call.operation.side == .action ? script.outputs[call.stepName] ?? .null : .null
    }

    /// Enters what has an effect; the refusal of an action that was undone before it came.
    private func enter(_ call: Call) -> Answer? {
        if case .http(let request) = call.request, request.method == "GET" || request.method == "HEAD" { return nil }
        guard books.enter(call, at: time()) == .refused else { return nil }
        return .status(409, error: "AlreadyCompensated", outcomes: [:])
    }
}

import JSON
import SagaCore

/// Every fault at every call of a definition, one at a time, and what is wrong with what then came.
public struct FaultMatrix: Sendable {
    /// What happens at one call.
    public enum Fault: String, Sendable, Hashable, CaseIterable {
        /// The participant says no.
        case refuses
        /// It is never reached, however often it is tried (without limit: eight times).
        case unreachable
        /// The effect happens, and no answer ever comes back.
        case lost
        /// Nothing happens, and no answer comes within the timeout.
        case timeout
        /// The service's circuit breaker is open for a minute.
        case breakerOpen = "breaker open"
        case daemonDiesBeforeCall = "daemon dies before the call"
        case daemonDiesAfterCall = "daemon dies after the call"
        case daemonDiesAfterCommit = "daemon dies after the commit"
        /// A person cancels while the call is out.
        case cancel
        /// The deadline passes while the call is out.
        case deadline

        /// Whether it can happen to a compensation in another way than to nothing.
        var isOfActionsOnly: Bool { self == .cancel || self == .deadline }
    }

    /// One fault at one call.
    public struct Case: Sendable {
        public let target: SimulationScript.Target
        public let fault: Fault
        public let result: SimulationResult
        /// What no run may come to; empty when all is well.
        public let problems: [String]
    }

    private let definition: Definition
    private let input: RawJSON
    private let outputs: [String: RawJSON]
    private let seed: UInt64
    /// How long each call takes, so that something can happen meanwhile.
    private let pace: TimeSpan

    /// - Parameter outputs: what steps answer; nil gives `StandInOutputs`.
    public init(_ definition: Definition, input: RawJSON, outputs: [String: RawJSON]? = nil, seed: UInt64 = 0) {
        self.definition = definition
        self.input = input
        self.outputs = outputs ?? StandInOutputs.of(definition)
        self.seed = seed
        let timeouts = definition.steps.flatMap { [$0.action, $0.compensation] }.compactMap { $0?.timeout.microseconds }
        pace = TimeSpan(microseconds: min(1_000_000, (timeouts.min() ?? 0) / 2))
    }

    /// Runs all of them: steps in the order of the file, actions first, faults in the order of `Fault`.
    ///
    /// Calls that aren't made when nothing else goes wrong, such as those of a step that is skipped, have none.
    /// - Throws: as `SimulatedRun.run`.
    public func run() throws(SimulationFault) -> [Case] {
        var cases: [Case] = []
        for side in OperationSide.allCases {
            for (index, step) in definition.steps.enumerated() {
                let reference = OperationReference(step: index, side: side)
                guard case .http(let http)? = definition.operation(reference)?.kind else { continue }
                let target = SimulationScript.Target(step.name, side)
                guard let ground = try ground(of: target, index) else { continue }
                for fault in Fault.allCases where side == .action || !fault.isOfActionsOnly {
                    let service = definition.services[http.service]
                    if fault == .breakerOpen, service.circuitBreaker == nil { continue }
                    let result = try run(fault, at: target, on: ground, service: service).run()
                    let checks = RunChecks(result, definition: definition)
                    cases.append(Case(target: target, fault: fault, result: result, problems: checks.problems))
                }
            }
        }
        return cases
    }

    /// What a fault is laid upon: the run without it.
    private struct Ground {
        let rules: [SimulationScript.Rule]
        /// When the call goes out.
        let at: TimeSpan
        /// Of the event that records its answer.
        let answerSequence: Int
        /// The call is tried again without limit.
        let isEndless: Bool
    }

    /// What is tried again without limit gets through after so many faults; else its run would have no end.
    private static let attemptsOfEndless = 8

    private func ground(of target: SimulationScript.Target, _ index: Int) throws(SimulationFault) -> Ground? {
        let rules = paced + (target.side == .action ? [] : turn(behind: index))
        let result = try simulated(rules).run()
        guard let call = result.calls.first(where: { $0.target == target }) else { return nil }
        let answered: EventType = target.side == .action ? .stepSucceeded : .compensationSucceeded
        let answer = result.events.first { event in
            guard event.type == answered.rawValue, let data = event.data else { return false }
            return (try? JSON.parse(data))?["step"]?.stringValue == target.step
        }
        let policy = definition.operation(OperationReference(step: index, side: target.side))?.retry
        return answer.map {
            Ground(
                rules: rules, at: call.at - SimulatedRun.start, answerSequence: $0.sequence,
                isEndless: policy?.maximumAttempts == 0)
        }
    }

    private var paced: [SimulationScript.Rule] {
        definition.steps.flatMap { step in
            OperationSide.allCases.map { .init(.init(step.name, $0), delay: pace) }
        }
    }

    /// What makes a saga undo the step: the pivot, else the last call, refuses; if it is that step's own, its answer is
    /// lost.
    private func turn(behind index: Int) -> [SimulationScript.Rule] {
        let last = definition.steps.lastIndex { step in
            if case .http? = step.action?.kind { true } else { false }
        }
        guard let turning = definition.pivot ?? last else { return [] }
        let reply: SimulationScript.Reply = turning == index ? .lost : .status(422, error: "Refused")
        return [.init(.init(definition.steps[turning].name), reply: reply)]
    }

    private func simulated(_ rules: [SimulationScript.Rule], deadline: TimeSpan? = nil) -> SimulatedRun {
        let definition = deadline.map(self.definition.with) ?? self.definition
        return SimulatedRun(
            definition, input: input, script: SimulationScript(rules: rules, outputs: outputs), seed: seed)
    }

    private func run(
        _ fault: Fault, at target: SimulationScript.Target, on ground: Ground, service: Service
    ) -> SimulatedRun {
        func replying(_ reply: SimulationScript.Reply) -> SimulatedRun {
            let attempts = ground.isEndless ? (1...FaultMatrix.attemptsOfEndless).map { Optional($0) } : [nil]
            return simulated(ground.rules + attempts.map { .init(target, attempt: $0, reply: reply) })
        }
        let half = TimeSpan(microseconds: pace.microseconds / 2)
        let whileOut = ground.at + half
        var run = simulated(ground.rules, deadline: fault == .deadline ? whileOut : nil)
        switch fault {
        case .refuses: run = replying(.status(422, error: "Refused"))
        case .unreachable: run = replying(.unreachable)
        case .lost: run = replying(.lost)
        case .timeout: run = replying(.timeout(hasEffect: false))
        case .breakerOpen:
            let from = ground.at + TimeSpan(microseconds: -half.microseconds)
            run.outages = [.init(service, from: from, until: ground.at + .minutes(1))]
        case .daemonDiesBeforeCall: run.crashes = [.beforeCall(target, attempt: 1)]
        case .daemonDiesAfterCall: run.crashes = [.afterCall(target, attempt: 1)]
        case .daemonDiesAfterCommit: run.crashes = [.afterCommit(sequence: ground.answerSequence)]
        case .cancel: run.signals = [.init(at: whileOut, .cancel)]
        case .deadline: break
        }
        return run
    }
}

extension Definition {
    /// The same with another deadline.
    fileprivate func with(deadline: TimeSpan) -> Definition {
        Definition(
            name: name, description: description, digest: digest, inputSchema: inputSchema, deadline: deadline,
            services: services, steps: steps, graph: graph, onCompensationFailure: onCompensationFailure,
            output: output)
    }
}

extension TimeSpan {
    fileprivate static func + (left: TimeSpan, right: TimeSpan) -> TimeSpan {
        Instant(microseconds: left.microseconds) + right - Instant(microseconds: 0)
    }
}

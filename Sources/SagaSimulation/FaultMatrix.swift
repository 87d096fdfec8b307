import JSON
import SagaCore
import Synchronization

/// Every fault at every call of a definition, one at a time, and what is wrong with what then came.
///
/// `FaultPairs` takes them two at a time.
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
        /// No answer comes within the timeout, and the effect happens when all else is over.
        case straggles
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
        var isOfActionsOnly: Bool { self == .straggles || comesFromOutside }

        /// Whether it comes while the call is out, whatever becomes of that.
        var comesFromOutside: Bool { self == .cancel || self == .deadline }
    }

    /// One fault at one call.
    public struct Case: Sendable {
        public let target: SimulationScript.Target
        public let fault: Fault
        public let result: SimulationResult
        /// What no run may come to; empty when all is well.
        public let problems: [String]

        /// The run without the fault.
        let ground: SimulatedRun
        let site: FaultSite
    }

    /// Calls its second argument with each number from zero up to its first one, in any order and on any threads, and
    /// returns when all calls have.
    public typealias Spread = @Sendable (_ count: Int, _ work: @escaping @Sendable (Int) -> Void) -> Void

    /// One after the other on the caller's thread.
    public static let oneByOne: Spread = { count, work in (0..<count).forEach(work) }

    public let definition: Definition
    private let input: RawJSON
    private let outputs: [String: RawJSON]
    let seed: UInt64
    /// How long each call takes, so that something can happen meanwhile.
    let pace: TimeSpan

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
    /// - Parameter spread: what the runs are made on; the result is the same on any.
    /// - Throws: as `SimulatedRun.run`.
    public func run(on spread: Spread = oneByOne) throws(SimulationFault) -> [Case] {
        var targets: [OperationReference] = []
        for side in OperationSide.allCases {
            for index in definition.steps.indices {
                let reference = OperationReference(step: index, side: side)
                if case .http? = definition.operation(reference)?.kind { targets.append(reference) }
            }
        }
        let operations = targets
        let grounds = try FaultMatrix.all(operations.count, on: spread) { number throws(SimulationFault) in
            try ground(of: operations[number])
        }
        let singles = grounds.compactMap(\.self).flatMap { ground in
            Fault.allCases.filter { isPossible($0, at: ground.site) }.map { (ground: ground, fault: $0) }
        }
        return try FaultMatrix.all(singles.count, on: spread) { number throws(SimulationFault) in
            let (ground, fault) = singles[number]
            let result = try laying(fault, at: ground.site, on: ground.run).run()
            return Case(
                target: ground.site.target, fault: fault, result: result,
                problems: RunChecks(result, definition: definition).problems, ground: ground.run, site: ground.site)
        }
    }

    /// The results in the order of their numbers, whatever the order in which they come; of several faults the first.
    static func all<Value: Sendable>(
        _ count: Int, on spread: Spread, _ value: @escaping @Sendable (Int) throws(SimulationFault) -> Value
    ) throws(SimulationFault) -> [Value] {
        let found = Mutex<[Result<Value, SimulationFault>?]>(Array(repeating: nil, count: count))
        spread(count) { number in
            let result: Result<Value, SimulationFault>
            do throws(SimulationFault) { result = .success(try value(number)) } catch { result = .failure(error) }
            found.withLock { $0[number] = result }
        }
        var values: [Value] = []
        values.reserveCapacity(count)
        for result in found.withLock({ $0 }) {
            guard let result else { throw SimulationFault(message: "a run was left out") }
            values.append(try result.get())
        }
        return values
    }

    // MARK: What faults are laid upon

    private struct Ground: Sendable {
        let run: SimulatedRun
        let site: FaultSite
    }

    private func ground(of operation: OperationReference) throws(SimulationFault) -> Ground? {
        let run = operation.side == .action ? undisturbed : turned(behind: operation.step)
        let target = SimulationScript.Target(definition.steps[operation.step].name, operation.side)
        let result = try run.run()
        let events = result.decodedEvents(of: definition)
        guard let site = FaultSite(target, attempt: 1, in: result.calls, events, of: definition), site.isAnswered
        else { return nil }
        return Ground(run: run, site: site)
    }

    /// The run in which nothing goes wrong.
    var undisturbed: SimulatedRun {
        let rules = definition.steps.flatMap { step in
            OperationSide.allCases.map { SimulationScript.Rule(.init(step.name, $0), delay: pace) }
        }
        return SimulatedRun(
            definition, input: input, script: SimulationScript(rules: rules, outputs: outputs), seed: seed)
    }

    /// A run that undoes the step: the pivot, else the last call, refuses; if it is that step's own, its answer is lost.
    func turned(behind index: Int) -> SimulatedRun {
        var run = undisturbed
        let last = definition.steps.lastIndex { step in
            if case .http? = step.action?.kind { true } else { false }
        }
        guard let turning = definition.pivot ?? last else { return run }
        let target = SimulationScript.Target(definition.steps[turning].name)
        let refusal = SimulationScript.Reply.status(422, error: "Refused")
        if turning != index {
            run.script.rules.append(.init(target, reply: refusal))
        } else if definition.steps[turning].action?.retry.maximumAttempts == 0 {
            // Lost for ever it would never turn.
            run.script.rules += [.init(target, attempt: 1, reply: .lost), .init(target, reply: refusal)]
        } else {
            run.script.rules.append(.init(target, reply: .lost))
        }
        return run
    }

    /// Whether the fault can happen there.
    func isPossible(_ fault: Fault, at site: FaultSite) -> Bool {
        switch fault {
        case .breakerOpen: site.service.circuitBreaker != nil
        case .daemonDiesAfterCommit: site.answerSequence != nil
        default: site.target.side == .action || !fault.isOfActionsOnly
        }
    }
}

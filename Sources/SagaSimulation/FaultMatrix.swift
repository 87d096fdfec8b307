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
        /// Of the matrix.
        let turning: Int?
    }

    /// What came of all.
    public struct Outcome: Sendable {
        /// The run in which nothing goes wrong.
        public let undisturbed: SimulationResult
        /// Steps in the order of the file, actions first, faults in the order of `Fault`.
        public let cases: [Case]
        /// The operations that call a service and have no case, since no run comes to them.
        public let untried: [SimulationScript.Target]
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
        var pace = min(1_000_000, (timeouts.min() ?? 0) / 2)
        // With a second a call a deadline that is short, but long enough, would pass by itself.
        if let deadline = definition.deadline {
            pace = min(pace, deadline.microseconds / Int64(definition.steps.count + 1))
        }
        self.pace = TimeSpan(microseconds: pace)
    }

    /// Runs all of them.
    ///
    /// Calls that aren't made when nothing else goes wrong, such as those of a step that is skipped, have none.
    /// - Parameter spread: what the runs are made on; the result is the same on any.
    /// - Throws: as `SimulatedRun.run`.
    public func run(on spread: Spread = oneByOne) throws(SimulationFault) -> Outcome {
        let calm = try undisturbed.run()
        let turning = turning(in: calm)
        var targets: [OperationReference] = []
        for side in OperationSide.allCases {
            for index in definition.steps.indices {
                let reference = OperationReference(step: index, side: side)
                if case .http? = definition.operation(reference)?.kind { targets.append(reference) }
            }
        }
        let operations = targets
        let grounds = try FaultMatrix.all(operations.count, on: spread) { number throws(SimulationFault) in
            let operation = operations[number]
            if operation.side == .action { return ground(undisturbed, calm, at: operation) }
            guard let run = turned(behind: operation.step, by: turning) else { return nil }
            return ground(run, try run.run(), at: operation)
        }
        let singles = grounds.compactMap(\.self).flatMap { ground in
            Fault.allCases.filter { isPossible($0, at: ground.site) }.map { (ground: ground, fault: $0) }
        }
        let cases = try FaultMatrix.all(singles.count, on: spread) { number throws(SimulationFault) in
            let (ground, fault) = singles[number]
            let result = try laying(fault, at: ground.site, on: ground.run).run()
            return Case(
                target: ground.site.target, fault: fault, result: result,
                problems: RunChecks(result, definition: definition).problems, ground: ground.run, site: ground.site,
                turning: turning)
        }
        let untried = zip(operations, grounds).filter { $1 == nil }.map { target(of: $0.0) }
        return Outcome(undisturbed: calm, cases: cases, untried: untried)
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

    private func target(of operation: OperationReference) -> SimulationScript.Target {
        SimulationScript.Target(definition.steps[operation.step].name, operation.side)
    }

    /// nil when the run doesn't make the call.
    private func ground(_ run: SimulatedRun, _ result: SimulationResult, at operation: OperationReference) -> Ground? {
        let events = result.decodedEvents(of: definition)
        guard let site = FaultSite(target(of: operation), attempt: 1, in: result.calls, events, of: definition),
            site.isAnswered
        else { return nil }
        return Ground(run: run, site: site)
    }

    /// The step whose refusal undoes the most: the last one called that doesn't come after the pivot; nil without any.
    ///
    /// - Parameter result: the undisturbed run's.
    private func turning(in result: SimulationResult) -> Int? {
        var past: [Int] = []
        if let pivot = definition.pivot, !result.state.steps[pivot].isSkipped {
            past = definition.graph.descendants[pivot]
        }
        return result.calls.last { $0.target.side == .action && !past.contains($0.call.operation.step) }?.call.operation
            .step
    }

    /// The run in which nothing goes wrong.
    var undisturbed: SimulatedRun {
        let rules = definition.steps.flatMap { step in
            OperationSide.allCases.map { SimulationScript.Rule(.init(step.name, $0), delay: pace) }
        }
        return SimulatedRun(
            definition, input: input, script: SimulationScript(rules: rules, outputs: outputs), seed: seed)
    }

    /// A run that undoes the step; nil when nothing can turn the saga.
    ///
    /// `turning` refuses; if it is that step itself, its answer is lost.
    func turned(behind index: Int, by turning: Int?) -> SimulatedRun? {
        guard let turning else { return nil }
        var run = undisturbed
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

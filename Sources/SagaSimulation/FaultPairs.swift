import JSON
import SagaCore

/// Every two faults of a definition's matrix that can happen in one run, each two once.
///
/// The second is laid upon the run in which the first has happened: its call, the time it goes out at and the event of
/// its answer are that run's, and a call that isn't made there has none. The pairs of a first fault are these, in this
/// order:
///
/// - At another call that goes out at that time or later, each of its faults. If the first doesn't turn the saga, its
///   compensations are reached by what reaches them in the matrix.
/// - At the same call a cancel and the deadline while it is out, or held back.
/// - At the same call, when the first is over with its attempt: each fault that the participant, its way or the daemon
///   can have from the next attempt on; after an open breaker from the first.
public struct FaultPairs: Sendable {
    /// A fault at a call, from one of its attempts on.
    public struct Part: Sendable, Hashable {
        public let target: SimulationScript.Target
        public let fault: FaultMatrix.Fault
        public let attempt: Int
    }

    /// Two faults in one run.
    public struct Pair: Sendable {
        public let first: Part
        public var second: Part { Part(target: site.target, fault: fault, attempt: site.attempt) }

        /// The run with the first.
        fileprivate let ground: SimulatedRun
        fileprivate let site: FaultSite
        fileprivate let fault: FaultMatrix.Fault
    }

    /// What a run came to, without its story.
    public struct Outcome: Sendable, Hashable {
        public let status: SagaStatus
        public let ending: SimulationResult.Ending
        public let duration: TimeSpan
        /// The steps whose effect stands, in the order in which they came.
        public let effects: [String]
        public let problems: [String]

        public init(_ result: SimulationResult, problems: [String]) {
            status = result.status
            ending = result.ending
            duration = result.duration
            effects = result.books.standing.map(\.step)
            self.problems = problems
        }
    }

    public let matrix: FaultMatrix
    /// In the order of their first faults.
    public private(set) var pairs: [Pair]
    /// How many there are without a limit.
    public let total: Int

    /// Finds the pairs, which takes about two runs for each of the single faults.
    ///
    /// - Parameters:
    ///   - cases: what the matrix's own run has given.
    ///   - spread: what the runs are made on.
    public init(
        _ matrix: FaultMatrix, of cases: [FaultMatrix.Case], on spread: FaultMatrix.Spread = FaultMatrix.oneByOne
    ) throws(SimulationFault) {
        self.matrix = matrix
        let found = try FaultMatrix.all(cases.count, on: spread) { number throws(SimulationFault) in
            try FaultPairs.pairs(of: cases[number], in: matrix)
        }
        var known: Set<Set<Part>> = []
        pairs = found.flatMap(\.self).filter { known.insert([$0.first, $0.second]).inserted }
        total = pairs.count
    }

    /// Keeps `limit` of them, in their order: which ones is by the matrix's seed, each as likely as any other.
    public func sampled(_ limit: Int) -> FaultPairs {
        var sample = self
        var generator = SplitMix64(state: matrix.seed)
        var wanted = max(0, limit)
        // Selection sampling: Knuth, The Art of Computer Programming, volume 2, 3.4.2, algorithm S.
        sample.pairs = pairs.enumerated().filter { number, _ in
            guard wanted > 0 else { return false }
            let isChosen = UInt64.random(in: 0..<UInt64(pairs.count - number), using: &generator) < UInt64(wanted)
            if isChosen { wanted -= 1 }
            return isChosen
        }.map(\.element)
        return sample
    }

    /// Runs all of them; the outcomes are in the order of `pairs`, the same on any threads.
    public func run(on spread: FaultMatrix.Spread = FaultMatrix.oneByOne) throws(SimulationFault) -> [Outcome] {
        try FaultMatrix.all(pairs.count, on: spread) { number throws(SimulationFault) in
            let result = try result(of: pairs[number])
            return Outcome(result, problems: RunChecks(result, definition: matrix.definition).problems)
        }
    }

    /// Runs one of them.
    public func result(of pair: Pair) throws(SimulationFault) -> SimulationResult {
        try matrix.laying(pair.fault, at: pair.site, on: pair.ground).run()
    }

    // MARK: Which there are

    private static func pairs(of single: FaultMatrix.Case, in matrix: FaultMatrix) throws(SimulationFault) -> [Pair] {
        let first = try matrix.laying(single.fault, at: single.site, on: single.ground)
        var pairs = elsewhere(single, first, single.result, matrix)
        if single.target.side == .action, single.result.state.turnedBackBy == nil,
            let step = matrix.definition.index(ofStep: single.target.step)
        {
            pairs += try turned(single, behind: step, matrix)
        }
        for second in FaultMatrix.Fault.allCases where second.comesFromOutside && single.target.side == .action {
            guard single.fault != .deadline, single.fault != second else { continue }
            pairs.append(pair(single, first, second, at: single.site))
        }
        return pairs + (try afterwards(single, first, matrix))
    }

    /// At calls that follow in the run with the first.
    private static func elsewhere(
        _ single: FaultMatrix.Case, _ first: SimulatedRun, _ result: SimulationResult, _ matrix: FaultMatrix,
        _ sides: [OperationSide] = OperationSide.allCases
    ) -> [Pair] {
        let events = result.decodedEvents(of: matrix.definition)
        var pairs: [Pair] = []
        for made in result.calls where made.call.attempt == 1 && made.target != single.target {
            guard sides.contains(made.target.side),
                let site = FaultSite(made.target, attempt: 1, in: result.calls, events, of: matrix.definition),
                site.at >= single.site.at
            else { continue }
            for second in FaultMatrix.Fault.allCases where matrix.isPossible(second, at: site) {
                if second == single.fault, second.comesFromOutside { continue }
                pairs.append(pair(single, first, second, at: site))
            }
        }
        return pairs
    }

    /// At the compensations of a saga that something else turns.
    private static func turned(
        _ single: FaultMatrix.Case, behind step: Int, _ matrix: FaultMatrix
    ) throws(SimulationFault) -> [Pair] {
        guard let ground = matrix.turned(behind: step, by: single.turning) else { return [] }
        let undisturbed = try ground.run()
        let events = undisturbed.decodedEvents(of: matrix.definition)
        guard
            let site = FaultSite(
                single.target, attempt: 1, in: undisturbed.calls, events, of: matrix.definition)
        else { return [] }
        let first = try matrix.laying(single.fault, at: site, on: ground)
        return elsewhere(single, first, try first.run(), matrix, [.compensation])
    }

    /// At the same call when the first is over.
    private static func afterwards(
        _ single: FaultMatrix.Case, _ first: SimulatedRun, _ matrix: FaultMatrix
    ) throws(SimulationFault) -> [Pair] {
        let ground: SimulatedRun
        let result: SimulationResult
        switch single.fault {
        case .refuses, .cancel, .deadline: return []
        case .unreachable, .lost, .timeout, .straggles:
            ground = try matrix.laying(single.fault, at: single.site, on: single.ground, isOnce: true)
            result = try ground.run()
        case .breakerOpen, .daemonDiesBeforeCall, .daemonDiesAfterCall, .daemonDiesAfterCommit:
            (ground, result) = (first, single.result)
        }
        let events = result.decodedEvents(of: matrix.definition)
        let attempt = single.fault == .breakerOpen ? 1 : 2
        guard
            let site = FaultSite(single.target, attempt: attempt, in: result.calls, events, of: matrix.definition)
        else { return [] }
        return FaultMatrix.Fault.allCases.filter { second in
            if second == .breakerOpen, single.fault == .breakerOpen { return false }
            return matrix.isPossible(second, at: site) && !(second.comesFromOutside && attempt == 1)
        }.map { pair(single, ground, $0, at: site) }
    }

    private static func pair(
        _ single: FaultMatrix.Case, _ ground: SimulatedRun, _ fault: FaultMatrix.Fault, at site: FaultSite
    ) -> Pair {
        Pair(
            first: Part(target: single.target, fault: single.fault, attempt: single.site.attempt), ground: ground,
            site: site, fault: fault)
    }
}

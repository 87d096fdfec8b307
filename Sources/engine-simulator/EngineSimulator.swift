import ArgumentParser
import Glibc
import SagaSimulation

/// Runs the engine's simulation over many seeds: what `make simulate` does.
@main
struct EngineSimulator: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "engine-simulator",
        abstract: "Run several daemons of the very engine, their store and participants in virtual time, by seeds.")

    @Option(help: "How many seeds.")
    var seeds = 10_000
    @Option(help: "The first of them.")
    var first: UInt64 = 1
    @Option(help: "Run this one alone and print all that happens in it.")
    var seed: UInt64?
    @Option(help: "Seeds at once.")
    var jobs = 2
    @Option(help: "Break this promise on purpose, to see the checks find it: \(breaches).")
    var breach: String?

    private static var breaches: String { FleetBreach.allCases.map(\.rawValue).joined(separator: ", ") }

    /// So many seeds must have seen every kind of thing at least once.
    private static let seedsForAllKinds = 1_000

    func validate() throws {
        guard seeds > 0, seeds <= 100_000_000, jobs > 0, jobs <= 256 else {
            throw ValidationError("--seeds and --jobs are counts")
        }
        guard breach == nil || FleetBreach(rawValue: breach ?? "") != nil else {
            throw ValidationError("--breach is one of \(Self.breaches)")
        }
    }

    func run() async throws {
        if let seed { return try tell(simulate(seed, isTraced: true)) }
        let began = ContinuousClock.now
        var coverage = FleetCoverage()
        var hash = FleetHash()
        var done = 0
        for await result in results() {
            if !result.problems.isEmpty {
                print("seed \(result.seed) breaks a promise, after \(done) seeds that don't.\n")
                try tell(simulate(result.seed, isTraced: true), story: true)
            }
            coverage += result.coverage
            hash.add(result.hash)
            done += 1
        }
        let time = (ContinuousClock.now - began) / .seconds(1)
        print(coverage.table)
        print("\(done) seeds in \(tenths(time)) s, \(tenths(Double(done) / time)) a second; hash \(hash.text)")
        if done >= Self.seedsForAllKinds, breach == nil, !coverage.missing.isEmpty {
            print("never happened: \(coverage.missing.map(\.name).joined(separator: ", "))")
            throw ExitCode(1)
        }
    }

    private func tenths(_ value: Double) -> Double { (value * 10).rounded() / 10 }

    private func simulate(_ seed: UInt64, isTraced: Bool = false) -> FleetResult {
        var simulation = FleetSimulation(seed: seed)
        simulation.isTraced = isTraced
        simulation.breach = breach.flatMap(FleetBreach.init)
        return simulation.run()
    }

    /// The results in the order of their seeds; each seed runs whole on one thread.
    private func results() -> AsyncStream<FleetResult> {
        AsyncStream { continuation in
            let work = Task {
                await withTaskGroup(of: FleetResult.self) { group in
                    var next = first
                    let end = first &+ UInt64(seeds)
                    var waiting: [UInt64: FleetResult] = [:]
                    var due = first
                    for _ in 0..<min(jobs, seeds) {
                        let seed = next
                        next &+= 1
                        group.addTask { simulate(seed) }
                    }
                    for await result in group {
                        waiting[result.seed] = result
                        while let result = waiting.removeValue(forKey: due) {
                            continuation.yield(result)
                            due &+= 1
                        }
                        if next != end, !Task.isCancelled {
                            let seed = next
                            next &+= 1
                            group.addTask { simulate(seed) }
                        }
                    }
                }
                continuation.finish()
            }
            continuation.onTermination = { _ in work.cancel() }
        }
    }

    /// Prints a run: all of it, or what matters of the saga that its first problem is about.
    private func tell(_ result: FleetResult, story: Bool = false) throws {
        for problem in result.problems { print(problem) }
        if !result.problems.isEmpty { print("") }
        let saga = story ? result.problems.first?.split(separator: ":").first.map(String.init) : nil
        for document in result.documents where !story || saga?.hasPrefix("saga") == true { print(document) }
        for line in result.trace where saga?.hasPrefix("saga") != true || line.tells(of: saga ?? "") { print(line) }
        print("\nhash \(result.hashText)")
        let breach = breach.map { " --breach \($0)" } ?? ""
        print("again: engine-simulator --seed \(result.seed)\(breach)")
        if !result.problems.isEmpty {
            fflush(nil)
            throw ExitCode(1)
        }
    }
}

extension String {
    /// Whether a line of a trace is about this saga, or about what all share.
    fileprivate func tells(of saga: String) -> Bool {
        guard contains("saga ") else { return true }
        return contains("\(saga) ") || hasSuffix(saga)
    }
}

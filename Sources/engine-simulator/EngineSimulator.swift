import ArgumentParser
import SagaSimulation

@main
struct EngineSimulator: ParsableCommand {
    @Option var seeds = 10
    @Option var first: UInt64 = 1
    @Option var seed: UInt64?
    func run() throws {
        if let seed {
            var simulation = FleetSimulation(seed: seed)
            simulation.isTraced = true
            let result = simulation.run()
            for document in result.documents { print(document) }
            for line in result.trace { print(line) }
            print(result.hash, result.problems)
            return
        }
        var coverage = FleetCoverage()
        for seed in first..<(first + UInt64(seeds)) {
            let result = FleetSimulation(seed: seed).run()
            coverage += result.coverage
            if !result.problems.isEmpty { print(seed, result.problems.prefix(3)) }
        }
        for kind in FleetKind.allCases { print(kind.name, coverage[kind]) }
    }
}

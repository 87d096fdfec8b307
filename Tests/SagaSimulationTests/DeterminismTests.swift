import JSON
import SagaCore
import SagaSimulation
import Testing

@Suite struct DeterminismTests {
    private func run(seed: UInt64) throws -> SimulationResult {
        let definition = try Samples.list(["a", "b", "c"], retry: #"{"maximumAttempts": 4}"#, breaker: "{}")
        let script = SimulationScript(rules: [
            .init(.init("a"), attempt: 1, reply: .lost), .init(.init("b"), attempt: 1, reply: .unreachable),
            .init(.init("c"), reply: .init(failingWith: "503")),
            .init(.init("b", .compensation), attempt: 1, reply: .timeout(hasEffect: true)),
        ])
        return try SimulatedRun(
            definition, input: .null, script: script, seed: seed,
            crashes: [.afterCall(.init("b"), attempt: 2), .afterCommit(sequence: 15)]
        ).run()
    }

    @Test func theSameSeedGivesTheSameResult() throws {
        for seed in UInt64(0)..<10 {
            let first = try run(seed: seed)
            #expect(try run(seed: seed) == first)
        }
    }

    @Test func runsBesideOneAnotherDontMatter() async throws {
        let alone = try run(seed: 7)
        let together = try await withThrowingTaskGroup(of: SimulationResult.self) { group in
            for _ in 0..<8 { group.addTask { try run(seed: 7) } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(together == Array(repeating: alone, count: 8))
    }

    @Test func anotherSeedGivesOtherDelays() throws {
        let ends = try (UInt64(0)..<5).map { try run(seed: $0).duration }
        #expect(Set(ends).count == 5)
    }
}

import Testing

/// All promises at once, while daemons, database, network and participants fail: see docs/reliability.md.
@Suite(.timeLimit(.minutes(10))) struct ChaosTests {
    @Test func twoMinutesOfFaultsBreakNoPromise() async throws {
        let run = try await ChaosProgram.run("chaos", ["--minutes", "2", "--seed", "1"])
        #expect(run.status == 0, "\(run.report)")
    }
}

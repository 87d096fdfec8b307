import Testing

/// The checker of the chaos runs sees what it is there to see.
@Suite(.timeLimit(.minutes(5))) struct ChaosProofTests {
    /// Participants break each promise on purpose, or what that leaves behind is written into a sound run's books.
    @Test func everyBrokenPromiseIsCaughtAndASoundRunHasNone() async throws {
        let run = try await ChaosProgram.run("prove", [])
        #expect(run.status == 0, "\(run.report)")
    }
}

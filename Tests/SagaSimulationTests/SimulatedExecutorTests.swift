import Testing

@testable import SagaSimulation

@Suite struct SimulatedExecutorTests {
    /// Something that goes round in circles while time passes is told, and not waited for.
    @Test func workWithoutEndIsFoundThoughTimeGoesOn() {
        let (clock, executor) = (VirtualClock(), SimulatedExecutor())
        let task = Task(executorPreference: executor) {
            while !Task.isCancelled { await clock.sleep(for: .milliseconds(1)) }
        }
        #expect(executor.run(clock, mostJobs: 1_000) { false } == .endless)
        #expect(clock.now() > 0)
        task.cancel()
        #expect(executor.run(clock) { false } == .idle)
    }
}

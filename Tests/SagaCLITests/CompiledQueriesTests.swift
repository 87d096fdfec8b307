import Foundation
import PostgresClient
import SagaCore
import SagaTestKit
import Testing

/// With many day partitions the server takes seconds to compile what it runs in milliseconds.
@Suite struct CompiledQueriesTests {
    /// Given a server that compiles whatever looks into a table, if it is let, and tells of each plan.
    private let postgres = TestPostgres(settings: [
        "jit=on", "jit_above_cost=0.1", "session_preload_libraries=auto_explain", "auto_explain.log_min_duration=0",
    ])

    /// The queries that the server has compiled since `mark`, by their first lines.
    private func compiled(since mark: Int) async throws -> [String] {
        let log = try String(contentsOfFile: try await postgres.directory() + "/log", encoding: .utf8)
        return log.dropFirst(mark).split(separator: "LOG:  duration").dropFirst()
            .filter { $0.contains("\tJIT:\n") }.map { String($0.split(separator: "\n").dropFirst().first ?? "") }
    }

    private func mark() async throws -> Int {
        try String(contentsOfFile: try await postgres.directory() + "/log", encoding: .utf8).count
    }

    @Test func noCallThatLooksHasItsQueriesCompiled() async throws {
        let program = try await SagaProgram.withDefinitions(on: postgres)
        let id = try await program.startSaga("order", key: "k")
        let before = try await mark()
        _ = try await program.pool.query("SELECT count(*) FROM saga.breakers")
        guard try await program.pool.query("SELECT pg_jit_available()").rows.first?.decode(0, as: Bool.self) == true
        else { return await program.remove() }
        let others = try await compiled(since: before)
        #expect(others.count == 1, "\(others)")

        let mark = try await mark()
        for call in [
            ["status"], ["status", "k"], ["status", "\(id)"], ["status", "other"], ["list"],
            ["list", "--saga", "order", "--status", "pending", "--step", "s", "--error", "E", "--since", "1h"],
            ["events", "k"], ["graph", "k"], ["graph", "order"], ["breaker", "list"], ["breaker", "events"],
            ["prune", "--dry-run"],
            ["cancel", "--saga", "order", "--error", "E", "--dry-run", "--reason", "r"],
            ["pause", "--saga", "order", "--dry-run"],
        ] {
            let run = try await program.start(call, input: nil).ending()
            #expect(run.status == (call == ["status", "other"] ? 1 : 0), "\(call): \(run.error)")
        }
        let found = try await compiled(since: mark)
        #expect(found == [], "\(found)")
        try await postgres.stop(mode: .immediate)
        await program.remove()
    }
}

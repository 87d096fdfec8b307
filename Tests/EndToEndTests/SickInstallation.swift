import Foundation
import JSON
import Logging
import PostgresClient
import SagaTestKit
import Testing

/// A database, one participant, and as many daemons as a test starts.
final class SickInstallation: Sendable {
    let service: SickService
    let database: String
    private let folder: String
    private let pool: PostgresPool

    /// What happened to a breaker; times in seconds since 1970.
    struct BreakerEvent: Hashable {
        let type: String
        let at: Double
        let data: JSON
    }

    /// A call as the history of its saga has it.
    struct Begun: Hashable {
        let saga: String
        let attempt: Int
        /// When it was decided on.
        let at: Double
    }

    init() async throws {
        service = try SickService()
        database = try await TestPostgres.shared.database()
        folder = NSTemporaryDirectory() + "saga-sick-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder + "/sagas", withIntermediateDirectories: true)
        pool = PostgresPool(
            PostgresConfiguration(database, applicationName: "end-to-end-tests", maximumConnections: 1),
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
    }

    func remove() async {
        await pool.close()
        try? FileManager.default.removeItem(atPath: folder)
    }

    /// A definition of one call to the service.
    ///
    /// - Parameters:
    ///   - settings: further keys of the service.
    ///   - action: further keys of the call.
    func define(_ saga: String, settings: String, action: String = #""timeout": "2s""#) throws {
        let definition = """
            {"saga": "\(saga)", "services": {"payment": {"url": "\(service.url)", \(settings)}}, "steps": [
              {"name": "charge", "compensation": "none",
               "action": {"http": {"service": "payment", "path": "/charges"}, \(action)}}]}
            """
        try definition.write(toFile: folder + "/sagas/\(saga).json", atomically: true, encoding: .utf8)
    }

    /// Starts daemons and returns when they work.
    func daemons(_ count: Int) async throws -> [TestProgram] {
        let daemons = try (0..<count).map { _ in
            try TestProgram("sagad", ["--database", database, "--log-level", "warning"], folder: folder)
        }
        for daemon in daemons { try await until("a daemon works") { try await self.works(daemon.pid) } }
        return daemons
    }

    private func works(_ pid: Int32) async throws -> Bool {
        guard try await query("SELECT (to_regclass('saga.alert') IS NOT NULL)::text").first?.first == "true" else {
            return false
        }
        return try await query("SELECT pid::text FROM saga.daemons WHERE pid = \(pid)").count == 1
    }

    func stop(_ daemons: [TestProgram]) async {
        for daemon in daemons { daemon.signal(SIGTERM) }
        for daemon in daemons {
            let ending = await daemon.ending()
            #expect(ending.status == 0, "\(ending.errors)")
        }
    }

    /// Runs `saga` and expects it to succeed.
    @discardableResult
    func saga(_ arguments: String...) async throws -> String {
        let run = try await TestProgram.run(
            "saga", arguments, environment: ["SAGA_DATABASE_URL": database, "NO_COLOR": "1"], folder: folder)
        #expect(run.status == 0, "\(arguments): \(run)")
        return run.output
    }

    /// Starts so many sagas at once.
    func start(_ saga: String, _ count: Int = 1) async throws -> [String] {
        try await query("SELECT saga.start('\(saga)')::text FROM generate_series(1, \(count))").map { $0[0] }
    }

    func query(_ sql: String) async throws -> [[String]] {
        try await pool.query(sql).rows.map { row in
            try (0..<row.columnCount).map { try row.decode($0, as: String.self) }
        }
    }

    // MARK: What is known at the end

    func breakerEvents() async throws -> [BreakerEvent] {
        try await query(
            """
            SELECT (ARRAY['Opened', 'HalfOpened', 'Closed', 'ForcedOpen', 'Disabled', 'Reset'])[type],
                extract(epoch FROM at)::text, data::text
            FROM saga.breaker_event ORDER BY service_id, sequence
            """
        ).map { BreakerEvent(type: $0[0], at: Double($0[1]) ?? 0, data: try JSON.parse($0[2])) }
    }

    /// Every call that was decided on, in the order of time.
    func begun() async throws -> [Begun] {
        try await query(
            """
            SELECT saga_id::text, data ->> 'attempt', extract(epoch FROM at)::text
            FROM saga.events WHERE type = 'StepStarted' ORDER BY at, saga_id
            """
        ).map { Begun(saga: $0[0], attempt: Int($0[1]) ?? 0, at: Double($0[2]) ?? 0) }
    }

    /// How many sagas have each status.
    func statuses() async throws -> [String: Int] {
        let rows = try await query("SELECT status, count(*)::text FROM saga.sagas GROUP BY 1")
        return Dictionary(uniqueKeysWithValues: rows.map { ($0[0], Int($0[1]) ?? 0) })
    }

    /// The step's status in each of the sagas.
    func steps(_ sagas: [String]) async throws -> [String] {
        try await query("SELECT saga_id::text, status FROM saga.steps").filter { sagas.contains($0[0]) }.map { $0[1] }
    }

    // MARK: Waiting

    func untilBreaker(_ types: [String], location: SourceLocation = #_sourceLocation) async throws {
        try await until("the breaker's events are \(types)", location: location) {
            try await self.breakerEvents().map(\.type).starts(with: types)
        }
    }

    func untilCompleted(_ count: Int, location: SourceLocation = #_sourceLocation) async throws {
        try await until("\(count) sagas completed", location: location) {
            try await self.statuses()["completed"] == count
        }
    }

    /// Looks again and again; records an issue, and throws, when it isn't so for a minute.
    func until(
        _ what: String, location: SourceLocation = #_sourceLocation, _ condition: () async throws -> Bool
    ) async throws {
        let end = ContinuousClock.now + .seconds(60)
        while !(try await condition()) {
            if ContinuousClock.now > end {
                Issue.record("never: \(what); \(try await breakerEvents())", sourceLocation: location)
                throw CancellationError()
            }
            try await Task.sleep(for: .milliseconds(20))
        }
    }
}

import Foundation
import Logging
import PostgresClient
import SagaCore
import SagaPostgres
import SagaTestKit

/// An installation for the doctor: a database of its own on a server whose settings are as they should be.
struct DoctorFixture {
    /// What a test calls sick must not come from the test's server: commits stay here.
    static let server = TestPostgres(settings: ["fsync=on", "max_prepared_transactions=4"])
    static let quiet = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

    let program: SagaProgram
    let name: String

    /// A migrated database with a daemon that seems alive.
    static func make(on server: TestPostgres = server, isMigrated: Bool = true) async throws -> DoctorFixture {
        let url = try await server.database()
        let folder = NSTemporaryDirectory() + "saga-doctor-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder + "/sagas", withIntermediateDirectories: true)
        let pool = PostgresPool(
            PostgresConfiguration(url, applicationName: "doctor-tests", maximumConnections: 1), logger: quiet)
        let program = SagaProgram(database: url, folder: folder, pool: pool)
        let name = url.split(separator: "/").dropFirst().first?.split(separator: "?").first.map(String.init) ?? ""
        let fixture = DoctorFixture(program: program, name: name)
        if isMigrated {
            // As saga migrate does it.
            _ = try await Migrator(pool: pool, logger: quiet).migrate()
            try await PartitionDesk(pool: pool).ensure(days: 7)
            try await fixture.run(
                "INSERT INTO saga.daemon (host, pid, version, lease_until) VALUES ('h', 7, '0.1.0', now() + '170 s')")
        }
        return fixture
    }

    /// Lends an installation and removes it.
    static func with(_ body: (DoctorFixture) async throws -> Void) async throws {
        let fixture = try await make()
        do { try await body(fixture) } catch {
            await fixture.program.remove()
            throw error
        }
        await fixture.program.remove()
    }

    /// Runs a script as the superuser.
    func run(_ script: String) async throws { try await program.pool.execute(script: script) }

    /// Registers the fixture's definition `order`.
    func define() async throws {
        try program.write(Fixtures.order, to: "sagas/order.json")
        let run = try await program.run("apply", "sagas")
        guard run.status == 0 else { throw Fixtures.Broken(reason: run.error) }
    }

    /// What the doctor finds over new connections, without what is well: `severity code: message -> advice`.
    func problems(
        deep: Bool = true, database: String? = nil, _ adjust: (inout DoctorLimits) -> Void = { _ in }
    ) async throws -> [String] {
        var limits = DoctorLimits()
        adjust(&limits)
        let pool = PostgresPool(
            PostgresConfiguration(
                database ?? program.database, applicationName: "doctor", maximumConnections: 2),
            logger: Self.quiet)
        do {
            let report = try await Doctor(pool: pool, programVersion: "0.1.0", isDeep: deep, limits: limits).examine()
            await pool.close()
            return report.findings.filter { $0.severity != .ok }.map { finding in
                let advice = finding.advice.map { " -> \($0)" } ?? ""
                return "\(finding.severity) \(finding.code.rawValue): \(finding.message)\(advice)"
                    .replacing(name, with: "DB")
            }
        } catch {
            await pool.close()
            throw error
        }
    }

    /// The URL of this database for another role.
    func url(role: String) -> String { program.database.replacing("user=postgres", with: "user=\(role)") }
}

import Foundation
import FoundationNetworking
import JSON
import SagaTestKit
import Testing

/// A database, the four participant services, a folder of definitions and as many daemons as a test starts.
final class Installation: Sendable {
    let postgres: TestPostgres
    let database: String
    let folder: String
    let services: TestProgram
    let environment: [String: String]

    /// - Parameter hold: how long a slow answer takes.
    static func make(postgres: TestPostgres = .shared, hold: String = "300ms") async throws -> Installation {
        let folder = NSTemporaryDirectory() + "saga-e2e-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder + "/sagas", withIntermediateDirectories: true)
        try order.write(toFile: folder + "/sagas/order.json", atomically: true, encoding: .utf8)
        // The services' books stay up when a test stops the orchestrator's server.
        let books = try await TestPostgres.shared.database()
        let services = try TestProgram(
            "order-demo", ["--database", books, "--all", "--ports", "0,0,0,0", "--hold", "\(hold)"])
        let line = try #require(await services.firstLine(), "order-demo said: \(services.errorsSoFar)")
        let ports = try JSON.parse(line)
        var environment: [String: String] = [:]
        for (name, variable) in [
            ("inventory", "INVENTORY_URL"), ("payment", "PAYMENT_URL"), ("shipping", "SHIPPING_URL"),
            ("notification", "NOTIFICATION_URL"),
        ] {
            environment[variable] = "http://127.0.0.1:\(try #require(ports[name]?.int64Value))"
        }
        return Installation(
            postgres: postgres, database: try await postgres.database(), folder: folder, services: services,
            environment: environment)
    }

    private init(
        postgres: TestPostgres, database: String, folder: String, services: TestProgram, environment: [String: String]
    ) {
        self.postgres = postgres
        self.database = database
        self.folder = folder
        self.services = services
        self.environment = environment
    }

    func remove() async {
        _ = await services.stop()
        try? FileManager.default.removeItem(atPath: folder)
    }

    /// Starts a daemon and returns when it works.
    func daemon(_ arguments: [String] = [], database: String? = nil) async throws -> TestProgram {
        let daemon = try TestProgram(
            "sagad", ["--database", database ?? self.database] + arguments, environment: environment, folder: folder)
        #expect(await daemon.waitForError("ready"), "sagad said: \(daemon.errorsSoFar)")
        return daemon
    }

    /// Runs `saga` in the folder.
    func saga(_ arguments: String...) async throws -> TestProgram.Ending {
        try await TestProgram.run(
            "saga", arguments, environment: ["SAGA_DATABASE_URL": database, "NO_COLOR": "1"], folder: folder)
    }

    /// Starts an order and returns its id.
    func start(_ fate: String, key: String) async throws -> String {
        let run = try await saga("start", "order", "--key", key, "--input", input(fate, key))
        #expect(run.status == 0, "\(run)")
        return run.output.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    func input(_ fate: String, _ key: String) -> String {
        let card = ["lost-answer", "refund-fails-first", "declined", "slow"].contains(fate) ? fate : "valid"
        let (sku, country) = (
            fate == "sold-out" ? fate : "shirt", fate == "no-carrier" || fate == "refund-fails-first" ? "ZZ" : "DE"
        )
        return """
            {"orderId": "\(key)", "customer": "ann@example.org", "card": "\(card)", "country": "\(country)",
             "items": [{"sku": "\(sku)", "quantity": 2, "unitPriceCents": 1250}]}
            """
    }

    /// The saga's status document.
    func status(_ id: String) async throws -> JSON {
        let run = try await saga("status", id, "--format", "json")
        #expect(run.status == 0, "\(run)")
        return try JSON.parse(run.output)
    }

    /// Waits until the saga's status is one of `wanted`.
    func wait(for id: String, _ wanted: Set<String>, location: SourceLocation = #_sourceLocation) async throws -> JSON {
        let end = ContinuousClock.now + .seconds(60)
        var document = try await status(id)
        while !wanted.contains(document["status"]?.stringValue ?? "") {
            if ContinuousClock.now > end {
                Issue.record("never \(wanted.sorted()): \(document.text)", sourceLocation: location)
                return document
            }
            try await Task.sleep(for: .milliseconds(20))
            document = try await status(id)
        }
        return document
    }

    func types(_ id: String) async throws -> [String] {
        let run = try await saga("events", id, "--format", "json")
        return try run.output.split(separator: "\n").map { line in
            String((try JSON.parse(String(line))["type"]?.stringValue ?? "?").dropFirst("saga.".count))
        }
    }

    /// What the four services hold of an order: how many of the four effects.
    func held(_ order: String) async throws -> Int {
        var held = 0
        for variable in ["INVENTORY_URL", "PAYMENT_URL", "SHIPPING_URL", "NOTIFICATION_URL"] {
            let url = try #require(URL(string: (environment[variable] ?? "") + "/books"))
            let (data, _) = try await URLSession.shared.data(from: url)
            let orders = try JSON.parse(Array(data))["orders"]?.arrayValue ?? []
            held += orders.filter { $0["orderId"]?.stringValue == order && $0["held"]?.int64Value ?? 0 > 0 }.count
        }
        return held
    }

    private static let order: String = {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        return (try? String(contentsOf: root.appendingPathComponent("sagas/order.json"), encoding: .utf8)) ?? ""
    }()
}

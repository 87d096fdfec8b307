import AsyncHTTPClient
import JSON
import Logging
import NIOCore
import NIOHTTP1
import PostgresClient
import SagaTestKit
import Testing

/// The four services as their own process with a fresh database, and an HTTP client to call them with.
struct RunningServices: Sendable {
    let process: DemoProcess
    let ports: [String: Int]
    let databaseURL: String

    /// Runs a test's body against the services, and checks that they end cleanly after it.
    static func run(_ options: [String] = [], _ body: (RunningServices) async throws -> Void) async throws {
        let database = try await TestPostgres.shared.database()
        let process = try await DemoProcess(
            ["--database", database, "--all", "--ports", "0,0,0,0"] + options
        )
        do {
            let services = RunningServices(
                process: process,
                ports: try ports(process.announcement),
                databaseURL: database
            )
            try await body(services)
        } catch {
            let ending = await process.stop()
            Issue.record("the services ended with \(ending)")
            throw error
        }
        let ending = await process.stop()
        #expect(ending == DemoProcess.Ending(status: 0, standardError: ""))
    }

    static func ports(_ announcement: String?) throws -> [String: Int] {
        guard case .object(let object) = try JSON.parse(try #require(announcement)) else { return [:] }
        var ports: [String: Int] = [:]
        for name in object.keys {
            guard case .number(let number)? = object[name] else { continue }
            ports[name] = number.int64.map(Int.init)
        }
        return ports
    }

    /// What a service answered.
    struct Reply: Equatable, Sendable {
        let status: UInt
        let body: JSON

        init(_ status: UInt, _ body: JSON) {
            self.status = status
            self.body = body
        }
    }

    /// Calls a service as the orchestrator would.
    func post(
        _ service: String,
        _ path: String,
        key: String,
        compensates: String? = nil,
        _ body: JSON,
        timeout: Duration = .seconds(20)
    ) async throws -> Reply {
        var headers = [("Idempotency-Key", "\"\(key)\""), ("Content-Type", "application/json")]
        if let compensates { headers.append(("Saga-Compensates", "\"\(compensates)\"")) }
        return try await send(service, .POST, path, headers: headers, body: body.serialized(), timeout: timeout)
    }

    func get(_ service: String, _ path: String) async throws -> Reply {
        try await send(service, .GET, path, headers: [], body: nil)
    }

    /// Cuts every connection between the services and their database.
    func disconnectDatabase() async throws {
        let pool = PostgresPool(
            PostgresConfiguration(databaseURL, applicationName: "participant-tests", maximumConnections: 1),
            logger: Logger(label: "participant-tests")
        )
        let cut = try await pool.query(
            """
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND application_name = 'order-demo'
            """
        )
        await pool.close()
        #expect(!cut.rows.isEmpty)
    }

    func send(
        _ service: String,
        _ method: Method,
        _ path: String,
        headers: [(String, String)],
        body: [UInt8]?,
        timeout: Duration = .seconds(20)
    ) async throws -> Reply {
        var request = HTTPClientRequest(url: "http://127.0.0.1:\(try #require(ports[service]))\(path)")
        request.method = HTTPMethod(rawValue: method.rawValue)
        for (name, value) in headers { request.headers.add(name: name, value: value) }
        if let body { request.body = .bytes(ByteBuffer(bytes: body)) }
        let nanoseconds = timeout.components.seconds * 1_000_000_000 + timeout.components.attoseconds / 1_000_000_000
        let response = try await HTTPClient.shared.execute(request, timeout: .nanoseconds(nanoseconds))
        let answer = try await response.body.collect(upTo: 1 << 24)
        return Reply(
            response.status.code,
            answer.readableBytes == 0 ? .null : try JSON.parse(Array(answer.readableBytesView))
        )
    }

    enum Method: String, Sendable {
        case GET, POST, DELETE
    }
}

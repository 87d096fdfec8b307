import Foundation
import JSON
import Logging
import PostgresClient
import SagaTestKit
import Testing

/// `sagad --alert-url` with real daemons, a real receiver and sagas that get stuck.
@Suite(.timeLimit(.minutes(5))) struct AlertTests {
    /// A saga whose second step fails and whose first can't be undone.
    private func define(in test: Installation, refusing port: UInt16) throws {
        let definition = """
            {"saga": "doomed", "services": {"no": {"url": "http://127.0.0.1:\(port)"}}, "steps": [
              {"name": "book", "action": {"pass": 1}, "compensation": {"http": {"service": "no", "path": "/undo"}}},
              {"name": "pay", "action": {"http": {"service": "no", "path": "/pay"}}, "compensation": "none"}]}
            """
        try definition.write(toFile: test.folder + "/sagas/doomed.json", atomically: true, encoding: .utf8)
    }

    private func startDoomed(_ test: Installation, key: String) async throws -> String {
        let run = try await test.saga("start", "doomed", "--key", key)
        #expect(run.status == 0, "\(run)")
        return run.output.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// Waits until the outbox is empty.
    private func waitUntilDelivered(_ test: Installation) async throws {
        let pool = PostgresPool(
            PostgresConfiguration(test.database, applicationName: "end-to-end-tests", maximumConnections: 1),
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        while try await pool.query("SELECT count(*) FROM saga.alert").rows[0].decode(0, as: Int64.self) > 0 {
            try await Task.sleep(for: .milliseconds(50))
        }
        await pool.close()
    }

    @Test func aStuckSagaIsToldOfUntilTheReceiverTakesIt() async throws {
        let test = try await Installation.make()
        let receiver = try AlertReceiver { $0 <= 3 ? "503 Service Unavailable" : "204 No Content" }
        try define(in: test, refusing: receiver.port)
        let daemon = try TestProgram(
            "sagad",
            [
                "--database", test.database, "--alert-url", "${env:ALERTS}/alerts?key=${env:TOKEN}", "--alert-header",
                "Authorization: Bearer ${env:TOKEN}",
            ],
            environment: test.environment.merging([
                "ALERTS": "http://127.0.0.1:\(receiver.port)", "TOKEN": "geheim",
            ]) { $1 }, folder: test.folder)
        #expect(await daemon.waitForError("ready"), "\(daemon.errorsSoFar)")
        let id = try await startDoomed(test, key: "d-1")
        _ = try await test.wait(for: id, ["stuck"])
        try await waitUntilDelivered(test)

        let posts = receiver.posts
        #expect(posts.count == 4)
        let events = try await test.saga("events", id, "--format", "json").output.split(separator: "\n")
        let told = try JSON.parse(String(try #require(events.last)))
        let expected: JSON = [
            "specversion": "1.0", "id": told["id"] ?? .null, "source": "/sagas/doomed", "type": "saga.SagaStuck",
            "subject": .string(id), "time": told["time"] ?? .null, "datacontenttype": "application/json",
            "correlationid": .string(id),
            "data": [
                "saga": "doomed", "key": "d-1", "step": "book", "error": "Saga.HTTP.409",
                "message": told["data"]?["message"] ?? .null, "status": "stuck",
                "commands": [.string("saga status \(id)"), .string("saga retry \(id)")],
            ],
        ]
        #expect(posts.map(\.event) == Array(repeating: expected, count: 4))
        let head = try #require(posts.last?.head)
        #expect(head.hasPrefix("POST /alerts?key=geheim HTTP/1.1\r\n"))
        #expect(head.contains("\r\nAuthorization: Bearer geheim"))
        #expect(head.contains("\r\nContent-Type: application/cloudevents+json"))
        let ending = await daemon.stop()
        #expect(ending.status == 0)
        #expect(ending.errors.contains("an alert wasn't taken; it is posted again"))
        #expect(!ending.errors.contains("geheim"))
        await test.remove()
    }

    @Test func twoDaemonsTellEachOnce() async throws {
        let test = try await Installation.make()
        let receiver = try AlertReceiver { _ in "200 OK" }
        try define(in: test, refusing: receiver.port)
        let arguments = ["--alert-url", "http://127.0.0.1:\(receiver.port)/alerts"]
        let daemons = [try await test.daemon(arguments), try await test.daemon(arguments)]
        var ids: [String] = []
        for number in 0..<12 { ids.append(try await startDoomed(test, key: "d-\(number)")) }
        for id in ids { _ = try await test.wait(for: id, ["stuck"]) }
        try await waitUntilDelivered(test)
        #expect(receiver.posts.map { $0.event["subject"]?.stringValue ?? "?" }.sorted() == ids.sorted())
        for daemon in daemons { #expect(await daemon.stop().status == 0) }
        await test.remove()
    }

    @Test func aSagaPastItsDeadlineIsToldOf() async throws {
        let test = try await Installation.make()
        let receiver = try AlertReceiver { _ in "200 OK" }
        let definition = """
            {"saga": "late", "deadline": "300ms", "services": {"no": {"url": "http://127.0.0.1:\(receiver.port)"}},
             "steps": [{"name": "pay", "compensation": "none", "action": {
               "http": {"service": "no", "path": "/pay"},
               "retry": {"maximumAttempts": 0, "retryableErrors": ["Saga.HTTP.409"], "initialInterval": "50ms"}}}]}
            """
        try definition.write(toFile: test.folder + "/sagas/late.json", atomically: true, encoding: .utf8)
        let daemon = try await test.daemon(["--alert-url", "http://127.0.0.1:\(receiver.port)/alerts"])
        let run = try await test.saga("start", "late")
        let id = run.output.trimmingCharacters(in: .whitespacesAndNewlines)
        _ = try await test.wait(for: id, ["compensated"])
        try await waitUntilDelivered(test)
        #expect(receiver.posts.map { $0.event["type"] } == ["saga.SagaDeadlineExceeded"])
        let data = receiver.posts.first?.event["data"]
        #expect(data?["error"] == "Saga.DeadlineExceeded")
        #expect(data?["step"] == .null)
        #expect(data?["commands"] == [.string("saga status \(id)")])
        #expect(await daemon.stop().status == 0)
        await test.remove()
    }

    /// Sagas end although nobody answers, and another daemon tells what the first one couldn't.
    @Test func aReceiverThatIsAwayHoldsUpNothing() async throws {
        let test = try await Installation.make()
        let port = try AlertReceiver.closedPort()
        let refuser = try AlertReceiver { _ in nil }
        try define(in: test, refusing: refuser.port)
        let url = "http://127.0.0.1:\(port)/alerts"
        let first = try await test.daemon(["--alert-url", url])
        let id = try await startDoomed(test, key: "away")
        #expect(try await test.wait(for: id, ["stuck"])["status"] == "stuck")
        #expect(await first.waitForError("an alert wasn't taken; it is posted again"))
        let order = try await test.start("fine", key: "meanwhile")
        #expect(try await test.wait(for: order, ["completed"])["status"] == "completed")
        #expect(await first.stop().status == 0)

        let receiver = try AlertReceiver(port: port) { _ in "200 OK" }
        let second = try await test.daemon(["--alert-url", url])
        try await waitUntilDelivered(test)
        #expect(receiver.posts.map { $0.event["subject"]?.stringValue } == [id])
        #expect(await second.stop().status == 0)
        await test.remove()
    }

    /// A post in flight keeps no daemon from stopping, and no saga from running.
    @Test func aReceiverThatHangsHoldsUpNothing() async throws {
        let test = try await Installation.make()
        let receiver = try AlertReceiver { _ in nil }
        try define(in: test, refusing: receiver.port)
        let daemon = try await test.daemon(["--alert-url", "http://127.0.0.1:\(receiver.port)/alerts"])
        let id = try await startDoomed(test, key: "hangs")
        _ = try await test.wait(for: id, ["stuck"])
        await receiver.wait(for: 1)
        let order = try await test.start("fine", key: "meanwhile")
        #expect(try await test.wait(for: order, ["completed"])["status"] == "completed")
        let ending = await daemon.stop()
        #expect(ending.status == 0)
        #expect(!ending.errors.contains("an alert wasn't taken"), "it was broken off, not refused")
        await test.remove()
    }

    @Test(
        arguments: [
            (["--alert-url", "ftp://x"], 64), (["--alert-url", "not a url"], 64),
            (["--alert-url", "http://h/${env:NOT_SET}"], 1),
            (["--alert-url", "http://h/", "--alert-header", "Authorization: ${env:NOT_SET}"], 1),
            (["--alert-url", "http://h/", "--alert-header", "nothing"], 64), (["--alert-header", "A: b"], 64),
        ] as [([String], Int32)])
    func wrongOptionsEndTheStart(_ arguments: [String], _ status: Int32) async throws {
        let run = try await TestProgram.run("sagad", ["--database", "host=/nonexistent"] + arguments)
        #expect(run.status == status)
        #expect(run.output == "")
        #expect(run.errors.contains("--alert-"))
        if arguments.count > 2 || arguments[0] == "--alert-url" {
            #expect(run.errors.split(separator: "\n").count == 1, "\(run.errors)")
        }
    }
}

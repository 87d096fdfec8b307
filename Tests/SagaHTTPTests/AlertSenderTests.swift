import SagaCore
import SagaEngine
import SagaHTTP
import Testing

/// One post, as a receiver sees it and answers it.
@Suite struct AlertSenderTests {
    private static let event = Array(#"{"specversion":"1.0","id":"a/1"}"#.utf8)

    private func send(
        to url: String, headers: [String] = [], environment: [String: String] = [:], timeout: TimeSpan = .seconds(30)
    ) async throws -> AlertAnswer {
        let target = try AlertTarget(
            url: url, headers: headers, environment: ServiceEnvironment(environment), userAgent: "saga/1.2.3")
        let sender = HTTPAlertSender(target: target, configuration: HTTPInvokerConfiguration(), timeout: timeout)
        let answer = await sender.send(Self.event)
        await sender.shutdown()
        return answer
    }

    /// Posts once to a server with this script.
    private func send(
        path: String = "/", timeout: TimeSpan = .seconds(30),
        _ script: @escaping @Sendable (SocketServer.Connection) -> Void
    ) async throws -> AlertAnswer {
        let server = try SocketServer(script)
        let answer = try await send(to: "http://127.0.0.1:\(server.port)\(path)", timeout: timeout)
        await server.stop()
        return answer
    }

    @Test func theDocumentGoesOutAsItIs() async throws {
        let log = Log<SocketServer.Request>()
        let server = try SocketServer { connection in
            while let request = connection.request() {
                log.append(request)
                connection.answer("204 No Content")
            }
        }
        let answer = try await send(
            to: "http://127.0.0.1:\(server.port)/hooks/${env:HOOK}?a=${env:HOOK}",
            headers: ["authorization:  Bearer ${env:TOKEN} ", "X-Team: payments"],
            environment: ["HOOK": "h1", "TOKEN": "geheim"])
        await server.stop()
        #expect(answer == .taken)
        let request = try #require(log.entries.first)
        #expect(request.line == "POST /hooks/h1?a=h1 HTTP/1.1")
        #expect(
            request.headers.sorted() == [
                "Connection: close", "Content-Length: 32", "Content-Type: application/cloudevents+json",
                "User-Agent: saga/1.2.3", "X-Team: payments", "authorization: Bearer geheim",
                "host: 127.0.0.1:\(server.port)",
            ])
        #expect(request.body == Self.event)
        #expect(log.entries.count == 1)
    }

    @Test(arguments: [
        ("200 OK", AlertAnswer.taken), ("202 Accepted", .taken), ("410 Gone", .gone),
        ("400 Bad Request", .failed("answered 400")), ("401 Unauthorized", .failed("answered 401")),
        ("429 Too Many Requests", .failed("answered 429")), ("503 Service Unavailable", .failed("answered 503")),
    ])
    func theStatusDecides(_ status: String, _ expected: AlertAnswer) async throws {
        let answer = try await send { connection in
            while connection.request() != nil { connection.answer(status, "whatever") }
        }
        #expect(answer == expected)
    }

    @Test func aRedirectIsAFailureAndIsNotFollowed() async throws {
        let asked = Counter()
        let answer = try await send { connection in
            while connection.request() != nil {
                _ = asked.next()
                connection.answer("307 Temporary Redirect", headers: ["Location: /elsewhere"])
            }
        }
        #expect(answer == .failed("answered 307"))
        #expect(asked.next() == 2, "asked once")
    }

    /// The server writes until its peer goes: were the body read, this would go on for 500 MB.
    @Test func aBodyOfAnySizeIsLeftAfterItsBeginning() async throws {
        let written = Log<Int>()
        let answer = try await send { connection in
            guard connection.request() != nil else { return }
            connection.write("HTTP/1.1 200 OK\r\nContent-Length: 500000000\r\n\r\n")
            let chunk = [UInt8](repeating: 120, count: 1_000_000)
            var count = 0
            while count < 500, connection.isPeerThere() {
                connection.write(chunk)
                count += 1
            }
            written.append(count)
        }
        #expect(answer == .taken)
        #expect(written.entries.allSatisfy { $0 < 100 }, "\(written.entries) MB")
        #expect(written.entries.count == 1)
    }

    @Test func aReceiverThatHangsIsLeft() async throws {
        let silent = try await send(timeout: .milliseconds(200)) { connection in connection.hold() }
        #expect(silent == .failed("no answer within 0.2 s"))
        // It has said that it takes it; the rest may hang.
        let half = try await send(timeout: .milliseconds(200)) { connection in
            guard connection.request() != nil else { return }
            connection.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
            connection.hold()
        }
        #expect(half == .taken)
    }

    @Test func whatBreaksIsAFailureInWordsWithoutTheURL() async throws {
        let refused = try await send(to: "http://127.0.0.1:\(try SocketServer.closedPort())/geheim")
        #expect(refused == .failed("connection refused"))
        let reset = try await send(path: "/geheim") { connection in
            _ = connection.request()
            connection.reset()
        }
        #expect(reset == .failed("connection reset") || reset == .failed("connection closed by the participant"))
        let unknown = try await send(to: "http://geheim.invalid/")
        guard case .failed(let reason) = unknown else { Issue.record("\(unknown)"); return }
        #expect(!reason.contains("geheim"))
        let server = try SocketServer { connection in
            connection.waitForBytes()
            connection.write("no TLS here")
        }
        let noTLS = try await send(to: "https://127.0.0.1:\(server.port)/geheim")
        await server.stop()
        guard case .failed(let fault) = noTLS else { Issue.record("\(noTLS)"); return }
        #expect(fault.hasPrefix("TLS handshake failed: "))
        #expect(!fault.contains("geheim"))
    }

    @Test func aCancelledPostEndsAtOnce() async throws {
        let arrived = AsyncStream.makeStream(of: Void.self)
        let server = try SocketServer { connection in
            _ = connection.request()
            arrived.continuation.yield()
            connection.hold()
        }
        let url = "http://127.0.0.1:\(server.port)/"
        let posting = Task { try await send(to: url, timeout: .seconds(3_600)) }
        for await _ in arrived.stream { break }
        posting.cancel()
        #expect(try await posting.value == .failed("the call was dropped"))
        await server.stop()
    }

    static let notAURL =
        "--alert-url is not http://HOST[:PORT][/PATH][?QUERY] or https://…; credentials go into --alert-header"

    @Test(arguments: [
        ("ftp://geheim", [], notAURL), ("not a url", [], notAURL), ("", [], notAURL), ("http://", [], notAURL),
        ("http://u:geheim@h/", [], notAURL), ("http://h:65536/", [], notAURL), ("http://h/#geheim", [], notAURL),
        ("http://h/geh eim", [], notAURL), ("http://h/?q=ä", [], notAURL), ("http://h/?q=%", [], notAURL),
        ("http://${env:NONE}/", [], "--alert-url: environment variable NONE is not set"),
        ("${env:LINES}", [], notAURL),
        ("http://h/", ["geheim"], "--alert-header is written NAME: VALUE"),
        ("http://h/", ["A: ${env:NONE}"], "--alert-header: environment variable NONE is not set"),
        ("http://h/", ["a b: geheim"], "--alert-header: a header's name isn't one"),
        ("http://h/", [": geheim"], "--alert-header: a header's name isn't one"),
        ("http://h/", ["A: ${env:LINES}"], "--alert-header: the value of header A holds a control character"),
        ("http://h/", ["Host: geheim"], "--alert-header: header Host is set by the engine"),
        ("http://h/", ["content-TYPE: geheim"], "--alert-header: header content-TYPE is set by the engine"),
    ])
    func whatIsWrongIsSaidWithoutAnyValue(_ url: String, _ headers: [String], _ expected: String) {
        let environment = ServiceEnvironment(["LINES": "geheim\r\nX: y"])
        let error = #expect(throws: UnusableAlertTarget.self) {
            try AlertTarget(url: url, headers: headers, environment: environment, userAgent: "saga")
        }
        #expect(error?.description == expected)
    }
}

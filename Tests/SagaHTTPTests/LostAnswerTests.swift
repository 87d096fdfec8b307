import Foundation
import NIOHTTP1
import SagaCore
import SagaEngine
import SagaHTTP
import Testing

/// Every way in which an answer stays out, against a server that does it for real.
@Suite struct LostAnswerTests {
    private let closed = "connection closed by the participant"

    /// The answer to one call at a server that runs `script` on each connection.
    private func answer(
        timeout: TimeSpan = .seconds(30),
        method: String = "POST",
        body: String? = #"{"a":1}"#,
        script: @escaping @Sendable (SocketServer.Connection) -> Void
    ) async throws -> Answer {
        try await withServer(script: script) { invoker, server in
            await invoker.invoke(call(port: server.port, timeout: timeout, method: method, body: body))
        }
    }

    private func isLost(_ answer: Answer) -> Bool {
        guard case .unknown(let told) = answer else { return false }
        return told.error == EngineError.connectionLost && told.isRetryable && told.retryAfter == nil
    }

    @Test func refused() async throws {
        let port = try SocketServer.closedPort()
        let answers = try await withInvoker { invoker in
            [
                await invoker.invoke(call(port: port)),
                await invoker.invoke(call(url: "http://localhost:\(port)")),
            ]
        }
        #expect(answers == [connectFailed("connection refused"), connectFailed("connection refused")])
    }

    @Test func nameNotFound() async throws {
        let answer = try await withInvoker { await $0.invoke(call(url: "http://nowhere.invalid")) }
        #expect(answer == connectFailed("host name not found"))
    }

    @Test("the request arrived and is never read: the kernel resets", arguments: [nil, #"{"a":1}"#])
    func closedWithTheRequestUnread(body: String?) async throws {
        let answer = try await answer(body: body) { connection in
            connection.waitForBytes()
            connection.close()
        }
        #expect(isLost(answer), "\(answer)")
    }

    @Test func closedAfterTheRequest() async throws {
        let answer = try await answer { _ = $0.request() }
        #expect(answer == connectionLost(closed))
    }

    @Test func resetAfterTheRequest() async throws {
        let answer = try await answer { connection in
            _ = connection.request()
            connection.reset()
        }
        #expect(isLost(answer), "\(answer)")
    }

    static let halves = [
        "HTTP/1.1 200", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{\"a\":1", "HTTP/1.1 402 No\r\nContent-Length: 10\r\n\r\n{\"err",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n", "HTTP/1.1 103 Early Hints\r\n\r\n",
    ]

    @Test("an answer that ends before its end is no answer", arguments: halves)
    func closedInTheMiddle(half: String) async throws {
        let answer = try await answer { connection in
            _ = connection.request()
            connection.write(half)
        }
        #expect(isLost(answer), "\(answer)")
    }

    @Test("what isn't HTTP is no answer", arguments: ["hello\r\n\r\n", "\u{15}\u{03}\u{01}\u{00}\u{02}\u{02}\u{50}"])
    func garbage(text: String) async throws {
        let answer = try await answer { connection in
            _ = connection.request()
            connection.write(text)
            connection.hold()
        }
        #expect(isLost(answer), "\(answer)")
    }

    @Test(
        "no answer in time, from nothing to all but the last byte",
        arguments: [
            "", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{", "HTTP/1.1 402 No\r\nContent-Length: 2\r\n\r\n{",
        ]
    )
    func tooLate(sofar: String) async throws {
        let answer = try await answer(timeout: .milliseconds(150)) { connection in
            _ = connection.request()
            connection.write(sofar)
            connection.hold()
        }
        #expect(
            answer == .unknown(refusal("Saga.Timeout", "payment: no answer within 0.15 s", retry: true))
        )
    }

    @Test func noTimeAtAll() async throws {
        let log = Log<String>()
        let answer = try await answer(timeout: .zero) { connection in
            while let request = connection.request() { log.append(request.line) }
        }
        #expect(answer == connectFailed("no connection in time"))
        #expect(log.entries == [])
    }

    @Test func redirectIsNotFollowed() async throws {
        let log = Log<String>()
        let answer = try await answer { connection in
            while let request = connection.request() {
                log.append(request.line)
                connection.answer("302 Found", headers: ["Location: /elsewhere"])
            }
        }
        #expect(
            answer
                == .unknown(
                    refusal("Saga.HTTP.302", "HTTP 302 Found: redirects are not followed", retry: false)
                )
        )
        #expect(log.entries == ["POST /charges HTTP/1.1"])
    }

    @Test func informationalAnswersAreSkipped() async throws {
        let answer = try await answer { connection in
            guard connection.request() != nil else { return }
            connection.write("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
            connection.answer("201 Created", "[]")
        }
        #expect(answer == done("[]"))
    }

    @Test func answersWithoutABody() async throws {
        let head = try await answer(method: "HEAD", body: nil) { connection in
            guard connection.request() != nil else { return }
            connection.write("HTTP/1.1 200 OK\r\nContent-Length: 5000000\r\n\r\n")
        }
        let noContent = try await answer { connection in
            guard connection.request() != nil else { return }
            connection.write("HTTP/1.1 204 No Content\r\n\r\n")
        }
        #expect([head, noContent] == [done("null"), done("null")])
    }

    @Test("an answer that ends with its connection is whole", arguments: ["[1]", ""])
    func answerUpToTheEnd(body: String) async throws {
        let answer = try await answer { connection in
            guard connection.request() != nil else { return }
            connection.write("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n\(body)")
        }
        #expect(answer == done(body.isEmpty ? "null" : body))
    }

    @Test func answerInSmallPieces() async throws {
        let answer = try await answer { connection in
            guard connection.request() != nil else { return }
            connection.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for piece in ["[", "1", ",", "2", "]"] { connection.write("1\r\n\(piece)\r\n") }
            connection.write("0\r\n\r\n")
            connection.hold()
        }
        #expect(answer == done("[1,2]"))
    }

    @Test func retryAfterAndErrorOfTheBody() async throws {
        let answer = try await answer { connection in
            guard connection.request() != nil else { return }
            connection.answer(
                "503 Busy",
                #"{"error":"Maintenance","message":"back soon"}"#,
                headers: ["Date: Sun, 06 Nov 1994 08:49:37 GMT", "Retry-After: Sun, 06 Nov 1994 08:50:37 GMT"]
            )
        }
        #expect(answer == .unknown(refusal("Maintenance", "back soon", retry: true, after: .seconds(60))))
    }

    static let sizes: [(body: Int, status: String, isChunked: Bool)] = [
        (1_000, "200 OK", false), (1_001, "200 OK", false), (1_000, "200 OK", true), (1_001, "200 OK", true),
        (50_000_000, "200 OK", true), (1_001, "503 Busy", false),
    ]

    @Test("a body is taken in up to the limit and not a byte further", arguments: sizes)
    func limit(_ sample: (body: Int, status: String, isChunked: Bool)) async throws {
        var configuration = HTTPInvokerConfiguration()
        configuration.maximumResponseBytes = 1_000
        let text = "\"" + String(repeating: "x", count: sample.body - 2) + "\""
        let answer = try await withServer(
            configuration,
            script: { connection in
                guard connection.request() != nil else { return }
                guard sample.isChunked else { return connection.answer(sample.status, text) }
                connection.write("HTTP/1.1 \(sample.status)\r\nTransfer-Encoding: chunked\r\n\r\n")
                connection.write("\(String(sample.body, radix: 16))\r\n\(text)\r\n0\r\n\r\n")
            }
        ) { invoker, server in await invoker.invoke(call(port: server.port)) }
        switch (sample.body, sample.status) {
        case (1_000, _): #expect(answer == done(text))
        case (_, "503 Busy"):
            #expect(answer == .unknown(refusal("Saga.HTTP.503", "HTTP 503 Service Unavailable", retry: true)))
        default:
            #expect(
                answer == .unknown(refusal("Saga.BadResponse", "the answer is longer than 1000 bytes", retry: false))
            )
        }
    }

    @Test func cancelledTaskDropsTheRequest() async throws {
        let (arrived, arrival) = AsyncStream<Void>.makeStream()
        let dropped = Log<String>()
        let answer = try await withServer(script: { connection in
            _ = connection.request()
            arrival.yield()
            connection.hold()
            dropped.append("closed by the client")
        }) { invoker, server in
            let task = Task { await invoker.invoke(call(port: server.port)) }
            for await _ in arrived { break }
            task.cancel()
            return await task.value
        }
        #expect(answer == connectionLost("the call was dropped"))
        #expect(dropped.entries == ["closed by the client"])
    }

    @Test func cancelledBeforeItBegan() async throws {
        let log = Log<String>()
        let answer = try await withServer(script: { connection in
            while let request = connection.request() { log.append(request.line) }
        }) { invoker, server in
            let task = Task {
                while !Task.isCancelled { await Task.yield() }
                return await invoker.invoke(call(port: server.port))
            }
            task.cancel()
            return await task.value
        }
        #expect(answer == connectFailed("the call was dropped", health: .neutral))
        #expect(log.entries == [])
    }

    @Test func shutdownWithACallInFlight() async throws {
        let (arrived, arrival) = AsyncStream<Void>.makeStream()
        let answers = try await withServer(script: { connection in
            _ = connection.request()
            arrival.yield()
            connection.hold()
        }) { invoker, server in
            let first = call(port: server.port)
            async let inFlight = invoker.invoke(first)
            for await _ in arrived { break }
            async let second: Void = invoker.shutdown()
            await invoker.shutdown()
            await second
            return [await inFlight, await invoker.invoke(first)]
        }
        #expect(isLost(answers[0]), "\(answers[0])")
        #expect(answers[1] == connectFailed("the daemon is stopping", health: .neutral))
    }
}

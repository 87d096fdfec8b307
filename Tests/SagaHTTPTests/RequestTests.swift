import Foundation
import SagaCore
import SagaEngine
import SagaHTTP
import Testing

/// What goes out, as a participant reads it.
@Suite struct RequestTests {
    private static let saga = "018f3a1c-9be0-7d00-8000-000000000042"

    /// Makes calls one after the other at a server that says yes, and gives the requests as they came.
    private func requests(
        environment: [String: String] = [:],
        userAgent: String = "saga/1.2.3",
        _ calls: @Sendable (Int) -> [Call]
    ) async throws -> (requests: [SocketServer.Request], answers: [Answer], connections: Int, port: Int) {
        let log = Log<SocketServer.Request>()
        let script: @Sendable (SocketServer.Connection) -> Void = { connection in
            while let request = connection.request() {
                log.append(request)
                connection.answer("200 OK", request.line.hasPrefix("HEAD") ? "" : "{}")
            }
        }
        return try await withServer(
            HTTPInvokerConfiguration(userAgent: userAgent),
            environment: environment,
            script: script
        ) { invoker, server in
            var answers: [Answer] = []
            for call in calls(server.port) { answers.append(await invoker.invoke(call)) }
            return (log.entries, answers, server.connections, server.port)
        }
    }

    @Test func actionWithABody() async throws {
        let (requests, answers, _, port) = try await requests {
            [call(port: $0, attempt: 3, body: #"{"amount":0.10}"#)]
        }
        let request = try #require(requests.first)
        #expect(answers == [done("{}")])
        #expect(request.line == "POST /charges HTTP/1.1")
        #expect(
            request.headers.sorted() == [
                "Accept: application/json",
                "Content-Length: 15",
                "Content-Type: application/json",
                #"Idempotency-Key: "\#(Self.saga):charge:action""#,
                "Saga-Attempt: 3",
                "Saga-Id: \(Self.saga)",
                "Saga-Operation: action",
                "Saga-Step: charge",
                "User-Agent: saga/1.2.3",
                "host: 127.0.0.1:\(port)",
                "traceparent: 00-018f3a1c9be07d008000000000000042-448ba91256b60438-01",
            ]
        )
        #expect(request.body == Array(#"{"amount":0.10}"#.utf8))
    }

    @Test func compensationWithoutABody() async throws {
        let (requests, _, _, port) = try await requests { [call(port: $0, side: .compensation)] }
        let request = try #require(requests.first)
        #expect(
            request.headers.sorted() == [
                "Accept: application/json",
                "Content-Length: 0",
                #"Idempotency-Key: "\#(Self.saga):charge:compensation""#,
                "Saga-Attempt: 1",
                #"Saga-Compensates: "\#(Self.saga):charge:action""#,
                "Saga-Id: \(Self.saga)",
                "Saga-Operation: compensation",
                "Saga-Step: charge",
                "User-Agent: saga/1.2.3",
                "host: 127.0.0.1:\(port)",
                "traceparent: 00-018f3a1c9be07d008000000000000042-a29233ebb241762e-01",
            ]
        )
        #expect(request.body.isEmpty)
    }

    @Test func keyStaysAndSpanChangesOverAttempts() async throws {
        let (requests, _, connections, _) = try await requests { port in
            (1...3).map { call(port: port, attempt: $0) }
        }
        #expect(Set(requests.map { $0["idempotency-key"] }).count == 1)
        #expect(requests.map { $0["saga-attempt"] } == ["1", "2", "3"])
        #expect(Set(requests.map { $0["traceparent"] }).count == 3)
        #expect(connections == 1)
    }

    @Test func headersOfTheServiceAndOfTheCall() async throws {
        let (requests, _, _, _) = try await requests(environment: ["TOKEN": "s3cret"]) { port in
            [
                call(
                    port: port,
                    serviceHeaders: [
                        .init(name: "Authorization", value: "Bearer ${env:TOKEN}"),
                        .init(name: "X-Region", value: "eu"), .init(name: "accept", value: "*/*"),
                        .init(name: "Content-Type", value: "application/vnd.pay+json"),
                    ],
                    headers: [
                        .init(name: "x-region", value: "us"), .init(name: "user-agent", value: "mine"),
                        .init(name: "X-Note", value: "größe\t1"),
                    ],
                    body: "{}"
                )
            ]
        }
        let request = try #require(requests.first)
        let named = request.headers.filter { !$0.hasPrefix("Saga-") && !$0.hasPrefix("Idempotency-") }
        #expect(
            named.filter { !$0.hasPrefix("host") && !$0.hasPrefix("traceparent") }.sorted() == [
                "Authorization: Bearer s3cret", "Content-Length: 2", "Content-Type: application/vnd.pay+json",
                "X-Note: größe\t1", "accept: */*", "user-agent: mine", "x-region: us",
            ]
        )
    }

    @Test func urls() async throws {
        let targets = [
            "", "/", "/a/../b//c", "//d",
            "/charges/a%2Fb%20c?x=1%262&y=ä".replacingOccurrences(of: "ä", with: "%C3%A4"),
            "?q=:@/?", "/a;b=c,d?page[size]=1", "/a?", "/a%zz",
        ]
        let (requests, answers, _, _) = try await requests { port in
            targets.map { call(port: port, target: $0) }
                + ["/v1", "/v1/"].map { call(url: "http://127.0.0.1:\(port)\($0)", target: "/charges?x=1") }
        }
        #expect(
            requests.map(\.line) == [
                "POST / HTTP/1.1", "POST / HTTP/1.1", "POST /a/../b//c HTTP/1.1", "POST //d HTTP/1.1",
                "POST /charges/a%2Fb%20c?x=1%262&y=%C3%A4 HTTP/1.1", "POST /?q=:@/? HTTP/1.1",
                "POST /a;b=c,d?page%5Bsize%5D=1 HTTP/1.1", "POST /a? HTTP/1.1", "POST /v1/charges?x=1 HTTP/1.1",
                "POST /v1/charges?x=1 HTTP/1.1",
            ]
        )
        #expect(answers.filter { $0 != done("{}") } == [expressionFailed("path and query don't make a URL: /a%zz")])
    }

    @Test func methods() async throws {
        let methods = ["GET", "PUT", "PATCH", "DELETE", "HEAD", "PURGE"]
        let (requests, answers, _, _) = try await requests { port in methods.map { call(port: port, method: $0) } }
        #expect(requests.map(\.line) == methods.map { "\($0) /charges HTTP/1.1" })
        #expect(requests.map { $0["content-length"] } == [nil, "0", "0", nil, nil, "0"])
        #expect(answers == [done("{}"), done("{}"), done("{}"), done("{}"), done("null"), done("{}")])
    }

    @Test func urlFromTheEnvironment() async throws {
        let answers = try await withServer(
            environment: [:],
            script: { if $0.request() != nil { $0.answer("200 OK", "1") } }
        ) { invoker, server in
            let url = "${env:PAYMENT_URL:-http://127.0.0.1:\(server.port)/}"
            return [await invoker.invoke(call(url: url)), await invoker.invoke(call(url: "${env:PAYMENT_URL}"))]
        }
        #expect(
            answers == [
                done("1"), expressionFailed("service payment: environment variable PAYMENT_URL is not set"),
            ]
        )
    }

    static let unusable: [(call: Call, message: String)] = [
        (
            call(headers: [.init(name: "X-Note", value: "a\r\nSaga-Id: other")]),
            "the value of header X-Note holds a control character"
        ),
        (call(headers: [.init(name: "X", value: "a\n")]), "the value of header X holds a control character"),
        (call(headers: [.init(name: "X", value: "a\u{0}")]), "the value of header X holds a control character"),
        (
            call(serviceHeaders: [.init(name: "Authorization", value: "Bearer ${env:TOKEN}")]),
            "the value of header Authorization holds a control character"
        ),
        (call(headers: [.init(name: "X Y", value: "a")]), "a header's name isn't one"),
        (call(headers: [.init(name: "", value: "a")]), "a header's name isn't one"),
        (call(headers: [.init(name: "X\r\nY", value: "a")]), "a header's name isn't one"),
        (call(headers: [.init(name: "SAGA-Id", value: "a")]), "header SAGA-Id is set by the engine"),
        (call(headers: [.init(name: "host", value: "a")]), "header host is set by the engine"),
        (
            call(serviceHeaders: [.init(name: "Content-Length", value: "1")]),
            "header Content-Length is set by the engine"
        ),
        (call(method: "GET /x HTTP/1.1\r\nX:"), "the method isn't one that can be called"),
        (call(method: ""), "the method isn't one that can be called"),
        (call(method: "TRACE"), "the method isn't one that can be called"),
        (call(target: "/a b"), "path and query don't make a URL: /a b"),
        (call(target: "/a\r\nX: y"), "path and query don't make a URL: /a  X: y"),
        (call(url: "${env:TOKEN}"), "service payment: its url isn't http://HOST[:PORT][/PATH] or https://…"),
        (call(url: "http://127.0.0.1:99999"), "service payment: its url isn't http://HOST[:PORT][/PATH] or https://…"),
        (call(url: "ftp://127.0.0.1"), "service payment: its url isn't http://HOST[:PORT][/PATH] or https://…"),
        (call(url: "http://127.0.0.1/a?b"), "service payment: its url isn't http://HOST[:PORT][/PATH] or https://…"),
    ]

    @Test("a request that can't be made as it stands fails at once, and no value is told", arguments: unusable)
    func unusableRequest(_ sample: (call: Call, message: String)) async throws {
        let answer = try await withInvoker(environment: ["TOKEN": "s3cret\n"]) { await $0.invoke(sample.call) }
        #expect(answer == expressionFailed(sample.message))
    }

    @Test func noop() async throws {
        let noop = Call(
            saga: testSaga,
            sagaName: "bench",
            stepName: "a",
            operation: OperationReference(step: 0, side: .action),
            attempt: 1,
            timeout: .zero,
            request: .noop
        )
        #expect(try await withInvoker { await $0.invoke(noop) } == done("null"))
    }
}

import Foundation
import SagaCore
import SagaEngine
import SagaHTTP
import Testing

/// How connections are shared, and whether `failed` really means that nothing arrived.
@Suite struct ConnectionTests {
    @Test func connectionsPerHostAreLimited() async throws {
        var configuration = HTTPInvokerConfiguration()
        configuration.maximumConnectionsPerHost = 3
        let (answers, connections) = try await withServer(
            configuration,
            script: { connection in
                while connection.request() != nil { connection.answer("200 OK", "{}") }
            }
        ) { invoker, server in
            let answers = await withTaskGroup(of: Answer.self) { group in
                for _ in 0..<100 { group.addTask { await invoker.invoke(call(port: server.port, body: "{}")) } }
                return await group.reduce(into: []) { $0.append($1) }
            }
            return (answers, server.connections)
        }
        #expect(answers == Array(repeating: done("{}"), count: 100))
        #expect((1...3).contains(connections))
    }

    /// The server closes each connection after its answer without having said so.
    @Test func keptConnectionClosedByTheServerAndUsedAgain() async throws {
        let arrived = Log<String>()
        let answers = try await withServer(script: { connection in
            guard let request = connection.request() else { return }
            arrived.append(request["saga-attempt"] ?? "")
            connection.answer("200 OK", "{}")
        }) { invoker, server in
            var answers: [Answer] = []
            for attempt in 1...500 { answers.append(await invoker.invoke(call(port: server.port, attempt: attempt))) }
            return answers
        }
        let received = Set(arrived.entries)
        for (index, answer) in answers.enumerated() {
            switch answer {
            // Only a request that met the closing on its way may be in doubt.
            case .unknown(let told): #expect(told.error == EngineError.connectionLost)
            case .done(let output):
                #expect(output == json("{}"))
                #expect(received.contains(String(index + 1)))
            case .failed(let told): Issue.record("attempt \(index + 1) failed: \(told)")
            }
        }
        #expect(received.count == arrived.entries.count, "no request was sent twice")
    }

    /// What a server does with a connection of the sample below.
    private enum Whim: CaseIterable {
        case answer, closeAtOnce, closeUnread, closeAfterRequest, resetAtOnce, resetAfterRequest, answerAndClose
        case closeInTheMiddle

        func play(_ connection: SocketServer.Connection, _ arrived: Log<String>) {
            switch self {
            case .closeAtOnce: return
            case .resetAtOnce: return connection.reset()
            case .closeUnread:
                connection.waitForBytes()
                return
            default: break
            }
            while let request = connection.request() {
                arrived.append(request["saga-attempt"] ?? "")
                switch self {
                case .closeAfterRequest: return
                case .resetAfterRequest: return connection.reset()
                case .closeInTheMiddle: return connection.write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{")
                case .answerAndClose: return connection.answer("200 OK", "{}")
                default: connection.answer("200 OK", "{}")
                }
            }
        }
    }

    @Test(
        "failed means that nothing arrived, done that it did, whatever the server does and however short the time",
        arguments: [(threads: 1, body: nil as String?), (threads: 2, body: #"{"a":1}"#)]
    )
    func certainty(_ sample: (threads: Int, body: String?)) async throws {
        let arrived = Log<String>()
        let whims = Counter()
        var configuration = HTTPInvokerConfiguration()
        configuration.eventLoopThreads = sample.threads
        let count = 3_000
        let answers = try await withServer(
            configuration,
            script: { connection in
                let turn = whims.next()
                Whim.allCases[turn % Whim.allCases.count].play(connection, arrived)
            }
        ) { invoker, server in
            let next = Counter()
            return await withTaskGroup(of: [(Int, Answer)].self) { group in
                for _ in 0..<16 {
                    group.addTask {
                        var answers: [(Int, Answer)] = []
                        while true {
                            let attempt = next.next()
                            guard attempt <= count else { return answers }
                            // From no time to enough, so that many a deadline falls into the sending.
                            let time = Int64(attempt % 60)
                            let timeout = time < 40 ? TimeSpan(microseconds: time * 50) : .seconds(30)
                            let answer = await invoker.invoke(
                                call(port: server.port, attempt: attempt, timeout: timeout, body: sample.body)
                            )
                            answers.append((attempt, answer))
                        }
                    }
                }
                return await group.reduce(into: []) { $0 += $1 }
            }
        }
        let received = Set(arrived.entries)
        var kinds = Set<String>()
        for (attempt, answer) in answers {
            switch answer {
            case .done:
                kinds.insert("done")
                #expect(received.contains(String(attempt)), "attempt \(attempt) is done and never arrived")
            case .failed(let told):
                kinds.insert(told.error)
                #expect(!received.contains(String(attempt)), "attempt \(attempt) failed and arrived: \(told)")
            case .unknown(let told):
                kinds.insert(told.error)
            }
        }
        #expect(answers.count == count)
        // Whether a time runs out between sending and answer is up to the machine; the rest isn't.
        kinds.insert(EngineError.timeout)
        #expect(kinds == ["done", EngineError.connectFailed, EngineError.timeout, EngineError.connectionLost])
        #expect(received.count == arrived.entries.count, "no request was sent twice")
    }
}

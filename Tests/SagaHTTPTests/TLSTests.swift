import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import SagaCore
import SagaEngine
import SagaHTTP
import Testing

@Suite struct TLSTests {
    /// An HTTPS server on loopback with the tests' certificate, which answers every request with `{}`.
    private func withTLSServer<Result>(_ body: (Int) async throws -> Result) async throws -> Result {
        let certificate = try NIOSSLCertificate(bytes: Array(TestCertificates.leaf.utf8), format: .pem)
        let key = try NIOSSLPrivateKey(bytes: Array(TestCertificates.leafKey.utf8), format: .pem)
        let context = try NIOSSLContext(
            configuration: .makeServerConfiguration(
                certificateChain: [.certificate(certificate)],
                privateKey: .privateKey(key)
            )
        )
        let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: context))
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(YesSayer())
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        do {
            let result = try await body(server.localAddress?.port ?? 0)
            try await server.close()
            return result
        } catch {
            try await server.close()
            throw error
        }
    }

    private final class YesSayer: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            guard case .end = unwrapInboundIn(data) else { return }
            let head = HTTPResponseHead(version: .http1_1, status: .ok, headers: ["Content-Length": "2"])
            context.write(wrapOutboundOut(.head(head)), promise: nil)
            context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: "{}")))), promise: nil)
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            context.close(promise: nil)
        }
    }

    private func trusting() throws -> HTTPInvokerConfiguration {
        let file = FileManager.default.temporaryDirectory.appending(path: "\(UUID()).pem")
        defer { try? FileManager.default.removeItem(at: file) }
        try TestCertificates.authority.write(to: file, atomically: true, encoding: .utf8)
        var configuration = HTTPInvokerConfiguration()
        try configuration.addTrustRoots(fromPEMFile: file.path)
        return configuration
    }

    @Test func trustedCertificate() async throws {
        let configuration = try trusting()
        let answer = try await withTLSServer { port in
            try await withInvoker(configuration) {
                await $0.invoke(call(url: "https://localhost:\(port)", body: "{}"))
            }
        }
        #expect(answer == done("{}"))
    }

    @Test func unknownAuthority() async throws {
        let answer = try await withTLSServer { port in
            try await withInvoker { await $0.invoke(call(url: "https://localhost:\(port)")) }
        }
        #expect(isConnectFailure(answer), "\(answer)")
    }

    @Test func certificateOfAnotherHost() async throws {
        let configuration = try trusting()
        let answer = try await withTLSServer { port in
            try await withInvoker(configuration) { await $0.invoke(call(url: "https://127.0.0.1:\(port)")) }
        }
        #expect(answer == connectFailed("TLS failed: the certificate is not this host's"))
    }

    @Test func serverThatDoesNotSpeakTLS() async throws {
        let answer = try await withServer(script: { connection in
            connection.waitForBytes()
            connection.answer("400 Bad Request")
            connection.hold()
        }) { invoker, server in await invoker.invoke(call(url: "https://127.0.0.1:\(server.port)")) }
        #expect(isConnectFailure(answer), "\(answer)")
    }

    @Test func serverThatClosesDuringTheHandshake() async throws {
        let (answer, connections) = try await withServer(script: { $0.waitForBytes() }) { invoker, server in
            (await invoker.invoke(call(url: "https://127.0.0.1:\(server.port)")), server.connections)
        }
        #expect(isConnectFailure(answer), "\(answer)")
        #expect(connections == 1, "an attempt connects once")
    }

    @Test("a connection that never stands, ended by the call's time or by the connection's", arguments: [true, false])
    func handshakeThatNeverEnds(byTheCall: Bool) async throws {
        var configuration = HTTPInvokerConfiguration()
        configuration.connectTimeout = .milliseconds(byTheCall ? 600 : 150)
        let answer = try await withServer(configuration, script: { $0.hold() }) { invoker, server in
            await invoker.invoke(
                call(
                    url: "https://127.0.0.1:\(server.port)",
                    timeout: byTheCall ? .milliseconds(150) : .seconds(30)
                )
            )
        }
        #expect(isConnectFailure(answer), "\(answer)")
    }

    @Test func unreadableTrustRoots() {
        var configuration = HTTPInvokerConfiguration()
        #expect(throws: UnreadableTrustRoots.self) { try configuration.addTrustRoots(fromPEMFile: "/nowhere.pem") }
    }

    private func isConnectFailure(_ answer: Answer) -> Bool {
        guard case .failed(let told) = answer else { return false }
        return told.error == EngineError.connectFailed && told.isRetryable && told.retryAfter == nil
    }
}

import ArgumentParser
import Glibc
import NIOCore
import NIOHTTP1
import NIOPosix

/// `http-bench serve`: answers every request with a small JSON object.
struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Answer every request on 127.0.0.1 with 200, until told to end."
    )

    @Argument(help: "The port; 0 takes a free one. Printed as {\"port\":N}.")
    var port: Int
    @Option(help: "What every answer says.")
    var body = #"{"ok":true}"#
    @Option(help: "Event loops.")
    var threads = 1

    func validate() throws {
        guard (0...65_535).contains(port) else { throw ValidationError("the port is 0 to 65535") }
        guard (1...64).contains(threads) else { throw ValidationError("--threads is 1 to 64") }
    }

    func run() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: threads)
        let body = ByteBuffer(string: body)
        let channel = try await ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 1_024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline(withErrorHandling: true)
                    try channel.pipeline.syncOperations.addHandler(AnswerHandler(body))
                }
            }
            .bind(host: "127.0.0.1", port: port).get()
        print("{\"port\":\(channel.localAddress?.port ?? port)}")
        fflush(nil)
        try await channel.closeFuture.get()
    }
}

/// Answers once the whole request has come in.
private final class AnswerHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private var keepsAlive = true
    private let body: ByteBuffer

    init(_ body: ByteBuffer) { self.body = body }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): keepsAlive = head.isKeepAlive
        case .body: break
        case .end:
            var headers = HTTPHeaders([
                ("content-type", "application/json"), ("content-length", "\(body.readableBytes)"),
            ])
            if !keepsAlive { headers.add(name: "connection", value: "close") }
            let head = HTTPResponseHead(version: .http1_1, status: .ok, headers: headers)
            context.write(wrapOutboundOut(.head(head)), promise: nil)
            context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
            let isLast = !keepsAlive
            let written = context.writeAndFlush(wrapOutboundOut(.end(nil)))
            if isLast {
                let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
                written.whenComplete { _ in bound.value.close(promise: nil) }
            }
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

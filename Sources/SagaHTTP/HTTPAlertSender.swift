import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import SagaCore
import SagaEngine
import Synchronization

/// Posts alerts over HTTP/1.1, each on a connection of its own.
///
/// 2xx takes an alert, 410 says that the receiver is gone, anything else is a failure, a redirect too: it isn't
/// followed. ``shutdown()`` must be called before the last reference goes.
public final class HTTPAlertSender: AlertSender {
    private let target: AlertTarget
    private let timeout: TimeSpan
    private let client: HTTPClient

    /// - Parameters:
    ///   - configuration: its trust roots and time for connecting count.
    ///   - timeout: for one post, from the connecting to the end of the answer.
    public init(target: AlertTarget, configuration: HTTPInvokerConfiguration, timeout: TimeSpan = .seconds(10)) {
        self.target = target
        self.timeout = timeout
        client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: HTTPInvoker.settings(configuration))
    }

    public func send(_ event: [UInt8]) async -> AlertAnswer {
        let receiver = StatusReceiver()
        do {
            let request = try HTTPClient.Request(
                url: target.url, method: .POST, headers: target.headers, body: .byteBuffer(ByteBuffer(bytes: event)))
            let deadline = NIODeadline.now() + .microseconds(timeout.microseconds)
            if Task.isCancelled { return .failed("the daemon is stopping") }
            let task = client.execute(request: request, delegate: receiver, deadline: deadline)
            try await withTaskCancellationHandler {
                try await task.get()
            } onCancel: {
                task.cancel()
            }
        } catch {
            // Whoever has begun to answer has decided; what comes behind the status is of no interest.
            guard receiver.status == nil else { return answer(receiver.status) }
            if TransportFailure.isTimeout(error) { return .failed("no answer within \(timeout.seconds) s") }
            return .failed(TransportFailure.describe(error))
        }
        return answer(receiver.status)
    }

    /// Drops the posts in flight and frees connections.
    ///
    /// It takes up to `connectTimeout` while a connection is being made.
    public func shutdown() async {
        // It only throws when it was shut down before.
        try? await client.shutdown()
    }

    private func answer(_ status: Int?) -> AlertAnswer {
        switch status {
        case .some(200..<300): .taken
        case 410: .gone
        case .some(let status): .failed("answered \(status)")
        case nil: .failed("no answer")
        }
    }
}

/// Takes in an answer's status, and a little of its body so that the receiver can finish writing.
private final class StatusReceiver: HTTPClientResponseDelegate {
    typealias Response = Void

    /// What an answer to an alert may reasonably say, in bytes.
    private static let limit = 4_096

    private struct BodyTooLong: Error {}

    private let state = Mutex<(status: Int?, received: Int)>((nil, 0))

    var status: Int? { state.withLock { $0.status } }

    func didReceiveHead(task: HTTPClient.Task<Void>, _ head: HTTPResponseHead) -> EventLoopFuture<Void> {
        state.withLock { $0.status = Int(head.status.code) }
        return task.eventLoop.makeSucceededVoidFuture()
    }

    func didReceiveBodyPart(task: HTTPClient.Task<Void>, _ buffer: ByteBuffer) -> EventLoopFuture<Void> {
        let received = state.withLock { state in
            state.received += buffer.readableBytes
            return state.received
        }
        if received > Self.limit { return task.eventLoop.makeFailedFuture(BodyTooLong()) }
        return task.eventLoop.makeSucceededVoidFuture()
    }

    func didFinishRequest(task: HTTPClient.Task<Void>) throws {}
}

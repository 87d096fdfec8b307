import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import Synchronization

/// What a participant answered, whole.
struct ReceivedAnswer: Sendable {
    let status: Int
    let headers: HTTPHeaders
    let body: ByteBuffer
}

/// An answer whose body went over the limit; the rest of it was not read.
struct OversizedAnswer: Error {
    let status: Int
    let headers: HTTPHeaders
}

/// Takes in the answer to one request, and knows whether the request may have reached the participant.
final class AnswerReceiver: HTTPClientResponseDelegate {
    typealias Response = ReceivedAnswer

    private struct State {
        var head: HTTPResponseHead?
        var body = ByteBuffer()
    }

    private let limit: Int
    private let state: NIOLoopBoundBox<State>
    private let sent = Atomic(false)

    /// - Parameter eventLoop: the one that the client's connections run on.
    init(limit: Int, eventLoop: any EventLoop) {
        self.limit = limit
        state = .makeBoxSendingValue(State(), eventLoop: eventLoop)
    }

    /// Whether the participant may have read the request; final once the request's result is there.
    ///
    /// The client tells that a head was sent right after the call that handed all of it to the socket, in the same
    /// turn of the event loop, and it tells a failure in a turn of that loop too. So when it hasn't told by the time of
    /// the failure, at least the end of the head never left this process, and half a head is no request. This holds
    /// because the client has one event loop: with two, a deadline on one may overtake the news from the other.
    var mayHaveLeft: Bool { sent.load(ordering: .acquiring) }

    func didSendRequestHead(task: HTTPClient.Task<ReceivedAnswer>, _ head: HTTPRequestHead) {
        sent.store(true, ordering: .releasing)
    }

    func didReceiveHead(task: HTTPClient.Task<ReceivedAnswer>, _ head: HTTPResponseHead) -> EventLoopFuture<Void> {
        // A write that fails has the socket drained before the failure is told: an answer may come from there.
        sent.store(true, ordering: .releasing)
        state.value.head = head
        return task.eventLoop.makeSucceededVoidFuture()
    }

    func didReceiveBodyPart(task: HTTPClient.Task<ReceivedAnswer>, _ buffer: ByteBuffer) -> EventLoopFuture<Void> {
        if let head = state.value.head, state.value.body.readableBytes + buffer.readableBytes > limit {
            state.value.body = ByteBuffer()
            return task.eventLoop.makeFailedFuture(
                OversizedAnswer(status: Int(head.status.code), headers: head.headers)
            )
        }
        if state.value.body.readableBytes == 0 {
            state.value.body = buffer
        } else {
            state.value.body.writeImmutableBuffer(buffer)
        }
        return task.eventLoop.makeSucceededVoidFuture()
    }

    func didFinishRequest(task: HTTPClient.Task<ReceivedAnswer>) throws -> ReceivedAnswer {
        guard let head = state.value.head else { throw HTTPClientError.remoteConnectionClosed }
        return ReceivedAnswer(status: Int(head.status.code), headers: head.headers, body: state.value.body)
    }
}

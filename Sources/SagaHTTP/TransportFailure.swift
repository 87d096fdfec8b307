import AsyncHTTPClient
import Glibc
import NIOCore
import NIOPosix
import NIOSSL
import SagaCore

/// What a call without an answer means for the attempt.
enum TransportFailure {
    /// - Parameter mayHaveLeft: whether the participant may have read the request.
    static func answer(for error: any Error, mayHaveLeft: Bool, call: Call, service: String) -> Answer {
        guard mayHaveLeft else {
            return .failed(
                refusal(
                    EngineError.connectFailed, "\(service): \(describe(error))",
                    health: isOwnDoing(error) ? .neutral : .failure))
        }
        guard isTimeout(error) else {
            return .unknown(refusal(EngineError.connectionLost, "\(service): \(describe(error))"))
        }
        return .unknown(refusal(EngineError.timeout, "\(service): no answer within \(call.timeout.seconds) s"))
    }

    /// Whether the request met a connection that its server had closed.
    ///
    /// If none of it was sent, it may go out on another one as the same attempt: nobody has seen it.
    static func isStaleConnection(_ error: any Error) -> Bool {
        switch error {
        case let error as HTTPClientError: error == .remoteConnectionClosed
        case let error as ChannelError: error == .ioOnClosedChannel || error == .alreadyClosed || error == .eof
        case let error as IOError: error.errnoCode == EPIPE
        default: false
        }
    }

    private static func refusal(_ name: String, _ message: String, health: CallVerdict? = nil) -> Answer.Refusal {
        Answer.Refusal(error: name, message: PlainText.bounded(message), isRetryable: true, health: health)
    }

    /// Whether the daemon itself gave the call up.
    private static func isOwnDoing(_ error: any Error) -> Bool {
        guard let error = error as? HTTPClientError else { return false }
        return error == .cancelled || error == .requestStreamCancelled || error == .alreadyShutdown
            || error == .getConnectionFromPoolTimeout
    }

    static func isTimeout(_ error: any Error) -> Bool {
        guard let error = error as? HTTPClientError else { return false }
        return error == .deadlineExceeded || error == .readTimeout || error == .writeTimeout
    }

    /// In words of our own: the errors' texts name hosts, which may come from the environment.
    static func describe(_ error: any Error) -> String {
        switch error {
        case let error as NIOConnectionError:
            error.connectionErrors.first.map { describe($0.error) } ?? "host name not found"
        case let error as IOError: describe(errno: error.errnoCode)
        case let error as HTTPClientError: describe(error)
        case let error as ChannelError: describe(error)
        case let error as NIOSSLError: describe(error)
        case let error as BoringSSLError: "TLS failed: \(error)"
        case is NIOSSLExtraError: "TLS failed: the certificate is not this host's"
        default: "\(type(of: error))"
        }
    }

    private static func describe(errno code: CInt) -> String {
        switch code {
        case ECONNREFUSED: "connection refused"
        case ECONNRESET: "connection reset"
        case EPIPE: "connection closed"
        case EHOSTUNREACH, ENETUNREACH: "no route to host"
        case ETIMEDOUT: "connection timed out"
        default: "input/output error \(code)"
        }
    }

    private static func describe(_ error: HTTPClientError) -> String {
        switch error {
        case .remoteConnectionClosed, .uncleanShutdown: "connection closed by the participant"
        case .connectTimeout, .deadlineExceeded: "no connection in time"
        case .getConnectionFromPoolTimeout: "no connection free in time"
        case .tlsHandshakeTimeout: "no TLS handshake in time"
        case .cancelled, .requestStreamCancelled: "the call was dropped"
        case .alreadyShutdown: "the daemon is stopping"
        default: error.shortDescription
        }
    }

    private static func describe(_ error: ChannelError) -> String {
        switch error {
        case .connectTimeout: "no connection in time"
        case .eof, .ioOnClosedChannel, .alreadyClosed, .inputClosed, .outputClosed: "connection closed"
        default: "connection failed"
        }
    }

    /// BoringSSL's own name of the fault, such as `WRONG_VERSION_NUMBER`, out of a text that also names its source file.
    private static func reason(in text: String) -> String {
        let words = text.split { !($0.isLetter || $0.isNumber || $0 == "_") }
        return words.last { $0.count > 3 && $0.contains("_") && $0.allSatisfy { $0.isUppercase || $0 == "_" } }
            .map(String.init) ?? "the peer's TLS isn't usable"
    }

    private static func describe(_ error: NIOSSLError) -> String {
        switch error {
        case .handshakeFailed(let cause): "TLS handshake failed: \(reason(in: "\(cause)"))"
        case .uncleanShutdown: "connection closed by the participant"
        default: "TLS failed"
        }
    }
}

import Foundation
import Glibc
import JSON
import Synchronization

/// An HTTP server on a loopback port: `/alerts` answers by script, everything else says no, which leaves a saga stuck.
final class AlertReceiver: Sendable {
    struct Post: Sendable {
        let head: String
        let event: JSON
        var id: String { event["id"]?.stringValue ?? "?" }
    }

    private struct State {
        var posts: [Post] = []
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    let port: UInt16
    private let listener: CInt
    private let state = Mutex(State())
    private let script: @Sendable (Int) -> String?

    /// - Parameters:
    ///   - port: 0 takes any.
    ///   - script: the status line's end for the nth post (from 1); nil hangs until the peer goes.
    init(port: UInt16 = 0, _ script: @escaping @Sendable (Int) -> String?) throws {
        self.script = script
        (listener, self.port) = try Self.listen(port)
        Thread.detachNewThread { [listener, weak self] in
            while true {
                let descriptor = accept(listener, nil, nil)
                guard descriptor >= 0 else { return }
                Thread.detachNewThread { [weak self] in
                    self?.serve(descriptor)
                    _ = close(descriptor)
                }
            }
        }
    }

    deinit {
        shutdown(listener, CInt(SHUT_RDWR))
        close(listener)
    }

    /// What came to `/alerts` so far.
    var posts: [Post] { state.withLock { $0.posts } }

    /// Waits for the nth post.
    func wait(for count: Int) async {
        while posts.count < count {
            await withCheckedContinuation { continuation in
                let isThere = state.withLock { state in
                    if state.posts.count < count { state.waiters.append(continuation) }
                    return state.posts.count >= count
                }
                if isThere { continuation.resume() }
            }
        }
    }

    /// A port that nobody listens on: it was given out a moment ago.
    static func closedPort() throws -> UInt16 {
        let (listener, port) = try listen(0)
        close(listener)
        return port
    }

    private func serve(_ descriptor: CInt) {
        while let (head, body) = Self.request(descriptor) {
            var status: String? = "409 Conflict"
            if head.hasPrefix("POST /alerts") {
                let (number, waiters) = state.withLock { state in
                    state.posts.append(Post(head: head, event: (try? JSON.parse(body)) ?? .null))
                    defer { state.waiters = [] }
                    return (state.posts.count, state.waiters)
                }
                for waiter in waiters { waiter.resume() }
                status = script(number)
            }
            guard let status else {
                var byte: UInt8 = 0
                while recv(descriptor, &byte, 1, 0) > 0 {}
                return
            }
            let answer = Array("HTTP/1.1 \(status)\r\nContent-Length: 0\r\n\r\n".utf8)
            _ = send(descriptor, answer, answer.count, CInt(MSG_NOSIGNAL))
        }
    }

    private static func request(_ descriptor: CInt) -> (head: String, body: [UInt8])? {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            if let end = bytes.firstRange(of: Array("\r\n\r\n".utf8)) {
                let head = String(decoding: bytes[..<end.lowerBound], as: UTF8.self)
                let length =
                    head.lowercased().split(separator: "\r\n").first { $0.hasPrefix("content-length:") }
                    .flatMap { Int($0.dropFirst(15).filter(\.isNumber)) } ?? 0
                if bytes.count - end.upperBound >= length { return (head, Array(bytes[end.upperBound...])) }
            }
            let count = recv(descriptor, &chunk, chunk.count, 0)
            guard count > 0 else { return nil }
            bytes += chunk[..<count]
        }
    }

    private static func listen(_ port: UInt16) throws -> (descriptor: CInt, port: UInt16) {
        let descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        var on: CInt = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<CInt>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isOpen = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(descriptor, address, length) == 0 && Glibc.listen(descriptor, 64) == 0
                    && getsockname(descriptor, address, &length) == 0
            }
        }
        guard descriptor >= 0, isOpen else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
        return (descriptor, UInt16(bigEndian: address.sin_port))
    }
}

import Foundation
import Glibc
import Synchronization

/// A server on a loopback port that does to each connection what its script says, byte by byte.
///
/// That is the way to lose an answer at an exact place. Every connection has a thread of its own, on which blocking
/// calls are fine.
final class SocketServer: Sendable {
    let port: Int
    private let listener: CInt
    private let threads = DispatchGroup()
    private let connectionCount = Atomic(0)

    /// Connections taken so far.
    var connections: Int { connectionCount.load(ordering: .acquiring) }

    init(_ script: @escaping @Sendable (Connection) -> Void) throws {
        (listener, port) = try Self.listen()
        let listener = listener
        threads.enter()
        Thread.detachNewThread { [self] in
            defer { threads.leave() }
            while true {
                let descriptor = accept(listener, nil, nil)
                guard descriptor >= 0 else { return }
                connectionCount.add(1, ordering: .acquiringAndReleasing)
                threads.enter()
                Thread.detachNewThread { [threads] in
                    let connection = Connection(descriptor)
                    script(connection)
                    connection.close()
                    threads.leave()
                }
            }
        }
    }

    /// Stops listening and waits for every connection's script to end; their peers must have let go.
    func stop() async {
        shutdown(listener, CInt(SHUT_RDWR))
        await withCheckedContinuation { continuation in
            threads.notify(queue: .global()) { continuation.resume() }
        }
        close(listener)
    }

    /// A port on which nobody listens: it was given out a moment ago and is closed again.
    static func closedPort() throws -> Int {
        let (listener, port) = try listen()
        close(listener)
        return port
    }

    private static func listen() throws -> (descriptor: CInt, port: Int) {
        let descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(descriptor, address, length) == 0 && Glibc.listen(descriptor, 512) == 0
                    && getsockname(descriptor, address, &length) == 0
            }
        }
        guard descriptor >= 0, result else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
        return (descriptor, Int(UInt16(bigEndian: address.sin_port)))
    }
}

extension SocketServer {
    /// The server's end of one connection; used by its own thread alone.
    final class Connection {
        private let descriptor: CInt
        private var buffered: [UInt8] = []
        private var isOpen = true

        fileprivate init(_ descriptor: CInt) {
            self.descriptor = descriptor
            var on: CInt = 1
            setsockopt(descriptor, CInt(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<CInt>.size))
        }

        /// Waits until the peer has sent something, without reading it.
        func waitForBytes() {
            var events = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            poll(&events, 1, -1)
        }

        /// Reads the next request whole; nil at the end of the connection.
        func request() -> Request? {
            let blankLine = Array("\r\n\r\n".utf8)
            while true {
                if let end = buffered.firstRange(of: blankLine) {
                    let head = String(decoding: buffered[..<end.lowerBound], as: UTF8.self)
                    var lines = head.components(separatedBy: "\r\n")
                    let request = Request(line: lines.removeFirst(), headers: lines)
                    let length = request["content-length"].flatMap { Int($0) } ?? 0
                    guard fill(to: end.upperBound + length) else { return nil }
                    let body = Array(buffered[end.upperBound..<end.upperBound + length])
                    buffered.removeFirst(end.upperBound + length)
                    return request.with(body: body)
                }
                guard fill(to: buffered.count + 1) else { return nil }
            }
        }

        func write(_ text: String) {
            write(Array(text.utf8))
        }

        /// Writes as much as the peer takes before it goes.
        func write(_ bytes: [UInt8]) {
            var sent = 0
            while sent < bytes.count {
                let count = bytes[sent...].withUnsafeBytes {
                    send(descriptor, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL))
                }
                guard count > 0 else { return }
                sent += count
            }
        }

        /// Whether the peer hasn't closed yet.
        func isPeerThere() -> Bool {
            var events = pollfd(fd: descriptor, events: 0, revents: 0)
            poll(&events, 1, 0)
            return Int32(events.revents) & (POLLHUP | POLLERR) == 0
        }

        /// Writes an answer with its length.
        func answer(_ status: String, _ body: String = "", headers: [String] = []) {
            let lines = ["HTTP/1.1 \(status)"] + headers + ["Content-Length: \(body.utf8.count)", "", body]
            write(lines.joined(separator: "\r\n"))
        }

        /// Reads until the peer closes: holds the connection open without an answer.
        func hold() {
            while fill(to: buffered.count + 1) { buffered.removeAll() }
        }

        /// Ends the connection; bytes that came and weren't read make it a reset.
        func close() {
            guard isOpen else { return }
            isOpen = false
            _ = Glibc.close(descriptor)
        }

        /// Ends the connection with a RST.
        func reset() {
            var option = linger(l_onoff: 1, l_linger: 0)
            setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
            close()
        }

        private func fill(to count: Int) -> Bool {
            var chunk = [UInt8](repeating: 0, count: 65_536)
            while buffered.count < count {
                let read = recv(descriptor, &chunk, chunk.count, 0)
                guard read > 0 else { return false }
                buffered += chunk[..<read]
            }
            return true
        }
    }

    /// A request as it came.
    struct Request: Sendable, Hashable {
        let line: String
        /// The lines of the head after the first.
        let headers: [String]
        var body: [UInt8] = []

        init(line: String, headers: [String]) {
            self.line = line
            self.headers = headers
        }

        /// The value of a header by its name in lower case.
        subscript(name: String) -> String? {
            for header in headers {
                guard let colon = header.firstIndex(of: ":"), header[..<colon].lowercased() == name else { continue }
                return header[header.index(after: colon)...].trimmingCharacters(in: .whitespaces)
            }
            return nil
        }

        func with(body: [UInt8]) -> Request {
            var request = self
            request.body = body
            return request
        }
    }
}

/// What came to a server, in order of arrival.
final class Log<Entry: Sendable>: Sendable {
    private let stored = Mutex<[Entry]>([])

    var entries: [Entry] { stored.withLock { $0 } }

    func append(_ entry: Entry) {
        stored.withLock { $0.append(entry) }
    }
}

/// 1, 2, 3 … for whoever asks.
final class Counter: Sendable {
    private let value = Atomic(0)

    func next() -> Int { value.add(1, ordering: .relaxed).newValue }
}

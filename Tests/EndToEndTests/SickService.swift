import Foundation
import Glibc
import Synchronization

/// A participant on a loopback port that falls ill on command and keeps books of its own: what arrived when, and how many
/// calls were inside at once.
final class SickService: Sendable {
    enum Mode: Sendable, Hashable {
        /// 200 after a pause in microseconds.
        case well(UInt32)
        /// This status line's end at once, with header lines that each end a line.
        case failing(String, headers: String = "")
        /// No answer.
        case hanging
        /// Connections are refused.
        case refusing
    }

    struct Arrival: Sendable, Hashable {
        /// Seconds since 1970.
        let at: Double
        let key: String
        let saga: String
        let attempt: Int
        /// With this one.
        let inside: Int
    }

    private struct Books {
        var mode = Mode.well(0)
        var arrivals: [Arrival] = []
        var inside: Set<CInt> = []
        var connections: Set<CInt> = []
        var listener: CInt
    }

    let port: UInt16
    private let books: Mutex<Books>

    init() throws {
        let (listener, port) = try Self.listen(0)
        self.port = port
        books = Mutex(Books(listener: listener))
        accept(on: listener)
    }

    deinit { books.withLock { Self.shut($0.listener) } }

    var url: String { "http://127.0.0.1:\(port)" }

    var arrivals: [Arrival] { books.withLock { $0.arrivals } }

    /// How it answers calls that arrive from now on.
    func set(_ mode: Mode) throws {
        let wasRefusing = books.withLock { books in
            defer { books.mode = mode }
            if mode == .refusing, books.mode != .refusing {
                Self.shut(books.listener)
                for connection in books.connections { shutdown(connection, CInt(SHUT_RDWR)) }
            }
            return books.mode == .refusing
        }
        guard wasRefusing, mode != .refusing else { return }
        let (listener, _) = try Self.listen(port)
        books.withLock { $0.listener = listener }
        accept(on: listener)
    }

    /// The most arrivals in any window of so many seconds, its end not in it.
    func most(within seconds: Double) -> Int {
        let times = arrivals.map(\.at).sorted()
        var most = 0
        var first = 0
        for (index, time) in times.enumerated() {
            while times[first] <= time - seconds { first += 1 }
            most = max(most, index - first + 1)
        }
        return most
    }

    // MARK: Connections

    private func accept(on listener: CInt) {
        Thread.detachNewThread { [weak self] in
            while true {
                let descriptor = Glibc.accept(listener, nil, nil)
                guard descriptor >= 0 else { return }
                Thread.detachNewThread { [weak self] in
                    self?.serve(descriptor)
                    _ = close(descriptor)
                }
            }
        }
    }

    private func serve(_ descriptor: CInt) {
        books.withLock { _ = $0.connections.insert(descriptor) }
        while let headers = Self.request(descriptor) {
            let mode = enter(descriptor, headers)
            switch mode {
            case .well(let pause):
                usleep(pause)
                answer(descriptor, "200 OK", "")
            case .failing(let status, let headers): answer(descriptor, status, headers)
            case .hanging, .refusing:
                var byte: UInt8 = 0
                while recv(descriptor, &byte, 1, 0) > 0 {}
            }
        }
        books.withLock { books in
            books.inside.remove(descriptor)
            books.connections.remove(descriptor)
        }
    }

    private func enter(_ descriptor: CInt, _ headers: [String: String]) -> Mode {
        books.withLock { books in
            // A caller that gave up is gone, though its connection's thread may not have run since.
            books.inside = books.inside.filter { !Self.hasHungUp($0) }
            books.inside.insert(descriptor)
            var time = timespec()
            clock_gettime(CLOCK_REALTIME, &time)
            books.arrivals.append(
                Arrival(
                    at: Double(time.tv_sec) + Double(time.tv_nsec) / 1e9, key: headers["idempotency-key"] ?? "?",
                    saga: headers["saga-id"] ?? "?", attempt: headers["saga-attempt"].flatMap { Int($0) } ?? 0,
                    inside: books.inside.count))
            return books.mode
        }
    }

    private func answer(_ descriptor: CInt, _ status: String, _ headers: String) {
        books.withLock { _ = $0.inside.remove(descriptor) }
        let text =
            "HTTP/1.1 \(status)\r\nContent-Type: application/json\r\n\(headers)Content-Length: 2\r\n\r\n{}"
        _ = Array(text.utf8).withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL)) }
    }

    private static func hasHungUp(_ descriptor: CInt) -> Bool {
        var byte: UInt8 = 0
        let count = recv(descriptor, &byte, 1, CInt(MSG_PEEK) | CInt(MSG_DONTWAIT))
        return count == 0 || count < 0 && errno != EAGAIN
    }

    /// The next request's headers, with small letters; nil once the peer has gone.
    private static func request(_ descriptor: CInt) -> [String: String]? {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16_384)
        while true {
            if let end = bytes.firstRange(of: Array("\r\n\r\n".utf8)) {
                var headers: [String: String] = [:]
                for line in String(decoding: bytes[..<end.lowerBound], as: UTF8.self).split(separator: "\r\n") {
                    let parts = line.split(separator: ":", maxSplits: 1)
                    guard parts.count == 2 else { continue }
                    headers[parts[0].lowercased()] = parts[1].trimmingCharacters(in: .whitespaces)
                }
                let length = headers["content-length"].flatMap { Int($0) } ?? 0
                if bytes.count - end.upperBound >= length { return headers }
            }
            let count = recv(descriptor, &chunk, chunk.count, 0)
            guard count > 0 else { return nil }
            bytes += chunk[..<count]
        }
    }

    private static func shut(_ listener: CInt) {
        shutdown(listener, CInt(SHUT_RDWR))
        close(listener)
    }

    private static func listen(_ port: UInt16) throws -> (descriptor: CInt, port: UInt16) {
        let descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
        var on: CInt = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<CInt>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isOpen = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(descriptor, address, length) == 0 && Glibc.listen(descriptor, 256) == 0
                    && getsockname(descriptor, address, &length) == 0
            }
        }
        guard descriptor >= 0, isOpen else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
        return (descriptor, UInt16(bigEndian: address.sin_port))
    }
}

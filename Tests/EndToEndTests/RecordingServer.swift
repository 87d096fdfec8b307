import Foundation
import Glibc
import Synchronization

/// A participant on a loopback port that answers by script, one request a connection, and remembers what it was asked.
final class RecordingServer: Sendable {
    struct Request: Sendable {
        let path: String
        /// With small letters.
        let headers: [String: String]
        let body: String
    }

    let port: Int
    private let listener: CInt
    private let log = Mutex<[Request]>([])

    /// All requests so far, in order.
    var requests: [Request] { log.withLock { $0 } }

    /// - Parameter answer: status and body for a request; nil hangs up instead.
    init(_ answer: @escaping @Sendable (Request) -> (status: String, body: String)?) throws {
        (listener, port) = try Self.listen()
        let listener = listener
        Thread.detachNewThread { [self] in
            while true {
                let descriptor = accept(listener, nil, nil)
                guard descriptor >= 0 else { return }
                if let request = Self.request(from: descriptor) {
                    log.withLock { $0.append(request) }
                    if let (status, body) = answer(request) {
                        let text =
                            "HTTP/1.1 \(status)\r\nConnection: close\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
                        _ = Array(text.utf8).withUnsafeBytes {
                            send(descriptor, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL))
                        }
                    }
                }
                close(descriptor)
            }
        }
    }

    func stop() {
        shutdown(listener, CInt(SHUT_RDWR))
        close(listener)
    }

    private static func request(from descriptor: CInt) -> Request? {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            if let end = bytes.firstRange(of: Array("\r\n\r\n".utf8)) {
                var lines = String(decoding: bytes[..<end.lowerBound], as: UTF8.self).components(separatedBy: "\r\n")
                let path = lines.removeFirst().split(separator: " ").dropFirst().first.map(String.init) ?? ""
                var headers: [String: String] = [:]
                for line in lines {
                    let parts = line.split(separator: ":", maxSplits: 1)
                    if parts.count == 2 {
                        headers[parts[0].lowercased()] = parts[1].trimmingCharacters(in: .whitespaces)
                    }
                }
                let body = bytes[end.upperBound...]
                if body.count >= headers["content-length"].flatMap({ Int($0) }) ?? 0 {
                    return Request(path: path, headers: headers, body: String(decoding: body, as: UTF8.self))
                }
            }
            let count = recv(descriptor, &buffer, buffer.count, 0)
            guard count > 0 else { return nil }
            bytes += buffer[..<count]
        }
    }

    private static func listen() throws -> (descriptor: CInt, port: Int) {
        let descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isListening = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(descriptor, address, length) == 0 && Glibc.listen(descriptor, 64) == 0
                    && getsockname(descriptor, address, &length) == 0
            }
        }
        guard descriptor >= 0, isListening else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
        return (descriptor, Int(UInt16(bigEndian: address.sin_port)))
    }
}

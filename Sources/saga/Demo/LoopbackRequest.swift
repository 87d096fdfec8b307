import Glibc

/// One plain HTTP request to a server on this machine: all that the demo needs of a client.
enum LoopbackRequest {
    private static let maximumAnswer = 16 << 20
    private static let seconds = 5

    /// The body of the answer to `GET path`.
    ///
    /// - Throws: `CommandFailure` when there is none with status 200 within five seconds of silence.
    static func get(port: Int, path: String) throws(CommandFailure) -> [UInt8] {
        let place = "http://127.0.0.1:\(port)\(path)"
        let socket = try connected(port: port, place)
        defer { close(socket) }
        // HTTP/1.0: the answer is sent in one piece, and its end is the connection's.
        let request = "GET \(path) HTTP/1.0\r\nHost: 127.0.0.1:\(port)\r\nConnection: close\r\n\r\n"
        try send(Array(request.utf8), to: socket, place)
        return try body(of: try answer(of: socket, place), place)
    }

    private static func connected(port: Int, _ place: String) throws(CommandFailure) -> Int32 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw failure(place, errno) }
        var limit = timeval(tv_sec: seconds, tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            setsockopt(descriptor, SOL_SOCKET, option, &limit, socklen_t(MemoryLayout<timeval>.size))
        }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(truncatingIfNeeded: port).bigEndian
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                connect(descriptor, pointer, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else {
            let code = errno
            close(descriptor)
            throw failure(place, code)
        }
        return descriptor
    }

    private static func send(_ bytes: [UInt8], to socket: Int32, _ place: String) throws(CommandFailure) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let sent = rest.withUnsafeBytes { Glibc.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            if sent < 0, errno == EINTR { continue }
            guard sent > 0 else { throw failure(place, errno) }
            rest = rest.dropFirst(sent)
        }
    }

    private static func answer(of socket: Int32, _ place: String) throws(CommandFailure) -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = recv(socket, &buffer, buffer.count, 0)
            if count == 0 { return bytes }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw failure(place, errno) }
            bytes += buffer[..<count]
            guard bytes.count <= maximumAnswer else { throw CommandFailure("\(place) answers with more than 16 MiB") }
        }
    }

    /// What follows the first empty line, if the status is 200.
    private static func body(of answer: [UInt8], _ place: String) throws(CommandFailure) -> [UInt8] {
        let mark = Array("\r\n\r\n".utf8)
        let end = answer.indices.first { answer[$0...].starts(with: mark) }
        guard let end else { throw CommandFailure("\(place) gives no answer") }
        let head = String(decoding: answer[..<end], as: UTF8.self)
        let words = head.prefix { $0 != "\r\n" }.split(separator: " ", maxSplits: 2)
        guard words.count >= 2, words[0].hasPrefix("HTTP/1."), words[1] == "200" else {
            throw CommandFailure("\(place) answers \(words.dropFirst().first.map(String.init) ?? "what isn't HTTP")")
        }
        return Array(answer[(end + mark.count)...])
    }

    private static func failure(_ place: String, _ code: Int32) -> CommandFailure {
        let reason = code == EAGAIN ? "no answer within \(seconds)s" : String(cString: strerror(code))
        return CommandFailure("\(place): \(reason)")
    }
}

import Glibc
import Testing

/// A TCP port on loopback that takes connections and says nothing, or that nobody listens to.
final class Listener: Sendable {
    let port: UInt16
    private let descriptor: Int32

    /// - Parameter backlog: how many connections wait to be accepted; nil to leave the port bound and closed.
    init(backlog: Int32?) throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        self.descriptor = descriptor
        var address = Self.loopback(port: 0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutableBytes(of: &address) { bytes in
            let generic = bytes.assumingMemoryBound(to: sockaddr.self).baseAddress
            return bind(descriptor, generic, length) == 0 && getsockname(descriptor, generic, &length) == 0
        }
        port = UInt16(bigEndian: address.sin_port)
        try #require(isBound)
        if let backlog { try #require(listen(descriptor, backlog) == 0) }
    }

    deinit {
        close(descriptor)
    }

    /// Fills the queue of connections, so that the kernel drops any further one's first packet.
    func fill() -> [Client] {
        (0..<4).map { _ in Client(to: Self.loopback(port: port)) }
    }

    final class Client: Sendable {
        private let descriptor: Int32

        init(to address: sockaddr_in) {
            descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue), 0)
            var address = address
            _ = withUnsafeBytes(of: &address) { bytes in
                connect(
                    descriptor,
                    bytes.assumingMemoryBound(to: sockaddr.self).baseAddress,
                    socklen_t(MemoryLayout<sockaddr_in>.size)
                )
            }
        }

        deinit {
            close(descriptor)
        }
    }

    private static func loopback(port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        address.sin_port = port.bigEndian
        return address
    }
}

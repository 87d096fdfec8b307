import NIOHTTP1
import SagaCore

/// Why a call can't be made at all; says nothing of values, which may come from the environment.
struct UnusableRequest: Error, Hashable {
    let message: String
}

/// A service with its variables filled in and its URL and headers checked, once for all of its calls.
struct Endpoint: Sendable {
    /// Scheme, host and port: what connections are shared by.
    let origin: String
    /// The URL without its last `/`, to which a call's target is appended.
    let prefix: String
    /// The engine's and the service's headers of a call without a body.
    let headers: HTTPHeaders
    /// The same for a call with a body.
    let headersWithBody: HTTPHeaders

    init(_ service: Service, environment: ServiceEnvironment, userAgent: String) throws(UnusableRequest) {
        let url: String
        var own: [Service.Header] = []
        do throws(MissingVariable) {
            url = try environment.resolve(service.url)
            for header in service.headers {
                own.append(Service.Header(name: header.name, value: try environment.resolve(header.value)))
            }
        } catch {
            throw UnusableRequest(message: "service \(service.name): \(error)")
        }
        guard let origin = ServiceURL.origin(of: url) else {
            throw UnusableRequest(
                message: "service \(service.name): its url isn't http://HOST[:PORT][/PATH] or https://…"
            )
        }
        self.origin = origin
        prefix = url.hasSuffix("/") ? String(url.dropLast()) : url
        var headers: HTTPHeaders = ["User-Agent": userAgent, "Accept": "application/json"]
        try RequestHeaders.apply(own, to: &headers)
        self.headers = headers
        if !headers.contains(name: "Content-Type") { headers.add(name: "Content-Type", value: "application/json") }
        headersWithBody = headers
    }
}

/// The syntax of what calls are made to (RFC 3986), checked before the client sees it: the client's own reading
/// mends some faults silently and traps on a port over 65,535.
enum ServiceURL {
    /// Scheme, host and port of a service's URL in lower case; nil when it isn't an absolute http or https URL, or
    /// carries a user, a query or a fragment.
    static func origin(of url: String) -> String? {
        let lower = url.lowercased()
        guard let scheme = ["http://", "https://"].first(where: { lower.hasPrefix($0) }) else { return nil }
        let rest = lower.dropFirst(scheme.count)
        let authority = rest.prefix { $0 != "/" }
        let path = rest.dropFirst(authority.count)
        guard isAuthority(authority), !path.contains("?"), encodedTarget(String(path)) == String(path) else {
            return nil
        }
        return scheme + authority
    }

    /// A call's path and query as they may stand in a request line; nil when they can't.
    ///
    /// Empty, or begins with `/` or `?`. Printable characters that no URL may hold, such as `[` in a query, are
    /// percent-encoded; white space, control characters, a `#` and a `%` without two digits are refused.
    static func encodedTarget(_ target: String) -> String? {
        let bytes = Array(target.utf8)
        guard let first = bytes.first else { return target }
        guard first == UInt8(ascii: "/") || first == UInt8(ascii: "?") else { return nil }
        var encoded: [UInt8] = []
        encoded.reserveCapacity(bytes.count)
        var wasChanged = false
        for (index, byte) in bytes.enumerated() {
            switch byte {
            case UInt8(ascii: "%"):
                guard index + 2 < bytes.count, isHexadecimal(bytes[index + 1]), isHexadecimal(bytes[index + 2]) else {
                    return nil
                }
                encoded.append(byte)
            case UInt8(ascii: "#"), 0...0x20, 0x7F...0xFF:
                return nil
            case UInt8(ascii: "\""), UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "["), UInt8(ascii: "]"),
                UInt8(ascii: "\\"), UInt8(ascii: "^"), UInt8(ascii: "`"), UInt8(ascii: "{"), UInt8(ascii: "|"),
                UInt8(ascii: "}"):
                wasChanged = true
                encoded += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 0xF)]]
            default:
                encoded.append(byte)
            }
        }
        return wasChanged ? String(decoding: encoded, as: UTF8.self) : target
    }

    private static let digits = Array("0123456789ABCDEF".utf8)

    private static func isAuthority(_ authority: Substring) -> Bool {
        var host = authority
        var port: Substring?
        if authority.hasPrefix("["), let end = authority.firstIndex(of: "]") {
            host = authority[authority.index(after: authority.startIndex)..<end]
            let tail = authority[authority.index(after: end)...]
            guard !host.isEmpty, host.utf8.allSatisfy({ isHexadecimal($0) || $0 == 0x3A || $0 == 0x2E }),
                tail.isEmpty || tail.hasPrefix(":")
            else { return false }
            port = tail.isEmpty ? nil : tail.dropFirst()
        } else {
            if let colon = authority.firstIndex(of: ":") {
                host = authority[..<colon]
                port = authority[authority.index(after: colon)...]
            }
            guard !host.isEmpty, host.utf8.count <= 253, host.utf8.allSatisfy(isHostByte) else { return false }
        }
        guard let port else { return true }
        return port.utf8.count <= 5 && port.utf8.allSatisfy { (0x30...0x39).contains($0) }
            && Int(port).map { (1...65_535).contains($0) } ?? false
    }

    /// A byte of a host name in lower case.
    private static func isHostByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"),
            UInt8(ascii: "."), UInt8(ascii: "_"):
            true
        default: false
        }
    }

    private static func isHexadecimal(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x46, 0x61...0x66: true
        default: false
        }
    }
}

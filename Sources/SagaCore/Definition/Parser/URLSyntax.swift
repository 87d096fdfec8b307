/// The syntax of the URLs that are called (RFC 3986): http or https, a host, perhaps a port and a path.
struct URLSyntax: Equatable {
    /// Scheme, host and port in lower case, without the scheme's own port: the same for the same server.
    let origin: String
    /// Host and port, the scheme's own too.
    let hostAndPort: String
    /// Everything behind the origin.
    let rest: String

    /// Why a text is no such URL, as a clause.
    struct Fault: Error, Equatable {
        let message: String
    }

    init(_ url: String) throws(Fault) {
        let lower = url.prefix(8).lowercased()
        guard let scheme = ["http://", "https://"].first(where: { lower.hasPrefix($0) }) else {
            throw Fault(message: "it doesn't begin with http:// or https://")
        }
        let afterScheme = url.dropFirst(scheme.count)
        let authority = afterScheme.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        guard !authority.contains("@") else { throw Fault(message: "it holds a user; send credentials in a header") }
        let (host, port) = Self.split(authority)
        try Self.checkHost(host)
        if let port { try Self.checkPort(port) }
        let ownPort = scheme == "http://" ? 80 : 443
        let number = port.flatMap { Int($0) } ?? ownPort
        hostAndPort = "\(host.lowercased()):\(number)"
        origin = scheme + (number == ownPort ? host.lowercased() : hostAndPort)
        rest = String(afterScheme.dropFirst(authority.count))
    }

    private static func split(_ authority: Substring) -> (host: Substring, port: Substring?) {
        let colon = authority.lastIndex(of: ":")
        // The colons of an IPv6 address stand within brackets.
        guard let colon, !authority[colon...].contains("]") else { return (authority, nil) }
        return (authority[..<colon], authority[authority.index(after: colon)...])
    }

    private static func checkHost(_ host: Substring) throws(Fault) {
        guard !host.isEmpty else { throw Fault(message: "it has no host") }
        let bytes = Array(host.utf8)
        if bytes.first == UInt8(ascii: "[") {
            let inner = bytes.dropFirst().dropLast()
            guard bytes.last == UInt8(ascii: "]"), !inner.isEmpty,
                inner.allSatisfy({ isHexadecimal($0) || $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: ".") })
            else { throw Fault(message: "\(quoted(String(host))) is not an IPv6 address in brackets") }
            return
        }
        guard bytes.count <= 253, bytes.allSatisfy({ isUnreserved($0) && $0 != UInt8(ascii: "~") }) else {
            throw Fault(message: "\(quoted(String(host))) is not the name of a host")
        }
    }

    private static func checkPort(_ port: Substring) throws(Fault) {
        guard port.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }), port.utf8.count <= 5,
            let number = Int(port), (1...65_535).contains(number)
        else { throw Fault(message: "\(quoted(String(port))) is not a port from 1 to 65535") }
    }

    /// Why a literal part of a path or query can't be sent as it stands; nil when it can.
    static func fault(inPath text: String) -> Fault? {
        let bytes = Array(text.utf8)
        for (index, byte) in bytes.enumerated() {
            switch byte {
            case UInt8(ascii: "%"):
                guard index + 2 < bytes.count, isHexadecimal(bytes[index + 1]), isHexadecimal(bytes[index + 2]) else {
                    return Fault(
                        message: "it has a `%` without two hexadecimal digits behind it; write %25 for a plain one"
                    )
                }
            case UInt8(ascii: "#"): return Fault(message: "it has a fragment (`#`), which is never sent; write %23")
            case UInt8(ascii: " "): return Fault(message: "it has a space; write %20")
            case 0...0x1F, 0x7F: return Fault(message: "it has a control character")
            case 0x80...: return Fault(message: "it has a character that must be percent-encoded")
            default: continue
            }
        }
        return nil
    }

    /// `unreserved` of RFC 3986 §2.3.
    static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "~"):
            true
        default: false
        }
    }

    /// The text with everything but `unreserved` percent-encoded (RFC 3986 §2.1).
    static func percentEncoded(_ text: String) -> String {
        guard let first = text.utf8.firstIndex(where: { !isUnreserved($0) }) else { return text }
        let digits: StaticString = "0123456789ABCDEF"
        var bytes = Array(text.utf8[..<first])
        bytes.reserveCapacity(text.utf8.count + 32)
        digits.withUTF8Buffer { digits in
            for byte in text.utf8[first...] {
                if isUnreserved(byte) {
                    bytes.append(byte)
                } else {
                    bytes.append(UInt8(ascii: "%"))
                    bytes.append(digits[Int(byte >> 4)])
                    bytes.append(digits[Int(byte & 15)])
                }
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func isHexadecimal(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
            UInt8(ascii: "A")...UInt8(ascii: "F"):
            true
        default: false
        }
    }
}

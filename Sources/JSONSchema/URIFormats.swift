/// Identifiers and pointers.
enum URIFormats {
    static func isUUID(_ bytes: Bytes) -> Bool {
        guard bytes.count == 36 else { return false }
        return bytes.enumerated().allSatisfy { position, byte in
            [8, 13, 18, 23].contains(position) ? byte == UInt8(ascii: "-") : byte.isHexDigit
        }
    }

    /// RFC 6901.
    static func isPointer(_ bytes: Bytes) -> Bool {
        guard let first = bytes.first else { return true }
        guard first == UInt8(ascii: "/") else { return false }
        var rest = bytes
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "~") else { continue }
            guard rest.take(0x30) || rest.take(0x31) else { return false }
        }
        return true
    }

    /// A number of levels to go up, then a pointer or `#` (draft-bhutton-relative-json-pointer-00).
    static func isRelativePointer(_ bytes: Bytes) -> Bool {
        var rest = bytes
        guard rest.take(0x30) ? rest.first?.isDigit != true : rest.digits() > 0 else { return false }
        return rest.count == 1 && rest.first == UInt8(ascii: "#") || isPointer(rest)
    }

    /// RFC 3986: `URI` (with a scheme), or `URI-reference`.
    static func isReference(_ bytes: Bytes, mustBeAbsolute: Bool) -> Bool {
        var rest = bytes
        if let hash = rest.firstIndex(of: UInt8(ascii: "#")) {
            guard hasOnly(rest[(hash + 1)...], also: "/?:@") else { return false }
            rest = rest[..<hash]
        }
        if let mark = rest.firstIndex(of: UInt8(ascii: "?")) {
            guard hasOnly(rest[(mark + 1)...], also: "/?:@") else { return false }
            rest = rest[..<mark]
        }
        let colon = rest.firstIndex { $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: "/") }
        if let colon, rest[colon] == UInt8(ascii: ":") {
            let scheme = rest[..<colon]
            guard SchemaURI.isScheme(Substring(decoding: scheme, as: UTF8.self)) else { return false }
            rest = rest[(colon + 1)...]
        } else if mustBeAbsolute {
            return false
        }
        if rest.starts(with: "//".utf8) {
            rest = rest.dropFirst(2)
            let end = rest.firstIndex(of: UInt8(ascii: "/")) ?? rest.endIndex
            guard isAuthority(rest[..<end]) else { return false }
            rest = rest[end...]
        }
        return hasOnly(rest, also: "/:@")
    }

    private static func isAuthority(_ bytes: Bytes) -> Bool {
        var host = bytes
        if let at = bytes.lastIndex(of: UInt8(ascii: "@")) {
            guard hasOnly(bytes[..<at], also: ":") else { return false }
            host = bytes[(at + 1)...]
        }
        var port = host[host.endIndex...]
        if host.first == UInt8(ascii: "[") {
            guard let end = host.lastIndex(of: UInt8(ascii: "]")) else { return false }
            let literal = host[(host.startIndex + 1)..<end]
            guard HostFormats.isIPv6(literal) || isFutureAddress(literal) else { return false }
            port = host[(end + 1)...]
        } else {
            let colon = host.firstIndex(of: UInt8(ascii: ":")) ?? host.endIndex
            guard hasOnly(host[..<colon], also: "") else { return false }
            port = host[colon...]
        }
        return port.isEmpty || port.first == UInt8(ascii: ":") && port.dropFirst().allSatisfy(\.isDigit)
    }

    private static func isFutureAddress(_ bytes: Bytes) -> Bool {
        guard bytes.first.map({ $0 | 0x20 }) == UInt8(ascii: "v"), let dot = bytes.firstIndex(of: UInt8(ascii: "."))
        else { return false }
        let version = bytes[(bytes.startIndex + 1)..<dot]
        let rest = bytes[(dot + 1)...]
        return !version.isEmpty && version.allSatisfy(\.isHexDigit) && !rest.isEmpty
            && !rest.contains(UInt8(ascii: "%")) && hasOnly(rest, also: ":")
    }

    /// Whether there are only unreserved characters, sub-delimiters, percent escapes and those named.
    private static func hasOnly(_ bytes: Bytes, also others: String) -> Bool {
        let allowed = Array("-._~!$&'()*+,;=".utf8) + Array(others.utf8)
        var rest = bytes
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%") {
                guard rest.count >= 2, rest.prefix(2).allSatisfy(\.isHexDigit) else { return false }
                rest = rest.dropFirst(2)
            } else if !byte.isLetter, !byte.isDigit, !allowed.contains(byte) {
                return false
            }
        }
        return true
    }
}

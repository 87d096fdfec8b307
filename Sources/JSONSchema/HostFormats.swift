/// Addresses of hosts and people.
enum HostFormats {
    /// RFC 1123 §2.1: labels of letters, digits and hyphens, 253 bytes in all.
    static func isHostname(_ bytes: Bytes) -> Bool {
        guard !bytes.isEmpty, bytes.count <= 253 else { return false }
        let hyphen = UInt8(ascii: "-")
        return bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).allSatisfy { label in
            (1...63).contains(label.count) && label.first != hyphen && label.last != hyphen
                && label.allSatisfy { $0.isLetter || $0.isDigit || $0 == hyphen }
        }
    }

    static func isIPv4(_ bytes: Bytes) -> Bool {
        let parts = bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        return parts.count == 4
            && parts.allSatisfy { part in
                var rest = part
                guard (1...3).contains(part.count), let value = rest.number(digits: part.count) else { return false }
                return value < 256 && (part.count == 1 || part.first != 0x30)
            }
    }

    /// RFC 4291 §2.2; no zone.
    static func isIPv6(_ bytes: Bytes) -> Bool {
        guard bytes.count >= 2, bytes.count <= 45 else { return false }
        let colon = UInt8(ascii: ":")
        var groups = bytes.split(separator: colon, omittingEmptySubsequences: false)
        var count = 0
        if let last = groups.last, last.contains(UInt8(ascii: ".")) {
            guard isIPv4(last) else { return false }
            groups.removeLast()
            count = 2
        } else if groups.last?.isEmpty == true {
            guard groups.count >= 3, groups[groups.count - 2].isEmpty else { return false }
            groups.removeLast()
        }
        if groups.first?.isEmpty == true {
            guard groups.count >= 2, groups[1].isEmpty else { return false }
            groups.removeFirst()
        }
        let empty = groups.filter(\.isEmpty).count
        guard empty <= 1, groups.allSatisfy({ $0.count <= 4 && $0.allSatisfy(\.isHexDigit) }) else { return false }
        count += groups.count - empty
        return empty == 1 ? count <= 7 : count == 8
    }

    /// RFC 5321 §4.1.2: `Mailbox`.
    static func isEmail(_ bytes: Bytes) -> Bool {
        guard let at = bytes.lastIndex(of: UInt8(ascii: "@")) else { return false }
        let (local, domain) = (bytes[..<at], bytes[(at + 1)...])
        guard !local.isEmpty, local.count <= 64 else { return false }
        guard local.first == UInt8(ascii: "\"") ? isQuoted(local) : isDotAtom(local) else { return false }
        guard domain.first == UInt8(ascii: "[") else { return isHostname(domain) }
        guard domain.count > 2, domain.last == UInt8(ascii: "]") else { return false }
        let literal = domain.dropFirst().dropLast()
        let tag = Array("ipv6:".utf8)
        return literal.prefix(5).map({ $0 | 0x20 }) == tag.map({ $0 | 0x20 })
            ? isIPv6(literal.dropFirst(5)) : isIPv4(literal)
    }

    private static func isDotAtom(_ bytes: Bytes) -> Bool {
        let others = Array("!#$%&'*+-/=?^_`{|}~".utf8)
        return bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).allSatisfy { atom in
            !atom.isEmpty && atom.allSatisfy { $0.isLetter || $0.isDigit || others.contains($0) }
        }
    }

    private static func isQuoted(_ bytes: Bytes) -> Bool {
        guard bytes.count >= 2, bytes.last == UInt8(ascii: "\"") else { return false }
        var escaped = false
        for byte in bytes.dropFirst().dropLast() {
            guard (0x20...0x7E).contains(byte) else { return false }
            if escaped {
                escaped = false
            } else if byte == UInt8(ascii: "\"") {
                return false
            } else {
                escaped = byte == UInt8(ascii: "\\")
            }
        }
        return !escaped
    }
}

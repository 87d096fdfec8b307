import RE2

/// The formats that can be asserted, by their names.
enum Format: String, Sendable, CaseIterable {
    case dateTime = "date-time"
    case date, time, duration, email, hostname, ipv4, ipv6, uuid, uri
    case uriReference = "uri-reference"
    case jsonPointer = "json-pointer"
    case relativeJSONPointer = "relative-json-pointer"
    case regex

    /// The format as a noun in "must be …".
    var noun: String {
        switch self {
        case .dateTime: "a date and time such as `2026-01-31T12:00:00Z`"
        case .date: "a date such as `2026-01-31`"
        case .time: "a time with its zone, such as `12:00:00Z`"
        case .duration: "a duration such as `P3DT12H`"
        case .email: "an e-mail address"
        case .hostname: "a host name"
        case .ipv4: "an IPv4 address"
        case .ipv6: "an IPv6 address"
        case .uuid: "a UUID"
        case .uri: "a URI"
        case .uriReference: "a URI or a relative reference"
        case .jsonPointer: "a JSON Pointer"
        case .relativeJSONPointer: "a relative JSON Pointer"
        case .regex: "a regular expression (ECMA-262, without look-around and back-references)"
        }
    }

    /// Whether a text has the format.
    func accepts(_ text: String) -> Bool {
        var text = text
        return text.withUTF8 { bytes in
            let bytes = bytes[...]
            return switch self {
            case .dateTime: TimeFormats.isDateTime(bytes)
            case .date: TimeFormats.isDate(bytes)
            case .time: TimeFormats.isTime(bytes)
            case .duration: TimeFormats.isDuration(bytes)
            case .email: HostFormats.isEmail(bytes)
            case .hostname: HostFormats.isHostname(bytes)
            case .ipv4: HostFormats.isIPv4(bytes)
            case .ipv6: HostFormats.isIPv6(bytes)
            case .uuid: URIFormats.isUUID(bytes)
            case .uri: URIFormats.isReference(bytes, mustBeAbsolute: true)
            case .uriReference: URIFormats.isReference(bytes, mustBeAbsolute: false)
            case .jsonPointer: URIFormats.isPointer(bytes)
            case .relativeJSONPointer: URIFormats.isRelativePointer(bytes)
            case .regex: Format.isRegex(String(decoding: bytes, as: UTF8.self))
            }
        }
    }

    private static func isRegex(_ text: String) -> Bool { (try? ECMAPattern.checkSyntax(of: text)) != nil }
}

/// A stretch of UTF-8.
typealias Bytes = Slice<UnsafeBufferPointer<UInt8>>

extension UInt8 {
    var isDigit: Bool { (0x30...0x39).contains(self) }
    var isLetter: Bool { (0x61...0x7A).contains(self | 0x20) }
    var isHexDigit: Bool { isDigit || (0x61...0x66).contains(self | 0x20) }
}

extension Bytes {
    /// Takes a byte if it comes next.
    mutating func take(_ byte: UInt8) -> Bool {
        guard first == byte else { return false }
        removeFirst()
        return true
    }

    /// Takes exactly that many digits and gives their value; nil when there are fewer.
    mutating func number(digits count: Int) -> Int? {
        guard self.count >= count, prefix(count).allSatisfy(\.isDigit) else { return nil }
        let value = prefix(count).reduce(0) { $0 * 10 + Int($1 - 0x30) }
        self = dropFirst(count)
        return value
    }

    /// Takes digits up to a limit and says how many there were.
    mutating func digits(atMost limit: Int = .max) -> Int {
        let count = prefix(limit).prefix { $0.isDigit }.count
        self = dropFirst(count)
        return count
    }
}

/// RFC 3339.
enum TimeFormats {
    static func isDateTime(_ bytes: Bytes) -> Bool {
        guard bytes.count > 11, bytes[bytes.startIndex + 10] | 0x20 == UInt8(ascii: "t") else { return false }
        return isDate(bytes.prefix(10)) && isTime(bytes.dropFirst(11))
    }

    static func isDate(_ bytes: Bytes) -> Bool {
        var rest = bytes
        guard let year = rest.number(digits: 4), rest.take(UInt8(ascii: "-")),
            let month = rest.number(digits: 2), rest.take(UInt8(ascii: "-")),
            let day = rest.number(digits: 2), rest.isEmpty
        else { return false }
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        let days = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        return (1...12).contains(month) && (1...days[month - 1]).contains(day)
    }

    static func isTime(_ bytes: Bytes) -> Bool {
        var rest = bytes
        guard let hour = rest.number(digits: 2), rest.take(UInt8(ascii: ":")),
            let minute = rest.number(digits: 2), rest.take(UInt8(ascii: ":")),
            let second = rest.number(digits: 2), hour < 24, minute < 60, second <= 60
        else { return false }
        if rest.take(UInt8(ascii: ".")), rest.digits() == 0 { return false }
        guard let sign = rest.popFirst() else { return false }
        var offset = 0
        switch sign {
        case UInt8(ascii: "z"), UInt8(ascii: "Z"): break
        case UInt8(ascii: "+"), UInt8(ascii: "-"):
            guard let hours = rest.number(digits: 2), rest.take(UInt8(ascii: ":")),
                let minutes = rest.number(digits: 2), hours < 24, minutes < 60
            else { return false }
            offset = (hours * 60 + minutes) * (sign == UInt8(ascii: "-") ? -1 : 1)
        default: return false
        }
        // A leap second comes at the end of a day in UTC.
        let inUTC = (hour * 60 + minute - offset + 2 * 1440) % 1440
        return rest.isEmpty && (second < 60 || inUTC == 1439)
    }

    /// RFC 3339, appendix A: no unit between two others is left out, and weeks stand alone.
    static func isDuration(_ bytes: Bytes) -> Bool {
        var rest = bytes
        guard rest.take(UInt8(ascii: "P")) else { return false }
        if rest.last == UInt8(ascii: "W") { return rest.digits() > 0 && rest.count == 1 }
        var count = 0
        guard take(units: "YMD", &rest, &count) else { return false }
        if rest.take(UInt8(ascii: "T")) {
            var times = 0
            guard take(units: "HMS", &rest, &times), times > 0 else { return false }
            count += times
        }
        return rest.isEmpty && count > 0
    }

    private static func take(units names: StaticString, _ rest: inout Bytes, _ count: inout Int) -> Bool {
        var next: Int?
        while rest.first?.isDigit == true {
            _ = rest.digits()
            guard let unit = rest.popFirst() else { return false }
            let allowed = next.map { $0..<min($0 + 1, 3) } ?? 0..<3
            guard let at = allowed.first(where: { names.utf8Start[$0] == unit }) else { return false }
            next = at + 1
            count += 1
        }
        return true
    }
}

import JSON

/// Replaces what must not be shown by `***`, going by the names of headers and members.
///
/// A name is secret when, whatever its case and punctuation, it holds a word such as `password`, `token` or `apiKey`,
/// when one of its words is a card's number or code (`pan` hides `cardPan` and not `company`), a `pin` or the like, or
/// when it is `card` or `session`. URLs, wherever they stand, lose their user and the values of secret items.
public enum SecretMask {
    /// What is shown instead.
    public static let mask = "***"

    private static let parts = [
        "password", "passwd", "passphrase", "secret", "token", "apikey", "authorization", "credential", "privatekey",
        "cardnumber", "accesskey", "sessionid", "sessionkey", "signature",
    ]
    private static let words = ["pan", "cvv", "cvv2", "cvc", "cvc2", "pwd", "pin", "otp", "jwt", "auth"]
    private static let secretHeaders = ["cookie", "set-cookie"]

    /// Whether the value of a member, a query's item or a header of this name isn't shown.
    public static func isSecret(_ name: String) -> Bool {
        let words = split(name)
        let joined = words.joined()
        return parts.contains { joined.contains($0) } || words.contains { Self.words.contains($0) }
            || ["card", "session", "xsession"].contains(joined)
    }

    /// A header's value as it may be shown.
    public static func header(_ name: String, value: String) -> String {
        secretHeaders.contains(name.lowercased()) || isSecret(name) ? mask : text(value)
    }

    /// A JSON value with the value of each secret member replaced, at any depth.
    public static func json(_ value: JSON) -> JSON {
        switch value {
        case .array(let elements): return .array(elements.map(json))
        case .object(let object):
            return .object(
                JSONObject(object.members.map { ($0.key, isSecret($0.key) ? .string(mask) : json($0.value)) }))
        case .string(let text): return .string(Self.text(text))
        default: return value
        }
    }

    /// A body as a message may quote it: JSON as `json(_:)` shows it, anything else, and JSON without secrets, as it is.
    public static func body(_ bytes: [UInt8]) -> [UInt8] {
        guard let value = try? JSON.parse(bytes) else { return bytes }
        let shown = json(value)
        return shown == value ? bytes : shown.serialized()
    }

    /// A text with the URLs in it as `url(_:)` shows them.
    public static func text(_ text: String) -> String {
        guard text.firstRange(of: "://") != nil else { return text }
        return text.split(separator: " ", omittingEmptySubsequences: false).map { word in
            word.firstRange(of: "://") == nil ? String(word) : url(String(word))
        }.joined(separator: " ")
    }

    /// A URL without its user's name and password, and with the values of secret items of its query and its fragment,
    /// which OAuth puts tokens into, replaced.
    public static func url(_ url: String) -> String {
        guard let begin = url.firstIndex(where: { $0 == "?" || $0 == "#" }) else { return withoutUser(url) }
        var shown = withoutUser(String(url[..<begin]))
        var rest = url[begin...]
        while let separator = rest.first {
            let item = rest.dropFirst().prefix { !"?&#".contains($0) }
            shown.append(separator)
            shown += queryItem(item)
            rest = rest[item.endIndex...]
        }
        return shown
    }

    private static func queryItem(_ item: Substring) -> String {
        guard let equals = item.firstIndex(of: "="), isSecret(percentDecoded(item[..<equals])) else {
            return String(item)
        }
        return "\(item[..<equals])=\(mask)"
    }

    /// RFC 3986 §2.1, to read a name; what isn't an escape stays.
    private static func percentDecoded(_ text: Substring) -> String {
        var bytes: [UInt8] = []
        var rest = Substring(text).utf8
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), rest.count >= 2, let code = UInt8(Substring(rest.prefix(2)), radix: 16) {
                bytes.append(code)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// RFC 3986 §3.2: the authority stands between `//` and the next `/`, the user before its last `@`.
    private static func withoutUser(_ url: String) -> String {
        guard let colon = url.firstRange(of: "://") else { return url }
        let end = url[colon.upperBound...].firstIndex(of: "/") ?? url.endIndex
        guard let at = url[colon.upperBound..<end].lastIndex(of: "@") else { return url }
        return url[..<colon.upperBound] + mask + url[at...]
    }

    /// The words of a name in lower case: `cardPan`, `card_pan` and `Card-Pan` are `card` and `pan`.
    private static func split(_ name: String) -> [String] {
        var words: [String] = []
        var word = ""
        var followsSmall = false
        for character in name {
            let startsWord = character.isUppercase && followsSmall
            followsSmall = character.isLowercase || character.isNumber
            if startsWord || !(character.isLetter || character.isNumber) {
                if !word.isEmpty { words.append(word) }
                word = ""
            }
            if character.isLetter || character.isNumber { word += character.lowercased() }
        }
        if !word.isEmpty { words.append(word) }
        return words
    }
}

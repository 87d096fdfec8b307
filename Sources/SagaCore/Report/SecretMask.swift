import JSON

/// Replaces what must not be shown by `***`, going by the names of headers and members.
///
/// A name is secret when, whatever its case and punctuation, it holds a word such as `password`, `token` or `apiKey`,
/// when one of its words is a card's number or code (`pan` hides `cardPan` and not `company`), or when it is `card`.
public enum SecretMask {
    /// What is shown instead.
    public static let mask = "***"

    private static let parts = [
        "password", "passwd", "passphrase", "secret", "token", "apikey", "authorization", "credential", "privatekey",
        "cardnumber",
    ]
    private static let words = ["pan", "cvv", "cvv2", "cvc", "cvc2"]
    private static let secretHeaders = ["cookie", "set-cookie"]

    /// Whether the value of a member, a query's item or a header of this name isn't shown.
    public static func isSecret(_ name: String) -> Bool {
        let words = split(name)
        let joined = words.joined()
        return parts.contains { joined.contains($0) } || words.contains { Self.words.contains($0) }
            || joined == "card"
    }

    /// A header's value as it may be shown.
    public static func header(_ name: String, value: String) -> String {
        secretHeaders.contains(name.lowercased()) || isSecret(name) ? mask : value
    }

    /// A JSON value with the value of each secret member replaced, at any depth.
    public static func json(_ value: JSON) -> JSON {
        switch value {
        case .array(let elements): return .array(elements.map(json))
        case .object(let object):
            return .object(
                JSONObject(object.members.map { ($0.key, isSecret($0.key) ? .string(mask) : json($0.value)) }))
        default: return value
        }
    }

    /// A URL without its user's name and password, and with the values of secret items of its query replaced.
    public static func url(_ url: String) -> String {
        guard let question = url.firstIndex(of: "?") else { return withoutUser(url) }
        let items = url[url.index(after: question)...].split(separator: "&", omittingEmptySubsequences: false)
        let shown = items.map { item in
            guard let equals = item.firstIndex(of: "="), isSecret(String(item[..<equals])) else { return String(item) }
            return "\(item[..<equals])=\(mask)"
        }
        return withoutUser(String(url[..<question])) + "?" + shown.joined(separator: "&")
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

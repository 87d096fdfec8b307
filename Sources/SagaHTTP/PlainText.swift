/// Text from outside made fit for events, logs and terminals.
enum PlainText {
    /// The longest message that is kept of an answer, in Unicode scalars.
    static let longestMessage = 1_000

    /// At most `limit` scalars of `text`, control characters and everything that redirects writing made spaces.
    ///
    /// PostgreSQL can't hold U+0000, and an escape sequence in a message would drive the terminal that shows it.
    static func bounded(_ text: String, to limit: Int = longestMessage) -> String {
        var result = String.UnicodeScalarView()
        for scalar in text.unicodeScalars.prefix(limit) {
            result.append(isPrintable(scalar) ? scalar : " ")
        }
        return String(result)
    }

    /// The beginning of a body as text on one line; nil when it is empty or isn't text.
    static func excerpt(of body: [UInt8], limit: Int = 200) -> String? {
        let text = bounded(String(decoding: body.prefix(limit * 4), as: UTF8.self), to: limit)
        // The cut may have left half a character at the end; anywhere else the body isn't UTF-8.
        guard !text.unicodeScalars.dropLast().contains("\u{FFFD}") else { return nil }
        let words = text.split(separator: " ")
        return words.isEmpty ? nil : words.joined(separator: " ")
    }

    private static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x20...0x7E: true
        case 0...0x9F: false
        case 0x2028...0x202E, 0x2066...0x2069: false
        default: true
        }
    }
}

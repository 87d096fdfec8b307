/// A token of the expression language.
struct Token {
    enum Kind: Equatable {
        case end
        case identifier
        /// An identifier in backquotes, which may stand behind a dot only.
        case quotedIdentifier
        case int
        case uint
        case double
        case string
        case bytes
        case symbol
    }

    let kind: Kind
    /// Where it stands, in bytes.
    let range: Range<Int>
    /// The source text; for a quoted identifier what stands between the quotes.
    let text: String
}

/// Splits an expression's source into tokens.
struct Lexer {
    let bytes: [UInt8]
    private var position = 0

    init(_ source: String) { bytes = Array(source.utf8) }

    mutating func next() throws(CELError) -> Token {
        skipSpace()
        let start = position
        guard start < bytes.count else { return token(.end, from: start) }
        let byte = bytes[start]
        if isDigit(byte) || byte == UInt8(ascii: ".") && isDigit(peek(1)) { return try number() }
        if let prefix = stringPrefix() { return try string(prefix) }
        if isIdentifierStart(byte) {
            while isIdentifierStart(peek(0)) || isDigit(peek(0)) { position += 1 }
            return token(.identifier, from: start)
        }
        if byte == UInt8(ascii: "`") { return try quotedIdentifier() }
        return try symbol()
    }

    // MARK: Parts

    private mutating func skipSpace() {
        while position < bytes.count {
            switch bytes[position] {
            case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\n"), UInt8(ascii: "\r"), 0x0C:
                position += 1
            case UInt8(ascii: "/") where peek(1) == UInt8(ascii: "/"):
                while position < bytes.count, bytes[position] != UInt8(ascii: "\n") { position += 1 }
            default:
                return
            }
        }
    }

    private mutating func symbol() throws(CELError) -> Token {
        let start = position
        let pair = String(decoding: bytes[start..<min(start + 2, bytes.count)], as: UTF8.self)
        if ["==", "!=", "<=", ">=", "&&", "||"].contains(pair) {
            position += 2
            return token(.symbol, from: start)
        }
        let rest = String(decoding: bytes[start..<min(start + 4, bytes.count)], as: UTF8.self)
        let found = rest.unicodeScalars.first.map { String($0) } ?? ""
        guard "+-*/%<>!?:.,()[]{}".contains(found) else {
            let hint =
                switch found {
                case "=": "equality is written =="
                case "&": "and is written &&"
                case "|": "or is written ||"
                case "\u{201C}", "\u{201D}", "\u{2018}", "\u{2019}": "use straight quotes"
                default: String?.none
                }
            throw CELError(offset: start, message: "'\(found)' has no meaning here", hint: hint)
        }
        position += 1
        return token(.symbol, from: start)
    }

    private mutating func quotedIdentifier() throws(CELError) -> Token {
        let start = position
        position += 1
        while isQuotedIdentifierPart(peek(0)) { position += 1 }
        guard peek(0) == UInt8(ascii: "`"), position > start + 1 else {
            throw CELError(
                offset: start,
                message: "a name in backquotes has letters, digits, '_', '.', '-', '/' and spaces only"
            )
        }
        position += 1
        let text = String(decoding: bytes[start + 1..<position - 1], as: UTF8.self)
        return Token(kind: .quotedIdentifier, range: start..<position, text: text)
    }

    private mutating func number() throws(CELError) -> Token {
        let start = position
        var kind = Token.Kind.int
        if bytes[start] == UInt8(ascii: "0"), peek(1) | 0x20 == UInt8(ascii: "x"), isHexDigit(peek(2)) {
            position += 2
            while isHexDigit(peek(0)) { position += 1 }
        } else {
            skipDigits()
            if peek(0) == UInt8(ascii: "."), isDigit(peek(1)) {
                kind = .double
                position += 1
                skipDigits()
            }
            if peek(0) | 0x20 == UInt8(ascii: "e") {
                let sign = peek(1) == UInt8(ascii: "+") || peek(1) == UInt8(ascii: "-") ? 1 : 0
                if isDigit(peek(1 + sign)) {
                    kind = .double
                    position += 1 + sign
                    skipDigits()
                }
            }
        }
        if kind == .int, peek(0) | 0x20 == UInt8(ascii: "u") {
            kind = .uint
            position += 1
        }
        guard !isIdentifierStart(peek(0)), !isDigit(peek(0)) else {
            throw CELError(offset: start, message: "this is not a number")
        }
        return token(kind, from: start)
    }

    private mutating func skipDigits() {
        while isDigit(peek(0)) { position += 1 }
    }

    /// The letters before a string's quote and the quote itself, when a string begins here.
    private func stringPrefix() -> (isBytes: Bool, isRaw: Bool, length: Int)? {
        var length = 0
        let isBytes = peek(length) | 0x20 == UInt8(ascii: "b")
        if isBytes { length += 1 }
        let isRaw = peek(length) | 0x20 == UInt8(ascii: "r")
        if isRaw { length += 1 }
        let quote = peek(length)
        guard quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'") else { return nil }
        return (isBytes, isRaw, length)
    }

    private mutating func string(_ prefix: (isBytes: Bool, isRaw: Bool, length: Int)) throws(CELError) -> Token {
        let start = position
        position += prefix.length
        let quote = bytes[position]
        let isTriple = peek(1) == quote && peek(2) == quote
        position += isTriple ? 3 : 1
        while true {
            guard position < bytes.count else {
                throw CELError(offset: start, message: "this string has no closing quote")
            }
            let byte = bytes[position]
            if byte == quote, !isTriple || peek(1) == quote && peek(2) == quote { break }
            if !isTriple, byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") {
                throw CELError(
                    offset: start,
                    message: "this string has no closing quote on its line",
                    hint: "a text of several lines has three quotes on either side"
                )
            }
            position += byte == UInt8(ascii: "\\") && !prefix.isRaw ? 2 : 1
        }
        position += isTriple ? 3 : 1
        return token(prefix.isBytes ? .bytes : .string, from: start)
    }

    // MARK: Bytes

    private func peek(_ distance: Int) -> UInt8 {
        position + distance < bytes.count ? bytes[position + distance] : 0
    }

    private func token(_ kind: Token.Kind, from start: Int) -> Token {
        Token(kind: kind, range: start..<position, text: String(decoding: bytes[start..<position], as: UTF8.self))
    }

    private func isDigit(_ byte: UInt8) -> Bool { byte &- UInt8(ascii: "0") < 10 }
    private func isHexDigit(_ byte: UInt8) -> Bool { isDigit(byte) || (byte | 0x20) &- UInt8(ascii: "a") < 6 }
    private func isIdentifierStart(_ byte: UInt8) -> Bool {
        (byte | 0x20) &- UInt8(ascii: "a") < 26 || byte == UInt8(ascii: "_")
    }
    private func isQuotedIdentifierPart(_ byte: UInt8) -> Bool {
        isIdentifierStart(byte) || isDigit(byte) || [0x2E, 0x2D, 0x2F, 0x20].contains(byte)
    }
}

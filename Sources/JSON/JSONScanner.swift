/// A fault before its line and column are known.
struct JSONFault: Error {
    let offset: Int
    let message: String
}

/// Reads the tokens of RFC 8259 from bytes in memory and checks them, UTF-8 included.
///
/// It builds nothing: the parsers on top decide what becomes of a token.
struct JSONScanner {
    let bytes: UnsafeBufferPointer<UInt8>
    private(set) var position = 0
    /// Whether a `\u0000` escape has been seen.
    private(set) var containsNUL = false
    private let depthAllowed: Int
    private let bytesAllowed: Int
    private var depth = 0

    /// A string token: the range between its quotes.
    struct StringToken {
        let range: Range<Int>
        let hasEscapes: Bool
    }

    init(_ bytes: UnsafeBufferPointer<UInt8>, limits: JSONLimits) {
        self.bytes = bytes
        depthAllowed = min(limits.maximumDepth, 1024)
        bytesAllowed = limits.maximumBytes
    }

    // MARK: Structure

    /// To be called before the first token: refuses what no JSON text can be.
    mutating func begin() throws(JSONFault) {
        guard bytes.count <= bytesAllowed else {
            throw JSONFault(
                offset: 0,
                message: "the text has \(bytes.count) bytes, more than the \(bytesAllowed) allowed"
            )
        }
        if bytes.count >= 3, bytes[0] == 0xEF, bytes[1] == 0xBB, bytes[2] == 0xBF {
            throw JSONFault(offset: 0, message: "the text begins with a byte order mark, which JSON doesn't allow")
        }
        skipWhiteSpace()
    }

    /// To be called after the last token: refuses anything but white space behind it.
    mutating func end() throws(JSONFault) {
        skipWhiteSpace()
        if position < bytes.count { throw unexpected("the end of the text") }
    }

    /// The next byte, or 0 at the end (which no token begins with).
    @inline(__always)
    var next: UInt8 { position < bytes.count ? bytes[position] : 0 }

    @inline(__always)
    mutating func advance() { position += 1 }

    @inline(__always)
    mutating func skipWhiteSpace() {
        while position < bytes.count {
            let byte = bytes[position]
            guard byte <= 0x20, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 else { return }
            position += 1
        }
    }

    /// Takes an opening bracket.
    @inline(__always)
    mutating func open() throws(JSONFault) {
        depth += 1
        if depth > depthAllowed { throw tooDeep() }
        position += 1
    }

    /// Takes a closing bracket.
    @inline(__always)
    mutating func close() {
        depth -= 1
        position += 1
    }

    /// Goes on after an element: true when another one follows, false when the bracket was closed.
    @inline(__always)
    mutating func another(closing bracket: UInt8) throws(JSONFault) -> Bool {
        skipWhiteSpace()
        let byte = next
        if byte == UInt8(ascii: ",") {
            position += 1
            skipWhiteSpace()
            if next == bracket { throw trailingComma() }
            return true
        }
        guard byte == bracket else { throw unexpectedSeparator(closing: bracket) }
        close()
        return false
    }

    /// Takes the name of a member and the colon behind it.
    @inline(__always)
    mutating func name() throws(JSONFault) -> StringToken {
        guard next == UInt8(ascii: "\"") else { throw unexpected("a member name in double quotes") }
        let token = try string()
        skipWhiteSpace()
        guard next == UInt8(ascii: ":") else { throw unexpected("':' after a member name") }
        position += 1
        skipWhiteSpace()
        return token
    }

    // MARK: Literals

    mutating func literal(_ word: StaticString) throws(JSONFault) {
        let count = word.utf8CodeUnitCount
        guard bytes.count - position >= count else { throw unexpected("a value") }
        for index in 0..<count where bytes[position + index] != word.utf8Start[index] { throw unexpected("a value") }
        position += count
    }

    // MARK: Numbers

    @discardableResult
    mutating func number() throws(JSONFault) -> Range<Int> {
        let start = position
        if next == UInt8(ascii: "-") { position += 1 }
        if next == UInt8(ascii: "0") {
            position += 1
            if isDigit(next) { throw JSONFault(offset: start, message: "a number must not begin with 0") }
        } else {
            try digits("a digit")
        }
        if next == UInt8(ascii: ".") {
            position += 1
            try digits("a digit after the decimal point")
        }
        if next | 0x20 == UInt8(ascii: "e") {
            position += 1
            if next == UInt8(ascii: "+") || next == UInt8(ascii: "-") { position += 1 }
            try digits("a digit in the exponent")
        }
        return start..<position
    }

    @inline(__always)
    private mutating func digits(_ expected: StaticString) throws(JSONFault) {
        guard isDigit(next) else { throw unexpected("\(expected)") }
        repeat { position += 1 } while isDigit(next)
    }

    @inline(__always)
    private func isDigit(_ byte: UInt8) -> Bool { byte &- UInt8(ascii: "0") < 10 }

    // MARK: Strings

    /// Takes a string with its quotes.
    @inline(__always)
    mutating func string() throws(JSONFault) -> StringToken {
        position += 1
        let start = position
        var hasEscapes = false
        while true {
            skipPlainText()
            guard position < bytes.count else {
                throw JSONFault(offset: start - 1, message: "this string has no closing quote")
            }
            let byte = bytes[position]
            if byte == UInt8(ascii: "\"") {
                position += 1
                return StringToken(range: start..<position - 1, hasEscapes: hasEscapes)
            }
            if byte == UInt8(ascii: "\\") {
                hasEscapes = true
                try escape()
            } else if byte < 0x20 {
                throw controlCharacter(byte)
            } else if byte >= 0x80 {
                try multiByteCharacter(byte)
            } else {
                position += 1
            }
        }
    }

    /// Goes to the next byte that is a quote, a backslash, a control character or not ASCII, eight bytes at a time;
    /// stops within the last seven bytes of the text anyhow.
    @inline(__always)
    private mutating func skipPlainText() {
        guard let base = UnsafeRawPointer(bytes.baseAddress) else { return }
        let ones: UInt64 = 0x0101_0101_0101_0101
        let tops: UInt64 = 0x8080_8080_8080_8080
        while bytes.count - position >= 8 {
            let word = UInt64(littleEndian: base.loadUnaligned(fromByteOffset: position, as: UInt64.self))
            let quote = word ^ (ones &* UInt64(UInt8(ascii: "\"")))
            let backslash = word ^ (ones &* UInt64(UInt8(ascii: "\\")))
            let isQuote = (quote &- ones) & ~quote
            let isBackslash = (backslash &- ones) & ~backslash
            let isControl = (word &- ones &* 0x20) & ~word
            // A borrow can raise false alarms only behind the first true one, and only the first is used.
            let found = (isQuote | isBackslash | isControl | word) & tops
            if found != 0 {
                position += found.trailingZeroBitCount / 8
                return
            }
            position += 8
        }
    }

    private mutating func escape() throws(JSONFault) {
        let start = position
        position += 1
        switch next {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            position += 1
        case UInt8(ascii: "u"):
            let unit = try hexUnit(from: start)
            if unit == 0 { containsNUL = true }
            guard unit & 0xF800 == 0xD800 else { return }
            guard unit < 0xDC00, next == UInt8(ascii: "\\"), bytes.count - position > 1,
                bytes[position + 1] == UInt8(ascii: "u")
            else { throw loneSurrogate(at: start) }
            position += 1
            guard try hexUnit(from: position - 1) & 0xFC00 == 0xDC00 else { throw loneSurrogate(at: start) }
        default:
            throw JSONFault(offset: start, message: "this escape is none of \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX")
        }
    }

    /// Takes `uXXXX`, the position being at the `u`.
    private mutating func hexUnit(from start: Int) throws(JSONFault) -> UInt32 {
        position += 1
        var unit: UInt32 = 0
        for _ in 0..<4 {
            guard let digit = hexDigit(next) else {
                throw JSONFault(offset: start, message: "\\u needs four hexadecimal digits")
            }
            unit = unit << 4 | digit
            position += 1
        }
        return unit
    }

    /// Takes one character beyond ASCII, refusing what the Unicode standard calls ill-formed (table 3-7).
    private mutating func multiByteCharacter(_ first: UInt8) throws(JSONFault) {
        let secondRange: ClosedRange<UInt8>
        let length: Int
        switch first {
        case 0xC2...0xDF: (secondRange, length) = (0x80...0xBF, 2)
        case 0xE0: (secondRange, length) = (0xA0...0xBF, 3)
        case 0xED: (secondRange, length) = (0x80...0x9F, 3)
        case 0xE1...0xEF: (secondRange, length) = (0x80...0xBF, 3)
        case 0xF0: (secondRange, length) = (0x90...0xBF, 4)
        case 0xF1...0xF3: (secondRange, length) = (0x80...0xBF, 4)
        case 0xF4: (secondRange, length) = (0x80...0x8F, 4)
        default: throw invalidUTF8()
        }
        guard bytes.count - position >= length, secondRange.contains(bytes[position + 1]) else { throw invalidUTF8() }
        for index in 2..<max(length, 2) where bytes[position + index] & 0xC0 != 0x80 { throw invalidUTF8() }
        position += length
    }
}

/// The value of a hexadecimal digit.
@inline(__always)
func hexDigit(_ byte: UInt8) -> UInt32? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(byte - UInt8(ascii: "0"))
    case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt32(byte - UInt8(ascii: "a") + 10)
    case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt32(byte - UInt8(ascii: "A") + 10)
    default: nil
    }
}

// MARK: - Faults

extension JSONScanner {
    @inline(never)
    func unexpected(_ wanted: String) -> JSONFault {
        JSONFault(offset: position, message: "expected \(wanted), found \(found)")
    }

    @inline(never)
    private func unexpectedSeparator(closing bracket: UInt8) -> JSONFault {
        unexpected(bracket == UInt8(ascii: "]") ? "',' or ']' after an array element" : "',' or '}' after a member")
    }

    @inline(never)
    private func trailingComma() -> JSONFault {
        JSONFault(offset: position, message: "a comma must not stand before \(found)")
    }

    @inline(never)
    private func tooDeep() -> JSONFault {
        JSONFault(offset: position, message: "arrays and objects nest deeper than \(depthAllowed) levels")
    }

    @inline(never)
    private func invalidUTF8() -> JSONFault {
        JSONFault(offset: position, message: "this is not valid UTF-8")
    }

    @inline(never)
    private func loneSurrogate(at offset: Int) -> JSONFault {
        JSONFault(offset: offset, message: "this \\u escape is half of a surrogate pair")
    }

    @inline(never)
    private func controlCharacter(_ byte: UInt8) -> JSONFault {
        let digits = String(byte, radix: 16)
        let code = String(repeating: "0", count: 4 - digits.utf8.count) + digits
        return JSONFault(
            offset: position,
            message: "a control character in a string must be escaped, here as \\u\(code)"
        )
    }

    /// What stands at the position, in words.
    private var found: String {
        guard position < bytes.count else { return "the end of the text" }
        let byte = bytes[position]
        switch byte {
        case 0x21...0x7E: return "'\(Character(UnicodeScalar(byte)))'"
        case UInt8(ascii: "\n"), UInt8(ascii: "\r"): return "the end of the line"
        case 0x80...:
            let rest = bytes[position..<min(position + 4, bytes.count)]
            guard let scalar = String(decoding: rest, as: UTF8.self).unicodeScalars.first, scalar != "\u{FFFD}" else {
                return "the byte \(byte)"
            }
            return "'\(scalar)'"
        default: return "the byte \(byte)"
        }
    }
}

/// Finds the `${ … }` of a text.
///
/// `$${` is a plain `${`. An expression ends at its own `}`: those of maps, strings and comments inside it don't count.
struct TemplateScanner {
    enum Piece: Equatable {
        case literal(String)
        /// What stands between the braces, and where it begins, in UTF-8 bytes of the text.
        case expression(source: String, offset: Int)
    }

    /// A `${` without its `}`.
    struct Unterminated: Error, Equatable {
        /// Where the `${` stands.
        let offset: Int
        /// Where a string inside the expression begins that isn't closed either.
        let openString: Int?
    }

    private let bytes: [UInt8]

    private init(_ text: String) { bytes = Array(text.utf8) }

    static func pieces(of text: String) throws(Unterminated) -> [Piece] {
        guard text.utf8.contains(UInt8(ascii: "$")) else { return [.literal(text)] }
        return try TemplateScanner(text).pieces()
    }

    private func pieces() throws(Unterminated) -> [Piece] {
        var pieces: [Piece] = []
        var literal: [UInt8] = []
        var position = 0
        while position < bytes.count {
            if stands("$${", at: position) {
                literal += "${".utf8
                position += 3
            } else if stands("${", at: position) {
                let start = position + 2
                let end = try endOfExpression(from: start)
                if !literal.isEmpty { pieces.append(.literal(String(decoding: literal, as: UTF8.self))) }
                literal = []
                pieces.append(.expression(source: String(decoding: bytes[start..<end], as: UTF8.self), offset: start))
                position = end + 1
            } else {
                literal.append(bytes[position])
                position += 1
            }
        }
        if !literal.isEmpty || pieces.isEmpty { pieces.append(.literal(String(decoding: literal, as: UTF8.self))) }
        return pieces
    }

    /// The place of the `}` that closes the expression.
    private func endOfExpression(from start: Int) throws(Unterminated) -> Int {
        var position = start
        var depth = 0
        while position < bytes.count {
            switch bytes[position] {
            case UInt8(ascii: "{"): depth += 1
            case UInt8(ascii: "}"):
                if depth == 0 { return position }
                depth -= 1
            case UInt8(ascii: "\""), UInt8(ascii: "'"):
                guard let end = endOfString(from: position, expression: start) else {
                    throw Unterminated(offset: start - 2, openString: position)
                }
                position = end
                continue
            case UInt8(ascii: "/") where stands("//", at: position):
                while position < bytes.count, bytes[position] != UInt8(ascii: "\n") { position += 1 }
                continue
            default: break
            }
            position += 1
        }
        throw Unterminated(offset: start - 2, openString: nil)
    }

    /// The place behind a string literal of CEL, in one quote or three; nil when it isn't closed.
    private func endOfString(from start: Int, expression: Int) -> Int? {
        let quote = String(UnicodeScalar(bytes[start]))
        let isTriple = stands(quote + quote + quote, at: start)
        let closing = isTriple ? quote + quote + quote : quote
        let isRaw = isRawString(at: start, expression: expression)
        var position = start + closing.utf8.count
        while position < bytes.count {
            if stands(closing, at: position) { return position + closing.utf8.count }
            // A string in single quotes marks ends with its line: what follows is for the compiler to report.
            if !isTriple, bytes[position] == UInt8(ascii: "\n") { return position }
            position += !isRaw && bytes[position] == UInt8(ascii: "\\") ? 2 : 1
        }
        return nil
    }

    /// Whether the letters directly before a quote make the string a raw one, in which `\` escapes nothing.
    private func isRawString(at quote: Int, expression: Int) -> Bool {
        var first = quote
        while first > expression, isLetter(bytes[first - 1]) { first -= 1 }
        switch String(decoding: bytes[first..<quote], as: UTF8.self).lowercased() {
        case "r", "rb", "br": return true
        default: return false
        }
    }

    private func isLetter(_ byte: UInt8) -> Bool {
        let lower = byte | 0x20
        return (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(lower) || byte == UInt8(ascii: "_")
            || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }

    private func stands(_ text: String, at position: Int) -> Bool {
        bytes[position...].starts(with: text.utf8)
    }
}

/// Reads the contents of string and bytes literals.
enum StringLiteral {
    /// The bytes that a token of kind string or bytes stands for.
    ///
    /// A string's are valid UTF-8.
    static func bytes(of token: Token) throws(CELError) -> [UInt8] {
        let source = Array(token.text.utf8)
        let prefix = source.prefix { $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "'") }
        let isRaw = prefix.contains { $0 | 0x20 == UInt8(ascii: "r") }
        let quote = source[prefix.count]
        let isTriple =
            source.count >= prefix.count + 6 && source[prefix.count + 1] == quote && source[prefix.count + 2] == quote
        let quotes = isTriple ? 3 : 1
        let content = source[(prefix.count + quotes)..<(source.count - quotes)]
        guard !isRaw, content.contains(UInt8(ascii: "\\")) else { return Array(content) }
        var reader = EscapeReader(content, isBytes: token.kind == .bytes, offset: token.range.lowerBound)
        return try reader.decoded()
    }
}

private struct EscapeReader {
    private let source: ArraySlice<UInt8>
    private let isBytes: Bool
    /// Where the literal begins in the expression.
    private let offset: Int
    private var position: Int
    private var result: [UInt8] = []

    init(_ source: ArraySlice<UInt8>, isBytes: Bool, offset: Int) {
        self.source = source
        self.isBytes = isBytes
        self.offset = offset
        position = source.startIndex
    }

    mutating func decoded() throws(CELError) -> [UInt8] {
        while position < source.endIndex {
            let byte = source[position]
            if byte == UInt8(ascii: "\\") { try escape() } else { result.append(byte) }
            position += 1
        }
        return result
    }

    /// Takes an escape; leaves the position at its last byte.
    private mutating func escape() throws(CELError) {
        let start = position
        position += 1
        guard position < source.endIndex else { throw fault(start, "this escape is not complete") }
        switch source[position] {
        case UInt8(ascii: "a"): result.append(0x07)
        case UInt8(ascii: "b"): result.append(0x08)
        case UInt8(ascii: "t"): result.append(0x09)
        case UInt8(ascii: "n"): result.append(0x0A)
        case UInt8(ascii: "v"): result.append(0x0B)
        case UInt8(ascii: "f"): result.append(0x0C)
        case UInt8(ascii: "r"): result.append(0x0D)
        case let byte where "\\?\"'`".utf8.contains(byte): result.append(byte)
        case UInt8(ascii: "x"), UInt8(ascii: "X"):
            position += 1
            try append(try number(2, radix: 16, from: start), from: start)
        case UInt8(ascii: "u") where !isBytes:
            position += 1
            try append(try number(4, radix: 16, from: start), from: start)
        case UInt8(ascii: "U") where !isBytes:
            position += 1
            try append(try number(8, radix: 16, from: start), from: start)
        case UInt8(ascii: "0")...UInt8(ascii: "3"):
            try append(try number(3, radix: 8, from: start), from: start)
        default:
            throw fault(start, "this escape has no meaning")
        }
    }

    private mutating func append(_ code: UInt32, from start: Int) throws(CELError) {
        if isBytes {
            result.append(UInt8(truncatingIfNeeded: code))
            return
        }
        guard let scalar = UnicodeScalar(code) else { throw fault(start, "there is no such character") }
        result.append(contentsOf: String(scalar).utf8)
    }

    private mutating func number(_ count: Int, radix: Int, from start: Int) throws(CELError) -> UInt32 {
        let digits = source[position..<min(position + count, source.endIndex)]
        // `UInt32(_:radix:)` would take a sign.
        guard digits.count == count, !digits.contains(UInt8(ascii: "+")), !digits.contains(UInt8(ascii: "-")),
            let value = UInt32(String(decoding: digits, as: UTF8.self), radix: radix)
        else { throw fault(start, "this escape needs \(count) \(radix == 8 ? "octal" : "hexadecimal") digits") }
        position += count - 1
        return value
    }

    private func fault(_ position: Int, _ message: String) -> CELError {
        CELError(offset: offset + position, message: message)
    }
}

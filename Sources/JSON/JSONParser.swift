extension JSON {
    /// Parses one JSON text (RFC 8259).
    ///
    /// Of members with one name the last value stands.
    ///
    /// The text must be UTF-8 without byte order mark; `\u` escapes of lone surrogates are refused, since no string
    /// can hold them.
    public static func parse(_ bytes: [UInt8], limits: JSONLimits = .default) throws(JSONError) -> JSON {
        try withScanner(bytes, limits) { (scanner: inout JSONScanner) throws(JSONFault) in
            try scanner.begin()
            let value = try scanner.tree()
            try scanner.end()
            return value
        }
    }

    /// Parses one JSON text (RFC 8259).
    ///
    /// Offsets in errors count UTF-8 bytes.
    public static func parse(_ text: String, limits: JSONLimits = .default) throws(JSONError) -> JSON {
        try parse(Array(text.utf8), limits: limits)
    }

    /// Checks a JSON text without building anything.
    public static func validate(
        _ bytes: [UInt8],
        limits: JSONLimits = .default
    ) throws(JSONError) -> JSONSummary {
        try validatedRange(bytes, limits: limits).summary
    }

    /// Checks a JSON text and says where, between white space, its value stands.
    static func validatedRange(
        _ bytes: [UInt8],
        limits: JSONLimits
    ) throws(JSONError) -> (summary: JSONSummary, range: Range<Int>) {
        try withScanner(bytes, limits) { (scanner: inout JSONScanner) throws(JSONFault) in
            try scanner.begin()
            let start = scanner.position
            let kind = try scanner.skipValue()
            let range = start..<scanner.position
            try scanner.end()
            return (JSONSummary(containsNUL: scanner.containsNUL, kind: kind), range)
        }
    }

    /// Runs a scanner over bytes and gives its faults their places.
    static func withScanner<Result>(
        _ bytes: [UInt8],
        _ limits: JSONLimits,
        _ body: (inout JSONScanner) throws(JSONFault) -> Result
    ) throws(JSONError) -> Result {
        let outcome: Swift.Result<Result, JSONError> = bytes.withUnsafeBufferPointer { buffer in
            var scanner = JSONScanner(buffer, limits: limits)
            do throws(JSONFault) {
                return .success(try body(&scanner))
            } catch {
                return .failure(JSONError(error, in: buffer))
            }
        }
        return try outcome.get()
    }
}

extension JSONScanner {
    /// Takes one value and checks it.
    @discardableResult
    mutating func skipValue() throws(JSONFault) -> JSON.Kind {
        switch next {
        case UInt8(ascii: "\""):
            _ = try string()
            return .string
        case UInt8(ascii: "{"):
            try skipObject()
            return .object
        case UInt8(ascii: "["):
            try skipArray()
            return .array
        case UInt8(ascii: "t"):
            try literal("true")
            return .bool
        case UInt8(ascii: "f"):
            try literal("false")
            return .bool
        case UInt8(ascii: "n"):
            try literal("null")
            return .null
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
            try number()
            return .number
        default:
            throw unexpected("a value")
        }
    }

    private mutating func skipObject() throws(JSONFault) {
        try open()
        skipWhiteSpace()
        if next == UInt8(ascii: "}") { return close() }
        repeat {
            _ = try name()
            try skipValue()
        } while try another(closing: UInt8(ascii: "}"))
    }

    private mutating func skipArray() throws(JSONFault) {
        try open()
        skipWhiteSpace()
        if next == UInt8(ascii: "]") { return close() }
        repeat { try skipValue() } while try another(closing: UInt8(ascii: "]"))
    }

    /// Takes one value and builds it.
    mutating func tree() throws(JSONFault) -> JSON {
        switch next {
        case UInt8(ascii: "\""):
            return .string(text(of: try string()))
        case UInt8(ascii: "{"):
            return .object(try object())
        case UInt8(ascii: "["):
            return .array(try array())
        case UInt8(ascii: "t"):
            try literal("true")
            return .bool(true)
        case UInt8(ascii: "f"):
            try literal("false")
            return .bool(false)
        case UInt8(ascii: "n"):
            try literal("null")
            return .null
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
            return .number(JSONNumber(unchecked: text(in: try number())))
        default:
            throw unexpected("a value")
        }
    }

    private mutating func object() throws(JSONFault) -> JSONObject {
        var object = JSONObject()
        try open()
        skipWhiteSpace()
        if next == UInt8(ascii: "}") {
            close()
            return object
        }
        repeat {
            let key = text(of: try name())
            object.set(key, to: try tree())
        } while try another(closing: UInt8(ascii: "}"))
        return object
    }

    private mutating func array() throws(JSONFault) -> [JSON] {
        var elements: [JSON] = []
        try open()
        skipWhiteSpace()
        if next == UInt8(ascii: "]") {
            close()
            return elements
        }
        repeat { elements.append(try tree()) } while try another(closing: UInt8(ascii: "]"))
        return elements
    }

    // MARK: Texts

    func text(in range: Range<Int>) -> String {
        String(decoding: UnsafeBufferPointer(rebasing: bytes[range]), as: UTF8.self)
    }

    /// The string that a token stands for.
    func text(of token: StringToken) -> String {
        token.hasEscapes ? unescaped(token.range) : text(in: token.range)
    }

    private func unescaped(_ range: Range<Int>) -> String {
        String(unsafeUninitializedCapacity: range.count) { target in
            var written = 0
            forEachPiece(of: range) { (_, source, scalar) in
                guard let scalar else {
                    for byte in bytes[source] {
                        target[written] = byte
                        written += 1
                    }
                    return
                }
                for byte in UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter {
                    target[written] = byte
                    written += 1
                }
            }
            return written
        }
    }

    /// Walks through an accepted string: runs of plain bytes (`scalar` nil) and single escapes, each with the range
    /// that it has in the source and the offset at which it begins in the decoded string.
    func forEachPiece(
        of range: Range<Int>,
        _ body: (_ decoded: Int, _ source: Range<Int>, _ scalar: UnicodeScalar?) -> Void
    ) {
        var at = range.lowerBound
        var decoded = 0
        while at < range.upperBound {
            let run = bytes[at..<range.upperBound].prefix { $0 != UInt8(ascii: "\\") }
            if !run.isEmpty {
                body(decoded, at..<run.endIndex, nil)
                decoded += run.count
                at = run.endIndex
                continue
            }
            let (scalar, length) = escapedScalar(at: at)
            body(decoded, at..<at + length, scalar)
            decoded += UTF8.width(scalar)
            at += length
        }
    }

    /// Decodes an escape that `string()` has accepted.
    private func escapedScalar(at offset: Int) -> (UnicodeScalar, length: Int) {
        switch bytes[offset + 1] {
        case UInt8(ascii: "b"): return ("\u{8}", 2)
        case UInt8(ascii: "f"): return ("\u{C}", 2)
        case UInt8(ascii: "n"): return ("\n", 2)
        case UInt8(ascii: "r"): return ("\r", 2)
        case UInt8(ascii: "t"): return ("\t", 2)
        case UInt8(ascii: "u"):
            let unit = hexUnit(at: offset + 2)
            guard unit & 0xF800 == 0xD800 else { return (UnicodeScalar(unit) ?? "\u{FFFD}", 6) }
            let low = hexUnit(at: offset + 8)
            let code = 0x10000 + (unit & 0x3FF) << 10 + low & 0x3FF
            return (UnicodeScalar(code) ?? "\u{FFFD}", 12)
        case let byte: return (UnicodeScalar(byte), 2)
        }
    }

    private func hexUnit(at offset: Int) -> UInt32 {
        bytes[offset..<offset + 4].reduce(0) { $0 << 4 | (hexDigit($1) ?? 0) }
    }
}

/// The line of a file that a finding is about, with the part at fault.
public struct FindingExcerpt: Sendable, Hashable {
    /// The line, or of a long one the part around the fault, without control characters.
    public let text: String
    /// How many characters (Unicode scalars) of the text stand before what is at fault.
    public let start: Int
    /// How many characters are at fault, at least one.
    public let length: Int

    /// Characters shown of a line at most.
    static let widest = 100
    /// Characters shown before the fault when a line is longer than that.
    private static let lead = 40

    /// Bytes looked at to either side: enough for what is shown, however long the line is.
    private static let reach = 4 * widest

    /// The excerpt for the token that begins at a byte; nil where the file has no text to show.
    init?(of offset: Int, in bytes: [UInt8]) {
        guard bytes.indices.contains(offset) else { return nil }
        let line = Self.line(around: offset, in: bytes)
        guard line.contains(offset) else { return nil }
        let tokenEnd = SourceToken.end(from: offset, in: bytes[line])

        let before = Self.scalars(bytes[line.lowerBound..<offset])
        let fault = Self.scalars(bytes[offset..<tokenEnd])
        let after = Self.scalars(bytes[tokenEnd..<line.upperBound])
        let isLong = before.count + fault.count + after.count > Self.widest
        let shownBefore = isLong ? before.suffix(Self.lead) : before[...]
        let shownFault = fault.prefix(Self.widest - shownBefore.count)
        let shownAfter = after.prefix(Self.widest - shownBefore.count - shownFault.count)

        var text = String.UnicodeScalarView()
        if shownBefore.count < before.count { text.append("…") }
        start = text.count + shownBefore.count
        length = max(1, shownFault.count)
        for part in [shownBefore, shownFault, shownAfter] { text.append(contentsOf: part) }
        if shownFault.count + shownAfter.count < fault.count + after.count { text.append("…") }
        self.text = String(text)
    }

    /// The line that a byte stands in, without its end; of a long one the part around the byte.
    private static func line(around offset: Int, in bytes: [UInt8]) -> Range<Int> {
        var start = max(0, offset - reach)
        while start < offset, start > 0, bytes[start] & 0xC0 == 0x80 { start += 1 }
        if let end = bytes[start..<offset].lastIndex(of: UInt8(ascii: "\n")) { start = end + 1 }
        var end = min(bytes.count, offset + reach)
        while end < bytes.count, end > offset, bytes[end] & 0xC0 == 0x80 { end -= 1 }
        if let newline = bytes[offset..<end].firstIndex(of: UInt8(ascii: "\n")) { end = newline }
        if end > offset, bytes[end - 1] == UInt8(ascii: "\r") { end -= 1 }
        return start..<end
    }

    /// Characters as a terminal may be shown them, one for one.
    private static func scalars(_ bytes: ArraySlice<UInt8>) -> [Unicode.Scalar] {
        String(decoding: bytes, as: UTF8.self).unicodeScalars.map { scalar in
            switch scalar.properties.generalCategory {
            case .control: scalar == "\t" ? " " : "\u{FFFD}"
            case .format, .lineSeparator, .paragraphSeparator: "\u{FFFD}"
            default: scalar
            }
        }
    }

    /// The line with its number in front, and one that underlines the fault.
    func lines(number: Int) -> [String] {
        let margin = String(number).count
        let gutter = String(repeating: " ", count: max(5, margin))
        let label = gutter.dropLast(margin) + String(number)
        let underline = "^" + String(repeating: "~", count: length - 1)
        return ["\(label) | \(text)", "\(gutter) | \(String(repeating: " ", count: start))\(underline)"]
    }
}

/// How far the word, string, number, operator or bracketed value that begins at a byte of a definition goes.
enum SourceToken {
    /// The byte behind it, in the line's bytes; at least one byte is taken.
    static func end(from start: Int, in line: ArraySlice<UInt8>) -> Int {
        guard line.indices.contains(start) else { return start }
        let first = line[start]
        switch first {
        case UInt8(ascii: "\""): return endOfString(from: start, in: line)
        case UInt8(ascii: "'"):
            // A text in an expression; the quote alone when it doesn't end in the line.
            return line[(start + 1)...].firstIndex(of: first).map { $0 + 1 } ?? start + 1
        case UInt8(ascii: "{"), UInt8(ascii: "["): return endOfBrackets(from: start, in: line)
        case UInt8(ascii: "$") where line.dropFirst(start + 1 - line.startIndex).first == UInt8(ascii: "{"):
            return min(start + 2, line.endIndex)
        case let byte where isDigit(byte) || byte == UInt8(ascii: "-"):
            return endOfRun(from: start, in: line) { isWord($0) || "+-.".utf8.contains($0) }
        case let byte where isWord(byte): return endOfRun(from: start, in: line, isWord)
        case let byte where isOperator(byte): return endOfRun(from: start, in: line, isOperator)
        default:
            // A whole character.
            return endOfRun(from: start, in: line) { $0 & 0xC0 == 0x80 }
        }
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }

    private static func isWord(_ byte: UInt8) -> Bool {
        isDigit(byte) || (0x41...0x5A).contains(byte & 0xDF) || byte == UInt8(ascii: "_")
    }

    private static func isOperator(_ byte: UInt8) -> Bool { "<>=!&|+*/%?:".utf8.contains(byte) }

    private static func endOfRun(
        from start: Int, in line: ArraySlice<UInt8>, _ belongs: (UInt8) -> Bool
    ) -> Int {
        line[(start + 1)...].firstIndex { !belongs($0) } ?? line.endIndex
    }

    private static func endOfString(from start: Int, in line: ArraySlice<UInt8>) -> Int {
        var position = start + 1
        while position < line.endIndex {
            switch line[position] {
            case UInt8(ascii: "\\"): position += 2
            case UInt8(ascii: "\""): return position + 1
            default: position += 1
            }
        }
        return line.endIndex
    }

    private static func endOfBrackets(from start: Int, in line: ArraySlice<UInt8>) -> Int {
        var depth = 0
        var position = start
        while position < line.endIndex {
            switch line[position] {
            case UInt8(ascii: "\""):
                position = endOfString(from: position, in: line)
                continue
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                depth -= 1
                if depth == 0 { return position + 1 }
            default: break
            }
            position += 1
        }
        return start + 1
    }
}

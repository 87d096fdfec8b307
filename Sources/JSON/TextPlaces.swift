/// Turns byte offsets in a text into lines and columns.
public struct TextPlaces: Sendable {
    private let bytes: [UInt8]
    private let lineStarts: [Int]
    /// How many characters begin before each block: a place in a line of a megabyte costs no more than any other.
    private let charactersBefore: [Int]

    private static let block = 1_024

    public init(_ bytes: [UInt8]) {
        self.bytes = bytes
        var starts = [0]
        var counts: [Int] = []
        var count = 0
        for (offset, byte) in bytes.enumerated() {
            if offset % Self.block == 0 { counts.append(count) }
            if byte & 0xC0 != 0x80 { count += 1 }
            if byte == UInt8(ascii: "\n") { starts.append(offset + 1) }
        }
        if bytes.count % Self.block == 0 { counts.append(count) }
        lineStarts = starts
        charactersBefore = counts
    }

    /// The line and the column of a byte, both from 1; columns count characters (Unicode scalars).
    ///
    /// An offset beyond either end gives the place of that end.
    public func place(at offset: Int) -> (line: Int, column: Int) {
        let offset = min(max(offset, 0), bytes.count)
        var low = 0
        var high = lineStarts.count
        while high - low > 1 {
            let middle = (low + high) / 2
            if lineStarts[middle] <= offset { low = middle } else { high = middle }
        }
        return (low + 1, characters(before: offset) - characters(before: lineStarts[low]) + 1)
    }

    /// How many characters begin before a byte, from the beginning of the text.
    private func characters(before offset: Int) -> Int {
        let start = offset / Self.block * Self.block
        // The continuation of a character doesn't count.
        return charactersBefore[offset / Self.block] + bytes[start..<offset].count { $0 & 0xC0 != 0x80 }
    }
}

/// Counts lines and characters from a known line start up to an offset.
func textPlace(
    of offset: Int,
    lineStart: Int,
    line: Int,
    in bytes: UnsafeBufferPointer<UInt8>
) -> (line: Int, column: Int) {
    var line = line
    var column = 1
    for byte in bytes[lineStart..<min(offset, bytes.count)] {
        if byte == UInt8(ascii: "\n") {
            line += 1
            column = 1
        } else if byte & 0xC0 != 0x80 {  // not the continuation of a character
            column += 1
        }
    }
    return (line, column)
}

/// Turns byte offsets in a text into lines and columns.
public struct TextPlaces: Sendable {
    private let bytes: [UInt8]
    private let lineStarts: [Int]

    public init(_ bytes: [UInt8]) {
        self.bytes = bytes
        var starts = [0]
        for (offset, byte) in bytes.enumerated() where byte == UInt8(ascii: "\n") { starts.append(offset + 1) }
        lineStarts = starts
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
        return bytes.withUnsafeBufferPointer {
            textPlace(of: offset, lineStart: lineStarts[low], line: low + 1, in: $0)
        }
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

/// What a parser accepts at most.
public struct JSONLimits: Sendable, Hashable {
    /// How deep arrays and objects may nest.
    ///
    /// Values above 1,024 count as 1,024, which every thread's stack holds.
    public var maximumDepth: Int
    /// The size of the whole text, in bytes.
    public var maximumBytes: Int

    public static let `default` = JSONLimits()

    public init(maximumDepth: Int = 128, maximumBytes: Int = 16 << 20) {
        self.maximumDepth = maximumDepth
        self.maximumBytes = maximumBytes
    }
}

/// Why a text is not JSON, and where.
public struct JSONError: Error, Sendable, Hashable, CustomStringConvertible {
    /// Where the fault is, in bytes from the beginning.
    public let offset: Int
    /// The line, from 1.
    public let line: Int
    /// The character within the line (a Unicode scalar), from 1.
    public let column: Int
    /// What is wrong, as a clause without capital and full stop.
    public let message: String

    public init(offset: Int, line: Int, column: Int, message: String) {
        self.offset = offset
        self.line = line
        self.column = column
        self.message = message
    }

    public var description: String { "line \(line), column \(column): \(message)" }
}

extension JSONError {
    /// Gives a fault its line and column.
    init(_ fault: JSONFault, in bytes: UnsafeBufferPointer<UInt8>) {
        let place = textPlace(of: fault.offset, lineStart: 0, line: 1, in: bytes)
        self.init(offset: fault.offset, line: place.line, column: place.column, message: fault.message)
    }
}

/// What a validated text is.
public struct JSONSummary: Sendable, Hashable {
    /// Whether a string or a name has a `\u0000` escape, which PostgreSQL's `jsonb` and `text` can't store.
    public let containsNUL: Bool
    /// The kind of the outermost value.
    public let kind: JSON.Kind
}

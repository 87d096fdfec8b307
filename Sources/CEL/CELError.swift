/// Why an expression can't be compiled or evaluated, and where.
public struct CELError: Error, Sendable, Hashable, CustomStringConvertible {
    /// Where the fault is, in UTF-8 bytes from the beginning of the expression's source.
    public let offset: Int
    /// What is wrong, as a clause without capital and full stop.
    public let message: String
    /// What would be right, when that can be guessed.
    public let hint: String?

    public init(offset: Int, message: String, hint: String? = nil) {
        self.offset = offset
        self.message = message
        self.hint = hint
    }

    public var description: String { hint.map { "\(message) (\($0))" } ?? message }
}

/// What one evaluation may use at most.
///
/// Beyond it the evaluation ends with an error.
public struct CELLimits: Sendable, Hashable {
    /// Nodes evaluated, plus the work that functions do on long strings and lists.
    public var maximumSteps: Int
    /// Bytes of strings, lists and maps built, results included.
    public var maximumBytes: Int
    /// How deep a result may nest.
    ///
    /// Values above 1,024 count as 1,024, which every thread's stack holds.
    public var maximumDepth: Int

    public static let `default` = CELLimits()

    public init(maximumSteps: Int = 100_000, maximumBytes: Int = 1 << 20, maximumDepth: Int = 256) {
        self.maximumSteps = maximumSteps
        self.maximumBytes = maximumBytes
        self.maximumDepth = maximumDepth
    }
}

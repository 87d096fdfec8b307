/// What numbers and lists of a definition may be, for the parser and for the JSON Schema of definition files.
enum DefinitionLimits {
    static let steps = 1...256
    static let maximumAttempts = 0...Int(Int32.max)
    static let backoffCoefficient = 1.0...1_000.0
    static let maxConcurrent = 1...1_000_000
    static let rateLimitCalls = 1...1_000_000_000
    /// Zero itself is not allowed.
    static let percentage = 0.0...100.0
    /// Of the circuit breaker: a window's size, and how many calls are counted or let through.
    static let breakerCalls = 1...100_000
    static let httpStatus = 100...599
    /// Of a duration, in UTF-8 bytes; any number that can be meant is shorter.
    static let durationLength = 64
}

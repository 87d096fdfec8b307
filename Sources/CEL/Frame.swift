import RE2

/// What one evaluation has in hand: its variables and what it may still use.
struct Frame {
    /// The program's variables first, then those that macros bind.
    ///
    /// Nil for a variable without a value.
    var slots: [CELValue?]
    /// The pattern that was compiled last: a comprehension mostly asks for the same one again and again.
    var lastPattern: RE2Pattern?
    private var stepsLeft: Int
    private var bytesLeft: Int
    private let limits: CELLimits
    /// Whether a limit has been exceeded: then `&&`, `||` and quantifiers must not go on.
    private(set) var isExhausted = false

    init(slots: [CELValue?], limits: CELLimits) {
        self.slots = slots
        self.limits = limits
        stepsLeft = limits.maximumSteps
        bytesLeft = limits.maximumBytes
    }

    /// Pays for work.
    @inline(__always)
    mutating func spend(_ steps: Int = 1, at offset: Int) throws(CELError) {
        stepsLeft -= steps
        if stepsLeft < 0 { throw outOfSteps(at: offset) }
    }

    /// Pays for reading a text or bytes of that length.
    mutating func spend(reading bytes: Int, at offset: Int) throws(CELError) {
        try spend(1 + bytes / 64, at: offset)
    }

    /// Pays for looking a key up, or adding one: it is hashed whole.
    @inline(__always)
    mutating func spend(hashing key: CELValue, at offset: Int) throws(CELError) {
        switch key {
        case .string(let text), .json(.string(let text)): try spend(text.utf8.count / 64, at: offset)
        default: break
        }
    }

    /// A JSON scalar as the language's own value; what reading a number of many digits takes is paid for.
    @inline(__always)
    mutating func native(_ value: CELValue, at offset: Int) throws(CELError) -> CELValue {
        if case .json(.number(let number)) = value { try spend(number.literal.utf8.count / 64, at: offset) }
        return value.native
    }

    /// Pays for something built.
    ///
    /// To be called before it is built.
    mutating func produce(_ bytes: Int, at offset: Int) throws(CELError) {
        bytesLeft -= min(bytes, bytesLeft + 1)
        if bytesLeft < 0 { throw outOfBytes(at: offset) }
    }

    /// Pays for a list or map of that many elements.
    ///
    /// To be called before it is built.
    mutating func produce(elements count: Int, at offset: Int) throws(CELError) {
        try spend(count, at: offset)
        try produce(count * 16, at: offset)
    }

    @inline(never)
    private mutating func outOfSteps(at offset: Int) -> CELError {
        isExhausted = true
        stepsLeft = -1
        return CELError(offset: offset, message: "the expression takes more than \(limits.maximumSteps) steps")
    }

    @inline(never)
    private mutating func outOfBytes(at offset: Int) -> CELError {
        isExhausted = true
        stepsLeft = -1
        return CELError(offset: offset, message: "the expression builds more than \(limits.maximumBytes) bytes")
    }
}

/// A compiled expression or a part of one.
protocol Node: AnyObject, Sendable {
    func evaluate(_ frame: inout Frame) throws(CELError) -> CELValue
}

/// A value that is known when the expression is compiled.
final class ConstantNode: Node {
    let value: CELValue
    init(_ value: CELValue) { self.value = value }
    func evaluate(_ frame: inout Frame) throws(CELError) -> CELValue { value }
}

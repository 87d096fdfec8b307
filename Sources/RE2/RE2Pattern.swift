import CRE2

/// A compiled regular expression of RE2 (https://github.com/google/re2/wiki/Syntax).
///
/// A search never backtracks: its time grows with the length of the text, whatever the pattern.
public struct RE2Pattern: Sendable {
    /// The longest pattern that is compiled, in bytes.
    public static let maximumBytes = 8 << 10
    /// What one pattern may use, in bytes, its automata included: about 40,000 instructions fit.
    public static let largeMemory = 2 << 20
    /// For patterns that aren't known beforehand: about 10,000 instructions fit.
    public static let smallMemory = 256 << 10
    /// How many classes by Unicode property (`\p{…}`) a pattern may have: each takes about 0.1 ms to be read.
    public static let maximumProperties = 200

    /// The pattern as it was given.
    public let source: String
    private let program: Program

    /// Compiles a pattern.
    ///
    /// - Throws: an error that says what is wrong: a fault of syntax, a pattern that is too long or needs too much
    ///   memory, or `\C`, which matches half a character.
    public init(_ pattern: String, memory: Int = RE2Pattern.largeMemory) throws(RE2Error) {
        try RE2Pattern.checkSize(of: pattern)
        source = pattern
        program = try Program(pattern, memory: Int64(memory))
    }

    /// Checks a pattern's syntax, without compiling it: a pattern that would need too much memory passes.
    public static func checkSyntax(of pattern: String) throws(RE2Error) {
        try checkSize(of: pattern)
        if let message = Program.syntaxFault(of: pattern) { throw RE2Error(message: message) }
    }

    private static func checkSize(of pattern: String) throws(RE2Error) {
        guard pattern.utf8.count <= maximumBytes else {
            throw RE2Error(message: "it has \(pattern.utf8.count) bytes, more than the \(maximumBytes) allowed")
        }
        let properties = propertyCount(of: pattern)
        guard properties <= maximumProperties else {
            throw RE2Error(message: "it has \(properties) classes `\\p`, more than the \(maximumProperties) allowed")
        }
        guard !hasByteEscape(pattern) else { throw RE2Error(message: "`\\C` isn't supported") }
    }

    /// Whether the pattern is found anywhere in the text.
    public func isFound(in text: String) -> Bool { program.isFound(in: text) }

    /// What looking through a text costs at worst, in units of 128 elementary operations of the engine (about 20 ns).
    ///
    /// It is the text's length times the program's, since that is what RE2 falls back to once its automaton has
    /// outgrown the memory allowed.
    public func cost(ofBytes count: Int) -> Int {
        let (product, overflow) = count.multipliedReportingOverflow(by: max(program.size, 1))
        return overflow ? .max / 2 : 1 + product / 128 + count / 64
    }

    /// About how long it took at most to compile the program, in microseconds, beyond reading the pattern.
    public var compilationTime: Int { 2 * program.size }

    /// About how long it takes at most, in microseconds, to find that a program needs more than the small memory.
    public static let refusalTime = 1_500

    /// About how long it takes at most to read a pattern, in microseconds: classes by property are large.
    public static func parsingTime(of pattern: String) -> Int {
        1 + pattern.utf8.count / 3 + 150 * propertyCount(of: pattern)
    }

    /// The number of `\p` and `\P`, or more where a backslash is itself escaped.
    private static func propertyCount(of pattern: String) -> Int {
        var count = 0
        var previous: UInt8 = 0
        for byte in pattern.utf8 {
            if previous == UInt8(ascii: "\\"), byte | 0x20 == UInt8(ascii: "p") { count += 1 }
            previous = byte
        }
        return count
    }

    /// Whether there is a `\C` outside of quoted text (`\Q…\E`).
    private static func hasByteEscape(_ pattern: String) -> Bool {
        var escaped = false
        var quoted = false
        for byte in pattern.utf8 {
            if escaped {
                if quoted {
                    if byte == UInt8(ascii: "E") { quoted = false }
                    // In quoted text a backslash before another one is a text of its own.
                    escaped = quoted && byte == UInt8(ascii: "\\")
                    continue
                }
                if byte == UInt8(ascii: "C") { return true }
                quoted = byte == UInt8(ascii: "Q")
                escaped = false
            } else {
                escaped = byte == UInt8(ascii: "\\")
            }
        }
        return false
    }
}

/// What is wrong with a pattern.
public struct RE2Error: Error, Sendable, Hashable, CustomStringConvertible {
    /// A clause without capital and full stop.
    public let message: String

    public init(message: String) { self.message = message }

    public var description: String { message }
}

/// Owns a compiled pattern of the engine.
///
/// Unchecked: the pointer is set once and freed once, and RE2 promises that one pattern may be used by several threads
/// at a time.
private final class Program: @unchecked Sendable {
    private let handle: OpaquePointer
    let size: Int

    init(_ pattern: String, memory: Int64) throws(RE2Error) {
        var pattern = pattern
        var message = [CChar](repeating: 0, count: 256)
        let compiled = pattern.withUTF8 { bytes in
            message.withUnsafeMutableBufferPointer { buffer -> OpaquePointer? in
                guard let error = buffer.baseAddress else { return nil }
                return bytes.withMemoryRebound(to: CChar.self) { text in
                    guard let start = text.baseAddress else { return cre2_compile("", 0, memory, error, buffer.count) }
                    return cre2_compile(start, text.count, memory, error, buffer.count)
                }
            }
        }
        guard let compiled else {
            throw RE2Error(message: Program.text(message))
        }
        handle = compiled
        size = Int(cre2_program_size(compiled))
    }

    deinit { cre2_free(handle) }

    /// What is wrong with a pattern's syntax; nil when nothing is.
    static func syntaxFault(of pattern: String) -> String? {
        var pattern = pattern
        var message = [CChar](repeating: 0, count: 256)
        let isRight = pattern.withUTF8 { bytes in
            message.withUnsafeMutableBufferPointer { buffer -> Bool in
                guard let error = buffer.baseAddress else { return false }
                return bytes.withMemoryRebound(to: CChar.self) { text in
                    cre2_parses(text.baseAddress, text.count, error, buffer.count) == 1
                }
            }
        }
        return isRight ? nil : text(message)
    }

    private static func text(_ message: [CChar]) -> String {
        String(decoding: message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    func isFound(in text: String) -> Bool {
        var text = text
        return text.withUTF8 { bytes in
            bytes.withMemoryRebound(to: CChar.self) { cre2_find(handle, $0.baseAddress, $0.count) == 1 }
        }
    }
}

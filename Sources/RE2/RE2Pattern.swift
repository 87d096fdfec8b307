import CRE2

/// A compiled regular expression of RE2 (https://github.com/google/re2/wiki/Syntax).
///
/// A search never backtracks: its time grows with the length of the text, whatever the pattern.
public struct RE2Pattern: Sendable {
    /// The longest pattern that is compiled, in bytes.
    public static let maximumBytes = 8 << 10
    /// What one pattern may use, in bytes, its automata included.
    ///
    /// About 20,000 instructions fit.
    private static let memory: Int64 = 2 << 20

    /// The pattern as it was given.
    public let source: String
    private let program: Program

    /// Compiles a pattern.
    ///
    /// - Throws: an error that says what is wrong: a fault of syntax, a pattern that is too long or needs too much
    ///   memory, or `\C`, which matches half a character.
    public init(_ pattern: String) throws(RE2Error) {
        guard pattern.utf8.count <= RE2Pattern.maximumBytes else {
            throw RE2Error(
                message: "it has \(pattern.utf8.count) bytes, more than the \(RE2Pattern.maximumBytes) allowed"
            )
        }
        guard !RE2Pattern.hasByteEscape(pattern) else { throw RE2Error(message: "`\\C` isn't supported") }
        source = pattern
        program = try Program(pattern, memory: RE2Pattern.memory)
    }

    /// Whether the pattern is found anywhere in the text.
    public func isFound(in text: String) -> Bool { program.isFound(in: text) }

    /// What looking through a text costs at worst, in units of 64 elementary operations of the engine (about 0.1 µs).
    ///
    /// It is the text's length times the program's, since that is what RE2 falls back to once its automaton has
    /// outgrown the memory allowed.
    public func cost(ofBytes count: Int) -> Int {
        let (product, overflow) = count.multipliedReportingOverflow(by: max(program.size, 1))
        return overflow ? .max / 2 : 1 + product / 64
    }

    /// The number of instructions of the compiled program, from which the cost of compiling can be estimated.
    public var programSize: Int { program.size }

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
            let bytes = message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
            throw RE2Error(message: String(decoding: bytes, as: UTF8.self))
        }
        handle = compiled
        size = Int(cre2_program_size(compiled))
    }

    deinit { cre2_free(handle) }

    func isFound(in text: String) -> Bool {
        var text = text
        return text.withUTF8 { bytes in
            bytes.withMemoryRebound(to: CChar.self) { cre2_find(handle, $0.baseAddress, $0.count) == 1 }
        }
    }
}

import JSON
import RE2

/// `matches`, both as a function and as a member.
enum RegexFunctions {
    static let functions: [Function] = [
        .global("matches", takes(.string, .string, gives: .bool), body: matches),
        .member("matches", takes(.string, .string, gives: .bool), body: matches),
    ]

    /// What a microsecond costs, in steps: an evaluation with the default limits then takes 50 ms at most.
    static let stepsOfMicrosecond = 2

    /// With a pattern that is known only now.
    private static let matches: Function.Body = { (call, frame) throws(CELError) in
        guard case .string(let text) = call.a, case .string(let source) = call.b else { throw call.mismatch() }
        let pattern = try frame.pattern(source, at: call.offset)
        try frame.spend(pattern.cost(ofBytes: text.utf8.count), at: call.offset)
        return .bool(pattern.isFound(in: text))
    }

    /// Compiles a pattern and gives a fault of it its place.
    static func compile(
        _ pattern: String,
        memory: Int = RE2Pattern.largeMemory,
        at offset: Int
    ) throws(CELError) -> RE2Pattern {
        do {
            return try RE2Pattern(pattern, memory: memory)
        } catch {
            throw CELError(offset: offset, message: "this is not a regular expression: \(error)")
        }
    }
}

extension Frame {
    /// Compiles a pattern, unless it is the one that was compiled before.
    fileprivate mutating func pattern(_ source: String, at offset: Int) throws(CELError) -> RE2Pattern {
        try spend(reading: source.utf8.count, at: offset)
        if let pattern = lastPattern, sameBytes(pattern.source, source) { return pattern }
        // Nothing is known of it but that it may be written to take long.
        let perMicrosecond = RegexFunctions.stepsOfMicrosecond
        try spend(RE2Pattern.parsingTime(of: source) * perMicrosecond, at: offset)
        do throws(CELError) {
            let pattern = try RegexFunctions.compile(source, memory: RE2Pattern.smallMemory, at: offset)
            try spend(pattern.compilationTime * perMicrosecond, at: offset)
            lastPattern = pattern
            return pattern
        } catch {
            // Where errors are absorbed, as in `exists`, the next one may follow.
            try spend(RE2Pattern.refusalTime * perMicrosecond, at: offset)
            throw error
        }
    }
}

/// `matches` with a pattern that is known, and compiled, with the expression.
final class MatchesNode: Node {
    private let text: any Node
    private let pattern: RE2Pattern
    private let offset: Int

    init(_ text: any Node, _ pattern: RE2Pattern, offset: Int) {
        self.text = text
        self.pattern = pattern
        self.offset = offset
    }

    func evaluate(_ frame: inout Frame) throws(CELError) -> CELValue {
        try frame.spend(at: offset)
        let value = try text.evaluate(&frame).native
        guard case .string(let text) = value else {
            throw CELError(offset: offset, message: "'matches' takes a string, not \(Access.noun(value))")
        }
        try frame.spend(pattern.cost(ofBytes: text.utf8.count), at: offset)
        return .bool(pattern.isFound(in: text))
    }
}

/// `matches`, both as a function and as a member.
enum RegexFunctions {
    static func functions(_ regex: any CELRegex) -> [Function] {
        let body: Function.Body = { (call, frame) throws(CELError) in
            guard case .string(let text) = call.a, case .string(let pattern) = call.b else { throw call.mismatch() }
            try frame.spend(reading: pattern.utf8.count * 64, at: call.offset)
            let compiled = try compile(pattern, regex, at: call.offset)
            try frame.spend(reading: text.utf8.count, at: call.offset)
            return .bool(compiled.isFound(in: text))
        }
        return [
            .global("matches", takes(.string, .string, gives: .bool), body: body),
            .member("matches", takes(.string, .string, gives: .bool), body: body),
        ]
    }

    /// Compiles a pattern and gives a fault of it its place.
    static func compile(_ pattern: String, _ regex: any CELRegex, at offset: Int) throws(CELError) -> any CELPattern {
        do {
            return try regex.compile(pattern)
        } catch {
            throw CELError(offset: offset, message: "this is not a regular expression: \(error)")
        }
    }
}

/// `matches` with a pattern that is known, and compiled, with the expression.
final class MatchesNode: Node {
    private let text: any Node
    private let pattern: any CELPattern
    private let offset: Int

    init(_ text: any Node, _ pattern: any CELPattern, offset: Int) {
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
        try frame.spend(reading: text.utf8.count, at: offset)
        return .bool(pattern.isFound(in: text))
    }
}

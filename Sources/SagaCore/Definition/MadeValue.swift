import CEL
import JSON

/// What a value that a definition's expressions make may be at most.
public struct ValueLimits: Sendable, Hashable {
    /// Of the compact JSON text.
    public var bytes: Int
    /// How deep arrays and objects may nest.
    public var depth: Int
    /// Whether a text may hold U+0000, which PostgreSQL can't keep.
    public var allowsNUL: Bool

    /// An output is stored with its event and must be read back from it: no more than an input or an answer may have.
    public static let output = ValueLimits(bytes: 1 << 20, depth: 100, allowsNUL: false)
    /// A request's body: several inputs' and outputs' worth.
    public static let request = ValueLimits(bytes: 8 << 20, depth: 1_024, allowsNUL: true)
}

extension Template {
    /// The value's text with its expressions evaluated.
    ///
    /// - Throws: what the first expression that fails throws, and an error for a value that exceeds `limits`.
    public func evaluateRaw(_ activation: CELActivation, limits: ValueLimits) throws(CELError) -> RawJSON {
        let value = try evaluate(activation)
        // A thousand references to one large value cost nothing until they are written out.
        var measure = Measure(limits: limits)
        try measure.add(value, depth: 1)
        let raw = RawJSON(value)
        guard raw.bytes.count <= limits.bytes else { throw limits.tooLong }
        return raw
    }
}

extension ValueLimits {
    fileprivate var tooLong: CELError {
        CELError(offset: 0, message: "the value is longer than \(bytes) bytes")
    }
}

/// Adds up at least how long a value's text is going to be, and stops where that is too much.
private struct Measure {
    let limits: ValueLimits
    private var bytes = 0

    init(limits: ValueLimits) {
        self.limits = limits
    }

    mutating func add(_ value: JSON, depth: Int) throws(CELError) {
        switch value {
        case .null, .bool: try spend(4)
        case .number(let number): try spend(number.literal.utf8.count)
        case .string(let text): try add(text)
        case .array(let elements):
            try enter(depth)
            for element in elements {
                try spend(1)
                try add(element, depth: depth + 1)
            }
        case .object(let object):
            try enter(depth)
            for (key, member) in object.members {
                try add(key)
                try spend(2)
                try add(member, depth: depth + 1)
            }
        }
    }

    private mutating func add(_ text: String) throws(CELError) {
        try spend(text.utf8.count + 2)
        if !limits.allowsNUL, text.utf8.contains(0) {
            throw CELError(offset: 0, message: "the value holds the character U+0000, which can't be stored")
        }
    }

    private func enter(_ depth: Int) throws(CELError) {
        guard depth <= limits.depth else {
            throw CELError(offset: 0, message: "the value nests deeper than \(limits.depth) levels")
        }
    }

    private mutating func spend(_ count: Int) throws(CELError) {
        bytes += count
        guard bytes <= limits.bytes else { throw limits.tooLong }
    }
}

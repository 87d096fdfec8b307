import JSON

/// A map with bool, int, uint and string keys, in the order in which they were set.
///
/// As the language has it, `1`, `1u` and `1.0` find the same entry.
public struct CELMap: Sendable {
    public typealias Entry = (key: CELValue, value: CELValue)

    public private(set) var entries: [Entry] = []
    private var index: [Key: Int] = [:]

    public init() {}

    /// Takes entries in order; nil when a key is there twice or of a kind that can't be a key.
    public init?(_ entries: some Sequence<(CELValue, CELValue)>) {
        for (key, value) in entries {
            guard insert(key, value) else { return nil }
        }
    }

    /// Keys by value: what finds the same entry is equal.
    private enum Key: Hashable {
        case bool(Bool)
        case int(Int64)
        case largeUint(UInt64)
        case string(ExactText)
    }

    /// Compared by code points, not by Swift's canonical equivalence.
    private struct ExactText: Hashable {
        let text: String
        static func == (left: ExactText, right: ExactText) -> Bool { sameBytes(left.text, right.text) }
        func hash(into hasher: inout Hasher) { hasher.combine(text) }
    }

    public var count: Int { entries.count }

    /// The value under a key; nil when there is none, also for a key of a kind that no map has.
    public subscript(key: CELValue) -> CELValue? {
        CELMap.key(key, lookup: true).flatMap { index[$0] }.map { entries[$0].value }
    }

    /// Adds an entry; false when the key is taken or of a kind that can't be a key.
    mutating func insert(_ key: CELValue, _ value: CELValue) -> Bool {
        guard let hashed = CELMap.key(key, lookup: false), index[hashed] == nil else { return false }
        index[hashed] = entries.count
        entries.append((key.native, value))
        return true
    }

    /// Whether a value is of a kind that can be a key.
    static func canBeKey(_ key: CELValue) -> Bool { self.key(key, lookup: false) != nil }

    /// - Parameter lookup: whether a double may stand for the integer that it equals.
    private static func key(_ key: CELValue, lookup: Bool) -> Key? {
        switch key.native {
        case .bool(let value): .bool(value)
        case .int(let value): .int(value)
        case .uint(let value): Int64(exactly: value).map(Key.int) ?? .largeUint(value)
        case .double(let value) where lookup:
            Int64(exactly: value).map(Key.int) ?? UInt64(exactly: value).map(Key.largeUint)
        case .string(let value): .string(ExactText(text: value))
        default: nil
        }
    }
}

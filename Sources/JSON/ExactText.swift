// Swift compares and hashes strings by canonical equivalence: "é" equals "e" followed by U+0301.
// JSON member names and CEL strings are sequences of code points, for which these two differ.

/// Whether two strings are the same sequence of code points.
@inlinable
public func sameBytes(_ left: String, _ right: String) -> Bool {
    let count = left.utf8.count
    // `==` is a comparison of two words for short texts and of memory for ASCII; it is only ever too generous.
    guard count == right.utf8.count, left == right else { return false }
    return sameContiguousBytes(left, right)
}

@usableFromInline
func sameContiguousBytes(_ left: String, _ right: String) -> Bool {
    let answer = left.utf8.withContiguousStorageIfAvailable { a in
        right.utf8.withContiguousStorageIfAvailable { b in a.elementsEqual(b) }
    }
    if case .some(.some(let same)) = answer { return same }
    return left.utf8.elementsEqual(right.utf8)
}

/// Hashes the code points of a string: the hash that goes with `sameBytes`.
func hashBytes(of text: String, into hasher: inout Hasher) {
    let done: Void? = text.utf8.withContiguousStorageIfAvailable { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    if done == nil {
        for byte in text.utf8 { hasher.combine(byte) }
    }
    hasher.combine(text.utf8.count)
}

/// A string as a key of a dictionary or set, compared by code points.
public struct ExactKey: Hashable, Sendable {
    public let text: String

    public init(text: String) { self.text = text }

    public static func == (left: ExactKey, right: ExactKey) -> Bool { sameBytes(left.text, right.text) }
    public func hash(into hasher: inout Hasher) { hashBytes(of: text, into: &hasher) }
}

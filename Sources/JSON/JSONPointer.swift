/// A place within a JSON value (RFC 6901): the names and indexes on the way to it.
///
/// The empty pointer is the whole value. Equality is that of the bytes.
public struct JSONPointer: Sendable, CustomStringConvertible {
    /// The names and indexes, unescaped, outermost first.
    public private(set) var tokens: [String]

    public init(_ tokens: [String] = []) { self.tokens = tokens }

    /// Reads a pointer's text, such as `/items/0/a~1b`; nil when it isn't one.
    public init?(text: String) {
        guard !text.isEmpty else {
            tokens = []
            return
        }
        guard text.utf8.first == UInt8(ascii: "/") else { return nil }
        var tokens: [String] = []
        for part in text.unicodeScalars.dropFirst().split(separator: "/", omittingEmptySubsequences: false) {
            var token = String.UnicodeScalarView()
            var tilde = false
            for scalar in part {
                if tilde {
                    guard scalar == "0" || scalar == "1" else { return nil }
                    token.append(scalar == "0" ? "~" : "/")
                    tilde = false
                } else if scalar == "~" {
                    tilde = true
                } else {
                    token.append(scalar)
                }
            }
            guard !tilde else { return nil }
            tokens.append(String(token))
        }
        self.tokens = tokens
    }

    /// The pointer to a member of what this one points to.
    public func appending(_ name: String) -> JSONPointer { JSONPointer(tokens + [name]) }
    /// The pointer to an element of what this one points to.
    public func appending(_ index: Int) -> JSONPointer { JSONPointer(tokens + [String(index)]) }

    public mutating func append(_ name: String) { tokens.append(name) }
    public mutating func append(_ index: Int) { tokens.append(String(index)) }
    /// Takes back what was appended last, if anything was.
    public mutating func removeLast() { _ = tokens.popLast() }

    /// The pointer's text; a `~` within a name is written `~0`, a `/` is written `~1`.
    public var description: String {
        var text = String.UnicodeScalarView()
        for token in tokens {
            text.append("/")
            for scalar in token.unicodeScalars {
                switch scalar {
                case "~": text.append(contentsOf: "~0".unicodeScalars)
                case "/": text.append(contentsOf: "~1".unicodeScalars)
                default: text.append(scalar)
                }
            }
        }
        return String(text)
    }

    /// The index that a token stands for: digits without a leading zero.
    static func index(_ token: String) -> Int? {
        guard let first = token.utf8.first, token.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return first == 0x30 && token.utf8.count > 1 ? nil : Int(token)
    }
}

extension JSONPointer: Hashable {
    public static func == (left: JSONPointer, right: JSONPointer) -> Bool {
        left.tokens.count == right.tokens.count && zip(left.tokens, right.tokens).allSatisfy { sameBytes($0, $1) }
    }

    public func hash(into hasher: inout Hasher) {
        for token in tokens { hashBytes(of: token, into: &hasher) }
        hasher.combine(tokens.count)
    }
}

extension JSON {
    /// The value at a place; nil when there is none.
    public subscript(pointer: JSONPointer) -> JSON? {
        var value = self
        for token in pointer.tokens {
            let next: JSON? =
                switch value {
                case .object(let object): object[token]
                case .array: JSONPointer.index(token).flatMap { value[$0] }
                default: nil
                }
            guard let next else { return nil }
            value = next
        }
        return value
    }
}

extension LocatedJSON {
    /// The value at a place; nil when there is none.
    ///
    /// Of members with one name the last is meant.
    public subscript(pointer: JSONPointer) -> LocatedJSON? {
        var value = self
        for token in pointer.tokens {
            guard let next = value.child(token) else { return nil }
            value = next
        }
        return value
    }

    /// Where the name of the member at a place stands, quotes included, in bytes; nil when there is no such member.
    public func keyRange(at pointer: JSONPointer) -> Range<Int>? {
        guard let name = pointer.tokens.last else { return nil }
        return self[JSONPointer(Array(pointer.tokens.dropLast()))]?.members?.last { sameBytes($0.key, name) }?.keyRange
    }

    private func child(_ token: String) -> LocatedJSON? {
        switch content {
        case .object: self[token]
        case .array: JSONPointer.index(token).flatMap { self[$0] }
        default: nil
        }
    }
}

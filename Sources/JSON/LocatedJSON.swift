/// A parsed JSON text that remembers where everything stands: for definition files, whose faults are reported by line
/// and column.
public struct LocatedJSON: Sendable {
    /// A member of an object.
    public struct Member: Sendable {
        public let key: String
        /// Where the name stands, quotes included, in bytes.
        public let keyRange: Range<Int>
        public let value: LocatedJSON
    }

    /// What a node is.
    ///
    /// An object's members are in order, duplicates included.
    public enum Content: Sendable {
        case null
        case bool(Bool)
        case number(JSONNumber)
        case string(String)
        case array([LocatedJSON])
        case object([Member])
    }

    public let content: Content
    /// Where the value stands, brackets and quotes included, in bytes.
    public let range: Range<Int>
    /// For a string with escapes: the pieces by which decoded and source offsets correspond.
    private let pieces: [Piece]

    fileprivate struct Piece: Sendable {
        let decoded: Range<Int>
        let source: Range<Int>
        let isEscape: Bool
    }

    /// Parses one JSON text; the rules are those of `JSON.parse`.
    public static func parse(_ bytes: [UInt8], limits: JSONLimits = .default) throws(JSONError) -> LocatedJSON {
        try JSON.withScanner(bytes, limits) { (scanner: inout JSONScanner) throws(JSONFault) in
            try scanner.begin()
            let value = try LocatedJSON(&scanner)
            try scanner.end()
            return value
        }
    }

    private init(_ scanner: inout JSONScanner) throws(JSONFault) {
        let start = scanner.position
        var pieces: [Piece] = []
        switch scanner.next {
        case UInt8(ascii: "{"):
            content = .object(try LocatedJSON.members(&scanner))
        case UInt8(ascii: "["):
            content = .array(try LocatedJSON.elements(&scanner))
        case UInt8(ascii: "\""):
            let token = try scanner.string()
            content = .string(scanner.text(of: token))
            if token.hasEscapes {
                scanner.forEachPiece(of: token.range) {
                    let width = $2.map(UTF8.width) ?? $1.count
                    pieces.append(Piece(decoded: $0..<$0 + width, source: $1, isEscape: $2 != nil))
                }
            }
        default:
            switch try scanner.tree() {
            case .bool(let value): content = .bool(value)
            case .number(let value): content = .number(value)
            default: content = .null
            }
        }
        range = start..<scanner.position
        self.pieces = pieces
    }

    private static func members(_ scanner: inout JSONScanner) throws(JSONFault) -> [Member] {
        var members: [Member] = []
        try scanner.open()
        scanner.skipWhiteSpace()
        if scanner.next == UInt8(ascii: "}") {
            scanner.close()
            return members
        }
        repeat {
            let token = try scanner.name()
            let keyRange = token.range.lowerBound - 1..<token.range.upperBound + 1
            let value = try LocatedJSON(&scanner)
            members.append(Member(key: scanner.text(of: token), keyRange: keyRange, value: value))
        } while try scanner.another(closing: UInt8(ascii: "}"))
        return members
    }

    private static func elements(_ scanner: inout JSONScanner) throws(JSONFault) -> [LocatedJSON] {
        var elements: [LocatedJSON] = []
        try scanner.open()
        scanner.skipWhiteSpace()
        if scanner.next == UInt8(ascii: "]") {
            scanner.close()
            return elements
        }
        repeat { elements.append(try LocatedJSON(&scanner)) } while try scanner.another(closing: UInt8(ascii: "]"))
        return elements
    }
}

extension LocatedJSON {
    public var kind: JSON.Kind {
        switch content {
        case .null: .null
        case .bool: .bool
        case .number: .number
        case .string: .string
        case .array: .array
        case .object: .object
        }
    }

    /// The value without its places.
    public var json: JSON {
        switch content {
        case .null: .null
        case .bool(let value): .bool(value)
        case .number(let value): .number(value)
        case .string(let value): .string(value)
        case .array(let elements): .array(elements.map(\.json))
        case .object(let members): .object(JSONObject(members.map { ($0.key, $0.value.json) }))
        }
    }

    /// The value of the last member of that name; nil when there is none or this is not an object.
    public subscript(key: String) -> LocatedJSON? { members?.last { sameBytes($0.key, key) }?.value }

    /// The element at that index; nil when there is none or this is not an array.
    public subscript(index: Int) -> LocatedJSON? {
        guard let elements, elements.indices.contains(index) else { return nil }
        return elements[index]
    }

    /// An object's members in order, duplicates included; else nil.
    public var members: [Member]? { if case .object(let members) = content { members } else { nil } }
    /// An array's elements, else nil.
    public var elements: [LocatedJSON]? { if case .array(let elements) = content { elements } else { nil } }
    /// A string's text, else nil.
    public var stringValue: String? { if case .string(let text) = content { text } else { nil } }
    /// The value of `true` or `false`, else nil.
    public var boolValue: Bool? { if case .bool(let value) = content { value } else { nil } }
    /// A number, else nil.
    public var numberValue: JSONNumber? { if case .number(let value) = content { value } else { nil } }

    /// Where in the file that byte of a string's decoded text (UTF-8) comes from.
    ///
    /// A byte that comes from an escape maps to the escape's backslash; the end of the text to the closing quote.
    /// For anything but a string the answer is where the value begins.
    public func sourceOffset(ofDecoded offset: Int) -> Int {
        guard case .string = content else { return range.lowerBound }
        let end = range.upperBound - 1
        let offset = max(offset, 0)
        guard !pieces.isEmpty else { return min(range.lowerBound + 1 + offset, end) }
        guard let piece = pieces.first(where: { $0.decoded.contains(offset) }) else { return end }
        return piece.isEscape ? piece.source.lowerBound : piece.source.lowerBound + offset - piece.decoded.lowerBound
    }
}

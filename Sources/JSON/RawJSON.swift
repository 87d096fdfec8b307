/// One valid JSON text, kept as the bytes it came in: for payloads that are passed on more often than they are read.
///
/// Equality is that of the bytes.
public struct RawJSON: Sendable, Hashable {
    /// The text without white space around it.
    public let bytes: [UInt8]

    public static let null = RawJSON(unchecked: Array("null".utf8))

    /// Takes a text over after checking that it is one JSON value.
    public init(validating bytes: [UInt8], limits: JSONLimits = .default) throws(JSONError) {
        let range = try JSON.validatedRange(bytes, limits: limits).range
        self.bytes = range.count == bytes.count ? bytes : Array(bytes[range])
    }

    /// Takes a text over after checking that it is one JSON value.
    public init(validating text: String, limits: JSONLimits = .default) throws(JSONError) {
        try self.init(validating: Array(text.utf8), limits: limits)
    }

    /// A value's compact text.
    public init(_ json: JSON) { bytes = json.serialized() }

    /// Takes over bytes that are known to be one JSON text, such as a writer's.
    public init(unchecked bytes: [UInt8]) { self.bytes = bytes }

    /// The value.
    ///
    /// An error is thrown only when `init(unchecked:)` was given something else than JSON, or the default limits are
    /// exceeded.
    public func parsed() throws(JSONError) -> JSON { try JSON.parse(bytes) }

    public var text: String { String(decoding: bytes, as: UTF8.self) }
}

extension RawJSON: CustomStringConvertible {
    public var description: String { text }
}

/// Writes compact JSON bytes one token after the other, without a tree in between.
///
/// Commas are the writer's affair; that brackets match and that names and values alternate is the caller's.
public struct JSONWriter: Sendable {
    /// What has been written.
    public private(set) var bytes: [UInt8]
    private var needsComma = false

    public init(reservingCapacity capacity: Int = 0) {
        bytes = []
        bytes.reserveCapacity(capacity)
    }

    public mutating func beginObject() { open(UInt8(ascii: "{")) }
    public mutating func endObject() { close(UInt8(ascii: "}")) }
    public mutating func beginArray() { open(UInt8(ascii: "[")) }
    public mutating func endArray() { close(UInt8(ascii: "]")) }

    /// The name of the member whose value comes next.
    public mutating func key(_ key: String) {
        separate()
        JSONText.append(string: key, to: &bytes)
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    public mutating func string(_ value: String) {
        separate()
        JSONText.append(string: value, to: &bytes)
    }

    public mutating func int(_ value: some BinaryInteger) {
        separate()
        bytes.append(contentsOf: String(value).utf8)
    }

    /// A double; null for NaN and the infinities, which JSON can't express.
    public mutating func double(_ value: Double) {
        separate()
        bytes.append(contentsOf: (JSONNumber(value)?.literal ?? "null").utf8)
    }

    public mutating func number(_ value: JSONNumber) {
        separate()
        bytes.append(contentsOf: value.literal.utf8)
    }

    public mutating func bool(_ value: Bool) {
        separate()
        bytes.append(contentsOf: (value ? "true" : "false").utf8)
    }

    public mutating func null() {
        separate()
        bytes.append(contentsOf: "null".utf8)
    }

    /// A value that is JSON text already, as it is.
    public mutating func raw(_ value: RawJSON) {
        separate()
        bytes.append(contentsOf: value.bytes)
    }

    public mutating func value(_ value: JSON) {
        separate()
        JSONText.append(value, to: &bytes)
    }

    /// What has been written, as one JSON text.
    public func finished() -> RawJSON { RawJSON(unchecked: bytes) }

    @inline(__always)
    private mutating func separate() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
        needsComma = true
    }

    private mutating func open(_ bracket: UInt8) {
        separate()
        bytes.append(bracket)
        needsComma = false
    }

    private mutating func close(_ bracket: UInt8) {
        bytes.append(bracket)
        needsComma = true
    }
}

// MARK: - Members

extension JSONWriter {
    /// A member; null for nil.
    public mutating func field(_ key: String, _ value: String?) {
        self.key(key)
        if let value { string(value) } else { null() }
    }

    /// A member; null for nil.
    public mutating func field(_ key: String, _ value: (some BinaryInteger)?) {
        self.key(key)
        if let value { int(value) } else { null() }
    }

    /// A member; null for nil, NaN and the infinities.
    public mutating func field(_ key: String, _ value: Double?) {
        self.key(key)
        if let value { double(value) } else { null() }
    }

    /// A member; null for nil.
    public mutating func field(_ key: String, _ value: Bool?) {
        self.key(key)
        if let value { bool(value) } else { null() }
    }

    /// A member; null for nil.
    public mutating func field(_ key: String, _ value: RawJSON?) {
        self.key(key)
        if let value { raw(value) } else { null() }
    }

    /// A member.
    public mutating func field(_ key: String, _ value: JSON) {
        self.key(key)
        self.value(value)
    }
}

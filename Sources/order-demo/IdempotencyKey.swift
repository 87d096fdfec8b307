/// Reads the values of the `Idempotency-Key` and `Saga-Compensates` headers: `"SAGA_ID:STEP:action"` with the quotes.
///
/// They are structured-field strings (RFC 8941, section 3.3.3), as the IETF draft
/// draft-ietf-httpapi-idempotency-key-header has it.
enum IdempotencyKey {
    /// The longest key that the guard takes, in bytes.
    static let maximumLength = 255

    /// The key in a header's value, without its quotes and escapes.
    ///
    /// - Throws: A 400 `ServiceError` named `InvalidIdempotencyKey` that says what is wrong with the value.
    static func parse(_ value: String, header: String) throws(ServiceError) -> String {
        func invalid(_ reason: String) -> ServiceError {
            ServiceError(400, "InvalidIdempotencyKey", "\(header) \(reason)")
        }
        var bytes = Array(value.utf8)[...]
        while bytes.first == UInt8(ascii: " ") { bytes.removeFirst() }
        while bytes.last == UInt8(ascii: " ") { bytes.removeLast() }
        guard bytes.popFirst() == UInt8(ascii: "\"") else {
            throw invalid("must be a string in double quotes")
        }
        var key: [UInt8] = []
        while let byte = bytes.popFirst() {
            switch byte {
            case UInt8(ascii: "\""):
                guard bytes.isEmpty else { throw invalid("has something after its closing quote") }
                guard (1...maximumLength).contains(key.count) else {
                    throw invalid("must hold 1 to \(maximumLength) characters, not \(key.count)")
                }
                return String(decoding: key, as: UTF8.self)
            case UInt8(ascii: "\\"):
                guard let escaped = bytes.popFirst(), escaped == UInt8(ascii: "\"") || escaped == UInt8(ascii: "\\")
                else { throw invalid("has a backslash that escapes neither a quote nor a backslash") }
                key.append(escaped)
            case 0x20...0x7E:
                key.append(byte)
            default:
                throw invalid("may hold printable ASCII characters only")
            }
        }
        throw invalid("has no closing quote")
    }
}

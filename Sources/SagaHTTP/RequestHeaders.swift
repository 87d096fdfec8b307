import NIOHTTP1
import SagaCore

/// The headers of a call.
enum RequestHeaders {
    /// What the call says of itself on top of what its service and its definition say.
    ///
    /// - Throws: `UnusableRequest` for a name that isn't a header's or is the engine's own, and for a value with a
    ///   control character in it.
    static func headers(
        of call: Call,
        _ request: HTTPRequest,
        at endpoint: Endpoint
    ) throws(UnusableRequest) -> HTTPHeaders {
        var headers = request.body == nil ? endpoint.headers : endpoint.headersWithBody
        headers.reserveCapacity(headers.count + request.headers.count + 9)
        try apply(request.headers, to: &headers)
        guard isPlain(call.stepName) else { throw UnusableRequest(message: "the step's name can't stand in a header") }
        headers.add(name: "Idempotency-Key", value: "\"\(call.idempotencyKey)\"")
        headers.add(name: "Saga-Id", value: call.saga.description)
        headers.add(name: "Saga-Step", value: call.stepName)
        headers.add(name: "Saga-Operation", value: call.operation.side.rawValue)
        headers.add(name: "Saga-Attempt", value: String(call.attempt))
        headers.add(name: "traceparent", value: TraceContext.traceparent(of: call))
        if let action = call.compensates { headers.add(name: "Saga-Compensates", value: "\"\(action)\"") }
        return headers
    }

    /// Sets headers over those of the same name in any case.
    static func apply(_ added: [Service.Header], to headers: inout HTTPHeaders) throws(UnusableRequest) {
        for header in added {
            guard isToken(header.name) else { throw UnusableRequest(message: "a header's name isn't one") }
            guard !isReserved(header.name) else {
                throw UnusableRequest(message: "header \(header.name) is set by the engine")
            }
            guard isValue(header.value) else {
                throw UnusableRequest(message: "the value of header \(header.name) holds a control character")
            }
            headers.replaceOrAdd(name: header.name, value: header.value)
        }
    }

    /// Whether a text is a token of RFC 9110: a header's name or a method.
    static func isToken(_ text: String) -> Bool {
        !text.isEmpty
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"):
                    true
                default: Self.tokenMarks.contains(byte)
                }
            }
    }

    private static let tokenMarks = Array("!#$%&'*+-.^_`|~".utf8)

    /// What the engine and the framing of HTTP/1.1 say themselves; a definition that sets one isn't valid.
    private static func isReserved(_ name: String) -> Bool {
        let name = name.lowercased()
        return name.hasPrefix("saga-") || reserved.contains(name)
    }

    private static let reserved = ["idempotency-key", "traceparent", "host", "content-length", "transfer-encoding"]

    /// A value without control characters but the tab: one with CR or LF would write further headers.
    private static func isValue(_ text: String) -> Bool {
        text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }
    }

    /// A text that stands in a quoted string (RFC 8941) as it is.
    private static func isPlain(_ text: String) -> Bool {
        text.utf8.allSatisfy { (0x20...0x7E).contains($0) && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }
    }
}

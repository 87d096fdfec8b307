import JSON

/// An event of a saga as a CloudEvents 1.0 JSON object, with the extensions `sequence`, `correlationid` and
/// `causationid`.
public struct CloudEvent: Sendable, Hashable {
    public let saga: SagaID
    /// The definition's name.
    public let sagaName: String
    /// What the starter gave; nil stands for the saga's id.
    public let correlationID: String?
    public let event: StoredEvent

    public init(_ event: StoredEvent, saga: SagaID, sagaName: String, correlationID: String?) {
        self.event = event
        self.saga = saga
        self.sagaName = sagaName
        self.correlationID = correlationID
    }

    /// The event as one line of JSON, strings and numbers of its data byte for byte; absent attributes are null.
    public var json: RawJSON {
        var writer = JSONWriter(reservingCapacity: 384 + (event.data?.count ?? 0))
        writer.beginObject()
        writer.field("specversion", "1.0")
        writer.field("id", identity(of: event.sequence))
        writer.field("source", "/sagas/\(sagaName)")
        writer.field("type", "saga.\(event.typeName)")
        writer.field("subject", saga.description)
        writer.field("time", event.at.text)
        writer.field("datacontenttype", "application/json")
        writer.field("sequence", tenDigits(event.sequence))
        writer.field("correlationid", correlationID ?? saga.description)
        writer.field("causationid", event.cause.map(identity))
        writer.field("data", event.data.map { RawJSON(unchecked: $0).onOneLine })
        writer.endObject()
        return writer.finished()
    }

    private func identity(of sequence: Int) -> String { "\(saga)/\(tenDigits(sequence))" }

    /// Padded, so that text sorts as numbers do: the `Integer` type of CloudEvents' sequence extension.
    private func tenDigits(_ number: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, 10 - digits.count)) + digits
    }
}

extension StoredEvent {
    /// The name of the event's type; a type that this program doesn't know is shown by its code.
    public var typeName: String { EventType(rawValue: type)?.name ?? "Unknown\(type)" }
}

extension RawJSON {
    /// The same value on one line: as it is where it holds no line break, else without white space between its tokens.
    ///
    /// Strings and numbers keep their bytes.
    public var onOneLine: RawJSON {
        guard bytes.contains(where: { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }) else { return self }
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        var isInString = false
        var isEscaped = false
        for byte in bytes {
            if isInString {
                if !isEscaped, byte == UInt8(ascii: "\"") { isInString = false }
                isEscaped = !isEscaped && byte == UInt8(ascii: "\\")
            } else if byte == UInt8(ascii: "\"") {
                isInString = true
            } else if byte == 0x20 || (0x09...0x0D).contains(byte) {
                continue
            }
            result.append(byte)
        }
        return RawJSON(unchecked: result)
    }
}

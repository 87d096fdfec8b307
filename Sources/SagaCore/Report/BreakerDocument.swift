import JSON

/// One service as people and programs see it: what `saga breaker list --format json` prints.
public struct BreakerDocument: Sendable, Hashable {
    public let service: String
    /// As its definition writes it.
    public let url: String
    public let settings: ServiceSettings
    public let state: ServiceState
    /// Why what is stored of it can't be read; nil when it can.
    public let fault: String?
    /// Sagas that nobody runs and that wait for it.
    public let waiting: Int
    /// The database's clock.
    public let readAt: Instant

    public init(
        service: String, url: String, settings: ServiceSettings, state: ServiceState, fault: String? = nil,
        waiting: Int, readAt: Instant
    ) {
        self.fault = fault
        self.service = service
        self.url = url
        self.settings = settings
        self.state = state
        self.waiting = waiting
        self.readAt = readAt
    }

    /// nil when the definition says `"circuitBreaker": false`, or when it can't be read.
    public var breaker: CircuitBreaker? { settings.circuitBreaker == nil || fault != nil ? nil : state.breaker }

    /// The participant asked for no calls before; nil when that is over.
    public var heldOffUntil: Instant? { state.heldOffUntil.flatMap { $0 > readAt ? $0 : nil } }

    /// Permits that daemons hold, in use or about to be; nil without a limit.
    public var held: Int? { settings.maxConcurrent.map { _ in state.bulkhead.held(at: readAt) } }

    public var json: RawJSON {
        var writer = JSONWriter(reservingCapacity: 384)
        let counts = state.breaker.counts
        writer.beginObject()
        writer.field("service", service)
        writer.field("url", url)
        writer.field("state", breaker?.state.rawValue)
        writer.field("since", breaker?.since.text)
        writer.field("nextProbe", breaker?.nextProbe?.text)
        writer.field("calls", counts.calls)
        writer.field("failures", counts.failures)
        writer.field("slowCalls", counts.slowCalls)
        writer.field("heldOffUntil", heldOffUntil?.text)
        writer.field("maxConcurrent", settings.maxConcurrent)
        writer.field("held", held)
        writer.key("rateLimit")
        if let limit = settings.rateLimit {
            writer.beginObject()
            writer.field("calls", limit.calls)
            writer.field("per", limit.per.written)
            writer.endObject()
        } else {
            writer.null()
        }
        writer.field("whenOpen", settings.whenOpen.rawValue)
        writer.field("waiting", waiting)
        writer.field("unreadable", fault)
        writer.endObject()
        return writer.finished()
    }
}

/// An event of a circuit breaker as a CloudEvents 1.0 JSON object, with the same `id` as the alert that tells of it, and
/// the extension `serviceurl`.
public struct BreakerCloudEvent: Sendable, Hashable {
    public let service: String
    public let url: String
    /// The service's number in its database: two services may have one name.
    public let number: Int
    /// 1, 2, 3 … within the service.
    public let sequence: Int
    public let event: BreakerEvent

    public init(service: String, url: String, number: Int, sequence: Int, event: BreakerEvent) {
        self.service = service
        self.url = url
        self.number = number
        self.sequence = sequence
        self.event = event
    }

    /// On one line.
    public var json: RawJSON {
        let digits = String(sequence)
        let padded = String(repeating: "0", count: max(0, 10 - digits.count)) + digits
        var writer = JSONWriter(reservingCapacity: 384)
        writer.beginObject()
        writer.field("specversion", "1.0")
        writer.field("id", "service-\(number)/\(padded)")
        writer.field("source", "/services/\(service)")
        writer.field("type", "saga.\(event.type.name)")
        writer.field("subject", service)
        writer.field("time", event.at.text)
        writer.field("datacontenttype", "application/json")
        writer.field("sequence", padded)
        writer.field("serviceurl", url)
        writer.field("data", event.data.onOneLine)
        writer.endObject()
        return writer.finished()
    }
}

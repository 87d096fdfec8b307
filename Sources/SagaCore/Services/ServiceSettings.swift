import JSON

/// What becomes of an operation whose service's breaker is open.
public enum WhenOpen: String, Sendable, CaseIterable {
    /// It waits for the next probe; no attempt is spent.
    case `defer`
    /// It is an attempt that failed with `Saga.CircuitOpen`.
    case fail
}

/// What a definition says of a service's limits.
///
/// Of all definitions that name the service the one applied last holds.
public struct ServiceSettings: Sendable, Hashable {
    /// Calls in flight at once; nil without a limit.
    public var maxConcurrent: Int?
    public var rateLimit: RateLimit?
    /// nil when the definition says `false`.
    public var circuitBreaker: CircuitBreakerSettings?
    public var whenOpen: WhenOpen

    public init(
        maxConcurrent: Int? = nil, rateLimit: RateLimit? = nil,
        circuitBreaker: CircuitBreakerSettings? = CircuitBreakerSettings(), whenOpen: WhenOpen = .defer
    ) {
        self.maxConcurrent = maxConcurrent
        self.rateLimit = rateLimit
        self.circuitBreaker = circuitBreaker
        self.whenOpen = whenOpen
    }
}

/// At most `calls` begun in each `per`.
public struct RateLimit: Sendable, Hashable {
    public let calls: Int
    public let per: TimeSpan

    public init(calls: Int, per: TimeSpan) {
        self.calls = calls
        self.per = per
    }
}

/// A circuit breaker's settings, by resilience4j's names and meanings (those of the exponential wait are its Spring
/// Boot properties').
public struct CircuitBreakerSettings: Sendable, Hashable {
    public enum WindowType: String, Sendable, CaseIterable {
        case countBased = "COUNT_BASED"
        case timeBased = "TIME_BASED"
    }

    /// Per cent.
    public var failureRateThreshold: Double = 50
    /// Per cent.
    public var slowCallRateThreshold: Double = 100
    public var slowCallDurationThreshold = TimeSpan.seconds(60)
    public var slidingWindowType = WindowType.countBased
    /// Calls, or seconds when the window is time-based.
    public var slidingWindowSize = 20
    public var minimumNumberOfCalls = 10
    public var waitDurationInOpenState = TimeSpan.seconds(60)
    public var permittedNumberOfCallsInHalfOpenState = 3
    /// Zero waits without end.
    public var maxWaitDurationInHalfOpenState = TimeSpan.zero
    /// Whether the wait grows with each OPEN that follows a HALF_OPEN; it starts over on CLOSED.
    public var enableExponentialBackoff = false
    public var exponentialBackoffMultiplier: Double = 1.5
    /// nil lets it grow without end.
    public var exponentialMaxWaitDurationInOpenState: TimeSpan?

    public init() {}
}

/// Why a document of a service, its settings or its state, can't be read.
public struct ServiceDocumentError: Error, Sendable, Hashable, CustomStringConvertible {
    /// A clause without capital and full stop.
    public let message: String

    public init(_ message: String) {
        self.message = message
    }

    public var description: String { message }
}

extension ServiceSettings {
    /// Reads the form that settings have in a definition file: keys left out have their defaults, keys that aren't
    /// known, such as a service's `url` or a newer program's, are passed over.
    /// - Throws: ``ServiceDocumentError`` for what the validator would refuse.
    public init(json: RawJSON) throws(ServiceDocumentError) {
        let node: LocatedJSON
        do throws(JSONError) { node = try LocatedJSON.parse(json.bytes) } catch {
            throw ServiceDocumentError("the settings aren't JSON: \(error.message)")
        }
        let log = FindingLog(bytes: json.bytes, file: nil)
        guard let reader = ObjectReader(node, "a service", keys: ServiceTable.keys, log: log) else {
            throw ServiceDocumentError("the settings aren't an object")
        }
        self = ServiceTable.settings(reader)
        let fault = log.findings.first {
            $0.severity == .error && $0.code != Finding.Code.unknownKey.rawValue
                && $0.code != Finding.Code.tooManyFindings.rawValue
        }
        if let fault { throw ServiceDocumentError(fault.message) }
    }

    /// The same, written out with every default: the same bytes for the same settings.
    public var json: RawJSON {
        var writer = JSONWriter(reservingCapacity: 512)
        writer.beginObject()
        if let maxConcurrent { writer.field("maxConcurrent", maxConcurrent) }
        if let rateLimit {
            writer.key("rateLimit")
            writer.beginObject()
            writer.field("calls", rateLimit.calls)
            writer.field("per", rateLimit.per.written)
            writer.endObject()
        }
        writer.key("circuitBreaker")
        if let circuitBreaker { circuitBreaker.write(to: &writer) } else { writer.bool(false) }
        writer.field("whenOpen", whenOpen.rawValue)
        writer.endObject()
        return writer.finished()
    }
}

extension CircuitBreakerSettings {
    fileprivate func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.field("failureRateThreshold", failureRateThreshold)
        writer.field("slowCallRateThreshold", slowCallRateThreshold)
        writer.field("slowCallDurationThreshold", slowCallDurationThreshold.written)
        writer.field("slidingWindowType", slidingWindowType.rawValue)
        writer.field("slidingWindowSize", slidingWindowSize)
        writer.field("minimumNumberOfCalls", minimumNumberOfCalls)
        writer.field("waitDurationInOpenState", waitDurationInOpenState.written)
        writer.field("permittedNumberOfCallsInHalfOpenState", permittedNumberOfCallsInHalfOpenState)
        writer.field("maxWaitDurationInHalfOpenState", maxWaitDurationInHalfOpenState.written)
        writer.field("enableExponentialBackoff", enableExponentialBackoff)
        writer.field("exponentialBackoffMultiplier", exponentialBackoffMultiplier)
        if let longest = exponentialMaxWaitDurationInOpenState {
            writer.field("exponentialMaxWaitDurationInOpenState", longest.written)
        }
        writer.endObject()
    }
}

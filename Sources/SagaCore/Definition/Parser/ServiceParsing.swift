import JSON

/// The services that a definition's calls can name: those under `services`, and one for each `url` of a call.
struct ServiceTable {
    private(set) var services: [Service] = []
    /// The names under `services`, those of faulty ones included, so that a fault is reported once.
    private(set) var names: [String] = []
    /// Where the names of the services under `services` stand, in the order of `services`.
    private(set) var offsets: [Int] = []
    private var indices: [String: Int] = [:]

    static let keys = ["url", "headers", "maxConcurrent", "rateLimit", "circuitBreaker", "whenOpen", "description"]
    static let rateLimitKeys = ["calls", "per"]

    init(_ node: LocatedJSON?, log: FindingLog) {
        guard let node else { return }
        guard let members = node.members else {
            log.wrongKind(node, "`services`", expected: "an object")
            return
        }
        for member in members where indices[member.key] == nil {
            guard log.isName(member.key, "a service's name", at: member.keyRange.lowerBound) else { continue }
            names.append(member.key)
            guard let reader = ObjectReader(member.value, "a service", keys: Self.keys, log: log) else { continue }
            indices[member.key] = services.count
            services.append(Self.service(member.key, reader))
            offsets.append(member.keyRange.lowerBound)
        }
    }

    /// The service of a name under `services`; nil when there is none, or it is not an object.
    func index(of name: String) -> Int? { indices[name] }

    /// The service of a call that names a whole URL: one for each origin, named by its host and port.
    mutating func index(ofURL url: URLSyntax) -> Int {
        if let known = services.firstIndex(where: { $0.name == url.hostAndPort && $0.url == url.origin }) {
            return known
        }
        services.append(Service(name: url.hostAndPort, url: url.origin))
        return services.count - 1
    }

    private static func service(_ name: String, _ reader: ObjectReader) -> Service {
        _ = reader.string("description")
        let url = reader.required("url", hint: "such as \"https://payment.internal:8443\"")
        return Service(
            name: name,
            url: url.flatMap { serviceURL($0, log: reader.log) } ?? "",
            headers: headers(reader),
            settings: settings(reader)
        )
    }

    /// The limits of a service.
    static func settings(_ reader: ObjectReader) -> ServiceSettings {
        ServiceSettings(
            maxConcurrent: reader.integer("maxConcurrent", DefinitionLimits.maxConcurrent),
            rateLimit: rateLimit(reader),
            circuitBreaker: circuitBreaker(reader),
            whenOpen: reader.choice("whenOpen", WhenOpen.self) ?? .defer
        )
    }

    private static func serviceURL(_ node: LocatedJSON, log: FindingLog) -> String? {
        guard let text = environmentText(node, "`url`", log: log) else { return node.stringValue }
        // A variable without default may hold anything from a scheme to a port: some reading must make a URL.
        let readings = [text.filled(first: "http://1", others: "1"), text.filled(first: "http", others: "1")]
        var fault: URLSyntax.Fault?
        for reading in readings {
            do throws(URLSyntax.Fault) {
                let url = try URLSyntax(reading)
                if url.rest.contains("?") {
                    throw .init(message: "it has a query; put it into the calls' `path` or `query`")
                }
                if let inPath = URLSyntax.fault(inPath: url.rest) { throw inPath }
                return node.stringValue
            } catch {
                fault = fault ?? error
            }
        }
        if let fault {
            // The URL itself is not repeated: it may hold a password.
            log.error(.invalidURL, at: node.range.lowerBound, "this URL can't be called: \(fault.message)")
        }
        return nil
    }

    private static func headers(_ reader: ObjectReader) -> [Service.Header] {
        Headers.allowed(reader["headers"], log: reader.log).compactMap { member in
            let subject = "the header \(quoted(member.key))"
            guard let text = environmentText(member.value, subject, log: reader.log) else { return nil }
            let offset = member.value.range.lowerBound
            guard Headers.isValue(text.filled(first: "", others: ""), of: member.key, at: offset, log: reader.log)
            else {
                return nil
            }
            return member.value.stringValue.map { Service.Header(name: member.key, value: $0) }
        }
    }

    /// A string whose references to the environment can be read; anything else is reported.
    private static func environmentText(_ node: LocatedJSON, _ subject: String, log: FindingLog) -> EnvironmentText? {
        guard let string = log.string(node, subject) else { return nil }
        let text = EnvironmentText(string)
        for fault in text.faults {
            log.error(
                .invalidEnvironment,
                at: node.sourceOffset(ofDecoded: fault.offset),
                fault.message,
                hint: fault.hint
            )
        }
        return text.faults.isEmpty ? text : nil
    }

    private static func rateLimit(_ reader: ObjectReader) -> RateLimit? {
        guard let node = reader["rateLimit"],
            let limit = ObjectReader(node, "`rateLimit`", keys: rateLimitKeys, log: reader.log)
        else { return nil }
        let example = "such as {\"calls\": 100, \"per\": \"1s\"}"
        let isWhole = [limit.required("calls", hint: example), limit.required("per", hint: example)].allSatisfy {
            $0 != nil
        }
        let calls = limit.integer("calls", DefinitionLimits.rateLimitCalls)
        let per = limit.duration("per")
        guard isWhole, let calls, let per else { return nil }
        return RateLimit(calls: calls, per: per)
    }
}

extension ServiceTable {
    static let circuitBreakerKeys = [
        "failureRateThreshold", "slowCallRateThreshold", "slowCallDurationThreshold", "slidingWindowType",
        "slidingWindowSize", "minimumNumberOfCalls", "waitDurationInOpenState",
        "permittedNumberOfCallsInHalfOpenState", "maxWaitDurationInHalfOpenState",
        "enableExponentialBackoff", "exponentialBackoffMultiplier", "exponentialMaxWaitDurationInOpenState",
    ]

    private static func circuitBreaker(_ reader: ObjectReader) -> CircuitBreakerSettings? {
        var settings = CircuitBreakerSettings()
        guard let node = reader["circuitBreaker"] else { return settings }
        if let isWanted = node.boolValue {
            guard isWanted else { return nil }
            reader.log.error(
                .invalidValue,
                at: node.range.lowerBound,
                "`circuitBreaker` must be an object or false, not true",
                hint: "leave it out for one with the defaults"
            )
            return settings
        }
        guard let breaker = ObjectReader(node, "`circuitBreaker`", keys: circuitBreakerKeys, log: reader.log) else {
            return settings
        }
        read(&settings.failureRateThreshold, breaker.percentage("failureRateThreshold"))
        read(&settings.slowCallRateThreshold, breaker.percentage("slowCallRateThreshold"))
        read(&settings.slowCallDurationThreshold, breaker.duration("slowCallDurationThreshold"))
        read(
            &settings.slidingWindowType,
            breaker.choice("slidingWindowType", CircuitBreakerSettings.WindowType.self)
        )
        read(&settings.slidingWindowSize, breaker.integer("slidingWindowSize", DefinitionLimits.breakerCalls))
        read(&settings.minimumNumberOfCalls, breaker.integer("minimumNumberOfCalls", DefinitionLimits.breakerCalls))
        read(&settings.waitDurationInOpenState, breaker.duration("waitDurationInOpenState"))
        read(
            &settings.permittedNumberOfCallsInHalfOpenState,
            breaker.integer("permittedNumberOfCallsInHalfOpenState", DefinitionLimits.breakerCalls)
        )
        read(
            &settings.maxWaitDurationInHalfOpenState,
            breaker.duration("maxWaitDurationInHalfOpenState", zero: .isAllowed)
        )
        readExponentialWait(&settings, breaker)
        return settings
    }

    private static func readExponentialWait(_ settings: inout CircuitBreakerSettings, _ breaker: ObjectReader) {
        let switchKey = "enableExponentialBackoff"
        let multiplierKey = "exponentialBackoffMultiplier"
        let longestKey = "exponentialMaxWaitDurationInOpenState"
        read(&settings.enableExponentialBackoff, breaker.bool(switchKey))
        let multiplier = breaker.number(
            multiplierKey,
            DefinitionLimits.backoffCoefficient,
            words: "a number from 1 to 1000"
        )
        read(&settings.exponentialBackoffMultiplier, multiplier)
        settings.exponentialMaxWaitDurationInOpenState = breaker.duration(longestKey)
        if let longest = settings.exponentialMaxWaitDurationInOpenState, longest < settings.waitDurationInOpenState {
            breaker.log.error(
                .outOfRange,
                at: breaker[longestKey]?.range.lowerBound ?? breaker.node.range.lowerBound,
                "`\(longestKey)` (\(longest.written)) is shorter than `waitDurationInOpenState` "
                    + "(\(settings.waitDurationInOpenState.written))"
            )
        }
        guard !settings.enableExponentialBackoff, breaker[switchKey].map({ $0.boolValue != nil }) ?? true else {
            return
        }
        for key in [multiplierKey, longestKey] where breaker[key] != nil {
            breaker.log.warning(
                .noEffect,
                at: breaker.keyOffset(key),
                "`\(key)` has no effect: the wait doesn't grow",
                hint: "write \"\(switchKey)\": true"
            )
        }
    }

    private static func read<Value>(_ setting: inout Value, _ stated: Value?) {
        if let stated { setting = stated }
    }
}

extension ObjectReader {
    fileprivate func percentage(_ key: String) -> Double? {
        number(key, DefinitionLimits.percentage, excluding: 0, words: "a percentage above 0 and up to 100")
    }
}

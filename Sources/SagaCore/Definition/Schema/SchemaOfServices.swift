import JSON

extension DefinitionSchema {
    static var service: JSON {
        closed(
            "A participant. It is one per name and URL in a database, shared by all definitions that name both alike.",
            keys: ServiceTable.keys,
            required: ["url"],
            [
                "url": described(
                    "http or https, host, perhaps port and path. ${env:NAME} and ${env:NAME:-default} are read by the "
                        + "daemon when it starts.",
                    // Either it begins as a URL does, or a variable has a part in its beginning.
                    [
                        "type": "string",
                        "pattern": #"^([Hh][Tt][Tt][Pp][Ss]?://[^/?#]|[^?#]*\$\{env:)[^?#]*$"#,
                    ],
                    examples: ["https://payment.internal:8443/v1", "${env:PAYMENT_URL:-http://127.0.0.1:7003}"]
                ),
                "headers": described(
                    "Sent with every call to the service. Values may read ${env:NAME}.",
                    [
                        "type": "object", "propertyNames": ref("headerNames"),
                        "additionalProperties": [
                            "type": "string", "not": ["pattern": #"[\x00-\x08\x0A-\x1F\x7F]"#],
                        ],
                    ],
                    examples: [["Authorization": "Bearer ${env:PAYMENT_TOKEN}"]]
                ),
                "maxConcurrent": described(
                    "Calls in flight at once. Left out: no limit.",
                    integer(in: DefinitionLimits.maxConcurrent),
                    examples: [64]
                ),
                "rateLimit": rateLimit,
                "circuitBreaker": [
                    "description":
                        "When calls are held back since the service fails. Left out: on, with the defaults. False: off.",
                    "anyOf": [["const": false], ref("circuitBreaker")],
                ],
                "whenOpen": described(
                    "While the circuit breaker is open, operations wait for it (defer), or each attempt fails with "
                        + "Saga.CircuitOpen (fail).",
                    ["enum": words(WhenOpen.self)],
                    default: .string(WhenOpen.defer.rawValue)
                ),
                "description": described("For people.", ["type": "string"]),
            ]
        )
    }

    private static var rateLimit: JSON {
        var schema = closed(
            "At most so many calls begun in each span of time.",
            keys: ServiceTable.rateLimitKeys,
            required: ServiceTable.rateLimitKeys,
            [
                "calls": described("How many calls.", integer(in: DefinitionLimits.rateLimitCalls)),
                "per": described("In which span.", ref("longerThanZero")),
            ]
        )
        schema.append(["examples": [["calls": 100, "per": "1s"]]])
        return schema
    }

    static var circuitBreaker: JSON {
        let settings = CircuitBreakerSettings()
        return closed(
            "A circuit breaker by resilience4j's names and meanings.",
            keys: ServiceTable.circuitBreakerKeys,
            [
                "failureRateThreshold": described(
                    "Per cent of failed calls from which on it opens.",
                    percentage,
                    default: number(settings.failureRateThreshold)
                ),
                "slowCallRateThreshold": described(
                    "Per cent of slow calls from which on it opens.",
                    percentage,
                    default: number(settings.slowCallRateThreshold)
                ),
                "slowCallDurationThreshold": described(
                    "Calls that take longer are slow.",
                    ref("longerThanZero"),
                    default: .string(settings.slowCallDurationThreshold.written)
                ),
                "slidingWindowType": described(
                    "Whether the window holds the last calls or the last seconds.",
                    ["enum": words(CircuitBreakerSettings.WindowType.self)],
                    default: .string(settings.slidingWindowType.rawValue)
                ),
                "slidingWindowSize": described(
                    "How many calls, or seconds, the window holds.",
                    integer(in: DefinitionLimits.breakerCalls),
                    default: integer(settings.slidingWindowSize)
                ),
                "minimumNumberOfCalls": described(
                    "With fewer calls in the window it stays closed.",
                    integer(in: DefinitionLimits.breakerCalls),
                    default: integer(settings.minimumNumberOfCalls)
                ),
                "waitDurationInOpenState": described(
                    "How long it is open before it lets calls try.",
                    ref("longerThanZero"),
                    default: .string(settings.waitDurationInOpenState.written)
                ),
                "permittedNumberOfCallsInHalfOpenState": described(
                    "How many calls may then try.",
                    integer(in: DefinitionLimits.breakerCalls),
                    default: integer(settings.permittedNumberOfCallsInHalfOpenState)
                ),
                "maxWaitDurationInHalfOpenState": described(
                    "How long it waits for them before it opens again. 0 is no limit.",
                    ["anyOf": [ref("duration"), ["const": 0]]],
                    default: 0
                ),
                "enableExponentialBackoff": described(
                    "Whether the wait grows each time the calls that try fail.",
                    ["type": "boolean"],
                    default: .bool(settings.enableExponentialBackoff)
                ),
                "exponentialBackoffMultiplier": described(
                    "By how much it then grows.",
                    number(in: DefinitionLimits.backoffCoefficient),
                    default: number(settings.exponentialBackoffMultiplier)
                ),
                "exponentialMaxWaitDurationInOpenState": described(
                    "The longest wait that it grows to, no shorter than waitDurationInOpenState. Left out: no limit.",
                    ref("longerThanZero")
                ),
            ]
        )
    }

    private static var percentage: JSON {
        [
            "type": "number", "exclusiveMinimum": number(DefinitionLimits.percentage.lowerBound),
            "maximum": number(DefinitionLimits.percentage.upperBound),
        ]
    }
}

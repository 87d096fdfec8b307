import JSON

extension DefinitionSchema {
    static var step: JSON {
        closed(
            "One step: an action and how to undo it.",
            keys: StepParser.keys,
            required: ["name"],
            [
                "name": described(
                    "The step's name, unique in the file; expressions read `steps.NAME.output`.",
                    ref("name"),
                    examples: ["charge"]
                ),
                "description": described("For people.", ["type": "string"]),
                "after": described(
                    "The steps it waits for. Left out: the step before it in the file. []: it starts at once.",
                    ["type": "array", "items": ref("name"), "uniqueItems": true],
                    examples: [["reserve", "charge"]]
                ),
                "when": described(
                    "An expression. False or null skips the step; what comes after it runs.",
                    ["type": "string", "minLength": 1],
                    examples: ["${ input.total > 100 }"]
                ),
                "action": ref("operation"),
                "compensation": described(
                    "How the step is undone, or \"none\" when it needs no undo. An action that may change something "
                        + "must say one of the two, unless it is the pivot or comes after it.",
                    ["anyOf": [["const": "none"], ref("compensation")]]
                ),
                "compensateWhen": described(
                    "Which outcomes call for the compensation: done (succeeded), done or unknown (uncertain), or any "
                        + "once an attempt was begun (attempted).",
                    ref("compensateWhen"),
                    default: .string(CompensateWhen.uncertain.rawValue)
                ),
                "pivot": described(
                    "The point of no return: once it is done nothing is undone any more.",
                    ["type": "boolean"],
                    default: false
                ),
            ],
            also: [
                // The pivot is never compensated.
                "if": ["properties": ["pivot": ["const": true]], "required": ["pivot"]],
                "then": ["properties": ["compensation": ["const": "none"]]],
            ]
        )
    }

    static var compensateWhen: JSON { ["enum": words(CompensateWhen.self)] }

    /// An action or a compensation: exactly one thing to do.
    static func operation(retry: String, _ description: String) -> JSON {
        closed(
            "\(description) Exactly one of \(wordList(OperationParser.kinds.map { "`\($0)`" })).",
            keys: OperationParser.keys,
            [
                "http": ref("http"),
                "pass": described(
                    "No call: this value, with its expressions evaluated, is the output at once.",
                    [:],
                    examples: ["${ input.items.map(i, i.unitPriceCents * i.quantity).sum() }"]
                ),
                "noop": described(
                    "Answers at once inside the daemon and is otherwise treated like a call; for measuring.",
                    ["enum": [true, [:]]]
                ),
                "timeout": described(
                    "How long one attempt may take, from connecting to the answer's last byte.",
                    ref("longerThanZero"),
                    default: .string(StepAssembly.builtInTimeout.written)
                ),
                "retry": described("When it is tried again.", ref(retry)),
                "outcomes": ref("outcomes"),
            ],
            also: [
                "oneOf": .array(OperationParser.kinds.map { ["required": [.string($0)]] }),
                // `outcomes` is about HTTP, and stands beside `http` or inside it.
                "dependentSchemas": [
                    "outcomes": [
                        "required": ["http"], "properties": ["http": ["properties": ["outcomes": false]]],
                    ]
                ],
            ]
        )
    }

    static var http: JSON {
        closed(
            "A call to a participant: a `service` with a `path`, or a whole `url`.",
            keys: OperationParser.httpKeys,
            [
                "service": described("One of `services`.", ref("name"), examples: ["payment"]),
                "url": described(
                    "A whole URL in place of `service` and `path`. Its host and port are fixed text.",
                    ["type": "string", "pattern": "^[Hh][Tt][Tt][Pp][Ss]?://[^/?#$]"],
                    examples: ["https://payment.internal/charges"]
                ),
                "method": described(
                    "The method.",
                    ["enum": .array(OperationParser.methods.map { .string($0) })],
                    default: "POST"
                ),
                "path": described(
                    "What follows the service's URL. Values of expressions are percent-encoded, a `/` too.",
                    ["type": "string", "pattern": "^([/?]|$)"],
                    examples: ["/charges/${ input.orderId }"]
                ),
                "query": described(
                    "Query parameters: texts with expressions.",
                    [
                        "type": "object", "propertyNames": ["minLength": 1],
                        "additionalProperties": ref("text"),
                    ],
                    examples: [["warehouse": "${ input.warehouse }"]]
                ),
                "headers": described(
                    "Headers: texts with expressions. Those that the engine sends itself can't be set.",
                    [
                        "type": "object", "propertyNames": ref("headerNames"),
                        "additionalProperties": ref("text"),
                    ],
                    examples: [["X-Tenant": "${ input.tenant }"]]
                ),
                "body": described(
                    "Any value with expressions; it is sent as JSON. Left out: nothing is sent.",
                    [:],
                    examples: [["amount": "${ input.amountCents }"]]
                ),
                "outcomes": ref("outcomes"),
            ],
            also: [
                "if": ["required": ["url"]], "then": ["properties": ["service": false, "path": false]],
                "else": ["required": ["service", "path"]],
            ]
        )
    }

    static var outcomes: JSON {
        let statuses = DefinitionLimits.httpStatus
        let pattern = "^[\(statuses.lowerBound / 100)-\(statuses.upperBound / 100)][0-9][0-9]$"
        return [
            "description":
                "Outcomes of HTTP statuses that you know better. It changes the outcome, not what is tried again.",
            "type": "object", "propertyNames": ["pattern": .string(pattern), "maxLength": 3],
            "additionalProperties": ["enum": words(Outcome.self)],
            "examples": [["409": "done", "500": "failed"]],
        ]
    }

    static func retry(_ builtIn: BuiltInRetry) -> JSON {
        let policy = builtIn.policy
        return closed(
            builtIn == .action
                ? "When an action is tried again."
                : "When a compensation, or an action after the pivot, is tried again.",
            keys: PartialRetry.keys,
            [
                "maximumAttempts": described(
                    "The attempts in all, the first one counted. 0 is no limit.",
                    integer(in: DefinitionLimits.maximumAttempts),
                    default: integer(policy.maximumAttempts)
                ),
                "initialInterval": described(
                    "The delay before the second attempt.",
                    ref("longerThanZero"),
                    default: .string(policy.initialInterval.written)
                ),
                "backoffCoefficient": described(
                    "What each delay is multiplied by for the next one.",
                    number(in: DefinitionLimits.backoffCoefficient),
                    default: number(policy.backoffCoefficient)
                ),
                "maximumInterval": described(
                    "The longest delay. "
                        + (builtIn == .action
                            ? "Left out: 100 times `initialInterval`."
                            : "Left out: \(policy.maximumInterval.written), or `initialInterval` if that is longer."),
                    ref("longerThanZero"),
                    default: .string(policy.maximumInterval.written)
                ),
                "jitter": described(
                    "How delays are spread: not (none), from 0 to the delay (full), half of it (equal).",
                    ["enum": words(RetryPolicy.Jitter.self)],
                    default: .string(policy.jitter.rawValue)
                ),
                "retryableErrors": described(
                    "Errors that are tried again though their kind of answer isn't.",
                    ref("errorNames"),
                    examples: [["Busy"]]
                ),
                "nonRetryableErrors": described(
                    "Errors that are not tried again though their kind of answer is.",
                    ref("errorNames"),
                    examples: [["CardDeclined"]]
                ),
            ]
        )
    }
}

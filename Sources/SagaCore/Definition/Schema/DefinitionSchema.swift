import JSON

/// The JSON Schema (2020-12) of definition files, by which editors complete and check them.
///
/// It is made of what the parser goes by: its lists of keys, its enumerations, ranges, defaults and patterns. So a file
/// that the validator accepts is valid by the schema too. What a schema can't say (references between steps,
/// expressions, which steps need a compensation) only the validator finds.
public enum DefinitionSchema {
    /// The file that `sagas/saga.schema.json` is, with a newline at its end.
    public static var text: String { json.prettyPrinted() + "\n" }

    /// The schema.
    public static var json: JSON {
        var schema: JSON = [
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": "A saga",
        ]
        schema.append(definition)
        schema.append(["$defs": .object(definitions)])
        return schema
    }

    private static var definitions: JSONObject {
        JSONObject([
            ("step", step), ("operation", operation(retry: "actionRetry", "What the step does.")),
            ("compensation", operation(retry: "compensationRetry", "How the step is undone.")), ("http", http),
            ("outcomes", outcomes), ("actionRetry", retry(.action)), ("compensationRetry", retry(.compensation)),
            ("service", service), ("circuitBreaker", circuitBreaker), ("name", name), ("errorNames", errorNames),
            ("duration", duration), ("longerThanZero", longerThanZero), ("headerNames", headerNames),
            ("text", textValue),
            ("compensateWhen", compensateWhen), ("inputSchema", inputSchema),
            ("inputSchemas", inputSchemas),
        ])
    }

    // MARK: The file as a whole

    private static var definition: JSON {
        closed(
            "One saga: the services it calls, its steps, and how each is undone.",
            keys: DefinitionParser.keys,
            required: ["saga", "steps"],
            [
                "$schema": described(
                    "Where an editor finds the schema of this file.",
                    ["type": "string"],
                    examples: ["./saga.schema.json"]
                ),
                "saga": described("The saga's name, by which it is started.", ref("name"), examples: ["order"]),
                "description": described("For people.", ["type": "string"]),
                "input": described(
                    "The JSON Schema (2020-12) of the input. An input that breaks it is refused.",
                    ref("inputSchema"),
                    examples: [["type": "object", "required": ["orderId"]]]
                ),
                "deadline": described(
                    "How long the saga may go forward, counted from its start; then it turns back. Left out: "
                        + "without end.",
                    ref("longerThanZero"),
                    examples: ["10m"]
                ),
                "defaults": defaults,
                "services": [
                    "description": "The services that calls name, each with its URL.", "type": "object",
                    "propertyNames": ref("name"), "additionalProperties": ref("service"),
                    "examples": [["payment": ["url": "https://payment.internal"]]],
                ],
                "steps": [
                    "description":
                        "The steps. Each waits for the one before it in the file, unless it says otherwise in `after`.",
                    "type": "array", "minItems": integer(DefinitionLimits.steps.lowerBound),
                    "maxItems": integer(DefinitionLimits.steps.upperBound), "items": ref("step"),
                ],
                "onCompensationFailure": described(
                    "When a compensation fails for good: begin no other (halt), or still undo the others (continue). "
                        + "Either way the saga is then stuck until a person acts.",
                    ["enum": words(CompensationFailurePolicy.self)],
                    default: "halt"
                ),
                "output": described(
                    "The output of the completed saga: any value, with expressions that may read every step.",
                    [:],
                    default: nil,
                    examples: [["chargeId": "${ steps.charge.output.chargeId }"]]
                ),
            ]
        )
    }

    private static var defaults: JSON {
        closed(
            "For steps that state nothing themselves.",
            keys: StepDefaults.keys,
            [
                "timeout": described(
                    "How long one attempt of an action may take.",
                    ref("longerThanZero"),
                    default: .string(StepAssembly.builtInTimeout.written)
                ),
                "retry": described("How actions are tried again, those after the pivot excepted.", ref("actionRetry")),
                "compensateWhen": described(
                    "Which outcomes of a step call for its compensation.",
                    ref("compensateWhen"),
                    default: .string(CompensateWhen.uncertain.rawValue)
                ),
                "compensation": closed(
                    "For compensations. `retry` also holds for the actions after the pivot.",
                    keys: StepDefaults.compensationKeys,
                    [
                        "timeout": described(
                            "How long one attempt of a compensation may take.",
                            ref("longerThanZero"),
                            default: .string(StepAssembly.builtInTimeout.written)
                        ),
                        "retry": described(
                            "How compensations, and actions after the pivot, are tried again.",
                            ref("compensationRetry")
                        ),
                    ]
                ),
            ]
        )
    }
}

import JSON
import SagaCore

extension ScenarioSchema {
    private static let string: JSON = ["type": "string"]
    private static let stringOrNull: JSON = ["type": ["string", "null"]]
    private static let name = DefinitionSchema.ref("name")
    private static let nameOrNull: JSON = ["anyOf": [name, ["type": "null"]]]

    private static func described(_ text: String, _ schema: JSON, examples: [JSON] = []) -> JSON {
        DefinitionSchema.described(text, schema, examples: examples)
    }

    private static func closed(
        _ text: String, _ keys: [String], required: [String] = [], _ properties: KeyValuePairs<String, JSON>
    ) -> JSON {
        DefinitionSchema.closed(text, keys: keys, required: required, properties)
    }

    private static func words(_ words: [String]) -> JSON { ["enum": .array(words.map { .string($0) })] }

    private static var outcome: JSON { ["enum": .array(Outcome.allCases.map { .string($0.rawValue) } + [.null])] }

    private static var whole: JSON { ["type": "integer", "minimum": 0] }

    private static func list(_ text: String, _ items: JSON, examples: [JSON] = []) -> JSON {
        described(text, ["type": "array", "items": items], examples: examples)
    }

    /// What must come of a run.
    static var expect: JSON {
        DefinitionSchema.closed(
            "What must come of the run. Lists are whole: nothing else may be in them, and in this order.",
            keys: ExpectationParser.keys,
            [
                "status": described("The saga's status at the end.", words(ExpectationParser.statusNames)),
                "failure": described(
                    "What turned the saga round or made it stuck; null: nothing did.",
                    [
                        "anyOf": [
                            ["type": "null"],
                            closed(
                                "The members that are given must be so.", ExpectationParser.failureKeys,
                                [
                                    "step": described("Which step; null for a cancel or the deadline.", nameOrNull),
                                    "error": described("The error's name.", string),
                                    "message": described("The message.", string),
                                ]),
                        ]
                    ], examples: [["step": "charge_payment", "error": "CardDeclined"]]),
                "output": described("The saga's output; numbers by their worth, 1 is 1.0.", [:]),
                "calls": list(
                    "All calls that went out, in order: STEP, STEP:compensation, or an object.",
                    ["anyOf": [ref("operation"), ref("call")]],
                    examples: [["reserve_inventory", "charge_payment", "reserve_inventory:compensation"]]),
                "effects": list(
                    "The steps whose effects stand at the end, in the order in which they came about.", name,
                    examples: [[]]),
                "events": list(
                    "All events, in order: TYPE, \"TYPE STEP\", or an object.", ["anyOf": [string, ref("event")]],
                    examples: [["SagaStarted", "StepStarted charge_payment"]]),
                "steps": described(
                    "Some steps as the status at the end shows them: the status, or an object.",
                    [
                        "type": "object", "propertyNames": name,
                        "additionalProperties": ["anyOf": [stepStatus, ref("step")]],
                    ], examples: [["charge_payment": "compensated"]]),
                "within": described(
                    "The longest that the saga may take, in its own time.",
                    ["anyOf": [ref("duration"), ["const": 0]]], examples: ["30s"]),
                "refused": list(
                    "The commands of persons that change nothing, in order. Left out: none.",
                    words(ScenarioHappenings.commands), examples: [["cancel"]]),
            ],
            also: ["minProperties": 1])
    }

    private static func ref(_ name: String) -> JSON { DefinitionSchema.ref(name) }

    private static var stepStatus: JSON { words(StepStatus.allCases.map(\.rawValue)) }

    /// One call that went out.
    static var call: JSON {
        closed(
            "A call that is as the members say which are given.", ExpectationParser.callKeys, required: ["step"],
            [
                "step": described("The operation.", ref("operation")),
                "attempt": described("Which attempt.", DefinitionSchema.integer(in: ScenarioHappenings.attempts)),
                "service": described("The service's name.", string),
                "method": described("The method.", string),
                "target": described("Path and query.", string, examples: ["/charges"]),
                "headers": described(
                    "Some of the call's own headers.", ["type": "object", "additionalProperties": string]),
                "body": described("The whole body; numbers by their worth, 1 is 1.0.", [:]),
                "outcome": described("What came of it; null: nobody heard.", outcome),
                "error": described("The error's name; null: none.", stringOrNull),
            ])
    }

    /// One event.
    static var event: JSON {
        closed(
            "An event that is as the members say which are given.", ExpectationParser.eventKeys, required: ["type"],
            [
                "type": described("The type.", words(ExpectationParser.eventNames)),
                "step": described("The step's name.", nameOrNull),
                "attempt": described("Which attempt.", DefinitionSchema.integer(in: ScenarioHappenings.attempts)),
                "outcome": described("The attempt's outcome.", outcome),
                "error": described("The error's name.", stringOrNull),
                "message": described("The message.", stringOrNull),
                "output": described("The output.", [:]),
                "reason": described("A person's reason, or why a step waits.", stringOrNull),
            ])
    }

    /// A step as the saga's status shows it.
    static var step: JSON {
        closed(
            "A step whose status has the members that are given.", ExpectationParser.stepKeys,
            [
                "status": described("The step's status.", stepStatus),
                "outcome": described("The step's outcome; null before any attempt ended.", outcome),
                "attempts": described("How many attempts were made.", whole),
                "output": described("The step's output.", [:]),
                "error": described("The last error's name.", stringOrNull),
                "message": described("The last error's message.", stringOrNull),
                "compensation": described(
                    "The undo; null where the step has none.",
                    [
                        "anyOf": [
                            ["type": "null"],
                            closed(
                                "The members that are given must be so.", ExpectationParser.compensationKeys,
                                [
                                    "status": described(
                                        "Its status; null while none is called for.",
                                        [
                                            "enum": .array(
                                                CompensationStatus.allCases.map { .string($0.rawValue) } + [.null])
                                        ]
                                    ),
                                    "attempts": described("How many attempts were made.", whole),
                                    "error": described("The last error's name.", stringOrNull),
                                    "message": described("The last error's message.", stringOrNull),
                                ]),
                        ]
                    ]),
            ])
    }
}

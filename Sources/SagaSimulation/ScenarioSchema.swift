import JSON
import SagaCore

/// The JSON Schema (2020-12) of files of scenarios, by which editors complete and check them.
///
/// It is made of the parser's own lists of keys and words. A file that the parser accepts is valid by the schema too;
/// what a schema can't say, such as which steps there are, only the parser finds.
public enum ScenarioSchema {
    /// The file that `sagas/saga-test.schema.json` is, with a newline at its end.
    public static var text: String { json.prettyPrinted() + "\n" }

    /// The schema.
    public static var json: JSON {
        var schema: JSON = [
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": "Scenarios of a saga",
        ]
        schema.append(file)
        schema.append(["$defs": .object(definitions)])
        return schema
    }

    private static var definitions: JSONObject {
        JSONObject([
            ("scenario", scenario), ("answer", answer), ("signal", signal), ("outage", outage), ("crash", crash),
            ("expect", expect), ("call", call), ("event", event), ("step", step), ("outputs", outputs),
            ("operation", operation), ("name", DefinitionSchema.name), ("duration", DefinitionSchema.duration),
        ])
    }

    private static func closed(
        _ description: String, _ keys: [String], required: [String] = [], _ properties: KeyValuePairs<String, JSON>,
        also: KeyValuePairs<String, JSON> = [:]
    ) -> JSON {
        DefinitionSchema.closed(description, keys: keys, required: required, properties, also: also)
    }

    private static func described(_ text: String, _ schema: JSON, default value: JSON? = nil, examples: [JSON] = [])
        -> JSON
    {
        DefinitionSchema.described(text, schema, default: value, examples: examples)
    }

    private static func ref(_ name: String) -> JSON { DefinitionSchema.ref(name) }

    private static let string: JSON = ["type": "string"]
    private static let whole: JSON = ["type": "integer", "minimum": 0]
    private static var attempt: JSON { DefinitionSchema.integer(in: ScenarioHappenings.attempts) }

    private static func list(_ text: String, _ items: JSON, examples: [JSON] = []) -> JSON {
        described(text, ["type": "array", "items": items], examples: examples)
    }

    // MARK: What happens

    private static var file: JSON {
        closed(
            "Runs of a definition in virtual time, and what must come of each.", ScenarioParser.keys,
            required: ["scenarios"],
            [
                "$schema": described(
                    "Where an editor finds the schema of this file.", string, examples: ["../saga-test.schema.json"]),
                "definition": described(
                    "The definition's file, from this file on. Left out: ../NAME.json or NAME.json, where this file is "
                        + "NAME.test.json.", string, examples: ["../order.json"]),
                "description": described("For people.", string),
                "input": described("The input of scenarios that have none of their own.", [:], default: [:]),
                "outputs": ref("outputs"),
                "seed": seed,
                "scenarios": described(
                    "The scenarios.", ["type": "array", "minItems": 1, "items": ref("scenario")]),
            ])
    }

    private static var seed: JSON {
        described("Decides how the delays of retries are spread; the same seed gives the same run.", whole, default: 0)
    }

    private static var scenario: JSON {
        closed(
            "One run, and what must come of it.", ScenarioParser.scenarioKeys, required: ["name", "expect"],
            [
                "name": described(
                    "What this scenario shows.", ["type": "string", "minLength": 1],
                    examples: ["the card is declined"]),
                "description": described("For people.", string),
                "input": described("The whole input, in place of the file's.", [:]),
                "outputs": ref("outputs"),
                "seed": seed,
                "answers": described(
                    "What operations answer, by STEP or STEP:compensation: one answer for all attempts, or a list, an "
                        + "element an attempt, the last one also for all that follow. Every one must be used.",
                    [
                        "type": "object", "propertyNames": ref("operation"),
                        "additionalProperties": [
                            "anyOf": [ref("answer"), ["type": "array", "minItems": 1, "items": ref("answer")]]
                        ],
                    ], examples: [["charge_payment": [["status": 503], ["error": "CardDeclined"]]]]),
                "signals": list("What persons do meanwhile.", ref("signal")),
                "outages": list("Circuit breakers that a person forces open for a while.", ref("outage")),
                "crashes": list(
                    "Where a daemon dies; another takes its place when the dead one's lease is over.", ref("crash")),
                "expect": ref("expect"),
            ])
    }

    private static var outputs: JSON {
        described(
            "What steps answer where nothing else is said, by the step's name. Left out: a text for each field that "
                + "expressions read.",
            ["type": "object", "propertyNames": ref("operation")])
    }

    private static var operation: JSON {
        described(
            "STEP, or STEP:compensation.",
            ["type": "string", "pattern": "^[A-Za-z][A-Za-z0-9_-]{0,62}(:action|:compensation)?$"])
    }

    private static var answer: JSON {
        closed(
            "How one attempt ends. Empty: it is done, with the step's output.", ScenarioHappenings.answerKeys,
            [
                "output": described("It is done, with this output.", [:]),
                "status": described(
                    "An HTTP status, with what it means in production.",
                    DefinitionSchema.integer(in: ScenarioHappenings.statuses)),
                "error": described(
                    "The error's name. Without `status`: a participant's own word for no (a 422), or what the engine "
                        + "sees: ConnectFailed, ConnectionLost, Timeout, BadResponse, DaemonLost.",
                    ["type": "string", "pattern": "^[A-Za-z0-9._:-]{1,128}$"], examples: ["CardDeclined"]),
                "lost": described("The connection breaks before the answer comes.", ["type": "boolean"]),
                "timeout": described("No answer comes within the timeout.", ["type": "boolean"]),
                "effect": described(
                    "Beside lost (then true) or timeout (then false): whether the call has had its effect.",
                    ["type": "boolean"]),
                "delay": described(
                    "How long the answer takes. From the timeout on it doesn't come, and the effect has happened.",
                    duration),
            ])
    }

    /// Zero may be written without a unit.
    private static var duration: JSON { ["anyOf": [ref("duration"), ["const": 0]]] }

    private static var at: JSON { described("So long after the start.", duration, examples: ["3s"]) }

    private static var signal: JSON {
        let reason = "The reason of a person who"
        return closed(
            "What a person does: one command, as of the command line.", ScenarioHappenings.signalKeys,
            required: ["at"],
            [
                "at": at,
                "cancel": described("\(reason) cancels.", string), "pause": described("\(reason) pauses.", string),
                "resume": described("\(reason) resumes.", string),
                "retry": described(
                    "\(reason) retries, perhaps with the input patched.",
                    [
                        "anyOf": [
                            string,
                            closed(
                                "A retry with another input.", ScenarioHappenings.retryKeys, required: ["patch"],
                                [
                                    "patch": described("A JSON merge patch (RFC 7396).", ["type": "object"]),
                                    "reason": described("Why.", string),
                                ]),
                        ]
                    ]),
                "terminate": described("\(reason) terminates.", string),
                "compensate": described("\(reason) wants a completed saga undone.", string),
                "resolve": closed(
                    "What a person states of a step in doubt, or of an undo done by hand.",
                    ScenarioHappenings.resolveKeys, required: ["step", "as"],
                    [
                        "step": described("Which step.", ref("name")),
                        "as": described("What is true of it.", DefinitionSchema.words(Event.Resolution.self)),
                        "output": described("The output of an action that is done.", [:]),
                        "reason": described("Why.", string),
                    ]),
            ],
            also: ["oneOf": .array(ScenarioHappenings.commands.map { ["required": [.string($0)]] })])
    }

    private static var outage: JSON {
        closed(
            "A circuit breaker that is open for a while.", ScenarioHappenings.outageKeys,
            required: ["service", "until"],
            [
                "service": described("Whose it is.", ref("name")),
                "from": described("So long after the start.", duration, default: "0s"),
                "until": described("So long after the start.", ref("duration")),
            ])
    }

    private static var crash: JSON {
        let sequence = DefinitionSchema.integer(in: ScenarioHappenings.sequences)
        return closed(
            "Where a daemon dies.", ScenarioHappenings.crashKeys,
            [
                "beforeCall": described("The call is committed, and never goes out.", ref("operation")),
                "afterCall": described("The participant has answered, and nobody hears it.", ref("operation")),
                "attempt": described("Which attempt.", attempt, default: 1),
                "beforeCommit": described("The event of this sequence is decided on, and never written.", sequence),
                "afterCommit": described("The event of this sequence is written, and nobody acts on it.", sequence),
            ],
            also: [
                "oneOf": .array(ScenarioHappenings.crashKinds.map { ["required": [.string($0)]] })
            ])
    }
}

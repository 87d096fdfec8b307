import JSON

/// What was probably meant by a key that isn't one: a misspelt one, one that belongs elsewhere, or another
/// orchestrator's word for it.
struct KeyHint {
    /// The key of this object that was meant, if it is one.
    let meant: String?
    /// Whether it is that key but for a slip, so that its value can be read as that key's.
    let isSlip: Bool
    let text: String

    /// - Parameters:
    ///   - subject: what has the key, as findings call it.
    ///   - keys: those that it may have.
    init(_ key: String, in subject: String, keys: [String]) {
        let word = key.lowercased()
        if let place = Self.places[subject]?[key] {
            self.init(meant: nil, isSlip: false, text: place)
        } else if let meant = keys.first(where: { Self.synonyms[$0]?.contains(word) ?? false }) {
            self.init(meant: meant, isSlip: false, text: "did you mean `\(meant)`?")
        } else if let meant = NearestName.nearest(to: key, among: keys) {
            let allowed = meant.utf8.count / 4
            let edits = NearestName.edits(Array(word.utf8), Array(meant.lowercased().utf8), atMost: allowed)
            self.init(meant: meant, isSlip: edits != nil, text: "did you mean `\(meant)`?")
        } else {
            self.init(meant: nil, isSlip: false, text: "its keys are \(keys.joined(separator: ", "))")
        }
    }

    private init(meant: String?, isSlip: Bool, text: String) {
        self.meant = meant
        self.isSlip = isSlip
        self.text = text
    }

    /// Words of other orchestrators and of everyday speech for keys, in lower case.
    private static let synonyms: [String: Set<String>] = [
        "description": ["comment", "$comment", "//", "_comment", "title", "notes"],
        "saga": ["name", "id", "workflow"],
        "input": ["inputschema", "schema", "parameters"],
        "output": ["outputs", "result", "returns"],
        "steps": ["states", "tasks", "activities", "stages"],
        "deadline": ["timeoutseconds", "workflowexecutiontimeout"],
        "services": ["participants", "connections"],
        "name": ["id", "step"],
        "after": ["dependson", "depends_on", "depends-on", "needs", "requires", "waitfor"],
        "when": ["if", "condition", "runif", "only_if", "choice"],
        "action": ["do", "run", "call", "task", "activity", "invoke", "forward"],
        "compensation": ["compensate", "undo", "rollback", "revert", "onrollback", "compensatewith"],
        "path": ["route", "resource"],
        "method": ["verb"],
        "query": ["params", "queryparams", "querystring", "queryparameters"],
        "body": ["payload", "data", "json", "requestbody"],
        "url": ["baseurl", "base_url", "endpoint", "host", "address"],
        "timeout": ["timeoutseconds", "starttoclosetimeout", "timeoutms"],
        "retry": ["retries", "retrypolicy"],
        "maximumAttempts": ["retries", "maxretries", "attempts", "max_attempts"],
        "initialInterval": ["interval", "intervalseconds", "delay", "initialdelay", "wait"],
        "backoffCoefficient": ["backoffrate", "multiplier", "factor", "backoffmultiplier"],
        "maximumInterval": ["maxdelay", "maxdelayseconds", "maxwait"],
        "retryableErrors": ["errorequals", "retryon"],
        "nonRetryableErrors": ["nonretryableerrortypes"],
        "jitter": ["jitterstrategy"],
    ]

    /// Keys that there are, but not in this object.
    private static let places: [String: [String: String]] = {
        let inOperation = "it stands in `action` or `compensation`"
        let inHTTP = "it stands in `http`"
        let inStep = "it stands beside `action`, in the step"
        let besideHTTP = "it stands beside `http`"
        let operation = [
            "service": inHTTP, "path": inHTTP, "url": inHTTP, "method": inHTTP, "query": inHTTP, "headers": inHTTP,
            "body": inHTTP, "when": inStep, "after": inStep, "compensation": inStep, "compensateWhen": inStep,
            "pivot": inStep, "maximumAttempts": "it stands in `retry`",
        ]
        let ofCalls = "it is stated for each call, or for all in `defaults`"
        return [
            "a definition": [
                "retry": "it stands in `defaults`, for all steps", "compensateWhen": "it stands in `defaults`",
                "timeout": "`deadline` is for the whole saga, `timeout` in `defaults` for each attempt of a call",
            ],
            "a step": [
                "timeout": inOperation, "retry": inOperation, "outcomes": inOperation, "http": inOperation,
                "pass": inOperation, "noop": inOperation,
            ],
            "`action`": operation,
            "`compensation`": operation,
            "`http`": ["timeout": besideHTTP, "retry": besideHTTP],
            "`retry`": ["timeout": "it stands beside `retry`"],
            "a service": ["timeout": ofCalls, "retry": ofCalls],
        ]
    }()
}

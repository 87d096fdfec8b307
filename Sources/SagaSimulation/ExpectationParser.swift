import JSON
import SagaCore

/// Reads what a scenario expects of its run.
struct ExpectationParser {
    static let keys = [
        "status", "failure", "output", "calls", "effects", "events", "steps", "within", "refused",
    ]
    static let failureKeys = ["step", "error", "message"]
    static let callKeys = [
        "step", "attempt", "service", "method", "target", "headers", "body", "outcome", "error",
    ]
    static let eventKeys = ["type", "step", "attempt", "outcome", "error", "message", "output", "reason"]
    static let stepKeys = ["status", "outcome", "attempts", "output", "error", "message", "compensation"]
    static let compensationKeys = ["status", "attempts", "error", "message"]
    static let statusNames = SagaStatus.allCases.map(\.name)
    static let eventNames = EventType.allCases.map(\.name)

    let log: FindingLog
    let steps: ScenarioSteps

    func expectations(_ node: LocatedJSON) -> [Scenario.Expectation] {
        guard let reader = ObjectReader(node, "`expect`", keys: Self.keys, log: log) else { return [] }
        let given = Self.keys.filter { reader[$0] != nil }
        if given.isEmpty, !reader.hasUnknownKeys {
            log.error(
                .nothingExpected, at: node.range.lowerBound, "the scenario expects nothing",
                hint: "say at least which `status` the saga must come to")
        }
        return given.compactMap { key in
            guard let value = reader[key], let content = content(key, value, reader) else { return nil }
            let place = log.place(at: reader.keyOffset(key))
            return .init(key: key, place: .init(line: place.line, column: place.column), content: content)
        }
    }

    private func content(
        _ key: String, _ value: LocatedJSON, _ reader: ObjectReader
    ) -> Scenario.Expectation.Content? {
        switch key {
        case "status": return status(value).map { .status($0) }
        case "failure": return failure(value)
        case "output": return .output(value.json)
        case "calls": return .calls(patterns(value, key, call))
        case "effects": return .effects(patterns(value, key, effect))
        case "events": return .events(patterns(value, key, event))
        case "steps": return stepPatterns(value)
        case "within": return reader.duration(key, zero: .isAllowed).map { .within($0) }
        case "refused": return .refused(patterns(value, key, refused))
        default: return nil
        }
    }

    private func patterns(
        _ node: LocatedJSON, _ key: String, _ pattern: (LocatedJSON) -> JSONObject?
    ) -> [Scenario.Pattern] {
        guard let elements = node.elements else {
            log.wrongKind(node, "`\(key)`", expected: "an array")
            return []
        }
        return elements.compactMap { pattern($0).map { Scenario.Pattern(members: $0) } }
    }

    private func word(_ node: LocatedJSON, _ subject: String, _ words: [String]) -> String? {
        guard let text = log.string(node, subject) else { return nil }
        if words.contains(text) { return text }
        log.error(
            .invalidValue, at: node.range.lowerBound, "\(quoted(text)) is not a value of \(subject)",
            hint: log.nearest(text, among: words) ?? "write \(wordList(words))")
        return nil
    }

    private func status(_ node: LocatedJSON) -> SagaStatus? {
        word(node, "`status`", Self.statusNames).flatMap { SagaStatus(name: $0) }
    }

    private func failure(_ node: LocatedJSON) -> Scenario.Expectation.Content? {
        if node.kind == .null { return .failure(nil) }
        guard let reader = ObjectReader(node, "`failure`", keys: Self.failureKeys, log: log) else { return nil }
        if let step = reader["step"], step.kind != .null, let name = log.string(step, "`step`") {
            _ = steps.step(name, at: step.range.lowerBound)
        }
        return .failure(members(reader, Self.failureKeys))
    }

    // MARK: Elements of lists

    private func call(_ node: LocatedJSON) -> JSONObject? {
        if let text = node.stringValue { return operation(text, node) }
        guard let reader = ObjectReader(node, "a call", keys: Self.callKeys, log: log),
            let step = reader.required("step"), let text = log.string(step, "`step`"),
            let head = operation(text, step)
        else { return nil }
        _ = reader.integer("attempt", ScenarioHappenings.attempts)
        if let outcome = reader["outcome"], outcome.kind != .null {
            _ = word(outcome, "`outcome`", Outcome.allCases.map(\.rawValue))
        }
        if let headers = reader["headers"], headers.members == nil {
            log.wrongKind(headers, "`headers`", expected: "an object")
        }
        return joined(head, members(reader, Self.callKeys.filter { $0 != "step" }))
    }

    private func operation(_ text: String, _ node: LocatedJSON) -> JSONObject? {
        steps.target(text, at: node.range.lowerBound).map { ["step": .string($0.description)] }
    }

    private func effect(_ node: LocatedJSON) -> JSONObject? {
        guard let name = log.string(node, "an effect"), steps.step(name, at: node.range.lowerBound) != nil else {
            return nil
        }
        return ["step": .string(name)]
    }

    private func refused(_ node: LocatedJSON) -> JSONObject? {
        word(node, "`refused`", ScenarioHappenings.commands).map { ["command": .string($0)] }
    }

    /// `TYPE`, `TYPE STEP`, or an object.
    private func event(_ node: LocatedJSON) -> JSONObject? {
        if let text = node.stringValue {
            let parts = text.split(separator: " ", maxSplits: 1).map(String.init)
            guard let type = parts.first, Self.eventNames.contains(type) else {
                unknownType(parts.first ?? "", node)
                return nil
            }
            guard parts.count == 2 else { return ["type": .string(type)] }
            guard steps.step(parts[1], at: node.range.lowerBound) != nil else { return nil }
            return ["type": .string(type), "step": .string(parts[1])]
        }
        guard let reader = ObjectReader(node, "an event", keys: Self.eventKeys, log: log),
            let type = reader.required("type"), let name = log.string(type, "`type`")
        else { return nil }
        if !Self.eventNames.contains(name) { unknownType(name, type) }
        if let step = reader["step"], step.kind != .null, let name = log.string(step, "`step`") {
            _ = steps.step(name, at: step.range.lowerBound)
        }
        _ = reader.integer("attempt", ScenarioHappenings.attempts)
        return members(reader, Self.eventKeys)
    }

    private func unknownType(_ text: String, _ node: LocatedJSON) {
        log.error(
            .invalidValue, at: node.range.lowerBound, "\(quoted(text)) is no type of event",
            hint: log.nearest(text, among: Self.eventNames) ?? "such as StepSucceeded, as saga events prints them")
    }

    // MARK: Steps

    private func stepPatterns(_ node: LocatedJSON) -> Scenario.Expectation.Content? {
        guard let found = node.members else {
            log.wrongKind(node, "`steps`", expected: "an object of steps and their status")
            return nil
        }
        return .steps(
            found.compactMap { member in
                guard steps.step(member.key, at: member.keyRange.lowerBound) != nil,
                    let pattern = stepPattern(member.value)
                else { return nil }
                return (member.key, pattern)
            })
    }

    private func stepPattern(_ node: LocatedJSON) -> JSONObject? {
        let words = StepStatus.allCases.map(\.rawValue)
        if node.stringValue != nil { return word(node, "`status`", words).map { ["status": .string($0)] } }
        guard let reader = ObjectReader(node, "an expected step", keys: Self.stepKeys, log: log) else { return nil }
        if let status = reader["status"] { _ = word(status, "`status`", words) }
        if let compensation = reader["compensation"], compensation.kind != .null {
            let reader = ObjectReader(compensation, "`compensation`", keys: Self.compensationKeys, log: log)
            if let status = reader?["status"], status.kind != .null {
                _ = word(status, "`status`", CompensationStatus.allCases.map(\.rawValue))
            }
        }
        return members(reader, Self.stepKeys)
    }

    private func members(_ reader: ObjectReader, _ keys: [String]) -> JSONObject {
        JSONObject(keys.compactMap { key in reader[key].map { (key, $0.json) } })
    }

    private func joined(_ first: JSONObject, _ second: JSONObject) -> JSONObject {
        JSONObject((first.members + second.members).map { ($0.key, $0.value) })
    }
}

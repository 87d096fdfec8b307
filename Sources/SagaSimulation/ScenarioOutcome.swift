import JSON
import JSONSchema
import SagaCore

/// What came of a scenario.
public struct ScenarioOutcome: Sendable {
    public let scenario: Scenario
    public let result: SimulationResult
    /// What isn't as expected, in the order of the expectations.
    public let differences: [ScenarioDifference]
    /// Answers that were never given, and the like.
    public let findings: [Finding]
    /// What no run may come to; empty where the scenario says itself which effects stand.
    public let problems: [String]

    public var hasPassed: Bool { differences.isEmpty && findings.isEmpty && problems.isEmpty }
}

extension Scenario {
    /// Runs the scenario and compares.
    ///
    /// - Throws: as `SimulatedRun.run`.
    public func play() throws(SimulationFault) -> ScenarioOutcome {
        let result = try run.run()
        let seen = SeenRun(result, definition: run.definition)
        let wanted = wanted
        let saysWhatStands = expectations.contains { $0.key == "effects" }
        return ScenarioOutcome(
            scenario: self, result: result, differences: wanted.compactMap(seen.difference),
            findings: prepared.filter { !seen.cameAbout($0.what) }.map(\.finding),
            problems: saysWhatStands ? [] : RunChecks(result, definition: run.definition).problems)
    }

    /// The expectations; what a person does must have an effect unless it is said that it has none.
    private var wanted: [Expectation] {
        guard !run.signals.isEmpty, !expectations.contains(where: { $0.key == "refused" }) else {
            return expectations
        }
        return expectations + [Expectation(key: "refused", place: place, content: .refused([]))]
    }
}

/// A run as expectations look at it.
struct SeenRun {
    private let result: SimulationResult
    private let definition: Definition

    init(_ result: SimulationResult, definition: Definition) {
        self.result = result
        self.definition = definition
    }

    // MARK: What was prepared

    func cameAbout(_ what: Scenario.Prepared.What) -> Bool {
        switch what {
        case .answer(let target, let attempt, let isLast):
            return result.calls.contains { made in
                made.target == target && (made.call.attempt == attempt || (isLast && made.call.attempt > attempt))
            }
        case .crash(.beforeCall(let target, let attempt)), .crash(.afterCall(let target, let attempt)):
            return result.events.contains { event in
                guard let recorded = try? EventCodec.decode(event, definition: definition),
                    case .started(let operation, attempt) = recorded.event
                else { return false }
                return operation.side == target.side && definition.steps[operation.step].name == target.step
            }
        case .crash(.beforeCommit(let sequence)), .crash(.afterCommit(let sequence)):
            return result.events.contains { $0.sequence == sequence }
        }
    }

    // MARK: What is expected

    /// nil if the run is as expected.
    func difference(_ expectation: Scenario.Expectation) -> ScenarioDifference? {
        let rows: [ScenarioDifference.Row]
        switch expectation.content {
        case .status(let status): rows = [.init(status.name, result.status.name)]
        case .failure(let failure): rows = self.failure(failure)
        case .output(let output): rows = self.output(output)
        case .calls(let patterns): rows = Alignment(patterns, result.calls.map(call), head: ["step"]).rows
        case .effects(let patterns): rows = Alignment(patterns, effects, head: ["step"]).rows
        case .events(let patterns):
            rows = Alignment(patterns, result.events.map(event), head: ["type", "step"]).rows
        case .steps(let patterns): rows = patterns.flatMap { steps($0.step, $0.pattern) }
        case .within(let limit):
            guard result.duration > limit else { return nil }
            rows = [.init(expected: "at most \(limit.written)", seen: result.duration.written, isSame: false)]
        case .refused(let patterns): rows = Alignment(patterns, refusals, head: ["command", "reason"]).rows
        }
        guard rows.contains(where: { !$0.isSame }) else { return nil }
        return ScenarioDifference(key: expectation.key, place: expectation.place, rows: rows)
    }

    private func failure(_ expected: JSONObject?) -> [ScenarioDifference.Row] {
        let seen: JSONObject? = result.state.failure.map { failure in
            [
                "step": failure.step.map { .string(definition.steps[$0].name) } ?? .null,
                "error": .string(failure.error), "message": .string(failure.message),
            ]
        }
        guard let expected else {
            let error = seen?["error"]?.stringValue
            return [.init("none", error ?? "none")]
        }
        guard let seen else {
            return expected.members.map { .init(expected: "\($0.key) \(text($0.value))", seen: nil, isSame: false) }
        }
        return members(expected, of: seen, prefix: "")
    }

    private func output(_ expected: JSON) -> [ScenarioDifference.Row] {
        let output = result.state.output.flatMap { try? $0.parsed() } ?? .null
        if ValueKey.areEqual(expected, output) { return [] }
        return Alignment.lines(
            expected.prettyPrinted(), output.laidOut(like: expected).prettyPrinted())
    }

    private func steps(_ name: String, _ pattern: JSONObject) -> [ScenarioDifference.Row] {
        let document = StatusDocument(result.state, definition: definition).json
        let steps = (try? document.parsed())?["steps"]?.arrayValue ?? []
        let seen = steps.first { $0["name"]?.stringValue == name }?.objectValue ?? JSONObject()
        return members(pattern, of: seen, prefix: "\(name) ")
    }

    private func members(_ expected: JSONObject, of seen: JSONObject, prefix: String) -> [ScenarioDifference.Row] {
        expected.members.flatMap { member -> [ScenarioDifference.Row] in
            let value = seen[member.key] ?? .null
            if member.key == "compensation", let inner = member.value.objectValue, let found = value.objectValue {
                return members(inner, of: found, prefix: "\(prefix)compensation ")
            }
            return [
                .init(
                    expected: "\(prefix)\(member.key) \(text(member.value))",
                    seen: "\(prefix)\(member.key) \(text(value))",
                    isSame: ValueKey.areEqual(member.value, value))
            ]
        }
    }

    // MARK: What was seen

    private func call(_ made: SimulatedCall) -> JSONObject {
        var members: [(String, JSON)] = [
            ("step", .string(made.target.description)), ("attempt", .number(JSONNumber(made.call.attempt))),
        ]
        if case .http(let request) = made.call.request {
            members += [
                ("service", .string(request.service.name)), ("method", .string(request.method)),
                ("target", .string(request.target)),
                ("headers", .object(JSONObject(request.headers.map { ($0.name, .string($0.value)) }))),
                ("body", request.body.flatMap { try? $0.parsed() } ?? .null),
            ]
        }
        members.append(("outcome", made.outcome.map { .string($0.rawValue) } ?? .null))
        switch made.answer {
        case .failed(let refusal), .unknown(let refusal): members.append(("error", .string(refusal.error)))
        case .done, nil: members.append(("error", .null))
        }
        return JSONObject(members)
    }

    private func event(_ stored: StoredEvent) -> JSONObject {
        let data = stored.data.flatMap { try? JSON.parse($0) }?.objectValue ?? JSONObject()
        return JSONObject(
            [("type", .string(stored.typeName))] + data.members.filter { $0.key != "type" }.map { ($0.key, $0.value) })
    }

    private var effects: [JSONObject] { result.books.standing.map { ["step": .string($0.step)] } }

    private var refusals: [JSONObject] {
        result.signals.compactMap { signal in
            signal.refusal.map {
                ["command": .string(signal.signal.command.word), "reason": .string("(\($0))")]
            }
        }
    }
}

/// A value as one line: a string without its quotes.
func text(_ value: JSON) -> String { value.stringValue ?? value.text }

extension JSON {
    /// The same value, its members in the order of another one, and what is equal written as there.
    fileprivate func laidOut(like other: JSON) -> JSON {
        if ValueKey.areEqual(self, other) { return other }
        switch (self, other) {
        case (.object(let own), .object(let model)):
            let known = model.members.compactMap { member in own[member.key].map { (member.key, $0, member.value) } }
            let rest = own.members.filter { model[$0.key] == nil }
            return .object(
                JSONObject(known.map { ($0.0, $0.1.laidOut(like: $0.2)) } + rest.map { ($0.key, $0.value) }))
        case (.array(let own), .array(let model)):
            return .array(
                own.enumerated().map { index, value in
                    model.indices.contains(index) ? value.laidOut(like: model[index]) : value
                })
        default: return self
        }
    }
}

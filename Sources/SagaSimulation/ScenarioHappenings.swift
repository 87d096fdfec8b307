import JSON
import SagaCore

/// Reads what is to happen in a scenario: answers, a person's acts, breakers that are open, daemons that die.
struct ScenarioHappenings {
    static let answerKeys = ["output", "status", "error", "lost", "timeout", "effect", "delay"]
    static let outageKeys = ["service", "from", "until"]
    static let statuses = 200...599
    static let attempts = 1...1_000_000
    static let sequences = 1...1_000_000
    /// So long after the start a run is no longer looked at.
    static let horizon = TimeSpan.minutes(7 * 24 * 60)

    let file: LocatedFile
    let log: FindingLog
    let definition: Definition
    let steps: ScenarioSteps

    // MARK: Answers

    func answers(_ node: LocatedJSON?) -> (rules: [SimulationScript.Rule], prepared: [Scenario.Prepared]) {
        guard let node else { return ([], []) }
        guard let members = node.members else {
            log.wrongKind(node, "`answers`", expected: "an object of steps and their answers")
            return ([], [])
        }
        var rules: [SimulationScript.Rule] = []
        var prepared: [Scenario.Prepared] = []
        for member in members {
            guard let target = steps.callable(member.key, at: member.keyRange.lowerBound) else { continue }
            let answers = member.value.elements ?? [member.value]
            if answers.isEmpty {
                log.error(
                    .invalidValue, at: member.value.range.lowerBound, "the list of answers is empty",
                    hint: "an element an attempt, the last one also for all that follow")
            }
            for (index, answer) in answers.enumerated() {
                let isLast = index == answers.count - 1
                guard let (reply, delay) = self.answer(answer) else { continue }
                rules.append(.init(target, attempt: isLast ? nil : index + 1, reply: reply, delay: delay))
                prepared.append(
                    .init(
                        what: .answer(target, attempt: index + 1, isLast: isLast),
                        finding: log.finding(
                            .error, .neverUsed, at: answer.range.lowerBound,
                            "attempt \(index + 1) of \(target) was never made, and this answer never given")))
            }
        }
        return (rules, prepared)
    }

    private func answer(_ node: LocatedJSON) -> (SimulationScript.Reply, TimeSpan)? {
        guard let reader = ObjectReader(node, "an answer", keys: Self.answerKeys, log: log) else { return nil }
        let isLost = reader.bool("lost") ?? false
        let isTimeout = reader.bool("timeout") ?? false
        let status = reader.integer("status", Self.statuses)
        let error = self.error(reader)
        let delay = reader.duration("delay", zero: .isAllowed) ?? .zero
        let effect = reader.bool("effect")
        let ends = ["lost", "timeout", "status", "error", "output"].filter { key in
            key == "lost" ? isLost : key == "timeout" ? isTimeout : reader[key] != nil
        }
        let isRefusal = ends == ["status", "error"] && (status ?? 400) >= 300
        let isDone = ends == ["status", "output"] && (status ?? 200) < 300
        if ends.count > 1, !isRefusal, !isDone {
            conflict(reader, ends)
            return nil
        }
        if isTimeout, reader["delay"] != nil { conflict(reader, ["timeout", "delay"]) }
        if effect != nil, !isLost, !isTimeout {
            log.error(
                .conflictingKeys, at: reader.keyOffset("effect"), "`effect` says nothing here",
                hint: "it stands beside `lost` or `timeout`: whether the call has had its effect")
        }
        if isLost {
            guard effect == false, case .unknown(let refusal, _) = SimulationScript.Reply.lost else {
                return (.lost, delay)
            }
            return (.unknown(refusal, hasEffect: false), delay)
        }
        if isTimeout { return (.timeout(hasEffect: effect ?? false), .zero) }
        if let status, status >= 300 { return (.status(status, error: error), delay) }
        if let error { return (.init(failingWith: error), delay) }
        return (.done(output: reader["output"].map(file.raw)), delay)
    }

    private func conflict(_ reader: ObjectReader, _ keys: [String], of subject: String = "answer") {
        log.error(
            .conflictingKeys, at: reader.keyOffset(keys.last ?? ""),
            "\(keys.map { "`\($0)`" }.joined(separator: " and ")) can't be true of one \(subject)")
    }

    /// An error's name; the engine's own only if a simulated answer can bring it about.
    private func error(_ reader: ObjectReader) -> String? {
        guard let node = reader["error"], let text = log.string(node, "`error`") else { return nil }
        let isName = text.wholeMatch(of: #/[A-Za-z0-9._:-]{1,128}/#) != nil
        if !isName {
            log.error(
                .invalidName, at: node.range.lowerBound, "\(quoted(text)) can't be an error's name",
                hint: "1 to 128 letters, digits, and . _ : -")
        }
        let known = ["ConnectFailed", "ConnectionLost", "Timeout", "DaemonLost", "BadResponse"]
        if text.hasPrefix("Saga."), !text.hasPrefix("Saga.HTTP."), !known.contains(String(text.dropFirst(5))) {
            log.error(
                .invalidValue, at: node.range.lowerBound, "no answer brings about \(quoted(text))",
                hint: "of the engine's errors there are \(wordList(known.map { "Saga.\($0)" })) and Saga.HTTP.NNN")
        }
        return text
    }

    // MARK: Breakers and daemons

    func outages(_ node: LocatedJSON?) -> [SimulatedRun.Outage] {
        elements(node, "outages").compactMap { element in
            guard let reader = ObjectReader(element, "an outage", keys: Self.outageKeys, log: log) else { return nil }
            let from = time("from", reader) ?? .zero
            let until = reader.required("until").flatMap { _ in reader.duration("until") }
            guard let node = reader.required("service"), let name = log.string(node, "`service`") else { return nil }
            guard let service = definition.services.first(where: { $0.name == name }) else {
                log.error(
                    .unknownService, at: node.range.lowerBound,
                    "the saga \(quoted(definition.name)) has no service \(quoted(name))",
                    hint: log.nearest(name, among: definition.services.map(\.name)))
                return nil
            }
            if service.circuitBreaker == nil {
                log.error(
                    .invalidValue, at: node.range.lowerBound, "the service \(quoted(name)) has no circuit breaker")
            }
            guard let until else { return nil }
            if until <= from {
                log.error(.outOfRange, at: reader.keyOffset("until"), "the outage ends before it begins")
            }
            return .init(service, from: from, until: until)
        }
    }

    func crashes(_ node: LocatedJSON?) -> (points: [CrashPoint], prepared: [Scenario.Prepared]) {
        let found = elements(node, "crashes").compactMap { element -> (CrashPoint, Scenario.Prepared)? in
            guard let point = crash(element) else { return nil }
            let finding = log.finding(
                .error, .neverUsed, at: element.range.lowerBound, "the run never came to where this daemon dies")
            return (point, .init(what: .crash(point), finding: finding))
        }
        return (found.map(\.0), found.map(\.1))
    }

    static let crashKinds = ["beforeCall", "afterCall", "beforeCommit", "afterCommit"]
    static let crashKeys = crashKinds + ["attempt"]

    private func crash(_ element: LocatedJSON) -> CrashPoint? {
        guard let reader = ObjectReader(element, "a crash", keys: Self.crashKeys, log: log) else { return nil }
        let attempt = reader.integer("attempt", Self.attempts) ?? 1
        guard let kind = oneOf(Self.crashKinds, reader, "a crash") else { return nil }
        if kind.hasSuffix("Commit") {
            if reader["attempt"] != nil { conflict(reader, [kind, "attempt"], of: "crash") }
            guard let sequence = reader.integer(kind, Self.sequences) else { return nil }
            return kind == "beforeCommit" ? .beforeCommit(sequence: sequence) : .afterCommit(sequence: sequence)
        }
        guard let text = reader.string(kind), let node = reader[kind],
            let target = steps.callable(text, at: node.range.lowerBound)
        else { return nil }
        return kind == "beforeCall"
            ? .beforeCall(target, attempt: attempt) : .afterCall(target, attempt: attempt)
    }

    // MARK: Shapes

    /// A time after the start at which something happens.
    func time(_ key: String, _ reader: ObjectReader) -> TimeSpan? {
        guard let span = reader.duration(key, zero: .isAllowed) else { return nil }
        if span < Self.horizon { return span }
        log.error(
            .outOfRange, at: reader[key]?.range.lowerBound ?? 0, "`\(key)` must be less than \(Self.horizon.written)",
            hint: "a run is looked at for so long")
        return nil
    }

    func elements(_ node: LocatedJSON?, _ key: String) -> [LocatedJSON] {
        guard let node else { return [] }
        if node.elements == nil { log.wrongKind(node, "`\(key)`", expected: "an array") }
        return node.elements ?? []
    }

    /// The one of several keys that an object has.
    func oneOf(_ keys: [String], _ reader: ObjectReader, _ subject: String) -> String? {
        let found = keys.filter { reader[$0] != nil }
        if found.count == 1 { return found.first }
        if found.isEmpty {
            if !reader.hasUnknownKeys {
                log.error(
                    .missingKey, at: reader.node.range.lowerBound, "\(subject) has none of \(wordList(keys))")
            }
        } else {
            log.error(
                .conflictingKeys, at: reader.keyOffset(found[1]),
                "\(subject) has \(found.map { "`\($0)`" }.joined(separator: " and "))", hint: "make two of it")
        }
        return nil
    }
}

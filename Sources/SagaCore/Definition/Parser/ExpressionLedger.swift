import CEL
import JSON

/// Whose expression it is: what it may read follows from that.
enum ExpressionSite: Hashable {
    /// A step's `when` or its action, by the step's index.
    case action(Int)
    case compensation(Int)
    /// The `output` of the whole saga.
    case output
}

/// An expression, whose it is, and what its result becomes.
struct ExpressionUse {
    let site: ExpressionSite
    let expression: TemplateExpression
    /// Whether the result becomes text of a path, a query or a header, in which null has no place.
    let isText: Bool
}

/// Compiles a definition's expressions and keeps what each reads, to be checked once the steps' order is known.
final class ExpressionLedger {
    private var environment = CELEnvironment(
        variables: ["input": .dyn, "steps": .dyn, "saga": .dyn, "failure": .dyn])
    private let isTyped: Bool
    private let stepNames: [String]
    /// The steps as compensations see them, and as everything else does: there those that can be read have ended well.
    private var stepsGoingBack: CELRecord
    private var steps: CELRecord
    /// What the `when` of each step asks for, by `has(…)`: then the step's own expressions needn't.
    private var asked: [Int: [[String]]] = [:]
    private var missing: Set<MissingMember> = []
    private let log: FindingLog
    private(set) var uses: [ExpressionUse] = []

    private struct MissingMember: Hashable {
        let site: ExpressionSite
        let path: [String]
    }

    /// - Parameters:
    ///   - stepNames: all that `steps` states, for hints.
    ///   - input: the JSON Schema of the input.
    ///   - isTyped: whether expressions are checked against what is known of types.
    init(stepNames: [String], input: JSON?, isTyped: Bool, log: FindingLog) {
        self.stepNames = stepNames
        self.isTyped = isTyped
        self.log = log
        steps = CELRecord([:], rest: .unknown)
        stepsGoingBack = steps
        guard isTyped else { return }
        for name in stepNames { setOutput(.dyn, ofStep: name) }
        let saga = CELRecord(["id": .init(.string), "key": .init(.dyn), "name": .init(.string)], rest: .unknown)
        environment.variables["input"] = input.map { SchemaTypes.type(of: $0) } ?? .dyn
        environment.variables["saga"] = .record(saga)
    }

    private func setOutput(_ output: CELType, ofStep name: String) {
        steps.members[name] = Self.step(output: output, statuses: [.succeeded, .skipped])
        stepsGoingBack.members[name] = Self.step(output: output, statuses: StepStatus.allCases)
    }

    private static func step(output: CELType, statuses: [StepStatus]) -> CELRecord.Member {
        let members: [String: CELRecord.Member] = [
            "output": .init(output), "status": .init(.oneOf(statuses.map(\.rawValue))), "error": .init(.dyn),
        ]
        return CELRecord.Member(.record(CELRecord(members, rest: .unknown)))
    }

    /// What expressions at a place see.
    private func compiler(_ site: ExpressionSite) -> TemplateCompiler {
        if isTyped {
            if case .compensation = site {
                environment.variables["steps"] = .record(stepsGoingBack)
            } else {
                environment.variables["steps"] = .record(steps)
            }
        }
        return TemplateCompiler(environment: environment, stepNames: stepNames)
    }

    /// Takes note of what is known of a step's output, for the expressions that come after it in the file.
    func know(_ output: CELType, ofStep name: String) {
        guard isTyped, output != .dyn, !log.hasErrors, steps.members[name] != nil else { return }
        setOutput(output, ofStep: name)
    }

    /// A value that may hold expressions.
    func template(_ node: LocatedJSON, _ site: ExpressionSite) -> Template {
        var compiler = compiler(site)
        let template = compiler.compile(node)
        record(compiler, site)
        return template
    }

    /// A value that becomes text: a string, or a number or boolean written out; nil when it is anything else or faulty.
    func text(_ node: LocatedJSON, _ subject: String, _ site: ExpressionSite) -> Template? {
        switch node.kind {
        case .string, .number, .bool:
            var compiler = compiler(site)
            let template = compiler.compile(node)
            record(compiler, site, isText: true)
            return compiler.faults.isEmpty ? template : nil
        case .null, .array, .object:
            log.wrongKind(node, subject, expected: "a string")
            return nil
        }
    }

    /// The `when` of a step; nil when it is missing or faulty.
    func condition(_ node: LocatedJSON?, ofStep step: Int) -> CELProgram? {
        guard let node, log.string(node, "`when`") != nil else { return nil }
        var compiler = compiler(.action(step))
        let program = compiler.compileCondition(node)
        record(compiler, .action(step))
        guard isTyped, let program, let expression = compiler.expressions.first else { return program }
        asked[step] = program.presences
        if !program.resultType.canBeCondition {
            log.error(
                .invalidExpression,
                at: expression.place(program.source.utf8.prefix { $0 <= 0x20 }.count).offset,
                "`when` must be true, false or null, not \(program.resultType.name)"
            )
        }
        return program
    }

    private func record(_ compiler: TemplateCompiler, _ site: ExpressionSite, isText: Bool = false) {
        for fault in compiler.faults {
            if fault.code == .expressionInName {
                log.warning(fault.code, at: fault.place.offset, fault.message, hint: fault.hint)
            } else {
                log.error(fault.code, at: fault.place.offset, fault.message, hint: fault.hint)
            }
        }
        for doubt in compiler.doubts {
            log.warning(doubt.code, at: doubt.place.offset, doubt.message, hint: doubt.hint)
        }
        for expression in compiler.expressions {
            uses.append(ExpressionUse(site: site, expression: expression, isText: isText))
            for note in expression.program.notes { report(note, expression.place(note.offset), site) }
        }
    }
}

// MARK: - Notes

extension ExpressionLedger {
    private func report(_ note: CELNote, _ place: TemplatePlace, _ site: ExpressionSite) {
        switch note.kind {
        case .unknownMember(let name, let owner, let record): reportUnknown(name, of: owner, record, place)
        case .optionalMember(let path):
            guard !isAsked(path, site), missing.insert(MissingMember(site: site, path: path)).inserted else { return }
            let text = Self.text(of: path)
            log.warning(
                .mayBeMissing,
                at: place.offset,
                "\(quoted(text)) may be missing, and then the expression fails",
                hint: "put \(quoted(path.last ?? "")) into the schema's `required`, or ask has(\(text)) first"
            )
        case .neverEqual(let symbol, let left, let right):
            log.warning(
                .neverEqual,
                at: place.offset,
                symbol == "in"
                    ? "'in' looks for \(left) in \(right), where it never is"
                    : "'\(symbol)' compares \(left) and \(right), which are never equal: it is always \(symbol == "!=")",
                hint: Self.hint(left, right)
            )
        case .neverAmong(let text, let values):
            log.warning(
                .neverEqual,
                at: place.offset,
                "this is never \(quoted(text))",
                hint: hint(text, among: values, count: values.count)
            )
        }
    }

    private func reportUnknown(_ name: String, of owner: [String], _ record: CELRecord, _ place: TemplatePlace) {
        let title = owner.isEmpty ? "this object" : quoted(Self.text(of: owner))
        if record.rest == .closed {
            log.error(
                .unknownMember,
                at: place.offset,
                "\(title) has no \(quoted(name))",
                hint: hint(name, among: record.members.keys.sorted(), count: record.members.count)
            )
        } else {
            log.warning(
                .unknownInput,
                at: place.offset,
                "the input's schema states no \(quoted(name)) in \(title)",
                hint: log.nearest(name, among: record.members.keys.sorted()) ?? "state it under `properties`"
            )
        }
    }

    /// The nearest of some names, or all of them if they aren't too many.
    private func hint(_ name: String, among names: @autoclosure () -> [String], count: Int) -> String? {
        if let nearest = log.nearest(name, among: names()) { return nearest }
        return (1...12).contains(count) ? "there is \(wordList(names().map(quoted)))" : nil
    }

    private func isAsked(_ path: [String], _ site: ExpressionSite) -> Bool {
        switch site {
        case .action(let step), .compensation(let step): asked[step]?.contains(path) ?? false
        case .output: false
        }
    }

    private static func hint(_ left: String, _ right: String) -> String? {
        let pair: Set = [left, right]
        if pair.contains("null") { return "has(…) asks whether a member is there" }
        if pair.contains("string"), !pair.isDisjoint(with: ["int", "uint", "double", "number", "bool"]) {
            return "a text in quotes is a string, true, false and a number without them are not"
        }
        return nil
    }

    /// A path as an expression would write it.
    static func text(of path: [String]) -> String {
        path.dropFirst().reduce(path.first ?? "") { text, name in
            let isIdentifier =
                Names.isVariableName(Array(name.utf8)) && !["in", "true", "false", "null"].contains(name)
            return isIdentifier ? "\(text).\(name)" : "\(text)[\"\(name)\"]"
        }
    }
}

extension CELType {
    /// Whether `when` may have such a result.
    fileprivate var canBeCondition: Bool {
        switch self {
        case .dyn, .bool, .null: true
        default: false
        }
    }
}

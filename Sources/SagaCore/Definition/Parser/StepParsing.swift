import CEL
import JSON

/// One element of `steps` as it is stated, before the steps' order and `defaults` are applied.
struct StepDraft {
    enum Compensation {
        /// Nothing is stated.
        case missing
        /// `"none"`.
        case none
        case operation(OperationDraft)
    }

    /// nil when it is missing or can't be one.
    var name: String?
    /// What stands for the name, also if it can't be one.
    var statedName: String?
    /// Where to report what concerns the step as a whole.
    var offset: Int
    /// The names that it waits for; nil stands for the step before it in the file.
    var after: [(name: String, offset: Int)]?
    /// Whether nobody can tell what the step waits for, since its `after` is faulty.
    var hasFaultyAfter = false
    var when: CELProgram?
    var whenOffset = 0
    /// What `when` always comes to, if it reads nothing; null counts as false.
    var constantWhen: Bool?
    var action: OperationDraft?
    var compensation = Compensation.missing
    var compensationOffset = 0
    var compensateWhen: CompensateWhen?
    var isPivot = false
    var pivotOffset = 0

    /// For messages.
    var title: String { name.map { "the step `\($0)`" } ?? "this step" }
}

/// Reads the elements of `steps`.
struct StepParser {
    static let keys = [
        "name", "after", "when", "action", "compensation", "compensateWhen", "pivot", "description",
    ]
    /// As many steps as a definition may have.
    static let most = DefinitionLimits.steps.upperBound

    let log: FindingLog
    let ledger: ExpressionLedger
    var operations: OperationParser

    /// All steps; elements that are no objects keep their place.
    mutating func steps(_ node: LocatedJSON?) -> [StepDraft] {
        guard let node else { return [] }
        guard let elements = node.elements else {
            log.wrongKind(node, "`steps`", expected: "an array")
            return []
        }
        if elements.isEmpty { log.error(.noSteps, at: node.range.lowerBound, "a saga has at least one step") }
        if elements.count > Self.most {
            log.error(
                .tooManySteps,
                at: elements[Self.most].range.lowerBound,
                "a saga has at most \(Self.most) steps, this one has \(elements.count)"
            )
        }
        var drafts: [StepDraft] = []
        var names: Set<String> = []
        for (index, element) in elements.prefix(Self.most).enumerated() {
            let draft = step(element, index: index)
            if let name = draft.name, !names.insert(name).inserted {
                log.error(.duplicateStep, at: draft.offset, "there are two steps named `\(name)`")
            }
            drafts.append(draft)
        }
        return drafts
    }

    private mutating func step(_ node: LocatedJSON, index: Int) -> StepDraft {
        var draft = StepDraft(offset: node.range.lowerBound)
        guard let reader = ObjectReader(node, "a step", keys: Self.keys, log: log) else { return draft }
        if let name = reader.required("name") {
            draft.offset = name.range.lowerBound
            draft.name = log.name(name, "a step's name")
            draft.statedName = name.stringValue
        }
        _ = reader.string("description")
        draft.after = after(reader["after"])
        draft.hasFaultyAfter =
            reader["after"].map { $0.elements?.allSatisfy { $0.stringValue != nil } != true } ?? reader.isMeant("after")
        draft.when = ledger.condition(reader["when"], ofStep: index)
        draft.constantWhen = draft.when.flatMap(constant)
        draft.whenOffset = reader["when"]?.range.lowerBound ?? 0
        draft.action = reader["action"].map { operations.operation($0, "action", .action(index)) }
        if let node = reader["compensation"] {
            draft.compensation = compensation(node, index: index)
            draft.compensationOffset = reader.keyOffset("compensation")
        } else if reader.isMeant("compensation") {
            draft.compensation = .none
        }
        draft.compensateWhen = reader.choice("compensateWhen", CompensateWhen.self)
        // Written as a text it is a fault, but meant all the same: else the step would lack a compensation too.
        draft.isPivot = reader.bool("pivot") ?? (reader["pivot"]?.stringValue == "true")
        draft.pivotOffset = reader.keyOffset("pivot")
        if !reader.isMeant("action"), !reader.isMeant("compensation") {
            log.warning(
                .emptyStep,
                at: draft.offset,
                "\(draft.title) has neither an action nor a compensation: it does nothing"
            )
        }
        if let name = draft.name, draft.when == nil { ledger.know(outputType(draft), ofStep: name) }
        return draft
    }

    private func constant(_ when: CELProgram) -> Bool? {
        guard when.isConstant else { return nil }
        do throws(CELError) {
            switch try when.evaluateJSON(CELActivation()) {
            case .bool(let value): return value
            case .null: return false
            case .number, .string, .array, .object: return nil
            }
        } catch {
            return nil
        }
    }

    /// What is known of the output of a step that is never skipped.
    private func outputType(_ draft: StepDraft) -> CELType {
        guard let action = draft.action else { return .null }
        if case .pass(let template)? = action.kind { return template.type }
        return .dyn
    }

    private func after(_ node: LocatedJSON?) -> [(name: String, offset: Int)]? {
        guard let node else { return nil }
        guard let elements = node.elements else {
            let hint = node.stringValue.flatMap { Names.isName($0) ? "write [\"\($0)\"]" : nil }
            log.wrongKind(node, "`after`", expected: "an array of steps' names", hint: hint)
            return []
        }
        return elements.compactMap { element in
            log.string(element, "a step's name in `after`").map { ($0, element.range.lowerBound) }
        }
    }

    private mutating func compensation(_ node: LocatedJSON, index: Int) -> StepDraft.Compensation {
        guard let text = node.stringValue else {
            guard node.members != nil else {
                log.wrongKind(
                    node, "`compensation`", expected: "an object or \"none\"",
                    hint: "write \"none\" when the step needs no undo")
                return .none
            }
            return .operation(operations.operation(node, "compensation", .compensation(index)))
        }
        if text != "none" {
            log.error(
                .invalidValue,
                at: node.range.lowerBound,
                "\(quoted(text)) is not a compensation",
                hint: "write an object, or \"none\" when the step needs no undo"
            )
        }
        return .none
    }
}

/// What `defaults` states for the steps that state nothing themselves.
struct StepDefaults {
    static let keys = ["timeout", "retry", "compensateWhen", "compensation"]
    static let compensationKeys = ["timeout", "retry"]

    var timeout: TimeSpan?
    var retry: PartialRetry?
    var compensateWhen: CompensateWhen?
    var compensationTimeout: TimeSpan?
    var compensationRetry: PartialRetry?

    init(_ node: LocatedJSON?, log: FindingLog) {
        guard let node, let reader = ObjectReader(node, "`defaults`", keys: Self.keys, log: log) else { return }
        timeout = reader.duration("timeout")
        retry = PartialRetry(reader["retry"], log: log)
        compensateWhen = reader.choice("compensateWhen", CompensateWhen.self)
        PartialRetry.reportIntervals(retry, defaults: nil, log: log)
        guard let node = reader["compensation"],
            let compensation = ObjectReader(
                node,
                "`compensation` of `defaults`",
                keys: Self.compensationKeys,
                log: log
            )
        else { return }
        compensationTimeout = compensation.duration("timeout")
        compensationRetry = PartialRetry(compensation["retry"], log: log)
        PartialRetry.reportIntervals(compensationRetry, defaults: nil, log: log)
    }
}

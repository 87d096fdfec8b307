import CEL
import Crypto
import JSON
import JSONSchema

/// What came of reading a definition file.
public struct ParsedDefinition: Sendable {
    /// nil when there is any error among the findings.
    public let definition: Definition?
    /// By place.
    public let findings: [Finding]
    /// The saga's name, if it can be told, also from a faulty file.
    public let name: String?
    /// Where the name stands.
    let namePlace: (line: Int, column: Int)
}

/// Reads and checks definition files: everything about a file that can be known without the others.
///
/// No bytes trap it, and all faults of a file come in one run. After a fault of the JSON itself there is only that one.
public enum DefinitionParser {
    /// The size of a file at most.
    public static let maximumBytes = 1 << 20

    static let keys = [
        "$schema", "saga", "description", "input", "deadline", "defaults", "services", "steps",
        "onCompensationFailure", "output",
    ]

    /// How much is checked.
    public enum Checks: Sendable, Hashable {
        /// Everything: for files that people write.
        case all
        /// Only what a definition needs to be run, without checks by types, and with the one warning that its input's
        /// schema can't be enforced: for those that were registered, perhaps by an older program, and must stay
        /// readable however strict this one has become.
        case stored
    }

    /// Reads one file.
    /// - Parameters:
    ///   - file: what findings call it.
    ///   - checks: how much is checked; all of it, unless the definition is a registered one.
    public static func parse(_ bytes: [UInt8], file: String? = nil, checks: Checks = .all) -> ParsedDefinition {
        let (text, log) = LocatedFile.open(bytes, file: file, subject: "a definition", keys: "`saga` and `steps`")
        guard let root = text?.root else {
            return ParsedDefinition(definition: nil, findings: log.findings, name: nil, namePlace: (1, 1))
        }
        let (definition, name) = read(root, checks, log)
        return ParsedDefinition(
            definition: log.hasErrors ? nil : definition,
            findings: checks == .all ? log.findings : log.findings.filter(Self.mattersWhenStored),
            name: name,
            namePlace: log.place(at: root["saga"]?.range.lowerBound ?? 0)
        )
    }

    private static func mattersWhenStored(_ finding: Finding) -> Bool {
        finding.severity == .error || finding.code == Finding.Code.invalidSchema.rawValue
    }

    private static func read(
        _ root: LocatedJSON,
        _ checks: Checks,
        _ log: FindingLog
    ) -> (definition: Definition?, name: String?) {
        guard let reader = ObjectReader(root, "a definition", keys: keys, log: log) else { return (nil, nil) }
        let name = reader.required("saga", hint: "the saga's name").flatMap { log.name($0, "a saga's name") }
        _ = reader.string("$schema")
        let description = reader.string("description")
        let input = inputSchema(reader, checks)
        let deadline = reader.duration("deadline")
        let policy = reader.choice("onCompensationFailure", CompensationFailurePolicy.self) ?? .halt
        let defaults = StepDefaults(reader["defaults"], log: log)

        let stepNames = (reader["steps"]?.elements ?? []).prefix(StepParser.most).compactMap { $0["name"]?.stringValue }
        let ledger = ExpressionLedger(stepNames: stepNames, input: input?.json, isTyped: checks == .all, log: log)
        let operations = OperationParser(
            services: ServiceTable(reader["services"], log: log),
            ledger: ledger,
            log: log
        )
        var parser = StepParser(log: log, ledger: ledger, operations: operations)
        let drafts = parser.steps(reader.required("steps"))
        let output = reader["output"].map { ledger.template($0, .output) }

        let isWhole = reader["steps"]?.elements?.count == drafts.count
        let order = GraphChecks(steps: drafts, log: log)
        let pivot = order.pivot()
        // With steps left out their names would be unknown: one fault is enough.
        let graph = isWhole ? order.graph() : nil
        if isWhole {
            order.check(graph, pivot: pivot)
            ReferenceChecks(steps: drafts, indices: order.indices, graph: graph, log: log).check(ledger.uses)
        }
        let assembly = StepAssembly(drafts: drafts, defaults: defaults, graph: graph, pivot: pivot, log: log)
        let steps = assembly.steps()
        guard let name, let graph, !log.hasErrors else { return (nil, name) }
        if checks == .all {
            UseChecks(drafts: drafts, steps: steps, graph: graph, pivot: pivot, log: log)
                .check(parser.operations.services)
            NullChecks(drafts: drafts, steps: steps, indices: order.indices, log: log).check(ledger.uses)
            TimeChecks(
                drafts: drafts,
                steps: steps,
                graph: graph,
                pivot: pivot,
                deadline: deadline,
                deadlineOffset: reader["deadline"]?.range.lowerBound ?? 0,
                log: log
            ).check()
        }
        let definition = Definition(
            name: name,
            description: description,
            digest: Digest(of: root.json),
            inputSchema: input,
            deadline: deadline,
            services: parser.operations.services.services,
            steps: steps,
            graph: graph,
            onCompensationFailure: policy,
            output: output
        )
        return (definition, name)
    }

    /// The schema of the input, with its faults reported; of a stored definition as far as it can be enforced.
    private static func inputSchema(_ reader: ObjectReader, _ checks: Checks) -> InputSchema? {
        guard let node = reader["input"] else { return nil }
        switch node.kind {
        case .object, .bool: break
        case .null, .number, .string, .array:
            reader.log.wrongKind(node, "`input`", expected: "a JSON Schema (an object, true or false)")
            return nil
        }
        let json = node.json
        let (schema, faults) = JSONSchema.compile(json)
        if checks == .stored {
            let enforced = schema.map { InputSchema(json, $0) } ?? InputSchema(json)
            if enforced == nil, let fault = faults.first {
                let message = "inputs aren't checked, since the schema can't be enforced: \(fault.message)"
                reader.log.warning(.invalidSchema, at: node.range.lowerBound, message, hint: fault.hint)
            }
            return enforced
        }
        for fault in faults {
            let name = fault.isAboutName ? node.keyRange(at: fault.pointer) : nil
            reader.log.error(
                .invalidSchema,
                at: (name ?? node[fault.pointer]?.range ?? node.range).lowerBound,
                "`input`: \(fault.message)",
                hint: fault.hint
            )
        }
        return schema.map { InputSchema(json, $0) }
    }
}

extension Digest {
    /// The digest of a definition: RFC 8785's canonical form with numbers as they were written.
    public init(of definition: JSON) {
        var hash = SHA256()
        definition.canonical(numbers: .asWritten).withUnsafeBytes { hash.update(bufferPointer: $0) }
        self.init(bytes: Array(hash.finalize()))
    }
}

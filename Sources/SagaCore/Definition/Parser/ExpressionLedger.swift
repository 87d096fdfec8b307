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

/// Compiles a definition's expressions and keeps what each reads, to be checked once the steps' order is known.
final class ExpressionLedger {
    private let environment = CELEnvironment(
        variables: ["input": .dyn, "steps": .dyn, "saga": .dyn, "failure": .dyn])
    private let stepNames: [String]
    private let log: FindingLog
    private(set) var uses: [(site: ExpressionSite, reference: TemplateReference)] = []

    /// - Parameter stepNames: all that `steps` states, for hints.
    init(stepNames: [String], log: FindingLog) {
        self.stepNames = stepNames
        self.log = log
    }

    /// A value that may hold expressions.
    func template(_ node: LocatedJSON, _ site: ExpressionSite) -> Template {
        var compiler = TemplateCompiler(environment: environment, stepNames: stepNames)
        let template = compiler.compile(node)
        record(compiler, site)
        return template
    }

    /// A value that becomes text: a string, or a number or boolean written out; nil when it is anything else or faulty.
    func text(_ node: LocatedJSON, _ subject: String, _ site: ExpressionSite) -> Template? {
        switch node.kind {
        case .string, .number, .bool:
            var compiler = TemplateCompiler(environment: environment, stepNames: stepNames)
            let template = compiler.compile(node)
            record(compiler, site)
            return compiler.faults.isEmpty ? template : nil
        case .null, .array, .object:
            log.wrongKind(node, subject, expected: "a string")
            return nil
        }
    }

    /// A condition; nil when it is missing or faulty.
    func condition(_ node: LocatedJSON?, _ subject: String, _ site: ExpressionSite) -> CELProgram? {
        guard let node, log.string(node, subject) != nil else { return nil }
        var compiler = TemplateCompiler(environment: environment, stepNames: stepNames)
        let program = compiler.compileCondition(node)
        record(compiler, site)
        return program
    }

    private func record(_ compiler: TemplateCompiler, _ site: ExpressionSite) {
        for fault in compiler.faults {
            if fault.code == .expressionInName {
                log.warning(fault.code, at: fault.place.offset, fault.message, hint: fault.hint)
            } else {
                log.error(fault.code, at: fault.place.offset, fault.message, hint: fault.hint)
            }
        }
        uses += compiler.references.map { (site, $0) }
    }
}

import CEL
import JSON

/// Checks what expressions read against the steps and their order.
struct ReferenceChecks {
    let steps: [StepDraft]
    let indices: [String: Int]
    /// nil when the order is faulty; then only names are checked.
    let graph: StepGraph?
    let log: FindingLog

    private static let members = [
        "steps": ["output", "status", "error"], "saga": ["id", "key", "name"],
        "failure": ["step", "error", "message"],
    ]

    /// A path that an expression reads, and where its parts stand.
    private struct Reference {
        let expression: TemplateExpression
        let read: CELReference

        var path: [String] { read.path }

        func offset(_ part: Int) -> Int { expression.place(of: part, in: read).offset }
    }

    func check(_ uses: [ExpressionUse]) {
        for use in uses {
            for read in use.expression.program.references {
                check(Reference(expression: use.expression, read: read), use.site)
            }
        }
    }

    private func check(_ reference: Reference, _ site: ExpressionSite) {
        switch reference.path.first {
        case "steps": checkStep(reference, site)
        case "failure":
            if case .action = site {
                log.error(
                    .failureOutOfScope,
                    at: reference.offset(0),
                    "`failure` is not known in an action",
                    hint: "it is in compensations and in the saga's `output`"
                )
            } else {
                checkMember(of: "failure", reference, at: 1)
            }
        case "saga": checkMember(of: "saga", reference, at: 1)
        default: break
        }
    }

    private func checkMember(of variable: String, _ reference: Reference, at position: Int) {
        guard reference.path.count > position, let known = Self.members[variable] else { return }
        let member = reference.path[position]
        guard !known.contains(member) else { return }
        let owner = variable == "steps" ? "a step" : "`\(variable)`"
        log.error(
            .unknownMember,
            at: reference.offset(position),
            "\(owner) has no \(quoted(member))",
            hint: NearestName.hint(member, among: known) ?? "it has \(wordList(known.map { "`\($0)`" }))"
        )
    }

    private func checkStep(_ reference: Reference, _ site: ExpressionSite) {
        guard reference.path.count > 1 else {
            log.error(
                .dynamicStep,
                at: reference.offset(0),
                "`steps` must be followed by the name of a step",
                hint: "such as steps.NAME.output or steps[\"NAME\"].output"
            )
            return
        }
        let name = reference.path[1]
        guard let index = indices[name] else {
            // The step is there: its name is the fault.
            if steps.contains(where: { $0.name == nil && $0.statedName == name }) { return }
            log.error(
                .unknownStep,
                at: reference.offset(1),
                "there is no step \(quoted(name))",
                hint: log.nearest(name, among: steps.compactMap(\.name))
            )
            return
        }
        checkOrder(of: name, index, reference, site)
        checkMember(of: "steps", reference, at: 2)
    }

    private func checkOrder(of name: String, _ index: Int, _ reference: Reference, _ site: ExpressionSite) {
        let reader: Int
        switch site {
        case .output: return
        case .compensation(let step):
            if step == index { return }
            reader = step
        case .action(let step):
            if step == index {
                log.error(
                    .stepNotBefore,
                    at: reference.offset(1),
                    "\(steps[step].title) can't read its own result before it has run",
                    hint: "its compensation can"
                )
                return
            }
            reader = step
        }
        guard let graph, !graph.ancestors[reader].contains(index) else { return }
        let relation =
            graph.descendants[reader].contains(index)
            ? "comes after \(steps[reader].title)" : "runs beside \(steps[reader].title)"
        log.error(
            .stepNotBefore,
            at: reference.offset(1),
            "the step `\(name)` \(relation) and may not have run",
            hint: graph.descendants[reader].contains(index) ? nil : "name it in `after`"
        )
    }
}

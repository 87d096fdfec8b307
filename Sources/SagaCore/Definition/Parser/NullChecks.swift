import CEL

/// Finds expressions that read the output of a step which may have none, where that does harm.
///
/// Going forward the output of a skipped step is null, and reading below null fails. In a compensation everything below
/// the output of a step that isn't done is null: a member of the `body` may be, since the participant then goes by
/// `Saga-Compensates`, but a path, query or header would hold the text "null", and operators and functions fail on it.
struct NullChecks {
    let drafts: [StepDraft]
    let steps: [Step]
    let indices: [String: Int]
    let log: FindingLog

    func check(_ uses: [ExpressionUse]) {
        var warned: Set<Int> = []
        for use in uses {
            switch use.site {
            case .action(let reader): checkForward(use, reader: reader)
            case .output: checkForward(use, reader: nil)
            case .compensation(let reader):
                // One in a compensation is enough: whoever mends it looks at the others.
                if !warned.contains(reader), checkBack(use, reader: reader) { warned.insert(reader) }
            }
        }
    }

    // MARK: Forward

    /// - Parameter reader: nil for the saga's `output`.
    private func checkForward(_ use: ExpressionUse, reader: Int?) {
        var reported: Set<Int> = []
        for reference in use.expression.program.references {
            guard let step = step(whoseOutput: reference), maySkip(step), harmsForward(reference, use),
                !asks(use, of: step, by: [.comparison]), !reported.contains(step)
            else { continue }
            if let reader, runsOnlyIf(reader, step) { continue }
            if choosesBy(use, step) { continue }
            if let reader, asks(reader, of: step) { continue }
            reported.insert(step)
            let path = ExpressionLedger.text(of: ["steps", steps[step].name])
            log.warning(
                .mayBeSkipped,
                at: use.expression.place(of: 1, in: reference).offset,
                "the step `\(steps[step].name)` may be skipped; its output is then null"
                    + (isBelow(reference) || reference.use == .operand ? ", and this fails" : ", and so is this text"),
                hint: "ask first: \(path).status == 'succeeded' ? … : …"
                    + (reader == nil ? "" : "; or give this step the same `when`")
            )
        }
    }

    private func harmsForward(_ reference: CELReference, _ use: ExpressionUse) -> Bool {
        if reference.path.count == 3, !reference.isClosed { return reference.use == .operand || isText(reference, use) }
        return true
    }

    // MARK: Back

    /// - Returns: whether there was something to report.
    private func checkBack(_ use: ExpressionUse, reader: Int) -> Bool {
        for reference in use.expression.program.references {
            guard let step = step(whoseOutput: reference),
                reference.use == .operand || isText(reference, use),
                let reason = reasonForNoOutput(of: step, whenUndoing: reader),
                !asks(use, of: step, by: [.comparison, .presence], isOwn: step == reader)
            else { continue }
            let path = ExpressionLedger.text(of: ["steps", steps[step].name, "output"])
            log.warning(
                .mayBeNull,
                at: use.expression.place(of: 1, in: reference).offset,
                "may be null: the step `\(steps[step].name)` \(reason), and then has no output",
                hint: "ask first: \(path) != null ? … : …; as a plain member of the `body` null may be sent, the "
                    + "participant then goes by Saga-Compensates"
            )
            return true
        }
        return false
    }

    /// Why a step may have no output when another, or it itself, is undone; nil when it has one.
    private func reasonForNoOutput(of step: Int, whenUndoing reader: Int) -> String? {
        guard step == reader else {
            return maySkip(step) && !runsOnlyIf(reader, step) && !asks(reader, of: step) ? "may have been skipped" : nil
        }
        switch (steps[step].action?.kind, steps[step].compensateWhen) {
        case (nil, _), (.pass, _), (_, .succeeded): return nil
        case (_, .uncertain): return "may be in doubt"
        case (_, .attempted): return "may be in doubt or have failed"
        }
    }

    // MARK: Parts

    /// The step whose output, or something below it, is read; asking for it is no reading.
    private func step(whoseOutput reference: CELReference) -> Int? {
        guard reference.path.count >= 3, reference.path[0] == "steps", reference.path[2] == "output" else { return nil }
        return indices[reference.path[1]]
    }

    private func isBelow(_ reference: CELReference) -> Bool { reference.path.count > 3 || reference.isClosed }

    /// Whether what is read becomes text as it is.
    private func isText(_ reference: CELReference, _ use: ExpressionUse) -> Bool {
        use.isText && reference.use == .value
    }

    private func maySkip(_ step: Int) -> Bool { steps[step].when != nil && drafts[step].constantWhen != true }

    /// Whether an expression looks at the step's status, or at its output by one of these uses, so that it can do
    /// without.
    private func asks(
        _ use: ExpressionUse,
        of step: Int,
        by kinds: Set<CELReference.Use>,
        isOwn: Bool = false
    ) -> Bool {
        asks(use.expression.program, of: step, by: kinds, isOwn: isOwn)
    }

    private func asks(_ reader: Int, of step: Int) -> Bool {
        steps[reader].when.map { asks($0, of: step, by: [.comparison], isOwn: false) } ?? false
    }

    private func asks(_ program: CELProgram, of step: Int, by kinds: Set<CELReference.Use>, isOwn: Bool) -> Bool {
        program.references.contains { reference in
            guard reference.path.count >= 3, reference.path[0] == "steps", reference.path[1] == steps[step].name else {
                return false
            }
            // While a step is undone its own status is that of its compensation.
            if reference.path[2] == "status" { return !isOwn }
            guard reference.path[2] == "output" else { return false }
            // Below null nothing can be compared without failing, but going back null has null below it.
            return kinds.contains(reference.use) && (kinds.contains(.presence) || !isBelow(reference))
        }
    }

    /// Whether a step runs only when the other does: its `when` has all the conditions of the other's.
    private func runsOnlyIf(_ step: Int, _ other: Int) -> Bool {
        guard let own = steps[step].when?.source, let wanted = steps[other].when?.source else { return false }
        if trimmed(own) == trimmed(wanted) { return true }
        guard !own.contains("||"), !wanted.contains("||"), !own.contains("?"), !wanted.contains("?") else {
            return false
        }
        return conditions(wanted).isSubset(of: conditions(own))
    }

    /// Whether an expression chooses by what decides if the step runs: by its `when`, as in `A ? steps.a… : steps.b…` with
    /// the conditions `A` and `!A`, or by the status or output of the step that runs when it doesn't.
    private func choosesBy(_ use: ExpressionUse, _ step: Int) -> Bool {
        guard let wanted = steps[step].when?.source else { return false }
        let source = trimmed(use.expression.program.source)
        guard source.contains("?") else { return false }
        let decisive = withoutNot(wanted)
        if let question = source.split(separator: "?", maxSplits: 1).first, withoutNot(String(question)) == decisive {
            return true
        }
        return steps.indices.contains { other in
            guard other != step, let when = steps[other].when?.source, trimmed(when) != trimmed(wanted),
                withoutNot(when) == decisive
            else { return false }
            return asks(use, of: other, by: [.comparison])
        }
    }

    /// A condition without the `!` in front of the whole of it, and without parentheses around it.
    private func withoutNot(_ source: String) -> String {
        let text = trimmed(source)
        let rest = text.hasPrefix("!") ? text.dropFirst() : text[...]
        let inner = rest.dropFirst().dropLast()
        if rest.hasPrefix("("), rest.hasSuffix(")"), !inner.contains(where: { $0 == "(" || $0 == ")" }) {
            return String(inner)
        }
        // In `!a && b` the `!` is only for `a`.
        return rest.contains(" ") || rest.contains("&") || rest.contains("|") ? text : String(rest)
    }

    private func conditions(_ source: String) -> Set<String> {
        Set(source.split(separator: "&&", omittingEmptySubsequences: false).map { trimmed(String($0)) })
    }

    private func trimmed(_ text: String) -> String { text.split(whereSeparator: \.isWhitespace).joined(separator: " ") }
}

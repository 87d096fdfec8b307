/// A step as the pictures of a definition show it, whatever they are drawn in.
struct DrawnStep: Sendable, Hashable {
    let action: DrawnOperation
    /// nil where nothing can be undone: `"none"`, no compensation, or the pivot.
    let compensation: DrawnOperation?
    /// The condition as it was written.
    let when: String?
    let isPivot: Bool

    /// All steps of a definition, in the order of the file.
    ///
    /// - Parameter state: of a saga that runs on this definition; nil shows the definition alone.
    static func all(of definition: Definition, state: SagaState?) -> [DrawnStep] {
        definition.steps.enumerated().map { index, step in
            DrawnStep(
                action: DrawnOperation(actionOf: index, step, state: state),
                compensation: step.compensation == nil || step.isPivot
                    ? nil : DrawnOperation(compensationOf: index, step, in: definition, state: state),
                when: step.when?.source, isPivot: step.isPivot)
        }
    }
}

/// A step's action or compensation as pictures show it.
struct DrawnOperation: Sendable, Hashable {
    let name: String
    /// Its status in words, with the attempts where there was more than one; nil without a saga, and for a
    /// compensation that isn't called for.
    let note: String?
    /// The name of the last error: a participant's own, so it may hold anything.
    let error: String?
    let style: DrawnStyle?

    fileprivate init(actionOf index: Int, _ step: Step, state: SagaState?) {
        name = step.name
        guard let state, state.steps.indices.contains(index) else {
            (note, error, style) = (nil, nil, nil)
            return
        }
        let action = state.steps[index].action
        note = Self.note(state.status(ofStep: index).rawValue, attempts: action.attempts)
        error = action.phase == .succeeded ? nil : action.error
        style = DrawnStyle(step: index, state)
    }

    fileprivate init(compensationOf index: Int, _ step: Step, in definition: Definition, state: SagaState?) {
        name = "undo \(step.name)"
        guard let state, let status = state.compensationStatus(ofStep: index, in: definition) else {
            (note, error, style) = (nil, nil, nil)
            return
        }
        let compensation = state.steps[index].compensation
        note = Self.note(status.rawValue, attempts: compensation.attempts)
        error = compensation.error
        style = DrawnStyle(status)
    }

    private static func note(_ status: String, attempts: Int) -> String {
        let words = status.split(separator: "_").joined(separator: " ")
        return attempts > 1 ? "\(words), \(attempts) attempts" : words
    }
}

/// How an operation is coloured, by what became of it.
enum DrawnStyle: String, CaseIterable, Sendable, Hashable {
    case active, done, failed, inDoubt, compensated, skipped

    /// Colours on a light background, as CSS writes them.
    ///
    /// Text on fill has a contrast of at least 4.5 (WCAG 2.2, AA).
    var colours: (fill: String, stroke: String, text: String) {
        switch self {
        case .active: ("#cfe2ff", "#0d6efd", "#052c65")
        case .done: ("#d1e7dd", "#198754", "#0a3622")
        case .failed: ("#f8d7da", "#dc3545", "#58151c")
        case .inDoubt: ("#fff3cd", "#fd7e14", "#664d03")
        case .compensated: ("#e2d9f3", "#6f42c1", "#2c1a4d")
        case .skipped: ("#f8f9fa", "#adb5bd", "#5c636a")
        }
    }

    /// nil for an action that nothing became of yet.
    fileprivate init?(step index: Int, _ state: SagaState) {
        switch state.status(ofStep: index) {
        case .pending: return nil
        case .running, .backoff, .deferred: self = .active
        case .succeeded: self = .done
        case .failed: self = .failed
        case .inDoubt: self = .inDoubt
        case .skipped: self = .skipped
        case .compensated: self = .compensated
        // What the action came to; its compensation's own node tells the rest.
        case .compensating, .compensationFailed:
            switch state.steps[index].outcome {
            case .done, nil: self = .done
            case .failed: self = .failed
            case .unknown: self = .inDoubt
            }
        }
    }

    fileprivate init?(_ status: CompensationStatus) {
        switch status {
        case .pending: return nil
        case .running, .backoff, .deferred: self = .active
        case .succeeded: self = .done
        case .failed: self = .failed
        }
    }
}

/// The graph of a definition as a Mermaid flowchart, plain or coloured by what became of one saga.
public struct MermaidGraph: Sendable {
    private let definition: Definition
    private let state: SagaState?

    /// - Parameter state: of a saga that runs on this definition; nil draws the definition alone.
    public init(_ definition: Definition, state: SagaState? = nil) {
        self.definition = definition
        self.state = state
    }

    /// The flowchart's text, a statement a line, without newline at the end.
    ///
    /// Steps are nodes `s0`, `s1` and so on in file order (the pivot a double frame, one with a condition a
    /// hexagon); the compensation of step N is `cN`, reached by a dashed edge.
    public var text: String {
        var lines = ["flowchart TD"]
        for index in definition.steps.indices { lines.append("    " + node(index)) }
        for index in definition.steps.indices where hasCompensation(index) {
            lines.append("    c\(index)([\"\(compensationLabel(index))\"])")
        }
        for index in definition.steps.indices {
            for before in definition.graph.predecessors[index] { lines.append("    s\(before) --> s\(index)") }
        }
        for index in definition.steps.indices where hasCompensation(index) {
            lines.append("    s\(index) -. undo .-> c\(index)")
        }
        lines += Style.allCases.compactMap(classLine)
        return lines.joined(separator: "\n")
    }

    // MARK: Nodes

    private func node(_ index: Int) -> String {
        let step = definition.steps[index]
        let label = "\"\(stepLabel(index))\""
        if step.isPivot { return "s\(index)[[\(label)]]" }
        return step.when == nil ? "s\(index)[\(label)]" : "s\(index){{\(label)}}"
    }

    private func stepLabel(_ index: Int) -> String {
        let name = definition.steps[index].name
        guard let state, state.steps.indices.contains(index) else { return name }
        let step = state.steps[index]
        var label = "\(name)<br/>\(words(state.status(ofStep: index).rawValue))"
        if step.action.attempts > 1 { label += ", \(step.action.attempts) attempts" }
        if step.action.phase != .succeeded, let error = step.action.error { label += "<br/>\(escaped(error))" }
        return label
    }

    private func compensationLabel(_ index: Int) -> String {
        let name = "undo \(definition.steps[index].name)"
        guard let state, let status = state.compensationStatus(ofStep: index, in: definition) else { return name }
        let compensation = state.steps[index].compensation
        var label = "\(name)<br/>\(status.rawValue)"
        if compensation.attempts > 1 { label += ", \(compensation.attempts) attempts" }
        if let error = compensation.error { label += "<br/>\(escaped(error))" }
        return label
    }

    private func hasCompensation(_ index: Int) -> Bool {
        definition.steps[index].compensation != nil && !definition.steps[index].isPivot
    }

    private func words(_ status: String) -> String { status.split(separator: "_").joined(separator: " ") }

    /// Names of errors come from participants: whatever could end the label or become markup is written as Mermaid's
    /// entity.
    private func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "a"..."z", "A"..."Z", "0"..."9", "_", "-", ".", " ", ":": result.unicodeScalars.append(scalar)
            default: result += "#\(scalar.value);"
            }
        }
        return result
    }

    // MARK: Classes

    /// How a node is drawn, by what became of it.
    private enum Style: String, CaseIterable {
        case pivot, active, done, failed, inDoubt, compensated, skipped

        var definition: String {
            switch self {
            case .pivot: "stroke-width:4px"
            case .active: "fill:#cfe2ff,stroke:#0d6efd,color:#052c65"
            case .done: "fill:#d1e7dd,stroke:#198754,color:#0a3622"
            case .failed: "fill:#f8d7da,stroke:#dc3545,color:#58151c"
            case .inDoubt: "fill:#fff3cd,stroke:#fd7e14,color:#664d03"
            case .compensated: "fill:#e2d9f3,stroke:#6f42c1,color:#2c1a4d"
            case .skipped: "fill:#f8f9fa,stroke:#adb5bd,color:#6c757d,stroke-dasharray:4 3"
            }
        }
    }

    /// The class and the nodes that have it; nil for one without nodes.
    private func classLine(_ style: Style) -> String? {
        var nodes: [String] = []
        for index in definition.steps.indices where has(style, step: index) { nodes.append("s\(index)") }
        for index in definition.steps.indices where hasCompensation(index) && has(style, compensation: index) {
            nodes.append("c\(index)")
        }
        if nodes.isEmpty { return nil }
        return
            "    classDef \(style.rawValue) \(style.definition)\n"
            + "    class \(nodes.joined(separator: ",")) \(style.rawValue)"
    }

    private func has(_ style: Style, step index: Int) -> Bool {
        if style == .pivot { return definition.steps[index].isPivot }
        guard let state else { return false }
        switch state.status(ofStep: index) {
        case .pending: return false
        case .running, .backoff, .deferred: return style == .active
        case .succeeded: return style == .done
        case .failed: return style == .failed
        case .inDoubt: return style == .inDoubt
        case .skipped: return style == .skipped
        case .compensated: return style == .compensated
        // What the action came to; its compensation's own node tells the rest.
        case .compensating, .compensationFailed:
            switch state.steps[index].outcome {
            case .done, nil: return style == .done
            case .failed: return style == .failed
            case .unknown: return style == .inDoubt
            }
        }
    }

    private func has(_ style: Style, compensation index: Int) -> Bool {
        switch state?.compensationStatus(ofStep: index, in: definition) {
        case nil, .pending: false
        case .running, .backoff, .deferred: style == .active
        case .succeeded: style == .done
        case .failed: style == .failed
        }
    }
}

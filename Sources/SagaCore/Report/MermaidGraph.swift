/// The graph of a definition as a Mermaid flowchart, plain or coloured by what became of one saga.
public struct MermaidGraph: Sendable {
    private let steps: [DrawnStep]
    private let graph: StepGraph

    /// - Parameter state: of a saga that runs on this definition; nil draws the definition alone.
    public init(_ definition: Definition, state: SagaState? = nil) {
        steps = DrawnStep.all(of: definition, state: state)
        graph = definition.graph
    }

    /// The flowchart's text, a statement a line, without newline at the end.
    ///
    /// Steps are nodes `s0`, `s1` and so on in file order (the pivot a double frame, one with a condition a
    /// hexagon); the compensation of step N is `cN`, reached by a dashed edge.
    public var text: String {
        var lines = ["flowchart TD"]
        for index in steps.indices { lines.append("    " + node(index)) }
        for (index, step) in steps.enumerated() {
            if let compensation = step.compensation { lines.append("    c\(index)([\"\(label(compensation))\"])") }
        }
        for index in steps.indices {
            for before in graph.predecessors[index] { lines.append("    s\(before) --> s\(index)") }
        }
        for (index, step) in steps.enumerated() where step.compensation != nil {
            lines.append("    s\(index) -. undo .-> c\(index)")
        }
        let pivots = steps.indices.filter { steps[$0].isPivot }.map { "s\($0)" }
        lines += classLines("pivot", "stroke-width:4px", nodes: pivots)
        for style in DrawnStyle.allCases {
            lines += classLines(style.rawValue, definition(of: style), nodes: nodes(style))
        }
        return lines.joined(separator: "\n")
    }

    // MARK: Nodes

    private func node(_ index: Int) -> String {
        let step = steps[index]
        let label = "\"\(label(step.action))\""
        if step.isPivot { return "s\(index)[[\(label)]]" }
        return step.when == nil ? "s\(index)[\(label)]" : "s\(index){{\(label)}}"
    }

    private func label(_ operation: DrawnOperation) -> String {
        var label = operation.name
        if let note = operation.note { label += "<br/>\(note)" }
        if let error = operation.error { label += "<br/>\(escaped(error))" }
        return label
    }

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

    private func definition(of style: DrawnStyle) -> String {
        let colours = style.colours
        let definition = "fill:\(colours.fill),stroke:\(colours.stroke),color:\(colours.text)"
        return style == .skipped ? definition + ",stroke-dasharray:4 3" : definition
    }

    private func nodes(_ style: DrawnStyle) -> [String] {
        steps.indices.filter { steps[$0].action.style == style }.map { "s\($0)" }
            + steps.indices.filter { steps[$0].compensation?.style == style }.map { "c\($0)" }
    }

    /// The class and the nodes that have it; none for one without nodes.
    private func classLines(_ name: String, _ definition: String, nodes: [String]) -> [String] {
        nodes.isEmpty
            ? [] : ["    classDef \(name) \(definition)", "    class \(nodes.joined(separator: ",")) \(name)"]
    }
}

/// The graph of a definition as a self-contained SVG 1.1 file, plain or coloured by what became of one saga.
///
/// Solid lines are the way forward, from above to below; dashed ones the way back, beside it and the other way round:
/// from each step to its compensation, and on to those of the steps before it. The same graph gives the same bytes.
public struct SVGGraph: Sendable {
    private let name: String
    private let subtitle: String
    private let summary: String?
    private let steps: [DrawnStep]
    private let graph: StepGraph
    private let pivot: Int?
    private let isSaga: Bool

    /// - Parameter state: of a saga that runs on this definition; nil draws the definition alone.
    public init(_ definition: Definition, state: SagaState? = nil) {
        name = definition.name
        summary = definition.description
        steps = DrawnStep.all(of: definition, state: state)
        graph = definition.graph
        pivot = definition.pivot
        isSaga = state != nil
        let version = "version \(definition.digest.version)"
        if let state {
            let key = state.key.map { ", key \($0)" } ?? ""
            subtitle = "\(state.status.name)\(key), \(state.id), \(version)"
        } else {
            subtitle = "\(version), \(steps.count) \(steps.count == 1 ? "step" : "steps")"
        }
    }

    private static let margin = 28
    private static let leastWidth = 600
    /// Steps in a row before it is broken.
    private static let stepsInRow = 12

    /// The file's text, without newline at the end.
    public var text: String {
        let sides = steps.indices.map(side)
        let layout = layout(sides)
        let legend = SVGLegend(steps: steps, sides: sides)
        let width = max(Self.leastWidth, layout.width + 2 * Self.margin)
        let room = width - 2 * Self.margin
        let heading = heading(room: room)
        let (key, keyHeight) = legend.elements(width: room)
        let graphTop = heading.height + 24
        let keyTop = graphTop + layout.height + 36
        let height = keyTop + keyHeight + Self.margin
        let graphLeft = (width - layout.width) / 2
        var lines = [
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"saga-graph\" role=\"img\" width=\"\(width)\""
                + " height=\"\(height)\" viewBox=\"0 0 \(width) \(height)\">",
            SVGElements.title(isSaga ? "Saga \(name): \(subtitle)" : "Saga definition \(name)"),
            "<desc>\(SVGText.escaped(account))</desc>",
            "<style>",
            SVGStyle.sheet(styles: DrawnStyle.allCases.filter(legend.styles.contains)),
            "</style>",
            "<rect class=\"background\" width=\"\(width)\" height=\"\(height)\"/>",
        ]
        lines += heading.lines
        lines.append("<g transform=\"translate(\(graphLeft) \(graphTop))\">")
        lines += pivotLine(layout, from: Self.margin - graphLeft, to: width - Self.margin - graphLeft)
        lines += edges(layout)
        for index in steps.indices { lines += boxes(index, layout, sides[index]) }
        lines.append("</g>")
        lines.append("<g transform=\"translate(\(Self.margin) \(keyTop))\">")
        lines += key
        lines += ["</g>", "</svg>"]
        return lines.joined(separator: "\n")
    }

    // MARK: What stands where

    /// Whether the saga can turn back at the step: not after the pivot.
    private func turnsBack(_ step: Int) -> Bool {
        guard let pivot else { return true }
        return !graph.ancestors[step].contains(pivot)
    }

    private func side(_ step: Int) -> SVGLayout.Side {
        let turns = turnsBack(step)
        if steps[step].compensation != nil { return .compensation(isReached: turns) }
        let hasBehind = graph.ancestors[step].contains { steps[$0].compensation != nil }
        return turns && hasBehind ? .passing : .none
    }

    private func layout(_ sides: [SVGLayout.Side]) -> SVGLayout {
        let turns = steps.indices.map(turnsBack)
        let returns = steps.indices.map { turns[$0] && sides[$0] != .none }
        let layers = SVGLayers(graph, returns: returns, turns: turns, maximumWidth: Self.stepsInRow)
        let actions = steps.map { SVGLabel(actionOf: $0) }
        let compensations = steps.map { $0.compensation.map { SVGLabel(compensation: $0) } }
        let widestAction = actions.map(\.width).max() ?? 0
        let widestCompensation = compensations.compactMap { $0?.width }.max() ?? 0
        let sizes = SVGLayout.Sizes(
            action: min(SVGLabel.widestAction, max(110, widestAction)),
            compensation: min(SVGLabel.widestCompensation, max(90, widestCompensation)),
            heights: steps.indices.map { max(actions[$0].height, compensations[$0]?.height ?? 0) })
        return SVGLayout(layers, sides: sides, sizes: sizes, pivot: pivot)
    }

    // MARK: Text around it

    /// Above the picture; what is cut off there stands whole in the title or the description of the whole file.
    private func heading(room: Int) -> (lines: [String], height: Int) {
        var lines: [String] = []
        var y = Self.margin + 12
        func add(_ texts: [String], class name: String) {
            for text in texts {
                lines.append(SVGElements.text(text, x: Self.margin, y: y, class: name))
                y += 18
            }
        }
        add([SVGText.cut(name, .bold, size: 18, room: room)], class: "heading")
        y += 2
        add(SVGText.wrapped(subtitle, .regular, size: 12, room: room, lines: 2), class: "faint")
        if let summary, !SVGText.cleaned(summary).isEmpty {
            add(SVGText.wrapped(summary, .regular, size: 12, room: room, lines: 3), class: "summary")
        }
        return (lines, y)
    }

    /// What the picture shows, for those who don't see it.
    private var account: String {
        let told = steps.indices.map { index in
            let parts = facts(index)
            return parts.isEmpty
                ? steps[index].action.name : "\(steps[index].action.name) (\(parts.joined(separator: "; ")))"
        }
        let account = "Steps in the order of the file: \(told.joined(separator: ", "))."
        return summary.map { "\($0) \(account)" } ?? account
    }

    /// All that is known of a step, whole.
    private func facts(_ index: Int) -> [String] {
        let step = steps[index]
        let before = graph.predecessors[index].map { steps[$0].action.name }
        var facts: [String] = []
        if !before.isEmpty { facts.append("after \(before.joined(separator: ", "))") }
        if step.isPivot { facts.append("the pivot, the point of no return") }
        if let when = step.when { facts.append("when \(when)") }
        facts += [step.action.note, step.action.error].compactMap { $0 }
        if let compensation = step.compensation {
            let known = [compensation.note, compensation.error].compactMap { $0 }
            facts.append(known.isEmpty ? "can be undone" : "undo: \(known.joined(separator: ", "))")
        } else if !step.isPivot {
            facts.append("nothing to undo")
        }
        return facts.map(SVGText.cleaned)
    }

    // MARK: Drawing

    private func boxes(_ index: Int, _ layout: SVGLayout, _ side: SVGLayout.Side) -> [String] {
        let step = steps[index]
        let shape: SVGElements.Shape = step.isPivot ? .pivot : step.when == nil ? .plain : .conditional
        let classes =
            ["box", "step"] + (step.isPivot ? ["pivot"] : []) + (step.action.style.map { [$0.rawValue] } ?? [])
        let whole = ([step.action.name] + facts(index)).joined(separator: "; ")
        let box = layout.actions[index]
        var lines = SVGElements.group(
            classes,
            [SVGElements.title(whole)] + SVGElements.outline(shape, box)
                + SVGLabel(actionOf: step).elements(in: box))
        if let compensation = step.compensation, let box = layout.compensations[index] {
            let isReached = side == .compensation(isReached: true)
            let known = [compensation.name, compensation.note, compensation.error].compactMap { $0 }
            let whole = known + (isReached ? [] : ["never runs, since the step comes after the pivot"])
            let style = compensation.style.map { [$0.rawValue] } ?? []
            lines += SVGElements.group(
                ["box", "compensation"] + style + (isReached ? [] : ["unreached"]),
                [SVGElements.title(whole.joined(separator: "; "))] + SVGElements.outline(.compensation, box)
                    + SVGLabel(compensation: compensation).elements(in: box))
        }
        return lines
    }

    private func edges(_ layout: SVGLayout) -> [String] {
        SVGElements.path(
            "back", layout.back.map(SVGElements.vertical) + layout.turns.map(SVGElements.horizontal))
            + SVGElements.path(
                "back-head",
                layout.back.compactMap(SVGElements.verticalHead) + layout.turns.compactMap(SVGElements.horizontalHead))
            + SVGElements.path("forward", layout.forward.map(SVGElements.vertical))
            + SVGElements.path("forward-head", layout.forward.compactMap(SVGElements.verticalHead))
            + layout.passings.compactMap { $0.map(SVGElements.dot) }
    }

    private func pivotLine(_ layout: SVGLayout, from left: Int, to right: Int) -> [String] {
        guard let point = layout.pointOfNoReturn else { return [] }
        return SVGElements.path("no-return", ["M\(left) \(point.y)H\(right)"])
            + [SVGElements.text("point of no return", x: point.x + 12, y: point.y - 7, class: "no-return-text")]
    }
}

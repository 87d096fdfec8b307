/// What the shapes, lines and colours of one picture mean: only those that occur in it.
struct SVGLegend: Sendable {
    private struct Entry: Sendable {
        let sample: [String]
        let text: String
    }

    /// The colours that occur.
    let styles: Set<DrawnStyle>
    private let entries: [Entry]

    private static let sampleWidth = 28
    private static let sampleHeight = 16
    private static let rowHeight = 26

    init(steps: [DrawnStep], sides: [SVGLayout.Side]) {
        styles = Set(steps.flatMap { [$0.action.style, $0.compensation?.style].compactMap { $0 } })
        var entries = [Entry(sample: Self.box(.plain, ["step"]), text: "step")]
        if steps.contains(where: { $0.when != nil && !$0.isPivot }) {
            entries.append(Entry(sample: Self.box(.conditional, ["step"]), text: "step with a condition"))
        }
        if steps.contains(where: \.isPivot) {
            entries.append(
                Entry(sample: Self.box(.pivot, ["step", "pivot"]), text: "pivot: nothing is undone once it is done"))
        }
        if sides.contains(.compensation(isReached: true)) {
            entries.append(Entry(sample: Self.box(.compensation, ["compensation"]), text: "compensation"))
        }
        if sides.contains(.compensation(isReached: false)) {
            let sample = Self.box(.compensation, ["compensation", "unreached"])
            entries.append(Entry(sample: sample, text: "compensation that never runs"))
        }
        if steps.count > 1 { entries.append(Entry(sample: Self.line("forward"), text: "way forward")) }
        if sides.contains(where: { $0 == .passing || $0 == .compensation(isReached: true) }) {
            entries.append(Entry(sample: Self.line("back"), text: "way back, in reverse order"))
        }
        if sides.contains(.passing) {
            let centre = SVGLayout.Point(x: Self.sampleWidth / 2, y: Self.sampleHeight / 2)
            entries.append(Entry(sample: [SVGElements.dot(centre)], text: "nothing to undo"))
        }
        for style in DrawnStyle.allCases where styles.contains(style) {
            entries.append(Entry(sample: Self.box(.plain, ["step", style.rawValue]), text: Self.words(style)))
        }
        self.entries = entries
    }

    /// The entries side by side, in as many rows as the width asks for; and their height.
    func elements(width: Int) -> (lines: [String], height: Int) {
        var lines: [String] = []
        var x = 0
        var y = 0
        for entry in entries {
            let length = Self.sampleWidth + 8 + SVGText.width(entry.text, .regular, size: 12) + 24
            if x > 0, x + length - 24 > width { (x, y) = (0, y + Self.rowHeight) }
            lines.append("<g transform=\"translate(\(x) \(y))\">")
            lines += entry.sample
            lines.append(SVGElements.text(entry.text, x: Self.sampleWidth + 8, y: 12, class: "faint"))
            lines.append("</g>")
            x += length
        }
        return (lines, y + Self.sampleHeight)
    }

    private static func words(_ style: DrawnStyle) -> String {
        switch style {
        case .active: "running, or waiting to"
        case .done: "done"
        case .failed: "failed"
        case .inDoubt: "in doubt"
        case .compensated: "compensated"
        case .skipped: "skipped"
        }
    }

    private static func box(_ shape: SVGElements.Shape, _ classes: [String]) -> [String] {
        let box = SVGLayout.Box(x: 0, y: 0, width: sampleWidth, height: sampleHeight)
        return SVGElements.group(["sample"] + classes, SVGElements.outline(shape, box))
    }

    private static func line(_ name: String) -> [String] {
        let middle = sampleHeight / 2
        let line = SVGLayout.Line(
            start: SVGLayout.Point(x: 0, y: middle), end: SVGLayout.Point(x: sampleWidth, y: middle), hasHead: true)
        return SVGElements.path(name, [SVGElements.horizontal(line)])
            + SVGElements.path("\(name)-head", [SVGElements.horizontalHead(line)].compactMap { $0 })
    }
}

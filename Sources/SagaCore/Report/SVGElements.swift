/// The parts that a picture is written from, as lines of XML.
enum SVGElements {
    /// What goes in without being escaped is numbers and our own words.
    static func text(_ text: String, x: Int, y: Int, class name: String? = nil) -> String {
        let attribute = name.map { " class=\"\($0)\"" } ?? ""
        return "<text\(attribute) x=\"\(x)\" y=\"\(y)\">\(SVGText.escaped(text))</text>"
    }

    static func title(_ text: String) -> String { "<title>\(SVGText.escaped(text))</title>" }

    static func group(_ classes: [String], _ content: [String]) -> [String] {
        ["<g class=\"\(classes.joined(separator: " "))\">"] + content.map { "  " + $0 } + ["</g>"]
    }

    static func path(_ name: String, _ data: [String]) -> [String] {
        data.isEmpty ? [] : ["<path class=\"\(name)\" d=\"\(data.joined(separator: " "))\"/>"]
    }

    enum Shape {
        case plain, pivot, conditional, compensation
    }

    /// The outline of a box: a double frame for the pivot, pointed sides for a condition, round ones for an undo.
    static func outline(_ shape: Shape, _ box: SVGLayout.Box) -> [String] {
        switch shape {
        case .plain: return [rectangle(box, radius: 6)]
        case .compensation: return [rectangle(box, radius: min(box.height / 2, 16))]
        case .pivot:
            let inner = SVGLayout.Box(x: box.x + 4, y: box.y + 4, width: box.width - 8, height: box.height - 8)
            return [rectangle(box, radius: 6), rectangle(inner, radius: 3)]
        case .conditional:
            let inset = min(conditionInset, box.height / 2)
            let (left, right) = (box.x + inset, box.right - inset)
            return [
                "<path class=\"shape\" d=\"M\(left) \(box.y)H\(right)L\(box.right) \(box.middle)L\(right) \(box.bottom)"
                    + "H\(left)L\(box.x) \(box.middle)Z\"/>"
            ]
        }
    }

    /// How far a conditional box's sides are pointed, at most.
    static let conditionInset = 12

    private static func rectangle(_ box: SVGLayout.Box, radius: Int) -> String {
        "<rect class=\"shape\" x=\"\(box.x)\" y=\"\(box.y)\" width=\"\(box.width)\" height=\"\(box.height)\""
            + " rx=\"\(radius)\"/>"
    }

    // MARK: Lines

    private static let headLength = 8

    /// A line up or down, bent like an S where it goes aside.
    static func vertical(_ line: SVGLayout.Line) -> String {
        let (start, end) = (line.start, line.end)
        let isDown = start.y < end.y
        let stop = line.hasHead ? end.y + (isDown ? 1 - headLength : headLength - 1) : end.y
        if start.x == end.x { return "M\(start.x) \(start.y)V\(stop)" }
        let middle = (start.y + stop) / 2
        return "M\(start.x) \(start.y)C\(start.x) \(middle) \(end.x) \(middle) \(end.x) \(stop)"
    }

    static func verticalHead(_ line: SVGLayout.Line) -> String? {
        guard line.hasHead else { return nil }
        let base = line.end.y + (line.start.y < line.end.y ? -headLength : headLength)
        return "M\(line.end.x - 4) \(base)H\(line.end.x + 4)L\(line.end.x) \(line.end.y)Z"
    }

    static func horizontal(_ line: SVGLayout.Line) -> String {
        "M\(line.start.x) \(line.start.y)H\(line.end.x + (line.hasHead ? 1 - headLength : 0))"
    }

    static func horizontalHead(_ line: SVGLayout.Line) -> String? {
        guard line.hasHead else { return nil }
        let base = line.end.x - headLength
        return "M\(base) \(line.end.y - 4)V\(line.end.y + 4)L\(line.end.x) \(line.end.y)Z"
    }

    static func dot(_ point: SVGLayout.Point) -> String {
        "<circle class=\"back-head\" cx=\"\(point.x)\" cy=\"\(point.y)\" r=\"4\"/>"
    }
}

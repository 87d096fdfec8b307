/// The lines of text within a box.
struct SVGLabel: Sendable, Hashable {
    private enum Kind: Sendable, Hashable {
        case name, undoName, condition, note

        var font: SVGText.Font {
            switch self {
            case .name: .bold
            case .undoName, .note: .regular
            case .condition: .monospaced
            }
        }

        var size: Int {
            switch self {
            case .name: 13
            case .undoName, .note: 12
            case .condition: 11
            }
        }

        var className: String? {
            switch self {
            case .name: "name"
            case .condition: "condition"
            case .undoName, .note: nil
            }
        }
    }

    private struct Line: Sendable, Hashable {
        let kind: Kind
        let text: String
    }

    private let lines: [Line]
    /// What stays free left and right of the text.
    private let margin: Int

    static let widestAction = 240
    static let widestCompensation = 210
    private static let lineHeight = 17

    init(actionOf step: DrawnStep) {
        lines =
            [Line(kind: .name, text: step.action.name)]
            + (step.when.map { [Line(kind: .condition, text: "when \($0)")] } ?? []) + Self.notes(step.action)
        margin = step.when != nil && !step.isPivot ? SVGElements.conditionInset + 8 : 14
    }

    init(compensation: DrawnOperation) {
        lines = [Line(kind: .undoName, text: compensation.name)] + Self.notes(compensation)
        margin = 14
    }

    private static func notes(_ operation: DrawnOperation) -> [Line] {
        [operation.note, operation.error].compactMap { $0 }.map { Line(kind: .note, text: $0) }
    }

    /// How wide a box that holds all of it is.
    var width: Int {
        (lines.map { SVGText.width(SVGText.cleaned($0.text), $0.kind.font, size: $0.kind.size) }.max() ?? 0)
            + 2 * margin
    }

    var height: Int { lines.count * Self.lineHeight + 20 }

    /// The text elements, in the middle of the box.
    func elements(in box: SVGLayout.Box) -> [String] {
        let top = box.y + (box.height - lines.count * Self.lineHeight) / 2
        return lines.enumerated().map { index, line in
            let text = SVGText.cut(
                line.text, line.kind.font, size: line.kind.size, room: box.width - 2 * margin)
            return SVGElements.text(
                text, x: box.centre, y: top + index * Self.lineHeight + 13, class: line.kind.className)
        }
    }
}

/// The colours and fonts of a picture, for a light background and, where the reader prefers it, a dark one.
enum SVGStyle {
    /// The style sheet's rules; every selector begins with the picture's own class, for pictures within a page.
    static func sheet(styles: [DrawnStyle]) -> String {
        let light = rules(base: lightBase, styles.map { ($0, $0.colours) })
        let dark = rules(base: darkBase, styles.map { ($0, darkColours($0)) })
        return (fonts + light + ["@media (prefers-color-scheme: dark) {"] + dark.map { "  " + $0 } + ["}"])
            .joined(separator: "\n")
    }

    private static let root = ".saga-graph"

    private static let fonts = [
        "\(root) text { font-family: system-ui, -apple-system, \"Segoe UI\", Roboto, \"Helvetica Neue\", Arial,"
            + " sans-serif; font-size: 12px; }",
        "\(root) .heading { font-size: 18px; font-weight: 700; }",
        "\(root) .name { font-size: 13px; font-weight: 700; }",
        "\(root) .condition { font-family: ui-monospace, Menlo, Consolas, \"DejaVu Sans Mono\", monospace;"
            + " font-size: 11px; }",
        "\(root) .box text { text-anchor: middle; }",
        "\(root) .shape { stroke-width: 1.5; }",
        "\(root) .pivot .shape { stroke-width: 2; }",
        "\(root) .compensation .shape { stroke-dasharray: 5 3; }",
        "\(root) .skipped .shape { stroke-dasharray: 4 3; }",
        "\(root) .unreached { opacity: 0.55; }",
        "\(root) .forward, \(root) .back, \(root) .no-return { fill: none; stroke-width: 1.5; }",
        "\(root) .back { stroke-dasharray: 5 3; }",
        "\(root) .no-return { stroke-width: 3; }",
    ]

    private struct Base {
        let background, text, faint, fill, stroke, undoFill, forward, back, noReturn: String
    }

    private static let lightBase = Base(
        background: "#ffffff", text: "#1f2328", faint: "#59636e", fill: "#f6f8fa", stroke: "#59636e",
        undoFill: "#ffffff", forward: "#59636e", back: "#8250df", noReturn: "#bc4c00")

    private static let darkBase = Base(
        background: "#0d1117", text: "#e6edf3", faint: "#9ba5b0", fill: "#1c222b", stroke: "#8b949e",
        undoFill: "#0d1117", forward: "#8b949e", back: "#b18aff", noReturn: "#f0883e")

    private static func darkColours(_ style: DrawnStyle) -> (fill: String, stroke: String, text: String) {
        switch style {
        case .active: ("#0c2d6b", "#58a6ff", "#cae8ff")
        case .done: ("#0f3d24", "#3fb950", "#c8f5d2")
        case .failed: ("#5a1218", "#f85149", "#ffdcd7")
        case .inDoubt: ("#4d3200", "#f0a030", "#ffe8b0")
        case .compensated: ("#36205c", "#a371f7", "#ecd9ff")
        case .skipped: ("#161b22", "#6e7681", "#9ba5b0")
        }
    }

    private static func rules(
        base: Base, _ styles: [(DrawnStyle, (fill: String, stroke: String, text: String))]
    ) -> [String] {
        [
            "\(root) .background { fill: \(base.background); }",
            "\(root) text { fill: \(base.text); }",
            "\(root) .faint { fill: \(base.faint); }",
            "\(root) .shape { fill: \(base.fill); stroke: \(base.stroke); }",
            "\(root) .compensation .shape { fill: \(base.undoFill); stroke: \(base.back); }",
            "\(root) .forward { stroke: \(base.forward); }",
            "\(root) .forward-head { fill: \(base.forward); }",
            "\(root) .back { stroke: \(base.back); }",
            "\(root) .back-head { fill: \(base.back); }",
            "\(root) .no-return { stroke: \(base.noReturn); }",
            "\(root) .no-return-text { fill: \(base.noReturn); }",
        ]
            + styles.flatMap { style, colours in
                [
                    "\(root) .\(style.rawValue) .shape { fill: \(colours.fill); stroke: \(colours.stroke); }",
                    "\(root) .\(style.rawValue) text { fill: \(colours.text); }",
                ]
            }
    }
}

/// Rows of text in aligned columns that fit a width.
struct Table {
    /// One column.
    struct Column {
        let title: String
        let isNumeric: Bool
        /// How narrow the column may become when the table is too wide; nil when it is never cut.
        let minimum: Int?

        /// - Parameters:
        ///   - isNumeric: aligned on the right.
        ///   - minimum: how narrow it may become; nil when it is never cut.
        init(_ title: String, isNumeric: Bool = false, minimum: Int? = nil) {
            self.title = title
            self.isNumeric = isNumeric
            self.minimum = minimum
        }
    }

    /// One field.
    struct Cell {
        let text: String
        let style: Style?

        init(_ text: String, _ style: Style? = nil) {
            self.text = text.sanitized
            self.style = style
        }
    }

    let columns: [Column]
    private(set) var rows: [[Cell]] = []
    private static let gap = 2

    init(_ columns: [Column]) {
        self.columns = columns
    }

    /// Adds a row; what it lacks is empty, what it has beyond the columns is left out.
    mutating func add(_ cells: [Cell]) {
        rows.append(columns.indices.map { cells.indices.contains($0) ? cells[$0] : Cell("") })
    }

    /// The heading and the rows, each a line without blanks at its end.
    ///
    /// Columns that are empty throughout are left out.
    func lines(for terminal: Terminal) -> [String] {
        let shown = columns.indices.filter { column in rows.contains { !$0[column].text.isEmpty } }
        let widths = fittedWidths(shown, within: terminal.width)
        let heading = columns.map { Cell($0.title, .dim) }
        return ([heading] + rows).map { line($0, shown, widths, terminal) }
    }

    private func line(_ cells: [Cell], _ shown: [Int], _ widths: [Int], _ terminal: Terminal) -> String {
        var line = ""
        var blanks = 0
        for (column, width) in zip(shown, widths) {
            let text = cells[column].text.truncated(to: width)
            let free = width - text.displayWidth
            let (before, after) = columns[column].isNumeric ? (free, 0) : (0, free)
            if !text.isEmpty {
                line += String(repeating: " ", count: blanks + before) + terminal.paint(text, cells[column].style)
                blanks = after + Self.gap
            } else {
                blanks += width + Self.gap
            }
        }
        return line
    }

    /// The natural widths, the widest column that may be cut made narrower until all fit.
    private func fittedWidths(_ shown: [Int], within limit: Int) -> [Int] {
        var widths = shown.map { column in
            rows.reduce(columns[column].title.displayWidth) { max($0, $1[column].text.displayWidth) }
        }
        var excess = widths.reduce(0, +) + Self.gap * max(0, shown.count - 1) - limit
        while excess > 0 {
            let candidates = shown.indices.filter { widths[$0] > (columns[shown[$0]].minimum ?? .max) }
            guard let widest = candidates.max(by: { widths[$0] < widths[$1] }) else { break }
            widths[widest] -= 1
            excess -= 1
        }
        return widths
    }
}

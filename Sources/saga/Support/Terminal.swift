import Glibc

/// What stands behind one of the program's outputs.
struct Terminal: Sendable {
    let isTerminal: Bool
    /// Whether text may be coloured.
    let hasColour: Bool
    /// The columns that tables may take: the terminal's, elsewhere 100.
    let width: Int
    /// The lines of the screen; nil without a terminal.
    let height: Int?

    static let output = Terminal(descriptor: STDOUT_FILENO)
    static let error = Terminal(descriptor: STDERR_FILENO)

    /// No terminal: plain text of 100 columns.
    static let plain = Terminal(isTerminal: false, hasColour: false, width: 100, height: nil)

    init(isTerminal: Bool, hasColour: Bool, width: Int, height: Int?) {
        self.isTerminal = isTerminal
        self.hasColour = hasColour
        self.width = width
        self.height = height
    }

    private init(descriptor: Int32) {
        guard isatty(descriptor) == 1 else {
            self = .plain
            return
        }
        var size = winsize()
        let isKnown = ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0 && size.ws_row > 0
        self.init(
            isTerminal: true,
            hasColour: (variable("NO_COLOR") ?? "").isEmpty && variable("TERM") != "dumb",
            width: isKnown ? max(40, Int(size.ws_col)) : 100,
            height: isKnown ? Int(size.ws_row) : 24
        )
    }

    /// A line's last text, cut to what is left of the screen; whole where it goes to a file or another program.
    func fitted(_ text: String, to columns: Int) -> String {
        isTerminal ? text.truncated(to: max(20, columns)) : text
    }

    /// The text in a style where colour may be.
    func paint(_ text: String, _ style: Style?) -> String {
        guard hasColour, let style, !text.isEmpty else { return text }
        return "\u{1B}[\(style.rawValue)m\(text)\u{1B}[0m"
    }
}

/// How text is shown on a terminal: the parameter of the SGR sequence (ECMA-48 §8.3.117).
enum Style: String, Sendable {
    case bold = "1"
    case dim = "2"
    case red = "31"
    case green = "32"
    case yellow = "33"
    case blue = "34"
    case magenta = "35"
    case boldRed = "1;31"
}

/// The value of a variable of the environment; nil when it isn't set.
func variable(_ name: String) -> String? {
    getenv(name).map { String(cString: $0) }
}

import Glibc

/// Commands to paste into another terminal, whatever its folder and variables are.
struct DemoSuggestions {
    /// How the program is called.
    let program: String
    let database: String
    /// The key of an order worth a look.
    let example: String
    /// A file with the input of an order.
    let input: String

    /// Each command on a line, or on two where one would be too long.
    var lines: [String] {
        let calls = [
            ["status"],
            ["events", example],
            ["start", "order", "--input", "@\(input)", "--wait"],
        ]
        return calls.flatMap { call in
            let words = ([program] + call).map(\.shellQuoted).joined(separator: " ")
            let option = "--database \(database.shellQuoted)"
            let whole = "  \(words) \(option)"
            return whole.displayWidth <= 100 ? [whole] : ["  \(words) \\", "      \(option)"]
        }
    }

    /// `saga` when a shell finds the running program by that name, else its path.
    static func callName(of executable: String) -> String {
        for folder in (variable("PATH") ?? "").split(separator: ":") where folder.hasPrefix("/") {
            let candidate = "\(folder)/saga"
            guard access(candidate, X_OK) == 0 else { continue }
            guard let real = realpath(candidate, nil) else { break }
            defer { free(real) }
            return String(cString: real) == executable ? "saga" : executable
        }
        return executable
    }
}

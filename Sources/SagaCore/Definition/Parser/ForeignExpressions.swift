/// Finds texts that other orchestrators would take for a reference, but that are sent as they stand here: `$.orderId`,
/// `{{ input.orderId }}`, `/orders/{input.orderId}`, `$input.orderId`, `steps.charge.output.id`.
enum ForeignExpressions {
    private static let members: [String: Set<String>] = [
        "steps": ["output", "status", "error"], "saga": ["id", "key", "name"], "failure": ["step", "error", "message"],
    ]
    private static let variables: Set<String> = ["input", "steps", "saga", "failure"]

    /// What the text was probably meant to be; nil when it is a text.
    ///
    /// - Parameter text: outside of `${ … }`, with `$${` as it is written out.
    static func meant(by text: String) -> String? {
        guard text.utf8.count <= 1_000 else { return nil }
        return inBraces(text) ?? whole(text)
    }

    /// The reference between braces other than `${ … }`.
    private static func inBraces(_ text: String) -> String? {
        var rest = text[...]
        // A text of braces only must not cost more than one with a few.
        for _ in 0..<16 {
            guard let open = rest.firstIndex(of: "{") else { return nil }
            let isPlain = open > text.startIndex && text[text.index(before: open)] == "$"
            rest = rest[rest.index(after: open)...]
            guard !isPlain, let close = rest.firstIndex(of: "}") else { continue }
            let inner = trimmed(rest[..<close])
            if isReference(inner) { return "${ \(inner) }" }
        }
        return nil
    }

    /// The reference that the whole text is.
    private static func whole(_ text: String) -> String? {
        if text.hasPrefix("$.") { return isPath(text.dropFirst(2)) ? "${ input.\(text.dropFirst(2)) }" : nil }
        if text.hasPrefix("$") { return isReference(text.dropFirst()) ? "${ \(text.dropFirst()) }" : nil }
        // `input.json` may be the name of a file, but nothing is called `steps.charge.output`.
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        let position = parts.first == "steps" ? 2 : 1
        guard isReference(text[...]), parts.count > position, let known = members[String(parts[0])],
            known.contains(String(parts[position]))
        else { return nil }
        return "${ \(text) }"
    }

    private static func isReference(_ text: Substring) -> Bool {
        guard let dot = text.firstIndex(of: "."), variables.contains(String(text[..<dot])) else { return false }
        return isPath(text[text.index(after: dot)...])
    }

    /// Whether a text is names with dots between them.
    private static func isPath(_ text: Substring) -> Bool {
        text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { Names.isVariableName(Array($0.utf8)) }
    }

    private static func trimmed(_ text: Substring) -> Substring {
        let start = text.drop { $0 == " " || $0 == "{" }
        return start[..<(start.lastIndex { $0 != " " }.map { start.index(after: $0) } ?? start.startIndex)]
    }
}

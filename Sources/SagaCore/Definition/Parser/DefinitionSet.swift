/// Checks the definition files that belong together, such as those of a folder.
public enum DefinitionSet {
    /// Reads files; two with one saga's name are an error, reported at the name of the later one.
    /// - Returns: what can be used, in the order given, and all findings, file by file.
    public static func check(
        _ files: [(path: String, bytes: [UInt8])]
    ) -> (definitions: [(path: String, definition: Definition, bytes: [UInt8])], findings: [Finding]) {
        var definitions: [(path: String, definition: Definition, bytes: [UInt8])] = []
        var findings: [Finding] = []
        var pathsByName: [String: String] = [:]
        for (path, bytes) in files {
            let parsed = DefinitionParser.parse(bytes, file: path)
            guard let name = parsed.name, let first = pathsByName[name] else {
                if let name = parsed.name { pathsByName[name] = path }
                findings += parsed.findings
                if let definition = parsed.definition { definitions.append((path, definition, bytes)) }
                continue
            }
            let duplicate = Finding(
                file: path,
                line: parsed.namePlace.line,
                column: parsed.namePlace.column,
                severity: .error,
                code: Finding.Code.duplicateSaga.rawValue,
                message: "the saga `\(name)` is defined in \(first) too",
                hint: "give one of them another name"
            )
            findings += (parsed.findings + [duplicate]).sorted {
                ($0.line, $0.column, $0.code, $0.message) < ($1.line, $1.column, $1.code, $1.message)
            }
        }
        return (definitions, findings)
    }
}

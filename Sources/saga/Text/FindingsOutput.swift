import JSON
import SagaCore

/// What the validator found, on its way to the user.
struct FindingsOutput {
    let fileCount: Int
    let findings: [Finding]

    var hasErrors: Bool { findings.contains { $0.severity == .error } }

    /// For people, on standard error: a line for each finding, and the text at fault underlined below it.
    func printText() {
        for finding in findings {
            for line in finding.lines { Output.error(line.sanitized) }
        }
    }

    /// For programs, on standard output: the whole as one document.
    func printJSON() { Output.json(json) }

    var json: RawJSON {
        var writer = JSONWriter()
        writer.beginObject()
        writer.field("files", fileCount)
        writer.field("errors", findings.count { $0.severity == .error })
        writer.field("warnings", findings.count { $0.severity == .warning })
        writer.key("findings")
        writer.beginArray()
        for finding in findings {
            writer.beginObject()
            writer.field("file", finding.file)
            writer.field("line", finding.line)
            writer.field("column", finding.column)
            writer.field("severity", finding.severity.rawValue)
            writer.field("code", finding.code)
            writer.field("message", finding.message)
            writer.field("hint", finding.hint)
            writer.endObject()
        }
        writer.endArray()
        writer.endObject()
        return writer.finished()
    }
}

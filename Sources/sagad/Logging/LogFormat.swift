import JSON
import Logging
import SagaCore

/// How log lines are written.
enum LogFormat: String, Sendable, CaseIterable {
    /// `TIME LEVEL MESSAGE KEY=VALUE …`
    case text
    /// One object a line, with `time`, `level`, `message` and the metadata beside them.
    case json

    /// One line, with its line break.
    ///
    /// Whatever it is told, it stays one line; keys stand in order.
    func line(time: Instant, level: Logger.Level, message: String, metadata: Logger.Metadata) -> [UInt8] {
        let fields = metadata.map { (key: $0.key, value: Self.text($0.value)) }.sorted { $0.key < $1.key }
        switch self {
        case .text:
            let pairs = fields.map { " \(Self.printable($0.key))=\(Self.quotedIfNeeded($0.value))" }
            return Array("\(time.text) \(level.rawValue) \(Self.printable(message))\(pairs.joined())\n".utf8)
        case .json:
            var writer = JSONWriter()
            writer.beginObject()
            writer.field("time", time.text)
            writer.field("level", level.rawValue)
            writer.field("message", message)
            for field in fields {
                let isTaken = ["time", "level", "message"].contains(field.key)
                writer.field(isTaken ? "\(field.key)_" : field.key, field.value)
            }
            writer.endObject()
            return writer.finished().bytes + [UInt8(ascii: "\n")]
        }
    }

    private static func text(_ value: Logger.Metadata.Value) -> String {
        switch value {
        case .string(let text): text
        case .stringConvertible(let value): value.description
        case .array(let values): "[" + values.map(text).joined(separator: ",") + "]"
        case .dictionary(let members):
            "{" + members.sorted { $0.key < $1.key }.map { "\($0.key):\(text($0.value))" }.joined(separator: ",") + "}"
        }
    }

    /// A value with blanks, quotes, `=` or control characters stands in quotes, as a JSON string does.
    private static func quotedIfNeeded(_ text: String) -> String {
        let needsQuotes =
            text.isEmpty
            || text.unicodeScalars.contains { isControl($0) || $0 == " " || $0 == "\"" || $0 == "=" }
        guard needsQuotes else { return text }
        let escaped = text.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\\\"")
        return "\"\(printable(escaped))\""
    }

    private static func printable(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: isControl) else { return text }
        var line = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\n": line += "\\n"
            case "\r": line += "\\r"
            case "\t": line += "\\t"
            case _ where isControl(scalar): line += "\\u{\(String(scalar.value, radix: 16))}"
            default: line.unicodeScalars.append(scalar)
            }
        }
        return line
    }

    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .lineSeparator, .paragraphSeparator: true
        default: false
        }
    }
}

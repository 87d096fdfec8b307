import CEL
import JSON

extension Template {
    /// The value with its expressions evaluated.
    ///
    /// A plain reference hands on the very JSON that it reads.
    /// - Throws: what the first expression that fails throws.
    public func evaluate(_ activation: CELActivation) throws(CELError) -> JSON {
        switch self {
        case .constant(let json): return json
        case .expression(let program): return try program.evaluateJSON(activation)
        case .text(let parts): return .string(try Self.joined(parts, activation))
        case .array(let templates):
            var elements: [JSON] = []
            elements.reserveCapacity(templates.count)
            for template in templates { elements.append(try template.evaluate(activation)) }
            return .array(elements)
        case .object(let members):
            var object = JSONObject()
            object.reserveCapacity(members.count)
            for member in members { object[member.key] = try member.value.evaluate(activation) }
            return .object(object)
        }
    }

    /// The value as text for a path or query (`percentEncoding`) or for a header.
    ///
    /// In a path or query what expressions give is percent-encoded but for RFC 3986's `unreserved`; the literal parts
    /// go as they stand (the parser has encoded those of a query). In a header nothing is encoded.
    /// - Throws: what the first expression that fails throws; for a header also an error when the text has a CR, LF or
    ///   NUL, with which a value could smuggle in a header of its own.
    public func evaluateText(_ activation: CELActivation, percentEncoding: Bool) throws(CELError) -> String {
        let text: String
        switch self {
        case .constant(.string(let literal)): text = literal
        case .expression(let program):
            let result = try program.evaluate(activation).text
            text = percentEncoding ? URLSyntax.percentEncoded(result) : result
        case .text(let parts): text = try Self.joined(parts, activation, percentEncoding: percentEncoding)
        case .constant, .array, .object:
            let result = try evaluate(activation).text
            text = percentEncoding ? URLSyntax.percentEncoded(result) : result
        }
        if !percentEncoding, text.utf8.contains(where: { $0 == 0x0D || $0 == 0x0A || $0 == 0 }) {
            throw CELError(offset: 0, message: "a header's value has a line break or a NUL in it")
        }
        return text
    }

    private static func joined(
        _ parts: [TextPart],
        _ activation: CELActivation,
        percentEncoding: Bool = false
    ) throws(CELError) -> String {
        var text = ""
        for part in parts {
            switch part {
            case .literal(let literal): text += literal
            case .expression(let program):
                let result = try program.evaluate(activation).text
                text += percentEncoding ? URLSyntax.percentEncoded(result) : result
            }
        }
        return text
    }
}

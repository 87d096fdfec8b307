import JSON

extension CELValue {
    /// The value as JSON, in the mapping of the language: bytes as Base64, timestamps as RFC 3339, durations as
    /// seconds (`1.5s`), a uint as a number, a type as its name.
    ///
    /// JSON that came in leaves as it came, literals included.
    ///
    /// Throws for NaN and the infinities, for keys that are no strings, and when a limit is exceeded.
    public func json(_ limits: CELLimits = .default) throws(CELError) -> JSON {
        var output = Output(limits)
        return try output.json(self, depth: 0)
    }

    /// The value inside a text: a string as it is, a number as it was written, `true`, `false`, `null`, and lists and
    /// maps as compact JSON.
    ///
    /// Throws as `json` does; of a double that JSON can't express its name is given.
    public var text: String {
        get throws(CELError) { try text(.default) }
    }

    /// The same within other limits.
    public func text(_ limits: CELLimits) throws(CELError) -> String {
        switch self {
        case .json(.string(let text)): return text
        case .json(let json):
            var output = Output(limits)
            try output.count(json)
            return json.text
        case .bytes: return try json(limits).stringValue ?? ""
        default: break
        }
        if let text = scalarText { return text }
        let json = try json(limits)
        return json.stringValue ?? json.text
    }

    /// The text of a scalar that has one, as `string(value)` gives it; nil for bytes, lists and maps.
    var scalarText: String? {
        switch native {
        case .null: "null"
        case .bool(let value): value ? "true" : "false"
        case .int(let value): String(value)
        case .uint(let value): String(value)
        case .double(let value): value == 0 && value.sign == .minus ? "-0" : JSONNumber.ecmaScriptText(value)
        case .string(let value): value
        case .timestamp(let value): value.text
        case .duration(let value): value.text
        case .type(let name): name
        case .bytes, .list, .map, .json, .object: nil
        }
    }

    /// A scalar as an expression would write it, for messages.
    var debugText: String {
        if case .string(let text) = native { return "'\(text)'" }
        return scalarText ?? typeName
    }
}

/// Turns values into JSON and counts what comes out.
private struct Output {
    private let limits: CELLimits
    private var bytesLeft: Int
    private let depthAllowed: Int

    init(_ limits: CELLimits) {
        self.limits = limits
        bytesLeft = limits.maximumBytes
        depthAllowed = min(limits.maximumDepth, 1024)
    }

    mutating func json(_ value: CELValue, depth: Int) throws(CELError) -> JSON {
        guard depth <= depthAllowed else {
            throw CELError(offset: 0, message: "the result nests deeper than \(depthAllowed) levels")
        }
        switch value {
        case .json(let json):
            try count(json)
            return json
        case .double(let number):
            guard let literal = JSONNumber(number) else {
                throw CELError(
                    offset: 0,
                    message: "\(JSONNumber.ecmaScriptText(number)) can't be expressed in JSON"
                )
            }
            return .number(literal)
        case .bytes(let bytes):
            try spend(bytes.count / 3 * 4 + 6)
            return .string(Base64.text(bytes))
        case .list(let values):
            var elements: [JSON] = []
            for value in values {
                try spend(1)
                elements.append(try json(value, depth: depth + 1))
            }
            return .array(elements)
        default:
            guard let entries = try Entries(value) else { return try scalar(value) }
            return .object(try object(entries, depth: depth))
        }
    }

    private mutating func object(_ entries: Entries, depth: Int) throws(CELError) -> JSONObject {
        var object = JSONObject()
        for index in 0..<entries.count {
            let (key, value) = try entries.entry(index)
            guard case .string(let name) = key else {
                throw CELError(
                    offset: 0,
                    message: "a key in JSON must be a string, not \(Access.noun(key))",
                    hint: "string(…) converts it"
                )
            }
            try spend(name.utf8.count + 4)
            object[name] = try json(value, depth: depth + 1)
        }
        return object
    }

    private mutating func scalar(_ value: CELValue) throws(CELError) -> JSON {
        switch value.native {
        case .null: return .null
        case .bool(let truth): return .bool(truth)
        case .int(let number): return .number(JSONNumber(number))
        case .uint(let number): return .number(JSONNumber(number))
        default:
            let text = value.scalarText ?? ""
            try spend(text.utf8.count + 2)
            return .string(text)
        }
    }

    /// Counts a JSON value that is handed on.
    mutating func count(_ json: JSON) throws(CELError) {
        switch json {
        case .null, .bool: try spend(4)
        case .number(let number): try spend(number.literal.utf8.count)
        case .string(let text): try spend(text.utf8.count + 2)
        case .array(let elements):
            for element in elements {
                try spend(1)
                try count(element)
            }
        case .object(let object):
            for (key, value) in object {
                try spend(key.utf8.count + 4)
                try count(value)
            }
        }
    }

    private mutating func spend(_ bytes: Int) throws(CELError) {
        bytesLeft -= min(bytes, bytesLeft + 1)
        guard bytesLeft >= 0 else {
            throw CELError(offset: 0, message: "the result has more than \(limits.maximumBytes) bytes")
        }
    }
}

/// RFC 4648 §4.
enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    static func text(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count + 2) / 3 * 4)
        var index = 0
        while index < bytes.count {
            let group = bytes[index..<min(index + 3, bytes.count)]
            let bits = group.reduce(UInt32(0)) { $0 << 8 | UInt32($1) } << (8 * UInt32(3 - group.count))
            for position in 0..<4 {
                text.append(
                    position <= group.count
                        ? alphabet[Int(bits >> (18 - 6 * UInt32(position)) & 63)] : UInt8(ascii: "=")
                )
            }
            index += 3
        }
        return String(decoding: text, as: UTF8.self)
    }
}

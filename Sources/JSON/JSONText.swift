/// How values become bytes.
enum JSONText {
    /// Appends a value without white space.
    static func append(_ value: JSON, to bytes: inout [UInt8]) {
        switch value {
        case .object(let object):
            bytes.append(UInt8(ascii: "{"))
            var first = true
            for (key, value) in object {
                if !first { bytes.append(UInt8(ascii: ",")) }
                first = false
                append(string: key, to: &bytes)
                bytes.append(UInt8(ascii: ":"))
                append(value, to: &bytes)
            }
            bytes.append(UInt8(ascii: "}"))
        case .array(let elements):
            bytes.append(UInt8(ascii: "["))
            var first = true
            for element in elements {
                if !first { bytes.append(UInt8(ascii: ",")) }
                first = false
                append(element, to: &bytes)
            }
            bytes.append(UInt8(ascii: "]"))
        default:
            append(scalar: value, to: &bytes)
        }
    }

    /// Appends a value that is neither an array nor an object.
    static func append(scalar value: JSON, to bytes: inout [UInt8]) {
        switch value {
        case .string(let text): append(string: text, to: &bytes)
        case .number(let number): bytes.append(contentsOf: number.literal.utf8)
        case .bool(true): bytes.append(contentsOf: "true".utf8)
        case .bool(false): bytes.append(contentsOf: "false".utf8)
        default: bytes.append(contentsOf: "null".utf8)
        }
    }

    /// Appends a string in quotes, escaping what RFC 8259 demands and nothing else, in the form of RFC 8785 §3.2.2.2.
    static func append(string: String, to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "\""))
        var string = string
        string.withUTF8 { text in
            var start = 0
            for (offset, byte) in text.enumerated() where mustEscape(byte) {
                bytes.append(contentsOf: UnsafeBufferPointer(rebasing: text[start..<offset]))
                append(escaped: byte, to: &bytes)
                start = offset + 1
            }
            bytes.append(contentsOf: UnsafeBufferPointer(rebasing: text[start...]))
        }
        bytes.append(UInt8(ascii: "\""))
    }

    @inline(__always)
    private static func mustEscape(_ byte: UInt8) -> Bool {
        byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
    }

    private static func append(escaped byte: UInt8, to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "\\"))
        switch byte {
        case 0x08: bytes.append(UInt8(ascii: "b"))
        case 0x09: bytes.append(UInt8(ascii: "t"))
        case 0x0A: bytes.append(UInt8(ascii: "n"))
        case 0x0C: bytes.append(UInt8(ascii: "f"))
        case 0x0D: bytes.append(UInt8(ascii: "r"))
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes.append(byte)
        default:
            bytes.append(contentsOf: byte < 0x10 ? "u000".utf8 : "u00".utf8)
            bytes.append(contentsOf: String(byte, radix: 16).utf8)
        }
    }

    /// Appends a value with a member or element a line.
    ///
    /// Empty arrays and objects stay on one line.
    static func append(pretty value: JSON, indent: Int, level: Int, to bytes: inout [UInt8]) {
        func newLine(_ level: Int) {
            bytes.append(UInt8(ascii: "\n"))
            bytes.append(contentsOf: repeatElement(UInt8(ascii: " "), count: indent * level))
        }
        switch value {
        case .object(let object) where !object.isEmpty:
            bytes.append(UInt8(ascii: "{"))
            for (offset, member) in object.enumerated() {
                if offset > 0 { bytes.append(UInt8(ascii: ",")) }
                newLine(level + 1)
                append(string: member.key, to: &bytes)
                bytes.append(contentsOf: ": ".utf8)
                append(pretty: member.value, indent: indent, level: level + 1, to: &bytes)
            }
            newLine(level)
            bytes.append(UInt8(ascii: "}"))
        case .array(let elements) where !elements.isEmpty:
            bytes.append(UInt8(ascii: "["))
            for (offset, element) in elements.enumerated() {
                if offset > 0 { bytes.append(UInt8(ascii: ",")) }
                newLine(level + 1)
                append(pretty: element, indent: indent, level: level + 1, to: &bytes)
            }
            newLine(level)
            bytes.append(UInt8(ascii: "]"))
        default:
            append(value, to: &bytes)
        }
    }

    /// Appends a value in the canonical form of RFC 8785.
    static func append(canonical value: JSON, numbers: CanonicalNumbers, to bytes: inout [UInt8]) {
        switch value {
        case .object(let object):
            bytes.append(UInt8(ascii: "{"))
            let members = object.sorted { $0.key.utf16.lexicographicallyPrecedes($1.key.utf16) }
            for (offset, member) in members.enumerated() {
                if offset > 0 { bytes.append(UInt8(ascii: ",")) }
                append(string: member.key, to: &bytes)
                bytes.append(UInt8(ascii: ":"))
                append(canonical: member.value, numbers: numbers, to: &bytes)
            }
            bytes.append(UInt8(ascii: "}"))
        case .array(let elements):
            bytes.append(UInt8(ascii: "["))
            for (offset, element) in elements.enumerated() {
                if offset > 0 { bytes.append(UInt8(ascii: ",")) }
                append(canonical: element, numbers: numbers, to: &bytes)
            }
            bytes.append(UInt8(ascii: "]"))
        case .number(let number) where numbers == .ecmaScript && number.double.isFinite:
            bytes.append(contentsOf: JSONNumber.ecmaScriptText(number.double).utf8)
        default:
            append(scalar: value, to: &bytes)
        }
    }
}

/// How the canonical form writes numbers.
public enum CanonicalNumbers: Sendable, Hashable {
    /// As RFC 8785 has it: the double's shortest form. Digits beyond a double's precision are lost; a literal beyond
    /// its range, for which the RFC has no form, stays as it was written.
    case ecmaScript
    /// The literal as it was written, so that no digit is lost; `1.0` and `1` then differ.
    case asWritten
}

extension JSON {
    /// The value as compact UTF-8 text.
    public func serialized() -> [UInt8] {
        var bytes: [UInt8] = []
        JSONText.append(self, to: &bytes)
        return bytes
    }

    /// The value as compact text.
    public var text: String { String(decoding: serialized(), as: UTF8.self) }

    /// The value for people, without newline at the end.
    public func prettyPrinted(indent: Int = 2) -> String {
        var bytes: [UInt8] = []
        JSONText.append(pretty: self, indent: max(indent, 0), level: 0, to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The canonical form of RFC 8785 (JCS): no white space, members sorted by the UTF-16 code units of their names.
    public func canonical(numbers: CanonicalNumbers) -> [UInt8] {
        var bytes: [UInt8] = []
        JSONText.append(canonical: self, numbers: numbers, to: &bytes)
        return bytes
    }
}

/// A JSON number, kept as the literal that it was written with.
///
/// Equality and hash are the literal's: `1.0` and `1` are different numbers here. Convert to compare values.
public struct JSONNumber: Sendable, Hashable {
    /// The number as it was written: always a valid RFC 8259 number.
    public let literal: String

    /// Takes a literal over; nil when it is not an RFC 8259 number.
    public init?(literal: String) {
        var copy = literal
        let valid = copy.withUTF8 { bytes in
            var scanner = JSONScanner(bytes, limits: .default)
            do throws(JSONFault) {
                try scanner.number()
            } catch {
                return false
            }
            return scanner.position == bytes.count
        }
        guard valid else { return nil }
        self.literal = literal
    }

    /// For literals that a scanner has just accepted.
    init(unchecked literal: String) { self.literal = literal }

    public init(_ value: Int64) { literal = String(value) }
    public init(_ value: Int) { literal = String(value) }
    public init(_ value: UInt64) { literal = String(value) }

    /// The shortest literal that reads back as the same double; nil for NaN and the infinities.
    public init?(_ value: Double) {
        guard value.isFinite else { return nil }
        literal = value == 0 && value.sign == .minus ? "-0.0" : JSONNumber.ecmaScriptText(value)
    }

    /// The exact value of a literal without fraction and exponent that fits; else nil.
    public var int64: Int64? { Int64(literal) }

    /// The exact value of a literal without sign, fraction and exponent that fits; else nil.
    public var uint64: UInt64? { UInt64(literal) }

    /// The nearest double; infinite when the literal is beyond a double's range.
    public var double: Double { Double(literal) ?? .nan }

    /// A finite number as ECMAScript's `Number.prototype.toString` writes it (RFC 8785 §3.2.2.3): the shortest digits
    /// that read back, with an exponent from 1e21 up and below 1e-6.
    ///
    /// NaN and the infinities are written as CEL and ECMAScript name them, which is not JSON.
    public static func ecmaScriptText(_ value: Double) -> String {
        guard value.isFinite else { return value.isNaN ? "NaN" : value < 0 ? "-Infinity" : "Infinity" }
        guard value != 0 else { return "0" }
        let (digits, exponent) = shortestDigits(value.magnitude)
        var text: [UInt8] = value < 0 ? [UInt8(ascii: "-")] : []
        switch exponent {
        case digits.count...21 where exponent > 0:
            text += digits
            text += repeatElement(UInt8(ascii: "0"), count: exponent - digits.count)
        case 1...21:
            text += digits[..<exponent] + [UInt8(ascii: ".")] + digits[exponent...]
        case -5...0:
            text += Array("0.".utf8) + repeatElement(UInt8(ascii: "0"), count: -exponent) + digits
        default:
            text.append(digits[0])
            if digits.count > 1 { text += [UInt8(ascii: ".")] + digits[1...] }
            text += Array((exponent > 0 ? "e+" : "e-").utf8)
            text += Array(String((exponent - 1).magnitude).utf8)
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// The shortest significant digits of a positive number and the power of ten for which it is `0.digits ×
    /// 10^exponent`.
    private static func shortestDigits(_ value: Double) -> (digits: [UInt8], exponent: Int) {
        // `description` gives the shortest digits that read back, the nearest among them: as ECMAScript asks.
        let parts = value.description.split(separator: "e")
        let mantissa = parts[0].split(separator: ".")
        var digits = mantissa.flatMap { Array($0.utf8) }
        var exponent = mantissa[0].utf8.count + (parts.count > 1 ? Int(parts[1]) ?? 0 : 0)
        let zero = UInt8(ascii: "0")
        let leading = digits.prefix { $0 == zero }.count
        digits.removeFirst(leading)
        exponent -= leading
        while digits.count > 1, digits.last == zero { digits.removeLast() }
        return (digits, exponent)
    }
}

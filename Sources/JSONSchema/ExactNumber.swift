import JSON

/// The value of a number literal, exact: `0.DIGITS × 10^exponent`.
///
/// Nothing is ever expanded, so `1e999999999` is as quick as `1`. Exponents beyond ±10^17 count as that.
struct ExactNumber: Sendable, Hashable {
    let isNegative: Bool
    /// The significant digits (0 to 9), without zeros at either end; none for zero.
    let digits: [UInt8]
    let exponent: Int

    private static let largestExponent = 100_000_000_000_000_000

    init(_ number: JSONNumber) {
        var digits: [UInt8] = []
        var pointAt: Int?
        var position = 0
        var written = 0
        var exponentIsNegative = false
        var inExponent = false
        for byte in number.literal.utf8 {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9") where inExponent:
                written = min(written * 10 + Int(byte - 0x30), ExactNumber.largestExponent)
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                digits.append(byte - 0x30)
                position += 1
            case UInt8(ascii: "."): pointAt = position
            case UInt8(ascii: "-") where inExponent: exponentIsNegative = true
            case UInt8(ascii: "e"), UInt8(ascii: "E"): inExponent = true
            default: break
            }
        }
        let leading = digits.prefix { $0 == 0 }.count
        digits.removeFirst(leading)
        while digits.last == 0 { digits.removeLast() }
        self.digits = digits
        isNegative = !digits.isEmpty && number.literal.utf8.first == UInt8(ascii: "-")
        let whole = (pointAt ?? position) - leading
        exponent = digits.isEmpty ? 0 : whole + (exponentIsNegative ? -written : written)
    }

    /// Whether there is no fraction: `1.0` and `10e-1` have none.
    var isInteger: Bool { digits.count <= exponent || digits.isEmpty }

    /// The value of an integer from 0 up, cut off at `Int.max`; nil for any other number.
    var count: Int? {
        guard isInteger, !isNegative else { return nil }
        guard exponent <= 18 else { return .max }
        var value = 0
        for digit in digits { value = value * 10 + Int(digit) }
        for _ in 0..<max(exponent - digits.count, 0) { value *= 10 }
        return value
    }

    static func < (left: ExactNumber, right: ExactNumber) -> Bool {
        if left.isNegative != right.isNegative { return left.isNegative }
        return left.isNegative ? isSmaller(right, left) : isSmaller(left, right)
    }

    /// Compares magnitudes.
    private static func isSmaller(_ left: ExactNumber, _ right: ExactNumber) -> Bool {
        if left.digits.isEmpty || right.digits.isEmpty { return left.digits.isEmpty && !right.digits.isEmpty }
        if left.exponent != right.exponent { return left.exponent < right.exponent }
        return left.digits.lexicographicallyPrecedes(right.digits)
    }
}

/// A number that others are to be compared with.
struct NumberBound: Sendable {
    let literal: JSONNumber
    private let small: Int64?
    private let exact: ExactNumber

    init(_ number: JSONNumber) {
        literal = number
        small = number.int64
        exact = ExactNumber(number)
    }

    /// Whether the number is below the bound.
    func isAbove(_ number: JSONNumber) -> Bool {
        if let small, let other = number.int64 { return other < small }
        return ExactNumber(number) < exact
    }

    /// Whether the number is above the bound.
    func isBelow(_ number: JSONNumber) -> Bool {
        if let small, let other = number.int64 { return other > small }
        return exact < ExactNumber(number)
    }
}

/// What `multipleOf` divides by: `magnitude × 10^scale`.
struct Divisor: Sendable {
    let literal: JSONNumber
    private let magnitude: UInt64
    private let scale: Int

    /// The most significant digits for which the arithmetic below can't overflow.
    static let maximumDigits = 18

    /// Nil for zero, negative numbers and those with too many significant digits.
    init?(_ number: JSONNumber) {
        let exact = ExactNumber(number)
        guard !exact.isNegative, (1...Divisor.maximumDigits).contains(exact.digits.count) else { return nil }
        literal = number
        magnitude = exact.digits.reduce(0) { $0 * 10 + UInt64($1) }
        scale = exact.exponent - exact.digits.count
    }

    /// Whether the number divided by this one is an integer.
    func divides(_ number: JSONNumber) -> Bool {
        if scale == 0, let small = number.int64 { return small.magnitude % magnitude == 0 }
        let exact = ExactNumber(number)
        guard !exact.digits.isEmpty else { return true }
        // number = digits × 10^(scale + shift). The digits don't end in zero, so no multiple of ten divides them.
        let shift = exact.exponent - exact.digits.count - scale
        guard shift >= 0 else { return false }
        var remainder = exact.digits.reduce(UInt64(0)) { ($0 * 10 + UInt64($1)) % magnitude }
        // The divisor has at most 60 factors 2 or 5: further tens change nothing.
        for _ in 0..<min(shift, 64) { remainder = remainder * 10 % magnitude }
        return remainder == 0
    }
}

extension JSONNumber {
    /// What looking at all digits costs, in steps.
    var digitsCost: Int { literal.utf8.count / 6 }
}

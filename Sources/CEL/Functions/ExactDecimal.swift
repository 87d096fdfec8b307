/// The exact decimal expansion of a finite double, for rounding as IEEE 754 asks: to nearest, ties to even.
struct ExactDecimal {
    private let isNegative: Bool
    /// Significant digits, without zeros in front; empty for zero.
    private let digits: [UInt8]
    /// Where the decimal point stands: the value is `0.digits × 10^point`.
    private let point: Int

    init(_ value: Double) {
        isNegative = value.sign == .minus
        guard value != 0, value.isFinite else {
            digits = []
            point = 0
            return
        }
        // value = significand × 2^exponent; a negative exponent is × 5^-exponent ÷ 10^-exponent, so that the digits
        // are those of a whole number.
        let isNormal = value.isNormal
        let significand = value.significandBitPattern | (isNormal ? 1 << 52 : 0)
        let exponent = (isNormal ? Int(value.exponentBitPattern) : 1) - 1075
        var number = BigNumber(significand)
        for _ in 0..<abs(exponent) { number.multiply(by: exponent > 0 ? 2 : 5) }
        digits = number.decimalDigits()
        point = digits.count + min(exponent, 0)
    }

    /// With that many digits behind the point.
    func fixed(_ precision: Int) -> String {
        let (rounded, point) = rounded(keeping: point + precision)
        var text = isNegative ? "-" : ""
        let whole = point > 0 ? rounded.prefix(point) : []
        text += whole.isEmpty ? "0" : ExactDecimal.text(whole) + String(repeating: "0", count: point - whole.count)
        guard precision > 0 else { return text }
        let leading = min(max(-point, 0), precision)
        let fraction = rounded.dropFirst(max(point, 0)).prefix(precision - leading)
        let trailing = precision - leading - fraction.count
        return text + "." + String(repeating: "0", count: leading) + ExactDecimal.text(fraction)
            + String(repeating: "0", count: trailing)
    }

    /// With one digit before the point, that many behind it, and an exponent of at least two digits.
    func scientific(_ precision: Int) -> String {
        let (rounded, point) = rounded(keeping: precision + 1)
        let first = rounded.first.map { ExactDecimal.text([$0]) } ?? "0"
        let fraction = rounded.dropFirst()
        let exponent = rounded.isEmpty ? 0 : point - 1
        var text = (isNegative ? "-" : "") + first
        if precision > 0 {
            text += "." + ExactDecimal.text(fraction) + String(repeating: "0", count: precision - fraction.count)
        }
        let magnitude = String(exponent.magnitude)
        return text + (exponent < 0 ? "e-" : "e+") + (magnitude.utf8.count < 2 ? "0" : "") + magnitude
    }

    /// The digits rounded to a number of significant ones, which may be negative, and where the point then stands.
    private func rounded(keeping count: Int) -> (digits: [UInt8], point: Int) {
        guard count < digits.count else { return (digits, point) }
        guard count >= 0 else { return ([], point) }
        var kept = Array(digits.prefix(count))
        let next = digits[count]
        let isTie = next == 5 && digits.dropFirst(count + 1).allSatisfy { $0 == 0 }
        let isOdd = (kept.last ?? 0) % 2 == 1
        guard next > 5 || next == 5 && (!isTie || isOdd) else { return (kept, point) }
        var index = kept.count - 1
        while index >= 0, kept[index] == 9 {
            kept[index] = 0
            index -= 1
        }
        if index >= 0 {
            kept[index] += 1
            return (kept, point)
        }
        // Nines all the way: one digit more in front, and none more in all.
        return ([1] + (kept.isEmpty ? [] : kept.dropLast()), point + 1)
    }

    private static func text(_ digits: some Sequence<UInt8>) -> String {
        String(decoding: digits.map { $0 + UInt8(ascii: "0") }, as: UTF8.self)
    }
}

/// A whole number of any size; just what `ExactDecimal` needs.
private struct BigNumber {
    /// Least significant first.
    private var words: [UInt32]

    init(_ value: UInt64) { words = [UInt32(truncatingIfNeeded: value), UInt32(truncatingIfNeeded: value >> 32)] }

    mutating func multiply(by factor: UInt32) {
        var carry: UInt64 = 0
        for index in words.indices {
            let product = UInt64(words[index]) * UInt64(factor) + carry
            words[index] = UInt32(truncatingIfNeeded: product)
            carry = product >> 32
        }
        if carry > 0 { words.append(UInt32(carry)) }
    }

    /// The digits without zeros in front.
    func decimalDigits() -> [UInt8] {
        var rest = words
        var reversed: [UInt8] = []
        while rest.contains(where: { $0 != 0 }) {
            var remainder: UInt64 = 0
            for index in rest.indices.reversed() {
                let dividend = remainder << 32 | UInt64(rest[index])
                rest[index] = UInt32(dividend / 1_000_000_000)
                remainder = dividend % 1_000_000_000
            }
            while rest.last == 0 { rest.removeLast() }
            for _ in 0..<9 {
                reversed.append(UInt8(remainder % 10))
                remainder /= 10
            }
        }
        while reversed.last == 0 { reversed.removeLast() }
        return reversed.reversed()
    }
}

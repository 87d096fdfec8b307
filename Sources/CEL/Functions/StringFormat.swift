import JSON

/// `format` of the strings extension: `%s %d %f %e %b %o %x %X` and `%%`, with a precision for `%f` and `%e`.
enum StringFormat {
    /// More digits than this behind the point no double has a use for.
    private static let maximumPrecision = 1000

    static func format(
        _ pattern: String,
        _ arguments: CELElements,
        _ call: Function.Call,
        _ frame: inout Frame
    ) throws(CELError) -> String {
        var result = ""
        var rest = pattern.unicodeScalars[...]
        var used = 0
        while let percent = rest.firstIndex(of: "%") {
            try append(String(rest[..<percent]), to: &result, call, &frame)
            rest = rest[percent...].dropFirst()
            if rest.first == "%" {
                try append("%", to: &result, call, &frame)
                rest = rest.dropFirst()
                continue
            }
            let precision = try precision(&rest, call)
            guard let verb = rest.popFirst() else { throw call.fault("the text ends within a '%' clause") }
            guard used < arguments.count else {
                throw call.fault("there are more '%' clauses than the \(arguments.count) arguments")
            }
            let value = try frame.native(arguments[used], at: call.offset)
            used += 1
            try append(try text(of: value, verb, precision, call, &frame), to: &result, call, &frame)
        }
        try append(String(rest), to: &result, call, &frame)
        return result
    }

    private static func append(
        _ text: String,
        to result: inout String,
        _ call: Function.Call,
        _ frame: inout Frame
    ) throws(CELError) {
        try frame.spend(at: call.offset)
        try frame.produce(text.utf8.count, at: call.offset)
        result += text
    }

    private static func precision(
        _ rest: inout Substring.UnicodeScalarView,
        _ call: Function.Call
    ) throws(CELError) -> Int? {
        guard rest.first == "." else { return nil }
        rest = rest.dropFirst()
        let digits = rest.prefix { ("0"..."9").contains($0) }
        rest = rest[digits.endIndex...]
        guard let precision = Int(String(digits)), precision <= maximumPrecision else {
            throw call.fault("a precision must be a number up to \(maximumPrecision)")
        }
        return precision
    }

    private static func text(
        of value: CELValue,
        _ verb: UnicodeScalar,
        _ precision: Int?,
        _ call: Function.Call,
        _ frame: inout Frame
    ) throws(CELError) -> String {
        switch verb {
        case "s": return try plain(value, call, &frame)
        case "d": return try decimal(value, call)
        case "f", "e":
            guard let number = double(value) else { break }
            guard number.isFinite else { return JSONNumber.ecmaScriptText(number) }
            let decimal = ExactDecimal(number)
            return verb == "f" ? decimal.fixed(precision ?? 6) : decimal.scientific(precision ?? 6)
        case "b":
            if case .bool(let truth) = value { return truth ? "1" : "0" }
            if let text = integer(value, radix: 2) { return text }
        case "o":
            if let text = integer(value, radix: 8) { return text }
        case "x", "X":
            let isUpper = verb == "X"
            if let text = integer(value, radix: 16) { return isUpper ? text.uppercased() : text }
            if let bytes = bytes(value) {
                try frame.produce(bytes.count * 2, at: call.offset)
                return hexadecimal(bytes, isUpper: isUpper)
            }
        default:
            throw call.fault("'%\(verb)' is none of %s %d %f %e %b %o %x %X")
        }
        throw call.fault("'%\(verb)' can't be applied to \(Access.noun(value))")
    }

    private static func decimal(_ value: CELValue, _ call: Function.Call) throws(CELError) -> String {
        switch value {
        case .int, .uint, .double: value.scalarText ?? ""
        default: throw call.fault("'%d' can't be applied to \(Access.noun(value))")
        }
    }

    private static func double(_ value: CELValue) -> Double? {
        switch value {
        case .double(let number): number
        case .int(let number): Double(number)
        case .uint(let number): Double(number)
        default: nil
        }
    }

    private static func integer(_ value: CELValue, radix: Int) -> String? {
        switch value {
        case .int(let number): String(number, radix: radix)
        case .uint(let number): String(number, radix: radix)
        default: nil
        }
    }

    private static func bytes(_ value: CELValue) -> [UInt8]? {
        switch value {
        case .string(let text): Array(text.utf8)
        case .bytes(let bytes): bytes
        default: nil
        }
    }

    private static func hexadecimal(_ bytes: [UInt8], isUpper: Bool) -> String {
        let digits = Array((isUpper ? "0123456789ABCDEF" : "0123456789abcdef").utf8)
        return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }

    /// `%s`: texts without quotes; lists as `[a, b]`; maps as `{key: value}`, sorted by their keys' texts.
    private static func plain(
        _ value: CELValue,
        _ call: Function.Call,
        _ frame: inout Frame
    ) throws(CELError) -> String {
        try frame.spend(at: call.offset)
        let value = try frame.native(value, at: call.offset)
        if let text = value.scalarText {
            try frame.produce(text.utf8.count, at: call.offset)
            return text
        }
        if case .bytes(let bytes) = value {
            try frame.produce(bytes.count, at: call.offset)
            return String(decoding: bytes, as: UTF8.self)
        }
        if let elements = value.elements {
            var texts: [String] = []
            for index in 0..<elements.count { texts.append(try plain(elements[index], call, &frame)) }
            return "[" + texts.joined(separator: ", ") + "]"
        }
        guard let entries = try Entries(value) else { throw call.mismatch() }
        var texts: [(key: String, value: String)] = []
        for index in 0..<entries.count {
            let (key, value) = try entries.entry(index)
            texts.append((try plain(key, call, &frame), try plain(value, call, &frame)))
        }
        texts.sort { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
        return "{" + texts.map { "\($0.key): \($0.value)" }.joined(separator: ", ") + "}"
    }
}

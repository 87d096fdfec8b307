/// `+ - * / %`.
///
/// Integers never wrap; an int and a double mix, the int becoming a double.
enum Arithmetic {
    static func sum(_ a: CELValue, _ b: CELValue, _ frame: inout Frame, at offset: Int) throws(CELError) -> CELValue {
        switch (a, b) {
        case (.string(let x), .string(let y)):
            try frame.produce(x.utf8.count + y.utf8.count, at: offset)
            return .string(x + y)
        case (.bytes(let x), .bytes(let y)):
            try frame.produce(x.count + y.count, at: offset)
            return .bytes(x + y)
        case (.timestamp(let moment), .duration(let length)), (.duration(let length), .timestamp(let moment)):
            return .timestamp(try timestamp(moment.adding(length), at: offset))
        case (.duration(let x), .duration(let y)):
            let (sum, overflow) = x.nanoseconds.addingReportingOverflow(y.nanoseconds)
            return .duration(CELDuration(nanoseconds: try whole((sum, overflow), at: offset)))
        default: break
        }
        if let x = a.elements, let y = b.elements {
            try frame.produce(elements: x.count + y.count, at: offset)
            return .list(x.values + y.values)
        }
        switch try numbers(a, b, "+", at: offset) {
        case .ints(let x, let y): return .int(try whole(x.addingReportingOverflow(y), at: offset))
        case .uints(let x, let y): return .uint(try whole(x.addingReportingOverflow(y), at: offset))
        case .doubles(let x, let y): return .double(x + y)
        }
    }

    static func difference(_ a: CELValue, _ b: CELValue, at offset: Int) throws(CELError) -> CELValue {
        switch (a, b) {
        case (.timestamp(let x), .timestamp(let y)):
            guard let difference = x.since(y) else { throw overflow(at: offset) }
            return .duration(difference)
        case (.timestamp(let moment), .duration(let length)):
            guard length.nanoseconds != .min else { throw overflow(at: offset) }
            let back = CELDuration(nanoseconds: -length.nanoseconds)
            return .timestamp(try timestamp(moment.adding(back), at: offset))
        case (.duration(let x), .duration(let y)):
            let difference = x.nanoseconds.subtractingReportingOverflow(y.nanoseconds)
            return .duration(CELDuration(nanoseconds: try whole(difference, at: offset)))
        default: break
        }
        switch try numbers(a, b, "-", at: offset) {
        case .ints(let x, let y): return .int(try whole(x.subtractingReportingOverflow(y), at: offset))
        case .uints(let x, let y): return .uint(try whole(x.subtractingReportingOverflow(y), at: offset))
        case .doubles(let x, let y): return .double(x - y)
        }
    }

    static func product(_ a: CELValue, _ b: CELValue, at offset: Int) throws(CELError) -> CELValue {
        switch try numbers(a, b, "*", at: offset) {
        case .ints(let x, let y): .int(try whole(x.multipliedReportingOverflow(by: y), at: offset))
        case .uints(let x, let y): .uint(try whole(x.multipliedReportingOverflow(by: y), at: offset))
        case .doubles(let x, let y): .double(x * y)
        }
    }

    static func quotient(_ a: CELValue, _ b: CELValue, at offset: Int) throws(CELError) -> CELValue {
        switch try numbers(a, b, "/", at: offset) {
        case .ints(_, 0), .uints(_, 0): throw CELError(offset: offset, message: "division by zero")
        case .ints(let x, let y): .int(try whole(x.dividedReportingOverflow(by: y), at: offset))
        case .uints(let x, let y): .uint(x / y)
        case .doubles(let x, let y): .double(x / y)
        }
    }

    static func remainder(_ a: CELValue, _ b: CELValue, at offset: Int) throws(CELError) -> CELValue {
        switch try numbers(a, b, "%", at: offset) {
        case .ints(_, 0), .uints(_, 0): throw CELError(offset: offset, message: "remainder of a division by zero")
        case .ints(let x, let y): .int(try whole(x.remainderReportingOverflow(dividingBy: y), at: offset))
        case .uints(let x, let y): .uint(x % y)
        case .doubles: throw mismatch(a, b, "%", at: offset)
        }
    }

    // MARK: Parts

    private enum Numbers {
        case ints(Int64, Int64)
        case uints(UInt64, UInt64)
        case doubles(Double, Double)
    }

    @inline(__always)
    private static func numbers(
        _ a: CELValue,
        _ b: CELValue,
        _ symbol: String,
        at offset: Int
    ) throws(CELError) -> Numbers {
        switch (a, b) {
        case (.int(let x), .int(let y)): .ints(x, y)
        case (.double(let x), .double(let y)): .doubles(x, y)
        case (.int(let x), .double(let y)): .doubles(Double(x), y)
        case (.double(let x), .int(let y)): .doubles(x, Double(y))
        case (.uint(let x), .uint(let y)): .uints(x, y)
        default: throw mismatch(a, b, symbol, at: offset)
        }
    }

    @inline(__always)
    private static func whole<Number: FixedWidthInteger>(
        _ result: (partialValue: Number, overflow: Bool),
        at offset: Int
    ) throws(CELError) -> Number {
        guard !result.overflow else { throw overflow(at: offset) }
        return result.partialValue
    }

    private static func timestamp(_ sum: CELTimestamp?, at offset: Int) throws(CELError) -> CELTimestamp {
        guard let sum else { throw CELError(offset: offset, message: "the timestamp lies outside the years 1 to 9999") }
        return sum
    }

    @inline(never)
    static func overflow(at offset: Int) -> CELError {
        CELError(offset: offset, message: "the result doesn't fit 64 bits")
    }

    @inline(never)
    private static func mismatch(_ a: CELValue, _ b: CELValue, _ symbol: String, at offset: Int) -> CELError {
        CELError(
            offset: offset,
            message: "'\(symbol)' can't be applied to \(Access.noun(a)) and \(Access.noun(b))",
            hint: Coercion.hint(a.typeName, b.typeName)
        )
    }
}

/// What to write when two types don't go together.
enum Coercion {
    static func hint(_ a: String, _ b: String) -> String? {
        let pair = Set([a, b])
        if pair == ["int", "uint"] { return "int(…) and uint(…) convert" }
        if pair.contains("string"), !pair.isDisjoint(with: ["int", "uint", "double", "bool"]) {
            return "string(…) converts a value to text, int(…) and double(…) a text to a number"
        }
        return nil
    }
}

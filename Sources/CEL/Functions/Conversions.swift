import JSON

/// `size`, `type` and the conversions between types.
enum Conversions {
    static let functions: [Function] = [
        .global(
            "size",
            takes(.string, gives: .int),
            takes(.bytes, gives: .int),
            takes(.list(.dyn), gives: .int),
            takes(.map(.dyn, .dyn), gives: .int),
            body: size
        ),
        .member(
            "size",
            takes(.string, gives: .int),
            takes(.bytes, gives: .int),
            takes(.list(.dyn), gives: .int),
            takes(.map(.dyn, .dyn), gives: .int),
            body: size
        ),
        .global("type", takes(.dyn, gives: .type)) { (call, _) throws(CELError) in .type(call.a.typeName) },
        .global("bool", takes(.bool, gives: .bool), takes(.string, gives: .bool), body: bool),
        .global(
            "int",
            takes(.int, gives: .int),
            takes(.uint, gives: .int),
            takes(.double, gives: .int),
            takes(.string, gives: .int),
            takes(.timestamp, gives: .int),
            body: int
        ),
        .global(
            "uint",
            takes(.uint, gives: .uint),
            takes(.int, gives: .uint),
            takes(.double, gives: .uint),
            takes(.string, gives: .uint),
            body: uint
        ),
        .global(
            "double",
            takes(.double, gives: .double),
            takes(.int, gives: .double),
            takes(.uint, gives: .double),
            takes(.string, gives: .double),
            body: double
        ),
        .global(
            "string",
            takes(.string, gives: .string),
            takes(.bool, gives: .string),
            takes(.int, gives: .string),
            takes(.uint, gives: .string),
            takes(.double, gives: .string),
            takes(.bytes, gives: .string),
            takes(.timestamp, gives: .string),
            takes(.duration, gives: .string),
            body: string
        ),
        .global("bytes", takes(.bytes, gives: .bytes), takes(.string, gives: .bytes)) {
            (call, frame) throws(CELError) in
            switch call.a {
            case .bytes: return call.a
            case .string(let text):
                try frame.produce(text.utf8.count, at: call.offset)
                return .bytes(Array(text.utf8))
            default: throw call.mismatch()
            }
        },
    ]

    private static func size(_ call: Function.Call, _ frame: inout Frame) throws(CELError) -> CELValue {
        switch call.a {
        case .string(let text):
            try frame.spend(reading: text.utf8.count, at: call.offset)
            return .int(Int64(text.unicodeScalars.count))
        case .bytes(let bytes): return .int(Int64(bytes.count))
        default:
            if let elements = call.a.elements { return .int(Int64(elements.count)) }
            guard let entries = try Entries(call.a) else { throw call.mismatch() }
            return .int(Int64(entries.count))
        }
    }

    private static func bool(_ call: Function.Call, _ frame: inout Frame) throws(CELError) -> CELValue {
        switch call.a {
        case .bool: return call.a
        case .string(let text):
            // The spellings that the language's conformance tests have.
            switch text {
            case "1", "t", "T", "true", "TRUE", "True": return .bool(true)
            case "0", "f", "F", "false", "FALSE", "False": return .bool(false)
            default: throw call.fault("this text is neither true nor false")
            }
        default: throw call.mismatch()
        }
    }

    private static func int(_ call: Function.Call, _ frame: inout Frame) throws(CELError) -> CELValue {
        switch call.a {
        case .int: return call.a
        case .uint(let value):
            guard let whole = Int64(exactly: value) else { throw Arithmetic.overflow(at: call.offset) }
            return .int(whole)
        case .double(let value):
            // The bounds themselves are refused: near them a double is not exact.
            guard value > -0x1p63, value < 0x1p63 else { throw Arithmetic.overflow(at: call.offset) }
            return .int(Int64(value))
        case .string(let text):
            guard let value = Int64(text) else { throw call.fault("this text is not an int") }
            return .int(value)
        case .timestamp(let moment): return .int(moment.seconds)
        default: throw call.mismatch()
        }
    }

    private static func uint(_ call: Function.Call, _ frame: inout Frame) throws(CELError) -> CELValue {
        switch call.a {
        case .uint: return call.a
        case .int(let value):
            guard let whole = UInt64(exactly: value) else { throw Arithmetic.overflow(at: call.offset) }
            return .uint(whole)
        case .double(let value):
            guard value >= 0, value < 0x1p64 else { throw Arithmetic.overflow(at: call.offset) }
            return .uint(UInt64(value))
        case .string(let text):
            guard let value = UInt64(text) else { throw call.fault("this text is not a uint") }
            return .uint(value)
        default: throw call.mismatch()
        }
    }

    private static func double(_ call: Function.Call, _ frame: inout Frame) throws(CELError) -> CELValue {
        switch call.a {
        case .double: return call.a
        case .int(let value): return .double(Double(value))
        case .uint(let value): return .double(Double(value))
        case .string(let text):
            guard let value = Double(text) else { throw call.fault("this text is not a number") }
            return .double(value)
        default: throw call.mismatch()
        }
    }

    private static func string(_ call: Function.Call, _ frame: inout Frame) throws(CELError) -> CELValue {
        if case .string = call.a { return call.a }
        if case .bytes(let bytes) = call.a {
            try frame.produce(bytes.count, at: call.offset)
            guard let text = String(validating: bytes, as: UTF8.self) else {
                throw call.fault("these bytes are not UTF-8")
            }
            return .string(text)
        }
        guard let text = call.a.scalarText else { throw call.mismatch() }
        return .string(text)
    }
}

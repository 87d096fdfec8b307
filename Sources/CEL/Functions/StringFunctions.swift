import JSON

/// The standard string functions and the `strings` extension.
///
/// Positions count code points.
enum StringFunctions {
    static let functions: [Function] = [
        .member("contains", takes(.string, .string, gives: .bool)) { (call, frame) throws(CELError) in
            let (text, part) = try texts(call, &frame)
            return .bool(TextSearch(part).first(in: Array(text.utf8), from: 0) != nil)
        },
        .member("startsWith", takes(.string, .string, gives: .bool)) { (call, frame) throws(CELError) in
            let (text, part) = try texts(call, &frame)
            return .bool(text.utf8.starts(with: part.utf8))
        },
        .member("endsWith", takes(.string, .string, gives: .bool)) { (call, frame) throws(CELError) in
            let (text, part) = try texts(call, &frame)
            return .bool(text.utf8.reversed().starts(with: part.utf8.reversed()))
        },
        .member("charAt", takes(.string, .int, gives: .string), body: charAt),
        .member("indexOf", takes(.string, .string, gives: .int), body: indexOf),
        .member("indexOf", takes(.string, .string, .int, gives: .int), body: indexOf),
        .member("lastIndexOf", takes(.string, .string, gives: .int), body: lastIndexOf),
        .member("lastIndexOf", takes(.string, .string, .int, gives: .int), body: lastIndexOf),
        .member("substring", takes(.string, .int, gives: .string), body: substring),
        .member("substring", takes(.string, .int, .int, gives: .string), body: substring),
        .member("lowerAscii", takes(.string, gives: .string)) { (call, frame) throws(CELError) in
            try mapped(call, &frame) { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) ? $0 + 32 : $0 }
        },
        .member("upperAscii", takes(.string, gives: .string)) { (call, frame) throws(CELError) in
            try mapped(call, &frame) { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) ? $0 - 32 : $0 }
        },
        .member("trim", takes(.string, gives: .string), body: trim),
        .member("reverse", takes(.string, gives: .string)) { (call, frame) throws(CELError) in
            let text = try text(call.a, call, &frame)
            try frame.produce(text.utf8.count, at: call.offset)
            return .string(string(text.unicodeScalars.reversed()))
        },
        .member("replace", takes(.string, .string, .string, gives: .string), body: replace),
        .member("replace", takes(.string, .string, .string, .int, gives: .string), body: replace),
        .member("split", takes(.string, .string, gives: .list(.string)), body: split),
        .member("split", takes(.string, .string, .int, gives: .list(.string)), body: split),
        .member("format", takes(.string, .list(.dyn), gives: .string)) { (call, frame) throws(CELError) in
            guard let arguments = call.b.elements else { throw call.mismatch() }
            return .string(try StringFormat.format(try text(call.a, call, &frame), arguments, call, &frame))
        },
        .global("strings.quote", takes(.string, gives: .string), body: quote),
    ]

    // MARK: Arguments

    private static func text(
        _ value: CELValue,
        _ call: Function.Call,
        _ frame: inout Frame
    ) throws(CELError) -> String {
        guard case .string(let text) = value else { throw call.mismatch() }
        try frame.spend(reading: text.utf8.count, at: call.offset)
        return text
    }

    private static func texts(
        _ call: Function.Call,
        _ frame: inout Frame
    ) throws(CELError) -> (text: String, part: String) {
        (try text(call.a, call, &frame), try text(call.b, call, &frame))
    }

    private static func position(
        _ value: CELValue,
        _ call: Function.Call,
        upTo limit: Int
    ) throws(CELError) -> Int {
        guard case .int(let position) = value else { throw call.mismatch() }
        guard position >= 0, position <= limit else {
            throw call.fault("position \(position) is outside a text of \(limit) characters")
        }
        return Int(position)
    }

    private static func string(_ scalars: some Sequence<UnicodeScalar>) -> String {
        var text = String.UnicodeScalarView()
        text.append(contentsOf: scalars)
        return String(text)
    }

    // MARK: Positions

    private static func charAt(_ call: Function.Call, _ frame: inout Frame) throws(CELError) -> CELValue {
        let scalars = try text(call.a, call, &frame).unicodeScalars
        let position = try position(call.b, call, upTo: scalars.count)
        return .string(scalars.dropFirst(position).first.map { String($0) } ?? "")
    }

    private static func substring(_ call: Function.Call, _ frame: inout Frame) throws(CELError) -> CELValue {
        let text = try text(call.a, call, &frame)
        let count = text.unicodeScalars.count
        let start = try position(call.b, call, upTo: count)
        let end = call.count > 2 ? try position(call.c, call, upTo: count) : count
        guard start <= end else { throw call.fault("the end \(end) lies before the beginning \(start)") }
        try frame.produce(text.utf8.count, at: call.offset)
        return .string(string(text.unicodeScalars.dropFirst(start).prefix(end - start)))
    }

    private static func indexOf(_ call: Function.Call, _ frame: inout Frame) throws(CELError) -> CELValue {
        let (text, part) = try texts(call, &frame)
        let scalars = text.unicodeScalars
        let start = call.count > 2 ? try position(call.c, call, upTo: scalars.count) : 0
        let bytes = Array(text.utf8)
        let skipped = scalars.prefix(start).reduce(0) { $0 + UTF8.width($1) }
        guard let found = TextSearch(part).first(in: bytes, from: skipped) else { return .int(-1) }
        return .int(Int64(characters(in: bytes[..<found])))
    }

    private static func lastIndexOf(_ call: Function.Call, _ frame: inout Frame) throws(CELError) -> CELValue {
        let (text, part) = try texts(call, &frame)
        let bytes = Array(text.utf8)
        let count = text.unicodeScalars.count
        let last = call.count > 2 ? try position(call.c, call, upTo: count) : count
        if part.isEmpty { return .int(Int64(last)) }
        // Searching backwards is searching forwards in the mirror image.
        let end = text.unicodeScalars.prefix(last).reduce(0) { $0 + UTF8.width($1) } + part.utf8.count
        let mirrored = Array(bytes[..<min(end, bytes.count)].reversed())
        guard let found = TextSearch(Array(part.utf8.reversed())).first(in: mirrored, from: 0) else { return .int(-1) }
        let start = mirrored.count - found - part.utf8.count
        return .int(Int64(characters(in: bytes[..<start])))
    }

    private static func characters(in bytes: ArraySlice<UInt8>) -> Int {
        bytes.reduce(0) { $0 + ($1 & 0xC0 == 0x80 ? 0 : 1) }
    }

    // MARK: Changes

    private static func mapped(
        _ call: Function.Call,
        _ frame: inout Frame,
        _ change: (UInt8) -> UInt8
    ) throws(CELError) -> CELValue {
        let text = try text(call.a, call, &frame)
        try frame.produce(text.utf8.count, at: call.offset)
        return .string(String(decoding: text.utf8.map(change), as: UTF8.self))
    }

    private static func trim(_ call: Function.Call, _ frame: inout Frame) throws(CELError) -> CELValue {
        let text = try text(call.a, call, &frame)
        try frame.produce(text.utf8.count, at: call.offset)
        let front = text.unicodeScalars.drop { $0.properties.isWhitespace }
        let end = front.lastIndex { !$0.properties.isWhitespace }
        return .string(end.map { string(front[...$0]) } ?? "")
    }

    private static func replace(_ call: Function.Call, _ frame: inout Frame) throws(CELError) -> CELValue {
        let (text, old) = try texts(call, &frame)
        guard case .string(let new) = call.c else { throw call.mismatch() }
        var limit = Int.max
        if call.count > 3 {
            guard case .int(let count) = call.d else { throw call.mismatch() }
            if count >= 0 { limit = Int(clamping: count) }
        }
        var result: [UInt8] = []
        let bytes = Array(text.utf8)
        var copied = 0
        try frame.produce(bytes.count, at: call.offset)
        for range in TextSearch(old).occurrences(in: bytes, limit: limit) {
            try frame.spend(at: call.offset)
            try frame.produce(new.utf8.count, at: call.offset)
            result += bytes[copied..<range.lowerBound]
            result += Array(new.utf8)
            copied = range.upperBound
        }
        result += bytes[copied...]
        return .string(String(decoding: result, as: UTF8.self))
    }

    private static func split(_ call: Function.Call, _ frame: inout Frame) throws(CELError) -> CELValue {
        let (text, separator) = try texts(call, &frame)
        var limit = Int.max
        if call.count > 2 {
            guard case .int(let count) = call.c else { throw call.mismatch() }
            if count == 0 { return .list([]) }
            if count > 0 { limit = Int(clamping: count) }
        }
        let bytes = Array(text.utf8)
        try frame.produce(bytes.count, at: call.offset)
        var parts: [CELValue] = []
        var start = 0
        let search = TextSearch(separator)
        for range in search.occurrences(in: bytes, limit: separator.isEmpty ? .max : limit - 1) {
            // An empty separator splits into characters: not before the first, not behind the last.
            if separator.isEmpty, range.lowerBound == 0 || range.lowerBound == bytes.count { continue }
            guard parts.count < limit - 1 else { break }
            try frame.produce(elements: 1, at: call.offset)
            parts.append(.string(String(decoding: bytes[start..<range.lowerBound], as: UTF8.self)))
            start = range.upperBound
        }
        if separator.isEmpty, bytes.isEmpty { return .list([]) }
        parts.append(.string(String(decoding: bytes[start...], as: UTF8.self)))
        return .list(parts)
    }

    private static func quote(_ call: Function.Call, _ frame: inout Frame) throws(CELError) -> CELValue {
        let text = try text(call.a, call, &frame)
        try frame.produce(text.utf8.count * 2 + 2, at: call.offset)
        var result = String.UnicodeScalarView("\"".unicodeScalars)
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\u{7}": result.append(contentsOf: "\\a".unicodeScalars)
            case "\u{8}": result.append(contentsOf: "\\b".unicodeScalars)
            case "\u{C}": result.append(contentsOf: "\\f".unicodeScalars)
            case "\n": result.append(contentsOf: "\\n".unicodeScalars)
            case "\r": result.append(contentsOf: "\\r".unicodeScalars)
            case "\t": result.append(contentsOf: "\\t".unicodeScalars)
            case "\u{B}": result.append(contentsOf: "\\v".unicodeScalars)
            case "\\": result.append(contentsOf: "\\\\".unicodeScalars)
            case "\"": result.append(contentsOf: "\\\"".unicodeScalars)
            default: result.append(scalar)
            }
        }
        result.append("\"")
        return .string(String(result))
    }
}

import RE2

/// Translates regular expressions of ECMA-262 (with the flag `u`) to RE2's syntax.
///
/// Look-around and back-references are refused: no engine that is linear in the text has them.
struct ECMAPattern {
    /// Compiles an ECMA-262 pattern; the error says what is wrong with it, or what isn't supported.
    static func compile(_ source: String) throws(RE2Error) -> RE2Pattern {
        guard source.utf8.count <= RE2Pattern.maximumBytes else { return try RE2Pattern(source) }
        var translation = ECMAPattern(source)
        return try RE2Pattern(try translation.translate())
    }

    /// Checks an ECMA-262 pattern without compiling it.
    static func checkSyntax(of source: String) throws(RE2Error) {
        guard source.utf8.count <= RE2Pattern.maximumBytes else { return try RE2Pattern.checkSyntax(of: source) }
        var translation = ECMAPattern(source)
        try RE2Pattern.checkSyntax(of: try translation.translate())
    }

    /// What `checkSyntax` costs at most, in steps of a validation.
    static func parsingSteps(of source: String) -> Int {
        let bytes = source.utf8.count
        return bytes > RE2Pattern.maximumBytes ? 1 + bytes / 64 : 100 + 30 * RE2Pattern.parsingTime(of: source)
    }

    private let scalars: [UnicodeScalar]
    private var position = 0
    private var output = ""
    private var groupNames: [String] = []
    /// Whether what was written last can be repeated.
    private var canRepeat = false

    private init(_ source: String) { scalars = Array(source.unicodeScalars) }

    private func fault(_ message: String) -> RE2Error { RE2Error(message: message) }

    private var next: UnicodeScalar? { position < scalars.count ? scalars[position] : nil }

    private mutating func take(_ scalar: UnicodeScalar) -> Bool {
        guard next == scalar else { return false }
        position += 1
        return true
    }

    private mutating func translate() throws(RE2Error) -> String {
        while let scalar = next {
            position += 1
            let repeats = canRepeat
            canRepeat = true
            switch scalar {
            case "\\": try escape()
            case ".": output += #"[^\n\r\x{2028}\x{2029}]"#
            case "^", "|":
                output.unicodeScalars.append(scalar)
                canRepeat = false
            case "$":
                output += #"\z"#
                canRepeat = false
            case "(":
                try group()
                canRepeat = false
            case ")": output += ")"
            case "[": output += try characterClass()
            case "*", "+", "?", "{":
                guard repeats else { throw fault("there is nothing before `\(scalar)` that it could repeat") }
                try quantifier(scalar)
                canRepeat = false
            case "]", "}": throw fault("a `\(scalar)` without its other half; for the character write `\\\(scalar)`")
            default: output += ECMAPattern.literal(scalar.value)
            }
        }
        return output
    }

    /// A character, in a way that has no further meaning in or outside of a class.
    static func literal(_ code: UInt32) -> String {
        if let scalar = UnicodeScalar(code), code < 128, UInt8(code).isLetter || UInt8(code).isDigit {
            return String(scalar)
        }
        return "\\x{" + String(code, radix: 16) + "}"
    }

    // MARK: Groups and repetition

    private mutating func group() throws(RE2Error) {
        output += "(?:"
        guard take("?") else { return }
        if take(":") { return }
        if next == "=" || next == "!" { throw fault("look-ahead `(?\(scalars[position])` isn't supported") }
        guard take("<") else { throw fault("there is no group that begins with `(?` and this character") }
        if next == "=" || next == "!" { throw fault("look-behind `(?<\(scalars[position])` isn't supported") }
        let name = try name(until: ">")
        guard !groupNames.contains(name) else { throw fault("the group `\(name)` is there twice") }
        groupNames.append(name)
    }

    private mutating func name(until end: UnicodeScalar) throws(RE2Error) -> String {
        var name = ""
        while let scalar = next, scalar != end {
            let isStart = scalar.properties.isXIDStart || scalar == "_" || scalar == "$"
            guard isStart || !name.isEmpty && scalar.properties.isXIDContinue else {
                throw fault("a group's name is made of letters and digits")
            }
            name.unicodeScalars.append(scalar)
            position += 1
        }
        guard take(end), !name.isEmpty else { throw fault("a group's name is missing or has no end") }
        return name
    }

    private mutating func quantifier(_ scalar: UnicodeScalar) throws(RE2Error) {
        output.unicodeScalars.append(scalar)
        if scalar == "{" {
            let least = digits()
            guard !least.isEmpty else { throw fault("a `{` that begins no repetition; for the character write `\\{`") }
            output += least
            if take(",") { output += "," + digits() }
            guard take("}") else { throw fault("a `{` that begins no repetition; for the character write `\\{`") }
            output += "}"
        }
        if take("?") { output += "?" }
    }

    private mutating func digits() -> String {
        var text = ""
        while let scalar = next, ("0"..."9").contains(scalar) {
            text.unicodeScalars.append(scalar)
            position += 1
        }
        return text
    }

    // MARK: Escapes

    private mutating func escape() throws(RE2Error) {
        guard let scalar = next else { throw fault("it ends in a `\\`") }
        switch scalar {
        case "b", "B":
            position += 1
            output += "\\" + String(scalar)
            canRepeat = false
        case "1"..."9": throw fault("back-references such as `\\\(scalar)` aren't supported")
        case "k": throw fault("back-references such as `\\k<name>` aren't supported")
        default:
            switch try atom() {
            case .character(let code): output += ECMAPattern.literal(code)
            case .set(let set): output += "[" + set + "]"
            }
        }
    }

    /// What an escape stands for: one character, or what stands in a class for many.
    private enum Atom {
        case character(UInt32)
        case set(String)
    }

    /// Reads what comes after a backslash, in a class or not.
    private mutating func atom() throws(RE2Error) -> Atom {
        guard let scalar = next else { throw fault("it ends in a `\\`") }
        position += 1
        switch scalar {
        case "d": return .set("0-9")
        case "D": return .set(#"\x{0}-\x{2f}\x{3a}-\x{10ffff}"#)
        case "w": return .set("0-9A-Z_a-z")
        case "W": return .set(#"\x{0}-\x{2f}\x{3a}-\x{40}\x{5b}-\x{5e}\x{60}\x{7b}-\x{10ffff}"#)
        case "s": return .set(ECMAPattern.space)
        case "S": return .set(ECMAPattern.noSpace)
        case "t": return .character(0x09)
        case "n": return .character(0x0A)
        case "v": return .character(0x0B)
        case "f": return .character(0x0C)
        case "r": return .character(0x0D)
        case "0":
            if let next, ("0"..."9").contains(next) { throw fault("`\\0` is followed by a digit") }
            return .character(0)
        case "c":
            guard let letter = next, letter.isASCII, UInt8(ascii: letter).isLetter else {
                throw fault("`\\c` needs a letter")
            }
            position += 1
            return .character(letter.value % 32)
        case "x": return .character(try hex(digits: 2, after: "x"))
        case "u": return .character(try codePoint())
        case "p", "P":
            guard take("{") else { throw fault("`\\\(scalar)` needs a property, such as `\\\(scalar){Letter}`") }
            var name = ""
            while let one = next, one != "}" {
                name.unicodeScalars.append(one)
                position += 1
            }
            guard take("}") else { throw fault("`\\\(scalar){` has no end") }
            return .set(try UnicodeProperty.set(name, isNegated: scalar == "P"))
        default:
            // Beyond ECMA-262 any sign may be escaped: it is often done with `-` and means nothing else.
            guard scalar.isASCII, scalar.value > 0x20, scalar.value < 0x7F, scalar != "_",
                !UInt8(ascii: scalar).isLetter, !UInt8(ascii: scalar).isDigit
            else { throw fault("there is no escape `\\\(scalar)`") }
            return .character(scalar.value)
        }
    }

    private mutating func hex(digits count: Int, after letter: UnicodeScalar) throws(RE2Error) -> UInt32 {
        let end = position + count
        var value: UInt32 = 0
        while position < end {
            guard let scalar = next, scalar.isASCII, let digit = Character(scalar).hexDigitValue else {
                throw fault("`\\\(letter)` needs \(count) hexadecimal digits")
            }
            value = value << 4 | UInt32(digit)
            position += 1
        }
        return value
    }

    private mutating func codePoint() throws(RE2Error) -> UInt32 {
        if take("{") {
            var value: UInt32 = 0
            var count = 0
            while let scalar = next, scalar.isASCII, let digit = Character(scalar).hexDigitValue, value <= 0x10FFFF {
                value = value << 4 | UInt32(digit)
                count += 1
                position += 1
            }
            guard count > 0, UnicodeScalar(value) != nil, take("}") else {
                throw fault("`\\u{` needs a character's number and `}`")
            }
            return value
        }
        let first = try hex(digits: 4, after: "u")
        guard (0xD800...0xDFFF).contains(first) else { return first }
        guard first < 0xDC00, take("\\"), take("u") else { throw fault("`\\u` with half a character") }
        let second = try hex(digits: 4, after: "u")
        guard (0xDC00...0xDFFF).contains(second) else { throw fault("`\\u` with half a character") }
        return 0x10000 + (first - 0xD800) << 10 + (second - 0xDC00)
    }

    // MARK: Classes

    private mutating func characterClass() throws(RE2Error) -> String {
        let isNegated = take("^")
        var set = ""
        while !take("]") {
            let first = try classAtom()
            guard next == "-", position + 1 < scalars.count, scalars[position + 1] != "]" else {
                switch first {
                case .character(let code): set += ECMAPattern.literal(code)
                case .set(let part): set += part
                }
                continue
            }
            position += 1
            guard case .character(let low) = first, case .character(let high) = try classAtom() else {
                throw fault("a range in a class runs from one character to another; for a `-` write `\\-`")
            }
            guard low <= high else { throw fault("a range in a class runs backward") }
            set += ECMAPattern.literal(low) + "-" + ECMAPattern.literal(high)
        }
        // RE2 takes a `]` that comes first for the character.
        guard !set.isEmpty else { return isNegated ? #"[\x{0}-\x{10ffff}]"# : #"[^\x{0}-\x{10ffff}]"# }
        return (isNegated ? "[^" : "[") + set + "]"
    }

    private mutating func classAtom() throws(RE2Error) -> Atom {
        guard let scalar = next else { throw fault("a `[` has no `]`") }
        guard scalar == "\\" else {
            position += 1
            return .character(scalar.value)
        }
        position += 1
        if take("b") { return .character(0x08) }
        return try atom()
    }

    /// White space and line ends of ECMA-262.
    private static let space =
        #"\x{9}-\x{d}\x{20}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}\x{feff}"#
    private static let noSpace =
        #"\x{0}-\x{8}\x{e}-\x{1f}\x{21}-\x{9f}\x{a1}-\x{167f}\x{1681}-\x{1fff}\x{200b}-\x{2027}\x{202a}-\x{202e}"#
        + #"\x{2030}-\x{205e}\x{2060}-\x{2fff}\x{3001}-\x{fefe}\x{ff00}-\x{10ffff}"#
}

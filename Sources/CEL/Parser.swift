/// Parses the grammar of the language (cel-spec, "Syntax") by recursive descent.
struct Parser {
    /// How deep an expression may nest.
    ///
    /// The depth of what is evaluated later is the same.
    static let maximumDepth = 200

    private var lexer: Lexer
    private var token: Token
    private var nesting = 0

    private static let reservedWords: Set<String> = [
        "as", "break", "const", "continue", "else", "false", "for", "function", "if", "import", "in", "let", "loop",
        "package", "namespace", "null", "return", "true", "var", "void", "while",
    ]

    static func parse(_ source: String, maximumBytes: Int) throws(CELError) -> Syntax {
        let size = source.utf8.count
        guard size <= maximumBytes else {
            throw CELError(
                offset: 0,
                message: "the expression has \(size) bytes, more than the \(maximumBytes) allowed"
            )
        }
        var parser = try Parser(source)
        let syntax = try parser.expression()
        guard parser.token.kind == .end else { throw parser.unexpected("an operator or the end of the expression") }
        return syntax
    }

    private init(_ source: String) throws(CELError) {
        lexer = Lexer(source)
        token = try lexer.next()
    }

    // MARK: Tokens

    private mutating func advance() throws(CELError) { token = try lexer.next() }

    private func isAt(_ symbol: String) -> Bool { token.kind == .symbol && token.text == symbol }

    private mutating func take(_ symbol: String) throws(CELError) -> Bool {
        guard isAt(symbol) else { return false }
        try advance()
        return true
    }

    /// Takes a symbol that must stand here and gives the offset behind it.
    @discardableResult
    private mutating func expect(_ symbol: String) throws(CELError) -> Int {
        guard isAt(symbol) else { throw unexpected("'\(symbol)'") }
        let end = token.range.upperBound
        try advance()
        return end
    }

    private func unexpected(_ wanted: String) -> CELError {
        let found = token.kind == .end ? "the end of the expression" : "'\(token.text)'"
        return CELError(offset: token.range.lowerBound, message: "expected \(wanted), found \(found)")
    }

    /// The place of an expression, refusing one that nests too deep for the stack.
    private func place(
        _ range: Range<Int>,
        focus: Range<Int>,
        over operands: [Syntax]
    ) throws(CELError) -> Syntax.Place {
        let depth = 1 + (operands.lazy.map(\.place.depth).max() ?? 0)
        guard depth <= Parser.maximumDepth else { throw tooDeep(at: focus.lowerBound) }
        return Syntax.Place(range: range, focus: focus, depth: depth)
    }

    private func tooDeep(at offset: Int) -> CELError {
        CELError(offset: offset, message: "the expression nests deeper than \(Parser.maximumDepth) levels")
    }

    // MARK: Operators

    private mutating func expression() throws(CELError) -> Syntax {
        nesting += 1
        defer { nesting -= 1 }
        guard nesting <= Parser.maximumDepth else { throw tooDeep(at: token.range.lowerBound) }
        let condition = try logic(.or)
        guard isAt("?") else { return condition }
        let focus = token.range
        try advance()
        let first = try logic(.or)
        try expect(":")
        let second = try expression()
        let range = condition.range.lowerBound..<second.range.upperBound
        return .conditional(
            condition,
            first,
            second,
            try place(range, focus: focus, over: [condition, first, second])
        )
    }

    private mutating func logic(_ symbol: LogicOperator) throws(CELError) -> Syntax {
        let first = try symbol == .or ? logic(.and) : relation()
        guard isAt(symbol.rawValue) else { return first }
        let focus = token.range
        var operands = [first]
        while try take(symbol.rawValue) { operands.append(try symbol == .or ? logic(.and) : relation()) }
        let range = first.range.lowerBound..<(operands.last ?? first).range.upperBound
        return .logic(symbol, operands, try place(range, focus: focus, over: operands))
    }

    private mutating func relation() throws(CELError) -> Syntax {
        try binary([.equal, .notEqual, .less, .lessOrEqual, .greater, .greaterOrEqual, .isIn]) {
            (parser: inout Parser) throws(CELError) in try parser.sum()
        }
    }

    private mutating func sum() throws(CELError) -> Syntax {
        try binary([.add, .subtract]) { (parser: inout Parser) throws(CELError) in try parser.product() }
    }

    private mutating func product() throws(CELError) -> Syntax {
        try binary([.multiply, .divide, .modulo]) { (parser: inout Parser) throws(CELError) in try parser.unary() }
    }

    private mutating func binary(
        _ operators: [BinaryOperator],
        operand: (inout Parser) throws(CELError) -> Syntax
    ) throws(CELError) -> Syntax {
        var left = try operand(&self)
        while token.kind == .symbol || token.kind == .identifier,
            let symbol = operators.first(where: { $0.rawValue == token.text })
        {
            let focus = token.range
            try advance()
            let right = try operand(&self)
            let range = left.range.lowerBound..<right.range.upperBound
            left = .binary(symbol, left, right, try place(range, focus: focus, over: [left, right]))
        }
        return left
    }

    private mutating func unary() throws(CELError) -> Syntax {
        var operators: [Token] = []
        while isAt("!") || isAt("-") {
            guard operators.first.map({ $0.text == token.text }) ?? true else { throw unexpected("an operand") }
            operators.append(token)
            guard operators.count <= Parser.maximumDepth else { throw tooDeep(at: token.range.lowerBound) }
            try advance()
        }
        // The sign belongs to a number, or else the least int could not be written.
        var sign: Token?
        if let last = operators.last, last.text == "-", [.int, .double].contains(token.kind) {
            sign = operators.removeLast()
        }
        var operand = try member(sign: sign)
        for symbol in operators.reversed() {
            let range = symbol.range.lowerBound..<operand.range.upperBound
            let place = try place(range, focus: symbol.range, over: [operand])
            operand = symbol.text == "!" ? .not(operand, place) : .negate(operand, place)
        }
        return operand
    }

    // MARK: Members

    private mutating func member(sign: Token?) throws(CELError) -> Syntax {
        var operand = try primary(sign: sign)
        while true {
            if try take(".") {
                operand = try selected(from: operand)
            } else if isAt("[") {
                let focus = token.range
                try advance()
                let index = try expression()
                let end = try expect("]")
                let range = operand.range.lowerBound..<end
                operand = .index(operand, index, try place(range, focus: focus, over: [operand, index]))
            } else if isAt("{"), case .identifier = operand {
                throw CELError(offset: token.range.lowerBound, message: "there are no message types here")
            } else {
                return operand
            }
        }
    }

    private mutating func selected(from operand: Syntax) throws(CELError) -> Syntax {
        guard token.kind == .identifier || token.kind == .quotedIdentifier else { throw unexpected("a member's name") }
        let name = token
        guard name.kind == .quotedIdentifier || !["true", "false", "null", "in"].contains(name.text) else {
            throw unexpected("a member's name")
        }
        try advance()
        if name.kind == .identifier, try take("(") {
            let (arguments, end) = try arguments(closing: ")")
            let range = operand.range.lowerBound..<end
            let place = try place(range, focus: name.range, over: [operand] + arguments)
            return .call(target: operand, name: name.text, arguments: arguments, place)
        }
        let range = operand.range.lowerBound..<name.range.upperBound
        return .select(operand, field: name.text, try place(range, focus: name.range, over: [operand]))
    }

    /// Takes expressions separated by commas up to a closing bracket; a last comma is allowed for lists only.
    private mutating func arguments(closing bracket: String) throws(CELError) -> ([Syntax], end: Int) {
        var arguments: [Syntax] = []
        while !isAt(bracket) {
            arguments.append(try expression())
            guard try take(",") else { break }
            if isAt(bracket), bracket == ")" { throw unexpected("an argument") }
        }
        return (arguments, try expect(bracket))
    }

    // MARK: Operands

    private mutating func primary(sign: Token?) throws(CELError) -> Syntax {
        let first = token
        switch first.kind {
        case .int, .uint, .double:
            try advance()
            let range = (sign ?? first).range.lowerBound..<first.range.upperBound
            let value = try NumberLiteral.value(of: first, isNegative: sign != nil)
            return .literal(value, try place(range, focus: range, over: []))
        case .string, .bytes:
            let bytes = try StringLiteral.bytes(of: first)
            try advance()
            let value: CELValue = first.kind == .bytes ? .bytes(bytes) : .string(String(decoding: bytes, as: UTF8.self))
            return .literal(value, try place(first.range, focus: first.range, over: []))
        case .identifier:
            return try identifier()
        case .symbol where first.text == "(":
            try advance()
            let inner = try expression()
            try expect(")")
            return inner
        case .symbol where first.text == "[":
            try advance()
            let (elements, end) = try arguments(closing: "]")
            return .list(elements, try place(first.range.lowerBound..<end, focus: first.range, over: elements))
        case .symbol where first.text == "{":
            return try map()
        case .symbol where first.text == ".":
            try advance()
            guard token.kind == .identifier else { throw unexpected("a name") }
            return try identifier()
        default:
            throw unexpected("an operand")
        }
    }

    private mutating func identifier() throws(CELError) -> Syntax {
        let name = token
        let place = try place(name.range, focus: name.range, over: [])
        try advance()
        switch name.text {
        case "true": return .literal(.bool(true), place)
        case "false": return .literal(.bool(false), place)
        case "null": return .literal(.null, place)
        case let word where Parser.reservedWords.contains(word):
            throw CELError(offset: name.range.lowerBound, message: "'\(word)' is a reserved word and can't be a name")
        default: break
        }
        guard try take("(") else { return .identifier(name.text, place) }
        let (arguments, end) = try arguments(closing: ")")
        let range = name.range.lowerBound..<end
        return .call(
            target: nil,
            name: name.text,
            arguments: arguments,
            try self.place(range, focus: name.range, over: arguments)
        )
    }

    private mutating func map() throws(CELError) -> Syntax {
        let focus = token.range
        try advance()
        var entries: [(key: Syntax, value: Syntax)] = []
        while !isAt("}") {
            let key = try expression()
            try expect(":")
            entries.append((key, try expression()))
            guard try take(",") else { break }
        }
        let end = try expect("}")
        let operands = entries.flatMap { [$0.key, $0.value] }
        return .map(entries, try place(focus.lowerBound..<end, focus: focus, over: operands))
    }
}

/// Reads number literals.
enum NumberLiteral {
    static func value(of token: Token, isNegative: Bool) throws(CELError) -> CELValue {
        let digits = token.kind == .uint ? String(token.text.dropLast()) : token.text
        let isHexadecimal = digits.hasPrefix("0x") || digits.hasPrefix("0X")
        let magnitude = isHexadecimal ? UInt64(digits.dropFirst(2), radix: 16) : UInt64(digits)
        switch token.kind {
        case .double:
            guard let value = Double(digits) else { break }
            return .double(isNegative ? -value : value)
        case .uint:
            guard let magnitude else { break }
            return .uint(magnitude)
        default:
            guard let magnitude else { break }
            if isNegative, magnitude == Int64.min.magnitude { return .int(.min) }
            guard let value = Int64(exactly: magnitude) else { break }
            return .int(isNegative ? -value : value)
        }
        throw CELError(offset: token.range.lowerBound, message: "this number doesn't fit 64 bits")
    }
}

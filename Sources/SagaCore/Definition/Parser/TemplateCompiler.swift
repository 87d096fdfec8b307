import CEL
import JSON

/// A fault of a template.
struct TemplateFault {
    let code: Finding.Code
    let place: TemplatePlace
    let message: String
    let hint: String?
}

/// A place in the text of a string, or of a name, found in the file only when it is asked for.
struct TemplatePlace {
    let node: LocatedJSON
    /// In UTF-8 bytes of the string's text; nil stands for the node itself.
    let decoded: Int?

    /// In bytes of the file.
    var offset: Int { decoded.map(node.sourceOffset(ofDecoded:)) ?? node.range.lowerBound }
}

/// An expression of a definition and where it stands.
struct TemplateExpression {
    let program: CELProgram
    let node: LocatedJSON
    /// Where its source begins, in UTF-8 bytes of the string's text.
    let start: Int

    /// The place of a byte of the source.
    func place(_ offset: Int) -> TemplatePlace { TemplatePlace(node: node, decoded: start + offset) }

    /// Where a part of a path stands that the expression reads.
    func place(of part: Int, in reference: CELReference) -> TemplatePlace {
        place(reference.ranges.indices.contains(part) ? reference.ranges[part].lowerBound : 0)
    }
}

/// Compiles the values of a definition that may hold `${ … }`; gathers all faults and all expressions.
struct TemplateCompiler {
    let environment: CELEnvironment
    private(set) var faults: [TemplateFault] = []
    /// What can be used as it is, but is probably not meant.
    private(set) var doubts: [TemplateFault] = []
    private(set) var expressions: [TemplateExpression] = []

    /// Names of steps that can't stand behind a dot in the language.
    private let unselectableSteps: [String]

    init(environment: CELEnvironment, stepNames: [String] = []) {
        self.environment = environment
        unselectableSteps = stepNames.filter { $0.contains("-") || ["in", "true", "false", "null"].contains($0) }
    }

    /// A value and everything in it.
    ///
    /// With faults the result is of no use.
    mutating func compile(_ node: LocatedJSON) -> Template {
        switch node.content {
        case .string: return compileText(node)
        case .array(let elements):
            let templates = elements.map { compile($0) }
            let constants = templates.compactMap(\.constant)
            return constants.count == templates.count ? .constant(.array(constants)) : .array(templates)
        case .object(let members):
            for member in members where member.key.contains("${") {
                add(
                    .expressionInName,
                    member.value,
                    nil,
                    "the name \(quoted(member.key)) is taken as it stands",
                    "expressions are read in values, not in names"
                )
            }
            let templates = members.map { (key: $0.key, value: compile($0.value)) }
            let constants = templates.compactMap { member in member.value.constant.map { (member.key, $0) } }
            return constants.count == templates.count ? .constant(.object(JSONObject(constants))) : .object(templates)
        case .null, .bool, .number: return .constant(node.json)
        }
    }

    /// A string that is a condition: wholly one `${ … }`, or an expression without it; nil with a fault.
    mutating func compileCondition(_ node: LocatedJSON) -> CELProgram? {
        guard let text = node.stringValue else { return nil }
        guard text.contains("${") else { return program(text, in: node, at: 0) }
        switch compileText(node) {
        case .expression(let program): return program
        default:
            if faults.isEmpty {
                add(
                    .invalidExpression,
                    node,
                    nil,
                    "a condition must be one expression and nothing else",
                    "such as \"${ input.total > 100 }\""
                )
            }
            return nil
        }
    }

    private mutating func compileText(_ node: LocatedJSON) -> Template {
        let text = node.stringValue ?? ""
        let pieces: [TemplateScanner.Piece]
        do throws(TemplateScanner.Unterminated) {
            pieces = try TemplateScanner.pieces(of: text)
        } catch {
            add(
                .unterminatedExpression,
                node,
                error.offset,
                "`${` without its `}`",
                error.openString == nil ? "write $${ for a plain ${" : "a string inside the expression isn't closed"
            )
            return .constant(.null)
        }
        var parts: [Template.TextPart] = []
        for piece in pieces {
            switch piece {
            case .literal(let literal):
                parts.append(.literal(literal))
                doubt(literal, in: node)
            case .expression(let source, let offset):
                if let program = program(source, in: node, at: offset) { parts.append(.expression(program)) }
            }
        }
        switch (parts.first, parts.count) {
        case (.literal(let literal), 1): return .constant(.string(literal))
        case (.expression(let program), 1): return .expression(program)
        default: return .text(parts)
        }
    }

    private mutating func doubt(_ literal: String, in node: LocatedJSON) {
        guard let meant = ForeignExpressions.meant(by: literal) else { return }
        doubts.append(
            TemplateFault(
                code: .notAnExpression,
                place: TemplatePlace(node: node, decoded: nil),
                message: "this is no expression: it is taken as it stands",
                hint: "did you mean \(quoted(meant))?"
            )
        )
    }

    /// Compiles one expression whose source begins at a byte of the string's text; nil with a fault.
    private mutating func program(_ source: String, in node: LocatedJSON, at start: Int) -> CELProgram? {
        let blank = source.utf8.prefix { $0 == 0x20 || (0x09...0x0D).contains($0) }.count
        if blank == source.utf8.count {
            add(.emptyExpression, node, start, "an empty expression", "write $${ for a plain ${")
            return nil
        }
        if source.utf8.dropFirst(blank).starts(with: "env:".utf8) {
            add(
                .invalidEnvironment,
                node,
                start + blank,
                "`${env:…}` is read in `services` only",
                "put it into the service's `url` or `headers`"
            )
            return nil
        }
        do throws(CELError) {
            let program = try CELProgram(compiling: source, in: environment)
            expressions.append(TemplateExpression(program: program, node: node, start: start))
            return program
        } catch {
            add(.invalidExpression, node, start + error.offset, error.message, stepHint(source) ?? error.hint)
            return nil
        }
    }

    /// How to name a step whose name the language reads as something else, such as a subtraction.
    private func stepHint(_ source: String) -> String? {
        unselectableSteps.first { source.contains("steps.\($0)") }.map { "write steps[\"\($0)\"]" }
    }

    private mutating func add(
        _ code: Finding.Code,
        _ node: LocatedJSON,
        _ decoded: Int?,
        _ message: String,
        _ hint: String?
    ) {
        faults.append(
            TemplateFault(
                code: code,
                place: TemplatePlace(node: node, decoded: decoded),
                message: message,
                hint: hint
            )
        )
    }
}

extension Template {
    /// The value of a template without expressions, else nil.
    var constant: JSON? {
        if case .constant(let json) = self { json } else { nil }
    }

    /// The parts that are not expressions, as text; for a path, a query or a header.
    var literals: [String] {
        switch self {
        case .constant(let json): [json.stringValue ?? json.text]
        case .text(let parts):
            parts.compactMap { if case .literal(let text) = $0 { text } else { nil } }
        case .expression, .array, .object: []
        }
    }

    /// The same text with its literal parts changed by `change`.
    func mapLiterals(_ change: (String) -> String) -> Template {
        switch self {
        case .constant(let json): .constant(.string(change(json.stringValue ?? json.text)))
        case .text(let parts):
            .text(parts.map { if case .literal(let text) = $0 { .literal(change(text)) } else { $0 } })
        case .expression, .array, .object: self
        }
    }
}

/// A text of `services` with its references to the environment found: `${env:NAME}` and `${env:NAME:-default}`,
/// where `$${` is a plain `${`.
struct EnvironmentText {
    enum Part: Equatable {
        case literal(String)
        case variable(name: String, fallback: String?)
    }

    /// A reference that can't be read.
    struct Fault: Equatable {
        /// Where it begins, in UTF-8 bytes of the text.
        let offset: Int
        let message: String
        let hint: String
    }

    private(set) var parts: [Part] = []
    private(set) var faults: [Fault] = []

    init(_ text: String) {
        let bytes = Array(text.utf8)
        var literal: [UInt8] = []
        var position = 0
        while position < bytes.count {
            let rest = bytes[position...]
            if rest.starts(with: "$${".utf8) {
                literal += "${".utf8
                position += 3
            } else if rest.starts(with: "${".utf8) {
                guard let end = rest.firstIndex(of: UInt8(ascii: "}")) else {
                    faults.append(
                        Fault(offset: position, message: "`${` without its `}`", hint: "write $${ for a plain ${")
                    )
                    position = bytes.count
                    break
                }
                if !literal.isEmpty { parts.append(.literal(String(decoding: literal, as: UTF8.self))) }
                literal = []
                read(bytes[(position + 2)..<end], at: position)
                position = end + 1
            } else {
                literal.append(bytes[position])
                position += 1
            }
        }
        if !literal.isEmpty { parts.append(.literal(String(decoding: literal, as: UTF8.self))) }
    }

    private mutating func read(_ reference: ArraySlice<UInt8>, at offset: Int) {
        let example = "write ${env:NAME} or ${env:NAME:-default}"
        // What stands there is not repeated in messages: a default may be a secret.
        guard reference.starts(with: "env:".utf8) else {
            faults.append(
                Fault(offset: offset, message: "in `services` only the environment is read", hint: example)
            )
            return
        }
        let body = reference.dropFirst(4)
        let name = body.prefix { $0 != UInt8(ascii: ":") }
        let tail = body.dropFirst(name.count)
        guard Names.isVariableName(name), tail.isEmpty || tail.starts(with: ":-".utf8) else {
            faults.append(
                Fault(offset: offset, message: "this doesn't name a variable of the environment", hint: example)
            )
            return
        }
        parts.append(
            .variable(
                name: String(decoding: name, as: UTF8.self),
                fallback: tail.isEmpty ? nil : String(decoding: tail.dropFirst(2), as: UTF8.self)
            )
        )
    }

    /// The text with defaults filled in and stand-ins for every variable without one, `first` for one that the text begins with.
    func filled(first: String, others: String) -> String {
        var result = ""
        for (index, part) in parts.enumerated() {
            switch part {
            case .literal(let text): result += text
            case .variable(_, let fallback): result += fallback ?? (index == 0 ? first : others)
            }
        }
        return result
    }
}

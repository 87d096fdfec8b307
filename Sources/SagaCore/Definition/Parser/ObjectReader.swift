import JSON

/// Reads one object of a definition: whoever has it says which keys there are and asks for each by its kind;
/// everything that doesn't fit becomes a finding, and the answer is nil.
package struct ObjectReader {
    package let node: LocatedJSON
    let log: FindingLog
    /// What the object is, for messages, such as "a step".
    let subject: String
    /// Whether the object has a key that it may not have.
    package let hasUnknownKeys: Bool
    /// Keys that aren't there, but that an unknown one was probably meant for: they aren't missing too.
    private let meant: Set<String>
    /// What stands under such a key that is it but for a slip.
    private let slips: [String: LocatedJSON.Member]

    /// Reports unknown keys; nil when the node is not an object. (Duplicate keys are found once for the whole file.)
    package init?(_ node: LocatedJSON, _ subject: String, keys: [String], log: FindingLog) {
        guard let members = node.members else {
            log.wrongKind(node, subject, expected: "an object")
            return nil
        }
        self.node = node
        self.log = log
        self.subject = subject
        let unknown = members.filter { member in !keys.contains { sameBytes($0, member.key) } }
        hasUnknownKeys = !unknown.isEmpty
        var meant: Set<String> = []
        var slips: [String: LocatedJSON.Member] = [:]
        for member in unknown.prefix(FindingLog.most + 1) {
            let hint = KeyHint(member.key, in: subject, keys: keys)
            log.error(
                .unknownKey,
                at: member.keyRange.lowerBound,
                "unknown key \(quoted(member.key)) in \(subject)",
                hint: hint.text
            )
            guard let key = hint.meant, !meant.contains(key), node[key] == nil else { continue }
            meant.insert(key)
            if hint.isSlip { slips[key] = member }
        }
        self.meant = meant
        self.slips = slips
    }

    /// The value of a key, whatever its kind; of a misspelt one too, so that one fault doesn't make others.
    package subscript(key: String) -> LocatedJSON? { node[key] ?? slips[key]?.value }

    /// Whether a key is there, or an unknown one was probably meant for it.
    package func isMeant(_ key: String) -> Bool { node[key] != nil || meant.contains(key) }

    /// Where a key stands; the object's own place when it isn't there.
    package func keyOffset(_ key: String) -> Int {
        let member = node.members?.last { sameBytes($0.key, key) } ?? slips[key]
        return member?.keyRange.lowerBound ?? node.range.lowerBound
    }

    /// The value of a key that must be there.
    package func required(_ key: String, hint: String? = nil) -> LocatedJSON? {
        if let value = self[key] { return value }
        if isMeant(key) { return nil }
        log.error(.missingKey, at: node.range.lowerBound, "\(subject) has no `\(key)`", hint: hint)
        return nil
    }

    package func string(_ key: String) -> String? {
        self[key].flatMap { log.string($0, "`\(key)`") }
    }

    package func bool(_ key: String) -> Bool? {
        guard let value = self[key] else { return nil }
        if value.boolValue == nil { log.wrongKind(value, "`\(key)`", expected: "true or false") }
        return value.boolValue
    }

    /// A whole number within `range`.
    package func integer(_ key: String, _ range: ClosedRange<Int>) -> Int? {
        guard let value = self[key] else { return nil }
        guard let number = value.numberValue else {
            log.wrongKind(value, "`\(key)`", expected: "a whole number")
            return nil
        }
        if let integer = number.int64.flatMap({ Int(exactly: $0) }), range.contains(integer) { return integer }
        log.error(
            .outOfRange,
            at: value.range.lowerBound,
            "`\(key)` must be a whole number from \(range.lowerBound) to \(range.upperBound)"
        )
        return nil
    }

    /// A number within `range`; `excluded`, if given, is not.
    func number(_ key: String, _ range: ClosedRange<Double>, excluding excluded: Double? = nil, words: String)
        -> Double?
    {
        guard let value = self[key] else { return nil }
        guard let number = value.numberValue?.double else {
            log.wrongKind(value, "`\(key)`", expected: "a number")
            return nil
        }
        if range.contains(number), number != excluded { return number }
        log.error(.outOfRange, at: value.range.lowerBound, "`\(key)` must be \(words)")
        return nil
    }

    /// A duration; zero only where it means something.
    package func duration(_ key: String, zero: ZeroDuration = .isAnError) -> TimeSpan? {
        guard let value = self[key] else { return nil }
        if zero == .isAllowed, value.numberValue?.literal == "0" { return .zero }
        guard let text = value.stringValue else {
            let example = value.numberValue.map { "\"\($0.literal)s\"" } ?? "\"30s\""
            log.wrongKind(value, "`\(key)`", expected: "a duration", hint: "write it as a string, such as \(example)")
            return nil
        }
        do throws(DurationError) {
            let span = try TimeSpan(parsing: text)
            if span > .zero || zero == .isAllowed { return span }
            log.error(.invalidDuration, at: value.range.lowerBound, "`\(key)` must be longer than zero")
        } catch {
            log.error(.invalidDuration, at: value.range.lowerBound, "`\(key)`: \(error.message)", hint: error.hint)
        }
        return nil
    }

    package enum ZeroDuration { case isAllowed, isAnError }

    /// One of the words of an enumeration.
    package func choice<Choice: RawRepresentable & CaseIterable>(_ key: String, _: Choice.Type) -> Choice?
    where Choice.RawValue == String {
        guard let text = string(key), let value = self[key] else { return nil }
        if let choice = Choice(rawValue: text) { return choice }
        let words = Choice.allCases.map(\.rawValue)
        log.error(
            .invalidValue,
            at: value.range.lowerBound,
            "\(quoted(text)) is not a value of `\(key)`",
            hint: NearestName.hint(text, among: words) ?? "write \(wordList(words))"
        )
        return nil
    }
}

extension FindingLog {
    /// Reports a value of another kind than its place asks for.
    package func wrongKind(_ node: LocatedJSON, _ subject: String, expected: String, hint: String? = nil) {
        let actual =
            switch node.kind {
            case .null: "null"
            case .bool: "a boolean"
            case .number: "a number"
            case .string: "a string"
            case .array: "an array"
            case .object: "an object"
            }
        error(.wrongKind, at: node.range.lowerBound, "\(subject) must be \(expected), not \(actual)", hint: hint)
    }

    /// The text of a string; anything else is reported.
    package func string(_ node: LocatedJSON, _ subject: String) -> String? {
        if node.stringValue == nil { wrongKind(node, subject, expected: "a string") }
        return node.stringValue
    }

    /// The name of a saga, step or service; anything else is reported.
    func name(_ node: LocatedJSON, _ subject: String) -> String? {
        guard let text = string(node, subject) else { return nil }
        return isName(text, subject, at: node.range.lowerBound) ? text : nil
    }

    func isName(_ text: String, _ subject: String, at offset: Int) -> Bool {
        if Names.isName(text) { return true }
        error(
            .invalidName,
            at: offset,
            "\(quoted(text)) can't be \(subject)",
            hint: "a letter, then up to 62 letters, digits, _ and -"
                + (Names.mended(text).map { ", such as `\($0)`" } ?? "")
        )
        return false
    }

    /// Reports every key that an object has twice, anywhere in the file: which one holds would be a guess.
    package func reportDuplicateKeys(_ node: LocatedJSON) {
        switch node.content {
        case .array(let elements): elements.forEach(reportDuplicateKeys)
        case .object(let members):
            var seen: Set<[UInt8]> = []
            for member in members {
                if !seen.insert(Array(member.key.utf8)).inserted {
                    error(.duplicateKey, at: member.keyRange.lowerBound, "the key \(quoted(member.key)) is there twice")
                }
                reportDuplicateKeys(member.value)
            }
        case .null, .bool, .number, .string: break
        }
    }
}

/// `a, b or c`.
package func wordList(_ words: [String]) -> String {
    guard words.count > 1, let last = words.last else { return words.first ?? "" }
    return words.dropLast().joined(separator: ", ") + " or " + last
}

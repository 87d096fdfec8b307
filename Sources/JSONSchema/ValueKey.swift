import JSON

/// A value as JSON Schema compares it: numbers by what they are worth (`1` is `1.0`), strings by code points, objects
/// whatever the order of their members.
package struct ValueKey: Hashable, Sendable {
    package let value: JSON

    package static func == (left: ValueKey, right: ValueKey) -> Bool { areEqual(left.value, right.value) }

    package static func areEqual(_ left: JSON, _ right: JSON) -> Bool {
        switch (left, right) {
        case (.null, .null): return true
        case (.bool(let a), .bool(let b)): return a == b
        case (.number(let a), .number(let b)): return a == b || ExactNumber(a) == ExactNumber(b)
        case (.string(let a), .string(let b)): return sameBytes(a, b)
        case (.array(let a), .array(let b)): return a.count == b.count && zip(a, b).allSatisfy { areEqual($0, $1) }
        case (.object(let a), .object(let b)):
            guard a.count == b.count else { return false }
            return a.members.allSatisfy { member in b[member.key].map { areEqual(member.value, $0) } ?? false }
        default: return false
        }
    }

    package func hash(into hasher: inout Hasher) { ValueKey.hash(value, into: &hasher) }

    private static func hash(_ value: JSON, into hasher: inout Hasher) {
        switch value {
        case .null: hasher.combine(0)
        case .bool(let value): hasher.combine(value ? 1 : 2)
        case .number(let number): hasher.combine(ExactNumber(number))
        case .string(let text): hasher.combine(ExactKey(text: text))
        case .array(let elements):
            hasher.combine(elements.count)
            for element in elements { hash(element, into: &hasher) }
        case .object(let object):
            var sum = 0
            for member in object.members {
                var own = hasher
                own.combine(ExactKey(text: member.key))
                hash(member.value, into: &own)
                sum ^= own.finalize()
            }
            hasher.combine(sum)
        }
    }
}

extension JSON {
    /// What looking at the whole value costs, in steps; counting ends soon after the limit.
    func weight(limit: Int) -> Int {
        switch self {
        case .null, .bool: return 1
        case .number(let number): return 1 + number.digitsCost
        case .string(let text): return 1 + text.utf8.count / 64
        case .array(let elements):
            var sum = 1
            for element in elements {
                guard sum <= limit else { break }
                sum += element.weight(limit: limit - sum)
            }
            return sum
        case .object(let object):
            var sum = 1
            for member in object.members {
                guard sum <= limit else { break }
                sum += 1 + member.key.utf8.count / 64 + member.value.weight(limit: limit - sum)
            }
            return sum
        }
    }

    /// Whether values nest deeper than that.
    func isDeeper(than depth: Int) -> Bool {
        switch self {
        case .array(let elements): depth <= 0 || elements.contains { $0.isDeeper(than: depth - 1) }
        case .object(let object): depth <= 0 || object.members.contains { $0.value.isDeeper(than: depth - 1) }
        default: false
        }
    }
}

import JSON
import JSONSchema
import SagaCore

/// What one expectation of a scenario says, beside what was seen.
public struct ScenarioDifference: Sendable, Hashable {
    /// One line of the two columns.
    public struct Row: Sendable, Hashable {
        /// nil where more was seen than expected.
        public let expected: String?
        /// nil where less was.
        public let seen: String?
        public let isSame: Bool

        init(expected: String?, seen: String?, isSame: Bool) {
            self.expected = expected
            self.seen = seen
            self.isSame = isSame
        }

        init(_ expected: String, _ seen: String) {
            self.init(expected: expected, seen: seen, isSame: expected == seen)
        }
    }

    /// The expectation's key, such as `calls`.
    public let key: String
    public let place: Scenario.Place
    public let rows: [Row]
}

/// Two lists beside each other, so that as much as possible stands beside what it is equal to.
struct Alignment {
    private(set) var rows: [ScenarioDifference.Row] = []

    /// Beyond that many comparisons the lists are only compared line by line.
    private static let mostComparisons = 1_000_000

    /// - Parameter head: the members that are shown without their names, and of what was seen always.
    init(_ expected: [Scenario.Pattern], _ seen: [JSONObject], head: [String]) {
        let pairs = Self.pairs(expected.count, seen.count) { expected[$0].matches(seen[$1]) }
        for (left, right) in pairs {
            let pattern = left.map { expected[$0] }
            let isSame = left.flatMap { left in right.map { expected[left].matches(seen[$0]) } } ?? false
            let line = right.map { Self.line(of: seen[$0], as: pattern, isSame: isSame, head: head) }
            rows.append(
                .init(expected: pattern.map { Self.line(of: $0.members, head: head) }, seen: line, isSame: isSame))
        }
    }

    /// The lines of two texts.
    static func lines(_ expected: String, _ seen: String) -> [ScenarioDifference.Row] {
        let left = expected.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        let right = seen.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        return pairs(left.count, right.count) { left[$0] == right[$1] }.map { pair in
            let (one, other) = (pair.0.map { left[$0] }, pair.1.map { right[$0] })
            return .init(expected: one, seen: other, isSame: one == other)
        }
    }

    private static func line(
        of seen: JSONObject, as pattern: Scenario.Pattern?, isSame: Bool, head: [String]
    ) -> String {
        if isSame, let pattern { return line(of: pattern.members, head: head) }
        let shown = head + (pattern?.members.keys.filter { !head.contains($0) } ?? [])
        let members = shown.compactMap { key -> (String, JSON)? in
            let value = seen[key]
            if head.contains(key) { return value.flatMap { $0.isNull ? nil : (key, $0) } }
            guard let wanted = pattern?.members[key]?.objectValue, key == "headers" else {
                return (key, value ?? .null)
            }
            let names = wanted.keys.map { $0.lowercased() }
            let found = value?.objectValue?.members.filter { names.contains($0.key.lowercased()) } ?? []
            return (key, .object(JSONObject(found.map { ($0.key, $0.value) })))
        }
        return line(of: JSONObject(members), head: head)
    }

    private static func line(of members: JSONObject, head: [String]) -> String {
        members.members.map { head.contains($0.key) ? text($0.value) : "\($0.key) \(text($0.value))" }
            .joined(separator: " ")
    }

    /// A longest common subsequence (Wagner and Fischer, 1974); what lies between two of its elements stands side by
    /// side as far as it reaches.
    private static func pairs(_ left: Int, _ right: Int, _ isSame: (Int, Int) -> Bool) -> [(Int?, Int?)] {
        let (cells, isTooMuch) = left.multipliedReportingOverflow(by: right)
        if isTooMuch || cells > mostComparisons {
            return (0..<max(left, right)).map { ($0 < left ? $0 : nil, $0 < right ? $0 : nil) }
        }
        var same = [Bool](repeating: false, count: cells)
        var lengths = [Int](repeating: 0, count: (left + 1) * (right + 1))
        for row in (0..<left).reversed() {
            for column in (0..<right).reversed() {
                let found = isSame(row, column)
                same[row * right + column] = found
                let (below, beside) = (
                    lengths[(row + 1) * (right + 1) + column], lengths[row * (right + 1) + column + 1]
                )
                lengths[row * (right + 1) + column] =
                    found ? lengths[(row + 1) * (right + 1) + column + 1] + 1 : max(below, beside)
            }
        }
        var pairs: [(Int?, Int?)] = []
        var (row, column) = (0, 0)
        var (lefts, rights): ([Int], [Int]) = ([], [])
        func flush() {
            for index in 0..<max(lefts.count, rights.count) {
                pairs.append(
                    (
                        lefts.indices.contains(index) ? lefts[index] : nil,
                        rights.indices.contains(index) ? rights[index] : nil
                    ))
            }
            (lefts, rights) = ([], [])
        }
        /// Of two ways that are as long the one that keeps what lies between side by side.
        func isLeftNext(_ row: Int, _ column: Int) -> Bool {
            let (below, beside) = (lengths[(row + 1) * (right + 1) + column], lengths[row * (right + 1) + column + 1])
            return below == beside ? lefts.count <= rights.count : below > beside
        }
        while row < left || column < right {
            if row < left, column < right, same[row * right + column] {
                flush()
                pairs.append((row, column))
                (row, column) = (row + 1, column + 1)
            } else if row < left, column >= right || isLeftNext(row, column) {
                lefts.append(row)
                row += 1
            } else {
                rights.append(column)
                column += 1
            }
        }
        flush()
        return pairs
    }
}

extension Scenario.Pattern {
    /// Whether each member that the pattern names is so.
    ///
    /// Of headers only those named are looked at, in any case.
    func matches(_ seen: JSONObject) -> Bool {
        members.members.allSatisfy { member in
            guard member.key == "headers", let wanted = member.value.objectValue else {
                return ValueKey.areEqual(member.value, seen[member.key] ?? .null)
            }
            let headers = seen["headers"]?.objectValue?.members ?? []
            return wanted.members.allSatisfy { header in
                headers.contains {
                    $0.key.lowercased() == header.key.lowercased() && ValueKey.areEqual(header.value, $0.value)
                }
            }
        }
    }
}

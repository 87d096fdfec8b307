/// Finds what was probably meant by a misspelt name: a key, a keyword, a step, a function.
///
/// It stands here because whatever reads documents and the language in them needs it, and all of that stands on `JSON`.
package enum NearestName {
    /// A hint for a message, such as "did you mean `retry`?"; nil when nothing is near.
    package static func hint(_ name: String, among candidates: some Sequence<String>) -> String? {
        nearest(to: name, among: candidates).map { "did you mean `\($0)`?" }
    }

    /// The candidate nearest to `name`, the first of equals; nil when none is near enough to be meant.
    ///
    /// Near is at most a third of the longer name in edits, and not more than `mostEdits`, or a name of which `name` is
    /// the beginning.
    package static func nearest(to name: String, among candidates: some Sequence<String>) -> String? {
        let wanted = Array(name.lowercased().utf8.prefix(longest + 1))
        guard !wanted.isEmpty, wanted.count <= longest else { return nil }
        var best: (distance: Int, candidate: String)?
        var extended: String?
        for candidate in candidates where candidate.utf8.count <= longest {
            let other = Array(candidate.lowercased().utf8)
            if extended == nil, wanted.count >= 3, other.starts(with: wanted) { extended = candidate }
            let longer = max(wanted.count, other.count)
            // Only what is nearer than the best so far matters.
            let allowed = min((longer + 2) / 3, longer - 1, mostEdits, (best?.distance ?? .max) - 1)
            guard allowed >= 0, let distance = edits(wanted, other, atMost: allowed) else { continue }
            best = (distance, candidate)
            if distance == 0 { break }
        }
        return best?.candidate ?? extended
    }

    private static let longest = 64
    /// More than that is another name.
    private static let mostEdits = 4

    /// How many insertions, deletions, replacements and swaps of neighbours lead from one to the other
    /// (optimal string alignment distance); nil when they are more than `limit`.
    ///
    /// Only the band of the table is filled in which a distance can be within the limit (Ukkonen, 1985).
    package static func edits(_ left: [UInt8], _ right: [UInt8], atMost limit: Int) -> Int? {
        guard abs(left.count - right.count) <= limit else { return nil }
        let beyond = limit + 1
        var beforeLast: [Int] = []
        var last = (0...right.count).map { min($0, beyond) }
        var current = last
        var leastOfLast = 0
        for row in left.indices {
            let first = max(0, row - limit)
            let end = min(right.count, row + limit + 1)
            current[first] = first == 0 ? min(row + 1, beyond) : beyond
            var least = current[first]
            for column in first..<max(first, end) {
                var cost = min(last[column] + (left[row] == right[column] ? 0 : 1), current[column] + 1)
                if column < row + limit { cost = min(cost, last[column + 1] + 1) }
                if row > 0, column > 0, left[row] == right[column - 1], left[row - 1] == right[column] {
                    cost = min(cost, beforeLast[column - 1] + 1)
                }
                current[column + 1] = min(cost, beyond)
                least = min(least, cost)
            }
            // A swap looks back two rows, so one row beyond the limit doesn't end it.
            if least > limit, leastOfLast > limit { return nil }
            leastOfLast = least
            (beforeLast, last, current) = (last, current, last)
        }
        return last[right.count] <= limit ? last[right.count] : nil
    }
}

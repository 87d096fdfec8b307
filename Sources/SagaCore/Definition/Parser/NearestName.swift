/// Finds what was probably meant by a misspelt name.
enum NearestName {
    /// A hint for a message, such as "did you mean `retry`?"; nil when nothing is near.
    static func hint(_ name: String, among candidates: some Sequence<String>) -> String? {
        nearest(to: name, among: candidates).map { "did you mean `\($0)`?" }
    }

    /// The candidate nearest to `name`, the first of equals; nil when none is near enough to be meant.
    ///
    /// Near is at most a third of the longer name in edits, or a name of which `name` is the beginning.
    static func nearest(to name: String, among candidates: some Sequence<String>) -> String? {
        let wanted = Array(name.lowercased().utf8.prefix(longest + 1))
        guard !wanted.isEmpty, wanted.count <= longest else { return nil }
        var best: (distance: Int, candidate: String)?
        var extended: String?
        for candidate in candidates {
            let other = Array(candidate.lowercased().utf8)
            guard other.count <= longest else { continue }
            if extended == nil, wanted.count >= 3, other.starts(with: wanted) { extended = candidate }
            let longer = max(wanted.count, other.count)
            let allowed = min((longer + 2) / 3, longer - 1)
            guard abs(wanted.count - other.count) <= allowed else { continue }
            let distance = edits(wanted, other)
            if distance <= allowed, best.map({ distance < $0.distance }) ?? true { best = (distance, candidate) }
        }
        return best?.candidate ?? extended
    }

    private static let longest = 64

    /// How many insertions, deletions, replacements and swaps of neighbours lead from one to the other
    /// (optimal string alignment distance).
    static func edits(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var beforeLast: [Int] = []
        var last = Array(0...right.count)
        for row in 0..<left.count {
            var current = [row + 1]
            current.reserveCapacity(right.count + 1)
            for column in 0..<right.count {
                let replaced = last[column] + (left[row] == right[column] ? 0 : 1)
                var least = min(replaced, last[column + 1] + 1, current[column] + 1)
                if row > 0, column > 0, left[row] == right[column - 1], left[row - 1] == right[column] {
                    least = min(least, beforeLast[column - 1] + 1)
                }
                current.append(least)
            }
            beforeLast = last
            last = current
        }
        return last[right.count]
    }
}

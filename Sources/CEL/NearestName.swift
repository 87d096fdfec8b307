/// Finds the name that a person may have meant.
enum NearestName {
    /// The closest of the names, as a suggestion; nil when none is close.
    ///
    /// Of equally close ones the first by spelling.
    static func hint(for name: String, among names: some Sequence<String>) -> String? {
        guard name.utf8.count <= 128 else { return nil }
        let allowed = max(1, name.utf8.count / 3)
        let wanted = Array(name.lowercased().utf8)
        var best: (distance: Int, name: String)?
        for candidate in names.sorted() where abs(candidate.utf8.count - name.utf8.count) <= allowed {
            let distance = distance(wanted, Array(candidate.lowercased().utf8))
            if distance <= allowed, distance < best?.distance ?? .max { best = (distance, candidate) }
        }
        return best.map { "did you mean '\($0.name)'?" }
    }

    /// Levenshtein's, with two neighbours exchanged counting as one change.
    private static func distance(_ a: [UInt8], _ b: [UInt8]) -> Int {
        var before: [Int] = []
        var previous = Array(0...b.count)
        for i in a.indices {
            var current = [i + 1]
            for j in b.indices {
                var cost = min(previous[j + 1] + 1, current[j] + 1, previous[j] + (a[i] == b[j] ? 0 : 1))
                if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { cost = min(cost, before[j - 1] + 1) }
                current.append(cost)
            }
            (before, previous) = (previous, current)
        }
        return previous[b.count]
    }
}

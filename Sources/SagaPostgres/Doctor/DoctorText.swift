import SagaCore

/// How the doctor puts figures into words.
enum DoctorText {
    /// A length of time in its two largest units: `340 ms`, `12 s`, `2 min 5 s`, `3 d 4 h`.
    static func span(_ span: TimeSpan) -> String {
        let milliseconds = span.microseconds.magnitude / 1_000
        let seconds = milliseconds / 1_000
        switch seconds {
        case 0: return "\(milliseconds) ms"
        case 1..<60: return "\(seconds) s"
        case 60..<3_600: return pair(seconds / 60, "min", seconds % 60, "s")
        case 3_600..<86_400: return pair(seconds / 3_600, "h", seconds % 3_600 / 60, "min")
        default: return pair(seconds / 86_400, "d", seconds % 86_400 / 3_600, "h")
        }
    }

    private static func pair(_ large: UInt64, _ unit: String, _ small: UInt64, _ smallUnit: String) -> String {
        small == 0 ? "\(large) \(unit)" : "\(large) \(unit) \(small) \(smallUnit)"
    }

    /// A number of bytes: `512 bytes`, `8 kB`, `12 MB`, `3 GB`, by 1024, as PostgreSQL writes them.
    static func bytes(_ count: Int64) -> String {
        let magnitude = max(0, count)
        switch magnitude {
        case ..<10_240: return "\(magnitude) bytes"
        case ..<10_485_760: return "\(magnitude / 1_024) kB"
        case ..<10_737_418_240: return "\(magnitude / 1_048_576) MB"
        default: return "\(magnitude / 1_073_741_824) GB"
        }
    }

    /// `1 saga`, `3 sagas`.
    static func count(_ count: Int, _ one: String, _ many: String? = nil) -> String {
        "\(count) \(count == 1 ? one : many ?? one + "s")"
    }

    /// Whose session it is: `report, role bi`; empty where neither is known.
    static func who(application: String, role: String) -> String {
        [application, role].filter { !$0.isEmpty }.joined(separator: ", role ")
    }

    /// What to do about a prepared transaction, which only its owner can know.
    static func endingPrepared(_ name: String) -> String {
        "ask its owner which: COMMIT PREPARED \(literal(name)); or ROLLBACK PREPARED \(literal(name));"
    }

    /// An SQL identifier, quoted where it has to be.
    static func identifier(_ name: String) -> String {
        let isPlain =
            name.utf8.first.map { (97...122).contains($0) || $0 == 95 } == true
            && name.utf8.allSatisfy { (97...122).contains($0) || (48...57).contains($0) || $0 == 95 }
        return isPlain ? name : "\"" + name.replacing("\"", with: "\"\"") + "\""
    }

    /// An SQL string literal.
    static func literal(_ text: String) -> String {
        "'" + text.replacing("'", with: "''") + "'"
    }
}

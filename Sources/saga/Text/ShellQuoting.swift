extension String {
    /// The text as one word of a POSIX shell: as it is where no shell reads anything into it, else in single quotes.
    var shellQuoted: String {
        let isPlain = utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            default: "@%+=:,./-_".utf8.contains(byte)
            }
        }
        // zsh takes a word that begins with = for a command's path.
        if isPlain, !isEmpty, !hasPrefix("=") { return self }
        return "'" + split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
    }

    /// An option with its value, to be pasted: `--error Refused`, or `--error=-x` where the value looks like an option.
    static func option(_ name: String, _ value: String) -> String {
        value.hasPrefix("-") ? "\(name)=\(value.shellQuoted)" : "\(name) \(value.shellQuoted)"
    }
}

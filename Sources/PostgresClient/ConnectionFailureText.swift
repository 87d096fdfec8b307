/// What can be read from libpq's text about a connection that couldn't be made.
enum ConnectionFailureText {
    /// Takes out what only a verbose message has, the SQLSTATE and the place in the server's source, and returns the
    /// last SQLSTATE: `FATAL:  57P03: the database system is starting up`, then a line `LOCATION:  …`.
    static func takeSQLState(from text: inout String) -> String? {
        var state: String?
        var lines: [String] = []
        for line in text.split(separator: "\n") where !line.hasPrefix("LOCATION:  ") {
            guard let (found, rest) = splitSQLState(line) else {
                lines.append(String(line))
                continue
            }
            state = found
            lines.append(rest)
        }
        text = lines.joined(separator: "\n")
        return state
    }

    /// Finds `:  XXXXX: ` in a line, and the line without the five characters.
    private static func splitSQLState(_ line: Substring) -> (state: String, rest: String)? {
        let bytes = Array(line.utf8)
        let colon = UInt8(ascii: ":")
        let blank = UInt8(ascii: " ")
        guard bytes.count >= 10 else { return nil }
        for start in 0...(bytes.count - 10) {
            guard bytes[start] == colon, bytes[start + 1] == blank, bytes[start + 2] == blank,
                bytes[start + 8] == colon, bytes[start + 9] == blank
            else { continue }
            let state = bytes[(start + 3)..<(start + 8)]
            let isState = state.allSatisfy { byte in
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                    || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
            }
            guard isState else { continue }
            let rest = bytes[...(start + 1)] + bytes[(start + 10)...]
            return (String(decoding: state, as: UTF8.self), String(decoding: rest, as: UTF8.self))
        }
        return nil
    }
}

/// Keeps a connection string's password out of messages.
///
/// libpq quotes parts of a string that it can't read, and a password with a stray `@`, `/` or blank makes it take one
/// piece of the password for a host, a port or an option. So the pieces of whatever could be a password are looked for
/// in everything that a message quotes.
struct ConnectionRedaction {
    private let secrets: [String]

    init(_ connectionString: String) {
        var candidates: [Substring] = []
        if let scheme = connectionString.range(of: "://") {
            let rest = connectionString[scheme.upperBound...]
            if let colon = rest.firstIndex(of: ":"), let at = rest.lastIndex(of: "@"), colon < at {
                candidates.append(rest[rest.index(after: colon)..<at])
            }
        }
        var position = connectionString.startIndex
        while let match = connectionString[position...].range(of: "password") {
            let rest = connectionString[match.upperBound...].drop { $0 == " " }
            if rest.first == "=" { candidates.append(rest.dropFirst()) }
            position = match.upperBound
        }
        let separators: Set<Character> = ["@", "/", "?", "#", ":", "&", "=", " ", "'", "\\", ","]
        let pieces = candidates.flatMap { candidate in
            [candidate, candidate.drop { $0 == " " || $0 == "'" }.prefix { $0 != " " }.dropLastQuote]
                + candidate.split { separators.contains($0) }
        }
        secrets = pieces.map(String.init).filter { !$0.isEmpty }
    }

    /// The message with every quotation that holds a piece of the password replaced.
    func redact(_ message: String) -> String {
        if secrets.isEmpty { return message }
        var parts = message.split(separator: "\"", omittingEmptySubsequences: false).map(String.init)
        for index in parts.indices where index % 2 == 1 {
            // A piece of one or two characters is in too many names to be looked for within them.
            let isRevealing = secrets.contains { secret in
                parts[index] == secret || (secret.count > 2 && parts[index].contains(secret))
            }
            if isRevealing { parts[index] = "***" }
        }
        return parts.joined(separator: "\"")
    }
}

extension Substring {
    /// The text without a quote at its end.
    fileprivate var dropLastQuote: Substring { last == "'" ? dropLast() : self }
}

extension StringProtocol {
    /// The first place where a text stands; Foundation's search without Foundation.
    fileprivate func range(of text: String) -> Range<Index>? {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(text) { return start..<index(start, offsetBy: text.count) }
            start = index(after: start)
        }
        return nil
    }
}

import JSON

/// The rules for headers, of services and of calls alike.
enum Headers {
    static let forbidden = ["idempotency-key", "traceparent", "host", "content-length"]
    static let forbiddenPrefix = "saga-"

    /// Whether the engine or the transport sets the header itself.
    static func isForbidden(_ name: String) -> Bool {
        let lower = name.lowercased()
        return lower.hasPrefix(forbiddenPrefix) || forbidden.contains(lower)
    }

    /// The members of a `headers` object whose names may be set; every other is reported.
    static func allowed(_ node: LocatedJSON?, log: FindingLog) -> [LocatedJSON.Member] {
        guard let node else { return [] }
        guard let members = node.members else {
            log.wrongKind(node, "`headers`", expected: "an object")
            return []
        }
        var seen: Set<String> = []
        var spellings: Set<String> = []
        return members.filter { member in
            let offset = member.keyRange.lowerBound
            // The same spelling twice is a duplicate key and reported as such.
            let isNewSpelling = spellings.insert(member.key).inserted
            if !Names.isHeaderName(member.key) {
                log.error(
                    .invalidHeader,
                    at: offset,
                    "\(quoted(member.key)) can't be a header's name",
                    hint: "letters, digits and -, such as `X-Request-Source`"
                )
            } else if isForbidden(member.key) {
                log.error(
                    .forbiddenHeader,
                    at: offset,
                    "the header \(quoted(member.key)) can't be set",
                    hint: "it is set by the engine on every call"
                )
            } else if !seen.insert(member.key.lowercased()).inserted {
                if isNewSpelling {
                    log.error(
                        .duplicateHeader,
                        at: offset,
                        "the header \(quoted(member.key)) is there twice",
                        hint: "upper and lower case are the same in the names of headers"
                    )
                }
            } else {
                return true
            }
            return false
        }
    }

    /// Reports a value that no header can carry.
    static func isValue(_ text: String, of name: String, at offset: Int, log: FindingLog) -> Bool {
        guard text.utf8.contains(where: { ($0 < 0x20 && $0 != UInt8(ascii: "\t")) || $0 == 0x7F }) else { return true }
        log.error(
            .invalidHeader,
            at: offset,
            "the value of the header \(quoted(name)) has a control character",
            hint: "a header is one line"
        )
        return false
    }
}

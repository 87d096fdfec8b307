import JSON

// The document: `{"breaker": {"state", "since", "generation", "nextProbe", "openings", "calls" or "seconds",
// "probes"}, "fullAt", "holders", "heldOffUntil", "by"}`. Times are microseconds since 1970; what is empty is left out.

extension ServiceState {
    /// Reads a stored state; keys that it doesn't know are passed over.
    /// - Throws: ``ServiceDocumentError`` for what no state can be, never trapping on any bytes.
    public init(json: RawJSON) throws(ServiceDocumentError) {
        let reader = try ServiceStateReader(json)
        breaker = try reader.breaker()
        schedule.fullAt = try reader.instant(reader.root["fullAt"], "fullAt")
        bulkhead.holders = try reader.holders()
        heldOffUntil = try reader.instant(reader.root["heldOffUntil"], "heldOffUntil")
        changedBy = try reader.daemon(reader.root["by"], "by")
    }

    /// The same state gives the same bytes.
    public var json: RawJSON {
        var writer = JSONWriter(reservingCapacity: 256)
        writer.beginObject()
        writer.key("breaker")
        breaker.write(to: &writer)
        if let fullAt = schedule.fullAt { writer.field("fullAt", fullAt.microseconds) }
        if !bulkhead.holders.isEmpty {
            writer.rows("holders", bulkhead.holders) {
                [
                    Int64($0.daemon), Int64($0.held), $0.until.microseconds, Int64($0.wanted), $0.seen.microseconds,
                    $0.turn.microseconds,
                ]
            }
        }
        if let heldOffUntil { writer.field("heldOffUntil", heldOffUntil.microseconds) }
        if let changedBy { writer.field("by", Int64(changedBy)) }
        writer.endObject()
        return writer.finished()
    }
}

extension CircuitBreaker {
    fileprivate func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.field("state", state.rawValue)
        writer.field("since", since.microseconds)
        writer.field("generation", generation)
        if let nextProbe { writer.field("nextProbe", nextProbe.microseconds) }
        if openings != 0 { writer.field("openings", openings) }
        if !window.outcomes.isEmpty { writer.field("calls", OutcomeText.encode(window.outcomes)) }
        if !window.buckets.isEmpty {
            writer.rows("seconds", window.buckets) {
                [$0.second, Int64($0.counts.calls), Int64($0.counts.failures), Int64($0.counts.slowCalls)]
            }
        }
        if !probes.isEmpty {
            writer.rows("probes", probes) { [Int64($0.daemon), Int64($0.count), $0.until.microseconds] }
        }
        writer.endObject()
    }
}

extension JSONWriter {
    /// A member that is a list of rows of numbers.
    fileprivate mutating func rows<Row>(_ key: String, _ rows: [Row], _ numbers: (Row) -> [Int64]) {
        self.key(key)
        beginArray()
        for row in rows {
            beginArray()
            for number in numbers(row) { int(number) }
            endArray()
        }
        endArray()
    }
}

private struct ServiceStateReader {
    let root: JSON

    /// No document has more rows of a kind: neither daemons nor buckets come in such numbers.
    static let mostRows = 10_000
    /// Counts up to here: room for any sum of them.
    static let mostCounted: Int64 = 1 << 40

    init(_ json: RawJSON) throws(ServiceDocumentError) {
        do throws(JSONError) { root = try json.parsed() } catch {
            throw ServiceDocumentError("the state isn't JSON: \(error.message)")
        }
        guard root.objectValue != nil else { throw ServiceDocumentError("the state isn't an object") }
    }

    func breaker() throws(ServiceDocumentError) -> CircuitBreaker {
        guard let node = root["breaker"], node.objectValue != nil else {
            throw ServiceDocumentError("`breaker` isn't an object")
        }
        guard let text = node["state"]?.stringValue, let state = BreakerState(rawValue: text) else {
            throw ServiceDocumentError("`state` isn't one of a breaker's")
        }
        guard let since = try instant(node["since"], "since") else { throw ServiceDocumentError("`since` is missing") }
        var breaker = CircuitBreaker(at: since)
        breaker.state = state
        breaker.generation = Int(try number(node["generation"], "generation", 0...(1 << 53)))
        breaker.nextProbe = try instant(node["nextProbe"], "nextProbe")
        if let openings = node["openings"] {
            breaker.openings = Int(try number(openings, "openings", 0...(1 << 53)))
        }
        breaker.window = try window(node)
        breaker.probes = try rows(node["probes"], "probes", width: 3) { row throws(ServiceDocumentError) in
            CircuitBreaker.ProbeLease(
                daemon: try daemon(row[0]), count: Int(try clamped(row[1], 1...Self.mostCounted)),
                until: Instant(microseconds: row[2]))
        }
        return breaker
    }

    func holders() throws(ServiceDocumentError) -> [Bulkhead.Holder] {
        let holders = try rows(root["holders"], "holders", width: 6) { row throws(ServiceDocumentError) in
            Bulkhead.Holder(
                daemon: try daemon(row[0]), held: Int(try clamped(row[1], 0...Self.mostCounted)),
                until: Instant(microseconds: row[2]), wanted: Int(try clamped(row[3], 0...Int64.max)),
                seen: Instant(microseconds: row[4]), turn: Instant(microseconds: row[5]))
        }
        guard zip(holders, holders.dropFirst()).allSatisfy({ $0.daemon < $1.daemon }) else {
            throw ServiceDocumentError("`holders` aren't in order")
        }
        return holders
    }

    func instant(_ node: JSON?, _ key: String) throws(ServiceDocumentError) -> Instant? {
        guard let node else { return nil }
        return Instant(microseconds: try number(node, key, .min ... .max))
    }

    func daemon(_ node: JSON?, _ key: String) throws(ServiceDocumentError) -> Int32? {
        guard let node else { return nil }
        return try daemon(try number(node, key, .min ... .max))
    }

    private func window(_ node: JSON) throws(ServiceDocumentError) -> CallWindow {
        if let calls = node["calls"] {
            guard let outcomes = calls.stringValue.flatMap(OutcomeText.decode) else {
                throw ServiceDocumentError("`calls` can't be read")
            }
            return CallWindow(outcomes: outcomes)
        }
        let buckets = try rows(node["seconds"], "seconds", width: 4) { row throws(ServiceDocumentError) in
            var counts = CallWindow.Counts()
            counts.calls = Int(try clamped(row[1], 1...Self.mostCounted))
            counts.failures = Int(try clamped(row[2], 0...row[1]))
            counts.slowCalls = Int(try clamped(row[3], 0...row[1]))
            return CallWindow.Bucket(second: try clamped(row[0], 0...(1 << 53)), counts: counts)
        }
        guard zip(buckets, buckets.dropFirst()).allSatisfy({ $0.second < $1.second }) else {
            throw ServiceDocumentError("`seconds` aren't in order")
        }
        return CallWindow(buckets: buckets)
    }

    private func rows<Row>(
        _ node: JSON?, _ key: String, width: Int, _ row: ([Int64]) throws(ServiceDocumentError) -> Row
    ) throws(ServiceDocumentError) -> [Row] {
        guard let node else { return [] }
        guard let elements = node.arrayValue, elements.count <= Self.mostRows else {
            throw ServiceDocumentError("`\(key)` isn't a list of rows")
        }
        var rows: [Row] = []
        for element in elements {
            // A newer program's rows may be longer.
            let numbers = (element.arrayValue ?? []).prefix(width).compactMap(\.int64Value)
            guard numbers.count == width else { throw ServiceDocumentError("`\(key)` has a row that can't be read") }
            rows.append(try row(numbers))
        }
        return rows
    }

    private func daemon(_ number: Int64) throws(ServiceDocumentError) -> Int32 {
        guard let daemon = Int32(exactly: number) else {
            throw ServiceDocumentError("\(number) isn't a daemon's number")
        }
        return daemon
    }

    private func number(_ node: JSON?, _ key: String, _ range: ClosedRange<Int64>) throws(ServiceDocumentError) -> Int64
    {
        guard let number = node?.int64Value else { throw ServiceDocumentError("`\(key)` isn't a whole number") }
        return try clamped(number, range)
    }

    private func clamped(_ number: Int64, _ range: ClosedRange<Int64>) throws(ServiceDocumentError) -> Int64 {
        guard range.contains(number) else { throw ServiceDocumentError("\(number) is out of range") }
        return number
    }
}

/// Outcomes as text: a letter each with the number of repetitions (`s18fs`), or, where that is shorter, three in a
/// character (`=20:…`).
enum OutcomeText {
    /// By `Outcome.rawValue`: success, failure, and both slow.
    private static let letters = Array("sfSF".utf8)
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

    static func encode(_ outcomes: [CallWindow.Outcome]) -> String {
        let runs = runs(outcomes)
        let packedCount = (outcomes.count + 2) / 3 + 8
        return runs.count <= packedCount ? String(decoding: runs, as: UTF8.self) : packed(outcomes)
    }

    /// nil for what isn't such a text, or is longer than any window.
    static func decode(_ text: String) -> [CallWindow.Outcome]? {
        let bytes = Array(text.utf8)
        return bytes.first == UInt8(ascii: "=") ? unpacked(bytes.dropFirst()) : expanded(bytes)
    }

    private static func runs(_ outcomes: [CallWindow.Outcome]) -> [UInt8] {
        var text: [UInt8] = []
        var index = 0
        while index < outcomes.count {
            let end = outcomes[index...].firstIndex { $0 != outcomes[index] } ?? outcomes.count
            text.append(letters[Int(outcomes[index].rawValue & 3)])
            if end - index > 1 { text += String(end - index).utf8 }
            index = end
        }
        return text
    }

    private static func expanded(_ bytes: [UInt8]) -> [CallWindow.Outcome]? {
        var outcomes: [CallWindow.Outcome] = []
        var rest = bytes[...]
        while let letter = rest.popFirst() {
            guard let index = letters.firstIndex(of: letter) else { return nil }
            let digits = rest.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            rest = rest.dropFirst(digits.count)
            let stated = digits.isEmpty ? 1 : Int(String(decoding: digits, as: UTF8.self))
            guard let count = stated, count <= DefinitionLimits.breakerCalls.upperBound - outcomes.count else {
                return nil
            }
            outcomes += repeatElement(CallWindow.Outcome(rawValue: UInt8(index)), count: count)
        }
        return outcomes
    }

    private static func packed(_ outcomes: [CallWindow.Outcome]) -> String {
        var text = Array("=\(outcomes.count):".utf8)
        for start in stride(from: 0, to: outcomes.count, by: 3) {
            let group = outcomes[start..<min(start + 3, outcomes.count)]
            let bits = group.enumerated().reduce(0) { $0 | Int($1.element.rawValue & 3) << (2 * $1.offset) }
            text.append(alphabet[bits])
        }
        return String(decoding: text, as: UTF8.self)
    }

    private static func unpacked(_ bytes: ArraySlice<UInt8>) -> [CallWindow.Outcome]? {
        guard let colon = bytes.firstIndex(of: UInt8(ascii: ":")),
            let count = Int(String(decoding: bytes[..<colon], as: UTF8.self)),
            (0...DefinitionLimits.breakerCalls.upperBound).contains(count)
        else { return nil }
        let characters = bytes[(colon + 1)...]
        guard characters.count == (count + 2) / 3 else { return nil }
        var outcomes: [CallWindow.Outcome] = []
        for character in characters {
            guard let bits = alphabet.firstIndex(of: character) else { return nil }
            for shift in [0, 2, 4] where outcomes.count < count {
                outcomes.append(CallWindow.Outcome(rawValue: UInt8(bits >> shift & 3)))
            }
        }
        return outcomes
    }
}

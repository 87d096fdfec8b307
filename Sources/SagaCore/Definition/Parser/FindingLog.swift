import JSON

/// Collects the findings of one file, turning byte offsets into places.
///
/// A class, so that the parser's parts can share it; it never leaves the call that made it.
package final class FindingLog {
    /// More than anyone reads: a hostile file can't make the report larger than this.
    static let most = 1_000

    /// How many names are compared for hints at most: enough for every finding of a file that a person wrote.
    ///
    /// Without a limit a file of many long names and as many that are none would take minutes.
    private static let mostComparisons = 10_000

    private let bytes: [UInt8]
    private let places: TextPlaces
    private let file: String?
    private var collected: [Finding] = []
    package private(set) var hasErrors = false
    private var comparisonsLeft = mostComparisons

    package init(bytes: [UInt8], file: String?) {
        self.bytes = bytes
        places = TextPlaces(bytes)
        self.file = file
    }

    // The arguments are evaluated only while there is room: places and hints cost more than faults.
    package func error(
        _ code: Finding.Code,
        at offset: @autoclosure () -> Int,
        _ message: @autoclosure () -> String,
        hint: @autoclosure () -> String? = nil
    ) {
        hasErrors = true
        if !isFull { add(.error, code, at: offset(), message(), hint()) }
    }

    package func warning(
        _ code: Finding.Code,
        at offset: @autoclosure () -> Int,
        _ message: @autoclosure () -> String,
        hint: @autoclosure () -> String? = nil
    ) {
        if !isFull { add(.warning, code, at: offset(), message(), hint()) }
    }

    /// A hint at the name that was probably meant; nil when none is near, or too many names were compared already.
    ///
    /// - Parameter candidates: evaluated only if it is used.
    package func nearest(_ name: String, among candidates: @autoclosure () -> [String]) -> String? {
        guard comparisonsLeft > 0 else { return nil }
        let candidates = candidates()
        comparisonsLeft -= candidates.count
        return NearestName.hint(name, among: candidates)
    }

    /// The place of a byte, both from 1.
    package func place(at offset: Int) -> (line: Int, column: Int) { places.place(at: offset) }

    private var isFull: Bool { collected.count > Self.most }

    private func add(
        _ severity: Finding.Severity,
        _ code: Finding.Code,
        at offset: Int,
        _ message: String,
        _ hint: String?
    ) {
        collected.append(finding(severity, code, at: offset, message, hint: hint))
    }

    /// A finding that isn't kept: what is at fault may only turn out later.
    package func finding(
        _ severity: Finding.Severity, _ code: Finding.Code, at offset: Int, _ message: String, hint: String? = nil
    ) -> Finding {
        let place = places.place(at: offset)
        return Finding(
            file: file,
            line: place.line,
            column: place.column,
            severity: severity,
            code: code.rawValue,
            message: message,
            hint: hint,
            excerpt: Self.mayHoldSecrets(code) ? nil : FindingExcerpt(of: offset, in: bytes)
        )
    }

    /// Where credentials stand that are at fault for standing there: a report goes into the logs of CI.
    private static func mayHoldSecrets(_ code: Finding.Code) -> Bool {
        switch code {
        case .invalidURL, .invalidHeader, .invalidEnvironment: true
        default: false
        }
    }

    /// All findings by place; those of one place by code and message.
    ///
    /// Where too many are left out, the last one says so, and is an error if any of them is.
    package var findings: [Finding] {
        let shown = collected.prefix(Self.most).sorted {
            ($0.line, $0.column, $0.code, $0.message) < ($1.line, $1.column, $1.code, $1.message)
        }
        guard isFull, let last = shown.last else { return shown }
        let rest = Finding(
            file: file,
            line: last.line,
            column: last.column,
            severity: hasErrors ? .error : .warning,
            code: Finding.Code.tooManyFindings.rawValue,
            message: "more than \(Self.most) findings: the rest is left out",
            hint: nil
        )
        return shown + [rest]
    }
}

/// A text of the file as a message may quote it: in backticks, on one line, not too long.
package func quoted(_ text: String) -> String {
    var result = "`"
    for (count, scalar) in text.unicodeScalars.enumerated() {
        if count == 60 {
            result += "…"
            break
        }
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator:
            result += "\\u{\(String(scalar.value, radix: 16))}"
        default: result.unicodeScalars.append(scalar)
        }
    }
    return result + "`"
}

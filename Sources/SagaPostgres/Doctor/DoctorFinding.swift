import JSON
import PostgresClient

/// One thing that `saga doctor` has to say.
public struct DoctorFinding: Sendable, Hashable {
    /// How bad it is.
    public enum Severity: String, Sendable, Hashable, CaseIterable {
        /// As it should be.
        case ok
        /// Couldn't be looked at.
        case skipped
        /// Works, but not for good or not well.
        case warning
        /// A promise is broken, or sagas don't run.
        case error
    }

    public let code: DoctorCode
    public let severity: Severity
    /// What was found, in figures.
    public let message: String
    /// What to do: a command or a setting; nil where there is nothing to be done.
    public let advice: String?
    /// The figures, for programs.
    public let data: JSON
    /// Of what couldn't be looked at: by this role's rights, as it may be meant, not since something kept it from it.
    public let isByRights: Bool

    public init(
        _ code: DoctorCode, _ severity: Severity, _ message: String, advice: String? = nil, data: JSON = [:],
        isByRights: Bool = false
    ) {
        self.isByRights = isByRights
        self.code = code
        self.severity = severity
        self.message = message
        self.advice = advice
        self.data = data
    }
}

/// What an examination of an installation comes to.
public struct DoctorReport: Sendable, Hashable {
    /// Why not all checks were made.
    public struct Cut: Sendable, Hashable {
        /// What ended the examination: the database is away, or the calling task was cancelled.
        public let reason: PostgresError
        /// The checks that weren't made, or not to their end.
        public let missing: [DoctorCode]
    }

    /// In the order in which the checks were made.
    public let findings: [DoctorFinding]
    /// nil for a report that is whole.
    public let cut: Cut?

    public init(findings: [DoctorFinding], cut: Cut? = nil) {
        self.findings = findings
        self.cut = cut
    }

    public var errors: Int { findings.count { $0.severity == .error } }
    public var warnings: Int { findings.count { $0.severity == .warning } }
    public var skipped: Int { findings.count { $0.severity == .skipped } }

    /// Whether something kept a check from looking that isn't this role's rights to other roles' sessions.
    public var isBlind: Bool { findings.contains { $0.severity == .skipped && !$0.isByRights } }

    /// `{"checks": [{"code", "severity", "message", "advice", "data"}], "errors", "warnings", "skipped", "complete",
    /// "missing"}`: whether it came to its end, and the codes of the checks that it hadn't come to.
    public var json: RawJSON {
        var writer = JSONWriter()
        writer.beginObject()
        writer.key("checks")
        writer.beginArray()
        for finding in findings {
            writer.beginObject()
            writer.field("code", finding.code.rawValue)
            writer.field("severity", finding.severity.rawValue)
            writer.field("message", finding.message)
            writer.field("advice", finding.advice)
            writer.field("data", finding.data)
            writer.endObject()
        }
        writer.endArray()
        writer.field("errors", errors)
        writer.field("warnings", warnings)
        writer.field("skipped", skipped)
        writer.field("complete", cut == nil)
        writer.field("missing", JSON.array((cut?.missing ?? []).map { .string($0.rawValue) }))
        writer.endObject()
        return writer.finished()
    }
}

extension JSON {
    /// A whole number; of more than 64 bits the largest.
    static func int(_ value: some BinaryInteger) -> JSON { .init(integerLiteral: Int64(clamping: value)) }

    /// A number or null.
    static func optional(_ value: Double?) -> JSON { value.map { JSON(floatLiteral: $0) } ?? .null }

    /// A text or null.
    static func optional(_ value: String?) -> JSON { value.map { .string($0) } ?? .null }
}

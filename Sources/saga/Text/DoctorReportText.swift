import SagaPostgres

/// What the doctor found, for people: a line for what is well, and below each problem what to do.
struct DoctorReportText {
    let report: DoctorReport
    let terminal: Terminal

    var lines: [String] { report.findings.flatMap(lines) + ["", summary] }

    private func lines(of finding: DoctorFinding) -> [String] {
        let severity = terminal.paint(finding.severity.rawValue.padded(to: 7), finding.severity.style)
        let line = "\(severity)  \(finding.code.rawValue): \(finding.message.sanitized)"
        return [line] + (finding.advice.map { ["         -> \($0.sanitized)"] } ?? [])
    }

    private var summary: String {
        let counts = [(report.errors, "error"), (report.warnings, "warning")]
            .filter { $0.0 > 0 }
            .map { "\($0.0) \($0.1)\($0.0 == 1 ? "" : "s")" }
        let skipped = report.skipped == 0 ? [] : ["\(report.skipped) not checked"]
        let fine = skipped.isEmpty ? "no problems found" : "no problems in what was looked at"
        let counted = ((counts.isEmpty ? [fine] : counts) + skipped).joined(separator: ", ")
        guard let cut = report.cut else { return counted }
        let missing = cut.missing.map(\.rawValue).joined(separator: ", ")
        return "cut off: \(counted) so far; not looked at, or not to the end: \(missing)"
    }
}

extension DoctorFinding.Severity {
    /// Its colour.
    fileprivate var style: Style {
        switch self {
        case .ok: .green
        case .skipped: .dim
        case .warning: .yellow
        case .error: .boldRed
        }
    }
}

import PostgresClient

/// One examination under way: what has been found, and what was looked at.
struct DoctorRound {
    private(set) var database: DoctorDatabase
    var findings: [DoctorFinding] = []
    /// The checks that came to their end.
    private(set) var done: Set<DoctorCode> = []
    /// The processes that were named already.
    private var toldHolders: Set<String> = []

    init(database: DoctorDatabase) {
        self.database = database
    }

    /// Makes a check; what it can't look at is a finding too.
    ///
    /// - Returns: what it found.
    /// - Throws: when nothing more can be asked: a lost connection, a cancelled task.
    @discardableResult
    mutating func make(_ check: any DoctorCheck) async throws(PostgresError) -> ArraySlice<DoctorFinding> {
        let start = findings.endIndex
        let code = type(of: check).code
        do throws(PostgresError) {
            try await check.examine(in: database, &findings)
        } catch {
            switch error.kind {
            case .server("55P03"): try await tellLock(code)
            case .server("42501"):
                skip(
                    code, "needs a right that this role lacks (\(error.message))",
                    "ask with a role that has saga_reader and pg_monitor")
            case .server("57014"):
                skip(
                    code, "was ended for its time (\(error.message))",
                    "see the statement_timeout of this role and of the pooler, and how busy the server is")
            case .server(let state) where Self.isDamage(state): tellDamage(code, error)
            case .server where !error.isServerUnavailable || Self.isOfOneQuestion(error), .decoding, .timeout:
                skip(code, error.message, nil)
            default: throw error
            }
        }
        done.insert(code)
        return findings[start...]
    }

    /// Whether the server can't read what it has stored: XX001 and XX002, its content is corrupt; class 58, its files
    /// can't be read.
    private static func isDamage(_ state: String) -> Bool {
        state == "XX001" || state == "XX002" || state.hasPrefix("58")
    }

    /// Whether there was no memory or room for what was asked, which says nothing of the next question.
    private static func isOfOneQuestion(_ error: PostgresError) -> Bool {
        error.sqlState.map { $0.hasPrefix("53") && $0 != "53300" } ?? false
    }

    private mutating func tellDamage(_ code: DoctorCode, _ error: PostgresError) {
        findings.append(
            DoctorFinding(
                .damaged, .error,
                "the server can't read what it has stored, while looked at for \(code.rawValue): \(error.message)",
                advice: """
                    stop the daemons and the server, copy its data folder as it is, then look at its log and its disk; \
                    what is lost comes back from a backup
                    """,
                data: ["check": .string(code.rawValue), "sqlState": .optional(error.sqlState)]))
    }

    private mutating func skip(_ code: DoctorCode, _ reason: String, _ advice: String?) {
        findings.append(DoctorFinding(code, .skipped, "not checked: \(reason)", advice: advice))
    }

    /// Names whoever holds the lock, once, and lets the checks that follow wait for a moment only.
    private mutating func tellLock(_ code: DoctorCode) async throws(PostgresError) {
        let waited = DoctorText.span(database.lockTimeout)
        let holders = try await LockHolder.read(database)
        for holder in holders where toldHolders.insert(holder.name).inserted { findings.append(holder.finding) }
        let by = holders.isEmpty ? "that is free now" : "of \(holders.map(\.name).joined(separator: " and "))"
        skip(
            code, "waited \(waited) for a lock \(by)",
            holders.isEmpty ? "run saga doctor again" : nil)
        if !holders.isEmpty { database.lockTimeout = database.limits.lockRepeated }
    }
}

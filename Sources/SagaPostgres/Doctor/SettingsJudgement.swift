import JSON
import SagaCore

/// What the settings mean for Saga's promises.
struct SettingsJudgement {
    private typealias Setting = SettingsCheck.Setting
    private let facts: SettingsCheck.Facts

    init(_ facts: SettingsCheck.Facts) {
        self.facts = facts
    }

    var findings: [DoctorFinding] {
        var findings = server
        for role in facts.roles { findings += commits(role) + meaning(role) + writing(role) + timeouts(role) }
        guard findings.isEmpty else { return findings }
        let roles = facts.roles.map(\.role)
        return [
            DoctorFinding(
                .settings, .ok,
                "a commit stays, and nothing cuts the daemons short, for \(roles.joined(separator: ", "))",
                data: ["roles": .array(roles.map { .string($0) })])
        ]
    }

    // MARK: The server's

    private var server: [DoctorFinding] {
        guard let values = facts.roles.first?.values else { return [] }
        var findings: [DoctorFinding] = []
        if values["fsync"]?.value == "off" {
            findings.append(
                DoctorFinding(
                    .fsyncOff, .error, "fsync is off: a crash of the machine can lose commits and destroy the database",
                    advice: "ALTER SYSTEM SET fsync = on; SELECT pg_reload_conf();"))
        }
        if values["full_page_writes"]?.value == "off" {
            findings.append(
                DoctorFinding(
                    .fullPageWritesOff, .error,
                    "full_page_writes is off: a crash of the machine can leave pages half written",
                    advice: "ALTER SYSTEM SET full_page_writes = on; SELECT pg_reload_conf();"))
        }
        if values["data_sync_retry"]?.value == "on" {
            findings.append(
                DoctorFinding(
                    .damageHidden, .error,
                    "data_sync_retry is on: commits that the disk has lost are taken for written",
                    advice: "ALTER SYSTEM SET data_sync_retry = off; then restart the server",
                    data: ["setting": "data_sync_retry"]))
        }
        for name in ["autovacuum", "track_counts"] where values[name]?.value == "off" {
            findings.append(
                DoctorFinding(
                    .autovacuumOff, .warning,
                    "\(name) is off: nothing removes dead rows, and Saga's tables grow and get slow",
                    advice: "ALTER SYSTEM SET \(name) = on; SELECT pg_reload_conf();",
                    data: ["setting": .string(name)]))
        }
        return findings
    }

    // MARK: A role's

    private func commits(_ role: SettingsCheck.RoleSettings) -> [DoctorFinding] {
        guard let setting = role.values["synchronous_commit"] else { return [] }
        let data: JSON = ["role": .string(role.role)]
        let mend = mending("synchronous_commit", setting, role: role.role, good: "on")
        switch Self.switchValue(setting.value) {
        case "off":
            return [
                DoctorFinding(
                    .synchronousCommitOff, .error,
                    """
                    synchronous_commit is off for role \(role.role): a crash of the server loses starts and outcomes \
                    that were acknowledged
                    """,
                    advice: mend, data: data)
            ]
        case "local" where facts.hasSynchronousStandbys:
            return [
                DoctorFinding(
                    .synchronousCommitLocal, .error,
                    """
                    synchronous_commit is local for role \(role.role): a failover to the synchronous standby loses \
                    what was acknowledged
                    """,
                    advice: mend, data: data)
            ]
        default: return []
        }
    }

    /// What has statements do something else than they say.
    private static let meanings: [(name: String, bad: [String], good: String, code: DoctorCode, effect: String)] = [
        (
            "zero_damaged_pages", ["on"], "off", .damageHidden,
            "pages that can't be read are emptied, and their sagas are gone without a word"
        ),
        (
            "ignore_checksum_failure", ["on"], "off", .damageHidden,
            "damaged pages are read as if they were sound"
        ),
        (
            "session_replication_role", ["replica"], "origin", .triggersOff,
            "no trigger fires: events can be changed and deleted, and no alert of a breaker is written"
        ),
        (
            "standard_conforming_strings", ["off"], "on", .stringsNotStandard,
            "backslashes in the schema's functions mean something else"
        ),
    ]

    private func meaning(_ role: SettingsCheck.RoleSettings) -> [DoctorFinding] {
        var findings: [DoctorFinding] = Self.meanings.compactMap { meaning in
            guard let setting = role.values[meaning.name], meaning.bad.contains(Self.switchValue(setting.value)) else {
                return nil
            }
            return DoctorFinding(
                meaning.code, .error,
                "\(meaning.name) is \(Self.switchValue(setting.value)) for role \(role.role): \(meaning.effect)",
                advice: mending(meaning.name, setting, role: role.role, good: meaning.good),
                data: ["setting": .string(meaning.name), "role": .string(role.role)])
        }
        let name = "default_transaction_isolation"
        if let setting = role.values[name], !setting.value.lowercased().hasPrefix("read ") {
            findings.append(
                DoctorFinding(
                    .isolationStrict, .warning,
                    """
                    \(name) is \(setting.value) for role \(role.role): where two meet, batches and starts are refused \
                    and made again
                    """,
                    advice: mending(name, setting, role: role.role, good: "'read committed'"),
                    data: ["setting": .string(name), "role": .string(role.role)]))
        }
        return findings
    }

    private func writing(_ role: SettingsCheck.RoleSettings) -> [DoctorFinding] {
        let name = "default_transaction_read_only"
        guard let setting = role.values[name], Self.switchValue(setting.value) == "on" else { return [] }
        return [
            DoctorFinding(
                .readOnly, .error, "\(name) is on for role \(role.role): its transactions can't write",
                advice: mending(name, setting, role: role.role, good: "off"), data: ["role": .string(role.role)])
        ]
    }

    /// What a daemon needs.
    ///
    /// Waiting for work takes 100 ms in one statement, and each of its calls may take 10 s; a
    /// batch sets its own `lock_timeout` and `idle_in_transaction_session_timeout`, takeovers only the second.
    private static let needs: [(name: String, error: TimeSpan?, warning: TimeSpan)] = [
        ("statement_timeout", .milliseconds(200), .seconds(10)),
        ("transaction_timeout", .milliseconds(200), .seconds(10)),
        ("lock_timeout", nil, .milliseconds(500)),
        ("idle_in_transaction_session_timeout", nil, .seconds(1)),
    ]

    private func timeouts(_ role: SettingsCheck.RoleSettings) -> [DoctorFinding] {
        Self.needs.compactMap { need in
            guard let setting = role.values[need.name], let span = Self.milliseconds(setting.value),
                span > .zero, span < need.warning
            else { return nil }
            let stops = need.error.map { span < $0 } ?? false
            let effect = stops ? "daemons can't even wait for work" : "it cuts daemons short when the server is busy"
            return DoctorFinding(
                .timeoutTooShort, stops ? .error : .warning,
                "\(need.name) is \(DoctorText.span(span)) for role \(role.role): \(effect)",
                advice: mending(need.name, setting, role: role.role, good: "0"),
                data: [
                    "setting": .string(need.name), "role": .string(role.role),
                    "ms": .int(span.microseconds / 1_000),
                ])
        }
    }

    // MARK: Values

    /// The statement that mends a setting where it was made.
    private func mending(_ name: String, _ setting: Setting, role: String, good: String) -> String {
        let role = DoctorText.identifier(role)
        let database = DoctorText.identifier(facts.database)
        let statement =
            switch setting.place {
            case .server: "ALTER SYSTEM SET \(name) = \(good); SELECT pg_reload_conf();"
            case .database: "ALTER DATABASE \(database) RESET \(name);"
            case .role: "ALTER ROLE \(role) RESET \(name);"
            case .roleInDatabase: "ALTER ROLE \(role) IN DATABASE \(database) RESET \(name);"
            case .allRoles: "ALTER ROLE ALL RESET \(name);"
            case .connection: "take \(name) out of the connection's options (the URL, PGOPTIONS)"
            }
        return setting.place == .server ? statement : "\(statement) (holds for new connections: restart the daemons)"
    }

    /// `on` and `off` for all the ways to write them.
    static func switchValue(_ text: String) -> String {
        switch text.lowercased() {
        case "on", "true", "yes", "1": "on"
        case "off", "false", "no", "0": "off"
        default: text.lowercased()
        }
    }

    /// A duration as PostgreSQL writes it in settings: a number of milliseconds, or with a unit; nil for what is none.
    static func milliseconds(_ text: String) -> TimeSpan? {
        let number = text.prefix { $0.isNumber || $0 == "." }
        guard let count = Double(number), count >= 0, count < 1e12 else { return nil }
        let unit = text.dropFirst(number.count).filter { $0 != " " }
        let factor: Double? =
            switch unit {
            case "us": 1
            case "", "ms": 1e3
            case "s": 1e6
            case "min": 60e6
            case "h": 3_600e6
            case "d": 86_400e6
            default: nil
            }
        guard let factor else { return nil }
        let microseconds = count * factor
        return microseconds < 9e18 ? TimeSpan(microseconds: Int64(microseconds)) : nil
    }
}

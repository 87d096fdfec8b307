import JSON
import PostgresClient
import SagaCore

/// Settings that break a promise, for the role that asks, for the schema's owner and for the roles of the daemons that
/// are connected.
struct SettingsCheck: DoctorCheck {
    static let code = DoctorCode.settings

    /// What holds for one role when it connects to this database.
    struct RoleSettings: Sendable, Hashable {
        let role: String
        /// By name; a setting that can't be known for this role is missing.
        let values: [String: Setting]
    }

    struct Setting: Sendable, Hashable {
        /// As `pg_settings` or the role's own entry writes it.
        let value: String
        let place: Place
    }

    /// Where a setting was made, and so where it is mended.
    enum Place: Sendable, Hashable {
        case server, database, role, roleInDatabase, allRoles, connection
    }

    struct Facts: Sendable, Hashable {
        var database: String
        var roles: [RoleSettings]
        /// Whether standbys are waited for.
        var hasSynchronousStandbys: Bool
    }

    func findings(in database: DoctorDatabase) async throws(PostgresError) -> [DoctorFinding] {
        SettingsJudgement(try await Self.facts(database)).findings
    }

    private static let names = [
        "fsync", "full_page_writes", "synchronous_commit", "default_transaction_read_only", "statement_timeout",
        "transaction_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "autovacuum", "track_counts",
        "synchronous_standby_names", "zero_damaged_pages", "ignore_checksum_failure", "data_sync_retry",
        "session_replication_role", "default_transaction_isolation", "standard_conforming_strings",
    ]

    private static func facts(_ database: DoctorDatabase) async throws(PostgresError) -> Facts {
        let results = try await database.read(
            [
                PostgresStatement(
                    "SELECT name, reset_val, source FROM pg_catalog.pg_settings WHERE name = ANY ($1) ORDER BY name",
                    [.textArray(names)]),
                PostgresStatement(
                    """
                    SELECT CASE WHEN s.setdatabase = 0 THEN 0 ELSE 1 END, r.rolname::text, c.entry
                    FROM pg_catalog.pg_db_role_setting s LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
                        CROSS JOIN LATERAL unnest(s.setconfig) WITH ORDINALITY c (entry, place)
                    WHERE s.setdatabase IN (0, (
                            SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()))
                        AND (s.setrole = 0 OR r.oid IS NOT NULL)
                    ORDER BY 1, 2 NULLS FIRST, c.place
                    """),
                PostgresStatement(
                    """
                    SELECT DISTINCT a.usename::text COLLATE "C" FROM pg_catalog.pg_stat_activity a
                    WHERE a.datname = current_database() AND a.application_name LIKE 'sagad%' AND a.usename IS NOT NULL
                    UNION SELECT pg_catalog.pg_get_userbyid(nspowner)::text FROM pg_catalog.pg_namespace
                    WHERE nspname = 'saga'
                    ORDER BY 1
                    """),
                PostgresStatement("SELECT current_database()::text, session_user::text"),
            ], asIs: true)
        guard let here = results[3].rows.first else { throw PostgresError(.decoding, "no database's name") }
        let me = try here.decode(1, as: String.self)
        var mine: [String: Setting] = [:]
        for row in results[0].rows {
            let value = try row.decode(1, as: String?.self) ?? ""
            mine[try row.decode(0)] = Setting(value: value, place: Place(source: try row.decode(2)))
        }
        var entries: [Entry] = []
        for row in results[1].rows {
            let text = try row.decode(2, as: String.self)
            guard let equals = text.firstIndex(of: "=") else { continue }
            entries.append(
                Entry(
                    isInDatabase: try row.decode(0, as: Int32.self) == 1, role: try row.decode(1),
                    name: String(text[..<equals]), value: String(text[text.index(after: equals)...])))
        }
        var roles = [RoleSettings(role: me, values: mine)]
        for row in results[2].rows {
            let role = try row.decode(0, as: String.self)
            if role != me { roles.append(settings(of: role, entries: entries, asking: mine)) }
        }
        return Facts(
            database: try here.decode(0), roles: roles,
            hasSynchronousStandbys: mine["synchronous_standby_names"]?.value.isEmpty == false)
    }

    /// A line of `pg_db_role_setting`.
    struct Entry: Sendable, Hashable {
        let isInDatabase: Bool
        /// nil: all roles.
        let role: String?
        let name: String
        let value: String
    }

    /// What holds for another role: its own entries come before those of the database, and those before the server's,
    /// which is known where the asking role has none of its own in its place.
    static func settings(of role: String, entries: [Entry], asking: [String: Setting]) -> RoleSettings {
        var values: [String: Setting] = [:]
        for name in names {
            func value(_ isInDatabase: Bool, _ role: String?) -> String? {
                entries.last { $0.isInDatabase == isInDatabase && $0.role == role && $0.name == name }?.value
            }
            if let value = value(true, role) {
                values[name] = Setting(value: value, place: .roleInDatabase)
            } else if let value = value(false, role) {
                values[name] = Setting(value: value, place: .role)
            } else if let value = value(true, nil) {
                values[name] = Setting(value: value, place: .database)
            } else if let value = value(false, nil) {
                values[name] = Setting(value: value, place: .allRoles)
            } else if let setting = asking[name], setting.place == .server {
                values[name] = setting
            }
        }
        return RoleSettings(role: role, values: values)
    }
}

extension SettingsCheck.Place {
    /// By `source` of `pg_settings`.
    init(source: String) {
        switch source {
        case "database": self = .database
        case "user": self = .role
        case "database user": self = .roleInDatabase
        case "global": self = .allRoles
        case "client", "session", "interactive", "test": self = .connection
        default: self = .server
        }
    }
}

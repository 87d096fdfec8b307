import JSON
import PostgresClient
import SagaSchema

/// The schema's version against this program's, the text it was made by, and what the role may do with it.
struct SchemaCheck: DoctorCheck {
    static let code = DoctorCode.schema

    struct Facts: Sendable, Hashable {
        /// 0: there is none.
        var version: Int
        /// This program's.
        var program: Int
        /// The migrations whose text was another.
        var changed: [Int] = []
        /// What is there is another program's, or has lost parts: why.
        var foreign: String?
        /// The roles of the schema that the cluster lacks.
        var missingRoles: [String] = []
    }

    func findings(in database: DoctorDatabase) async throws(PostgresError) -> [DoctorFinding] {
        let row = try await database.row(
            """
            SELECT n.oid IS NOT NULL, c.oid IS NOT NULL, coalesce(has_schema_privilege(n.oid, 'USAGE'), false),
                coalesce(has_table_privilege(c.oid, 'SELECT'), false), current_user::text, (
                    SELECT string_agg(name, ', ' ORDER BY place)
                    FROM unnest(ARRAY['version', 'name', 'checksum', 'applied_at']) WITH ORDINALITY AS ours (name, place)
                    WHERE NOT EXISTS (SELECT FROM pg_attribute a
                        WHERE a.attrelid = c.oid AND a.attname = ours.name AND NOT a.attisdropped)
                ), (
                    SELECT string_agg('saga.' || name, ', ' ORDER BY place)
                    FROM unnest(ARRAY['definition', 'current_definition', 'daemon', 'state', 'event', 'key', 'sagas',
                        'steps']) WITH ORDINALITY AS ours (name, place)
                    WHERE NOT EXISTS (SELECT FROM pg_class t WHERE t.relnamespace = n.oid AND t.relname = ours.name)
                )
            FROM (SELECT 'saga' AS name) x LEFT JOIN pg_namespace n ON n.nspname = x.name
                LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = 'migration'
            """)
        let program = Migrator.latestVersion
        guard try row.decode(0), try row.decode(1) else { return Self.judge(Facts(version: 0, program: program)) }
        if let columns = try row.decode(5, as: String?.self) {
            let reason = "its table migration lacks \(columns)"
            return Self.judge(Facts(version: 0, program: program, foreign: reason))
        }
        guard try row.decode(2), try row.decode(3) else {
            let role = DoctorText.identifier(try row.decode(4))
            return [
                DoctorFinding(
                    .schema, .skipped, "not checked: needs the right to read the schema saga, as saga_reader has it",
                    advice: "GRANT saga_reader TO \(role);")
            ]
        }
        var facts = try await facts(database, program: program)
        if facts.version > 0, let tables = try row.decode(6, as: String?.self) { facts.foreign = "it lacks \(tables)" }
        return Self.judge(facts)
    }

    private func facts(_ database: DoctorDatabase, program: Int) async throws(PostgresError) -> Facts {
        let migrations = SagaSchema.migrations
        let results = try await database.read([
            PostgresStatement("SELECT coalesce(max(version), 0)::int8 FROM saga.migration"),
            PostgresStatement(
                """
                SELECT m.version::int8 FROM saga.migration m
                JOIN unnest($1::int4[], $2::text[]) AS ours (version, sql) ON ours.version = m.version
                WHERE m.checksum <> encode(sha256(convert_to(ours.sql, 'UTF8')), 'hex')
                ORDER BY m.version
                """,
                [.int4Array(migrations.map { Int32(clamping: $0.version) }), .textArray(migrations.map(\.sql))]),
            PostgresStatement(
                """
                SELECT name FROM unnest(ARRAY['saga_reader', 'saga_starter', 'saga_operator']) name
                WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name)
                """),
        ])
        var facts = Facts(version: try results[0].rows.first?.decode(0) ?? 0, program: program)
        for row in results[1].rows { facts.changed.append(try row.decode(0)) }
        for row in results[2].rows { facts.missingRoles.append(try row.decode(0)) }
        return facts
    }

    static func judge(_ facts: Facts) -> [DoctorFinding] {
        let data: JSON = ["version": .int(facts.version), "program": .int(facts.program)]
        if let reason = facts.foreign {
            return [
                DoctorFinding(
                    .schemaForeign, .error,
                    "the schema saga isn't Saga's, or somebody dropped parts of it: \(reason)",
                    advice:
                        """
                        name the database that is Saga's (--database); another program's schema of this name needs \
                        another name or database; lost tables come back from a backup only
                        """,
                    data: data)
            ]
        }
        if facts.version == 0 {
            return [
                DoctorFinding(
                    .schemaMissing, .error, "this database has no schema saga", advice: "saga migrate", data: data)
            ]
        }
        var findings: [DoctorFinding] = []
        if facts.version < facts.program {
            findings.append(
                DoctorFinding(
                    .schemaOlder, .error,
                    "the schema is version \(facts.version), this program's is \(facts.program)",
                    advice: "saga migrate", data: data))
        } else if facts.version > facts.program {
            findings.append(
                DoctorFinding(
                    .schemaNewer, .error,
                    "the schema is version \(facts.version), newer than this program's \(facts.program)",
                    advice: "install the version of Saga that migrated it", data: data))
        }
        if !facts.changed.isEmpty {
            let list = facts.changed.map(String.init).joined(separator: ", ")
            findings.append(
                DoctorFinding(
                    .migrationChanged, .warning,
                    """
                    \(DoctorText.count(facts.changed.count, "migration")) had another text than this program's: \
                    \(list)
                    """,
                    advice: "compare with sql/schema.sql: pg_dump --schema-only --schema saga",
                    data: ["versions": .array(facts.changed.map { .int($0) })]))
        }
        if !facts.missingRoles.isEmpty {
            let create = facts.missingRoles.map { "CREATE ROLE \($0) NOLOGIN;" }.joined(separator: " ")
            findings.append(
                DoctorFinding(
                    .rolesMissing, .warning, "missing roles: \(facts.missingRoles.joined(separator: ", "))",
                    advice: "as an administrator: \(create) then as the schema's owner: SELECT saga.grant_roles();",
                    data: ["roles": .array(facts.missingRoles.map { .string($0) })]))
        }
        guard findings.isEmpty else { return findings }
        return [DoctorFinding(.schema, .ok, "version \(facts.version), as this program has it", data: data)]
    }
}

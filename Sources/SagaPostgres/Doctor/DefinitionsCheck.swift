import JSON
import PostgresClient
import SagaCore

/// Whether this program can read the definitions that sagas run on or begin with.
struct DefinitionsCheck: DoctorCheck {
    static let code = DoctorCode.definitions

    struct Unreadable: Sendable, Hashable {
        var saga: String
        /// The first 12 digits of its digest.
        var version: String
        /// Whether a start takes it.
        var isCurrent: Bool
        /// Sagas on it that haven't ended.
        var unfinished: Int
    }

    func findings(in database: DoctorDatabase) async throws(PostgresError) -> [DoctorFinding] {
        var unreadable: [Unreadable] = []
        var damaged: [DoctorFinding] = []
        var count = 0
        var last: Int32 = .min
        while true {
            let rows = try await database.rows(
                """
                SELECT d.id, d.saga, left(encode(d.digest, 'hex'), 12), d.document,
                    EXISTS (SELECT FROM saga.current_definition c WHERE c.definition_id = d.id), d.digest
                FROM saga.definition d WHERE d.id > $1 ORDER BY d.id LIMIT 50
                """, [.int4(last)])
            for row in rows {
                last = try row.decode(0)
                count += 1
                let document = try row.decode(3, as: [UInt8].self)
                if let definition = DefinitionParser.parse(document, checks: .stored).definition {
                    if definition.digest.bytes != (try row.decode(5, as: [UInt8].self)) {
                        damaged.append(Self.changed(last, try row.decode(1), try row.decode(2)))
                    }
                    continue
                }
                let live = try await database.row(
                    """
                    SELECT count(*) FROM saga.state s
                    WHERE (s.owner IS NOT NULL OR s.due_at IS NOT NULL) AND s.definition_id = $1
                    """, [.int4(last)])
                unreadable.append(
                    Unreadable(
                        saga: try row.decode(1), version: try row.decode(2), isCurrent: try row.decode(4),
                        unfinished: try live.decode(0)))
            }
            if rows.count < 50 { break }
        }
        damaged += try await Self.missing(database)
        let findings = Self.judge(unreadable, count: count)
        return damaged.isEmpty ? findings : damaged + findings.filter { $0.severity != .ok }
    }

    private static func changed(_ id: Int32, _ saga: String, _ version: String) -> DoctorFinding {
        DoctorFinding(
            .definitionChanged, .error,
            """
            somebody changed the definition \(saga) \(version) (\(id) in saga.definition): its text isn't what its \
            digest is of, and sagas that ran on the one run on the other
            """,
            advice:
                """
                stop the daemons and put its document back, from a backup or the file that was applied: the trigger \
                definition_immutable has to be switched off for it and on again
                """,
            data: ["definition": .int(Int(id)), "saga": .string(saga), "version": .string(version)])
    }

    /// Those that sagas which haven't ended run on, and that aren't there.
    private static func missing(_ database: DoctorDatabase) async throws(PostgresError) -> [DoctorFinding] {
        var findings: [DoctorFinding] = []
        for row in try await database.rows(
            """
            SELECT s.definition_id, count(*), min(s.id::text) FROM saga.state s
            WHERE (s.owner IS NOT NULL OR s.due_at IS NOT NULL)
                AND NOT EXISTS (SELECT FROM saga.definition d WHERE d.id = s.definition_id)
            GROUP BY s.definition_id ORDER BY s.definition_id
            """)
        {
            let id = try row.decode(0, as: Int32.self)
            let count = try row.decode(1, as: Int.self)
            let example = try row.decode(2, as: String.self)
            findings.append(
                DoctorFinding(
                    .definitionMissing, .error,
                    """
                    saga.definition has no row \(id), and \(DoctorText.count(count, "saga")) on it \
                    \(count == 1 ? "hasn't" : "haven't") ended, such as \(example)
                    """,
                    advice: "somebody deleted it: restore that row of saga.definition, with its id, from a backup",
                    data: ["definition": .int(Int(id)), "unfinished": .int(count), "example": .string(example)]))
        }
        return findings
    }

    static func judge(_ unreadable: [Unreadable], count: Int) -> [DoctorFinding] {
        guard !unreadable.isEmpty else {
            return [
                DoctorFinding(.definitions, .ok, "\(count), all readable by this program", data: ["count": .int(count)])
            ]
        }
        return unreadable.map { definition in
            let matters = definition.isCurrent || definition.unfinished > 0
            let use = definition.isCurrent ? "new sagas begin with it" : "no new saga begins with it"
            return DoctorFinding(
                .definitionUnreadable, matters ? .error : .warning,
                """
                this program can't read the definition \(definition.saga) \(definition.version): \(use), \
                \(DoctorText.count(definition.unfinished, "saga")) on it \
                \(definition.unfinished == 1 ? "hasn't" : "haven't") ended
                """,
                advice: "run the version of Saga that registered it"
                    + (definition.isCurrent ? ", or apply a definition that is valid: saga apply FILE" : ""),
                data: [
                    "saga": .string(definition.saga), "version": .string(definition.version),
                    "current": .bool(definition.isCurrent), "unfinished": .int(definition.unfinished),
                ])
        }
    }
}

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
        var count = 0
        var last: Int32 = .min
        while true {
            let rows = try await database.rows(
                """
                SELECT d.id, d.saga, left(encode(d.digest, 'hex'), 12), d.document,
                    EXISTS (SELECT FROM saga.current_definition c WHERE c.definition_id = d.id)
                FROM saga.definition d WHERE d.id > $1 ORDER BY d.id LIMIT 50
                """, [.int4(last)])
            for row in rows {
                last = try row.decode(0)
                count += 1
                if DefinitionParser.parse(try row.decode(3, as: [UInt8].self), checks: .stored).definition != nil {
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
        return Self.judge(unreadable, count: count)
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

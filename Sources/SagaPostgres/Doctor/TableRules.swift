import JSON
import PostgresClient

/// What keeps the tables whole: keys and indexes, triggers, a constraint, the default partition.
///
/// Somebody can drop each of them, and all goes on, until it matters.
enum TableRules {
    /// One that isn't there, or is switched off.
    struct Lost: Sendable, Hashable {
        var code: DoctorCode
        /// Of the index, trigger or constraint; empty for the partition.
        var name: String
        var table: String
        /// Whether it is there, switched off.
        var isDisabled = false
        /// A statement that brings it back.
        var repair: String
    }

    /// What the migrations make of a table; a rule of a partitioned one holds for its partitions too.
    fileprivate struct Rule {
        var table: String
        var name: String
        /// What makes it, after `ALTER TABLE saga.TABLE ADD CONSTRAINT NAME`, or as it is with TABLE in the place of
        /// the table's name.
        var making: String
    }

    private static let indexes = [
        key("alert", "id"), key("breaker_event", "service_id, sequence"), key("current_definition", "saga"),
        key("daemon", "id"), key("definition", "id"), key("event", "saga_id, sequence"), key("key", "key"),
        key("migration", "version"), key("service", "id"), key("state", "id"),
        Rule(
            table: "definition", name: "definition_digest_key",
            making: "ALTER TABLE saga.definition ADD CONSTRAINT definition_digest_key UNIQUE (digest);"),
        Rule(table: "alert", name: "alert_due", making: "CREATE INDEX alert_due ON saga.alert (due_at);"),
        Rule(
            table: "service", name: "service_name_url_key",
            making:
                "CREATE UNIQUE INDEX service_name_url_key ON saga.service (name, hashtextextended(url, 0));"),
        Rule(
            table: "state", name: "state_work",
            making:
                """
                CREATE INDEX state_work ON saga.state (owner, due_at) WHERE owner IS NOT NULL OR due_at IS NOT NULL;
                """),
        Rule(
            table: "state", name: "state_waits_attempts",
            making:
                """
                CREATE INDEX state_waits_attempts ON saga.state (waits_for, waits_attempts, waits_since) WHERE waits_for \
                IS NOT NULL AND due_at IS NOT NULL;
                """),
        Rule(
            table: "state", name: "state_waits_since",
            making:
                """
                CREATE INDEX state_waits_since ON saga.state (waits_for, waits_since) WHERE waits_for IS NOT NULL AND \
                due_at IS NOT NULL;
                """),
    ]

    private static let triggers = [
        Rule(
            table: "event", name: "event_append_only",
            making: appendOnly(
                "event_append_only",
                "saga.refuse_change('events are append-only, a saga''s state is the fold of all of them')")),
        Rule(
            table: "breaker_event", name: "breaker_event_append_only",
            making: appendOnly(
                "breaker_event_append_only", "saga.refuse_change_but_retention('events are append-only')")),
        Rule(
            table: "definition", name: "definition_immutable",
            making: appendOnly(
                "definition_immutable",
                "saga.refuse_change('definitions are immutable, sagas run on the version they started with')")),
        Rule(
            table: "breaker_event", name: "breaker_event_alert",
            making:
                """
                CREATE TRIGGER breaker_event_alert AFTER INSERT ON saga.TABLE FOR EACH ROW WHEN (CASE new.type WHEN 1 \
                THEN new.data ->> 'from' IS DISTINCT FROM 'HALF_OPEN' END) EXECUTE FUNCTION saga.alert_breaker_opened();
                """),
    ]

    private static let constraints = [
        Rule(
            table: "state", name: "state_work_until_ended",
            making:
                """
                ALTER TABLE saga.TABLE ADD CONSTRAINT state_work_until_ended CHECK ((ended_at IS NOT NULL) = (owner IS \
                NULL AND due_at IS NULL));
                """)
    ]

    private static func key(_ table: String, _ columns: String) -> Rule {
        Rule(
            table: table, name: "\(table)_pkey",
            making: "ALTER TABLE saga.\(table) ADD CONSTRAINT \(table)_pkey PRIMARY KEY (\(columns));")
    }

    private static func appendOnly(_ name: String, _ function: String) -> String {
        """
        CREATE TRIGGER \(name) BEFORE UPDATE OR DELETE OR TRUNCATE ON saga.TABLE FOR EACH STATEMENT EXECUTE FUNCTION \
        \(function);
        """
    }

    // MARK: Reading

    /// The tables of the rules, and of a partitioned one its partitions.
    private static let tables = """
        unnest($1::text[], $2::text[]) WITH ORDINALITY AS rule (parent, name, place)
            JOIN pg_class p ON p.relname = rule.parent AND p.relkind IN ('r', 'p')
                AND p.relnamespace = (SELECT n.oid FROM pg_namespace n WHERE n.nspname = 'saga')
            CROSS JOIN LATERAL (
                SELECT p.oid, p.relname, true UNION ALL
                SELECT c.oid, c.relname, false FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
                WHERE i.inhparent = p.oid
            ) t (oid, relname, is_parent)
        """

    static func lost(_ database: DoctorDatabase) async throws(PostgresError) -> [Lost] {
        let results = try await database.read([
            statement(
                indexes,
                """
                -- A partition's can't be dropped without that of the whole table.
                SELECT rule.place, t.relname::text, false FROM \(tables)
                WHERE t.is_parent AND NOT EXISTS (
                    SELECT FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
                    WHERE x.indrelid = t.oid AND i.relname = rule.name)
                ORDER BY rule.place, t.relname COLLATE "C"
                """),
            statement(
                triggers,
                """
                SELECT rule.place, t.relname::text, g.oid IS NOT NULL FROM \(tables)
                    LEFT JOIN pg_trigger g ON g.tgrelid = t.oid AND g.tgname = rule.name
                WHERE g.oid IS NULL OR g.tgenabled NOT IN ('O', 'A')
                ORDER BY rule.place, t.relname COLLATE "C"
                """),
            statement(
                constraints,
                """
                SELECT rule.place, t.relname::text, c.oid IS NOT NULL FROM \(tables)
                    LEFT JOIN pg_constraint c ON c.conrelid = t.oid AND c.conname = rule.name AND c.contype = 'c'
                WHERE c.oid IS NULL OR NOT c.convalidated
                ORDER BY rule.place, t.relname COLLATE "C"
                """),
            PostgresStatement(
                """
                SELECT c.relname::text FROM pg_partitioned_table p JOIN pg_class c ON c.oid = p.partrelid
                WHERE c.relnamespace = (SELECT n.oid FROM pg_namespace n WHERE n.nspname = 'saga') AND p.partdefid = 0
                ORDER BY c.relname COLLATE "C" DESC
                """),
        ])
        var lost: [Lost] = []
        let kinds: [(DoctorCode, [Rule])] = [
            (.indexMissing, indexes), (.triggerMissing, triggers), (.constraintMissing, constraints),
        ]
        for ((code, rules), result) in zip(kinds, results) {
            for row in result.rows {
                let place = try row.decode(0, as: Int64.self)
                guard let index = Int(exactly: place - 1), rules.indices.contains(index) else { continue }
                let table = try row.decode(1, as: String.self)
                lost.append(rules[index].lost(code, of: table, isThere: try row.decode(2)))
            }
        }
        for row in results[3].rows {
            let table = try row.decode(0, as: String.self)
            lost.append(
                Lost(
                    code: .partitionDefaultMissing, name: "", table: table,
                    repair:
                        """
                        SELECT saga.make_partition('default'); SELECT saga.attach_partition('default', 'DEFAULT'); or, \
                        where \(table)_default is still there, ALTER TABLE saga.\(table) ATTACH PARTITION \
                        saga.\(table)_default DEFAULT;
                        """))
        }
        return lost
    }

    private static func statement(_ rules: [Rule], _ sql: String) -> PostgresStatement {
        PostgresStatement(sql, [.textArray(rules.map(\.table)), .textArray(rules.map(\.name))])
    }

    // MARK: Words

    /// One for each rule, with all the tables that lack it.
    static func findings(_ lost: [Lost]) -> [DoctorFinding] {
        var told: [[Lost]] = []
        for one in lost {
            if let last = told.last?.first, (last.code, last.name) == (one.code, one.name), !one.name.isEmpty,
                last.isDisabled == one.isDisabled
            {
                told[told.endIndex - 1].append(one)
            } else {
                told.append([one])
            }
        }
        return told.compactMap { group in group.first.map { finding($0, tables: group.map(\.table)) } }
    }

    private static func finding(_ lost: Lost, tables: [String]) -> DoctorFinding {
        let others = tables.count > 1 ? " and \(DoctorText.count(tables.count - 1, "other table"))" : ""
        let what =
            switch lost.code {
            case .indexMissing: "the index \(lost.name) is missing"
            case .triggerMissing: "the trigger \(lost.name) is \(lost.isDisabled ? "switched off" : "missing")"
            case .constraintMissing:
                "the constraint \(lost.name) is \(lost.isDisabled ? "not validated" : "missing")"
            default: "the default partition is missing"
            }
        // A constraint of the whole table is one of its partitions.
        let again = tables.count > 1 && lost.code == .triggerMissing ? " and so for the others" : ""
        return DoctorFinding(
            lost.code, .error, "\(what) on saga.\(lost.table)\(others): \(meaning(lost))",
            advice: "as the schema's owner: \(lost.repair)\(again)",
            data: ["name": .string(lost.name), "tables": .array(tables.map { .string($0) })])
    }

    private static func meaning(_ lost: Lost) -> String {
        switch (lost.code, lost.name) {
        case (.indexMissing, let name) where name.hasSuffix("key"):
            "the same may be written twice, such as one start or one event"
        case (.indexMissing, _): "what looks for work reads whole tables"
        case (.triggerMissing, "breaker_event_alert"): "no alert is written when a breaker opens"
        case (.triggerMissing, _): "nothing refuses a change of what must never change"
        case (.constraintMissing, _): "a saga that hasn't ended may be where nobody looks"
        default: "a start is refused on a day that has no partition"
        }
    }
}

extension TableRules.Rule {
    fileprivate func lost(_ code: DoctorCode, of table: String, isThere: Bool) -> TableRules.Lost {
        let made = making.replacing("saga.TABLE", with: "saga.\(DoctorText.identifier(table))")
        let repair =
            switch (code, isThere) {
            case (.triggerMissing, true): "ALTER TABLE saga.\(DoctorText.identifier(table)) ENABLE TRIGGER \(name);"
            case (.constraintMissing, true):
                "ALTER TABLE saga.\(DoctorText.identifier(table)) VALIDATE CONSTRAINT \(name);"
            default: made
            }
        return TableRules.Lost(code: code, name: name, table: table, isDisabled: isThere, repair: repair)
    }
}

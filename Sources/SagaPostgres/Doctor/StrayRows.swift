import PostgresClient
import SagaCore

/// Rows that belong to a saga whose row isn't there. Sagas that retention has dropped are no such.
enum StrayRows {
    /// Finds events of sagas without a row, among the ids of one stretch.
    ///
    /// A start writes both in one transaction and retention drops both, so one snapshot never has one without the other.
    static func findEvents(
        after first: PostgresUUID, through last: PostgresUUID, _ database: DoctorDatabase, _ tally: inout HistoryTally
    ) async throws(PostgresError) {
        for row in try await database.rows(
            """
            SELECT e.saga_id, count(*)::int8 FROM saga.event e
            WHERE e.saga_id > $1 AND e.saga_id <= $2
                AND NOT EXISTS (SELECT FROM saga.state s WHERE s.id = e.saga_id AND s.id > $1 AND s.id <= $2)
            GROUP BY e.saga_id ORDER BY e.saga_id LIMIT 10000
            """, [.uuid(first), .uuid(last)])
        {
            let count = try row.decode(1, as: Int.self)
            tally.note(
                .stateMissing, SagaID(try row.decode(0, as: PostgresUUID.self)), DoctorText.count(count, "event"))
        }
    }

    /// Finds keys that lead to a saga that is neither there nor dropped, and those whose saga goes by another key or by
    /// none.
    ///
    /// A saga whose own key isn't its in `saga.key` is told of by the saga.
    static func findKeys(_ database: DoctorDatabase, _ tally: inout HistoryTally) async throws(PostgresError) {
        var last = ""
        let size = max(1, database.limits.batch) * 10
        while true {
            let keys = try await database.rows(
                "SELECT key, saga_id FROM saga.key WHERE key > $1 ORDER BY key LIMIT $2",
                [.text(last), .int8(Int64(size))])
            var names: [String] = []
            var ids: [PostgresUUID] = []
            for row in keys {
                last = try row.decode(0)
                names.append(last)
                ids.append(try row.decode(1))
            }
            for row in try await database.rows(
                """
                SELECT w.id, w.key, s.id IS NOT NULL, s.key
                FROM unnest($1::uuid[], $2::text[]) WITH ORDINALITY AS w (id, key, place)
                    LEFT JOIN (SELECT id, key FROM saga.state WHERE id = ANY ($1)) s ON s.id = w.id
                WHERE CASE
                    -- The default partition went whole, with all that had been started by then.
                    WHEN s.id IS NULL THEN NOT EXISTS (
                        SELECT FROM saga.dropped d WHERE (d.first_id IS NULL OR w.id >= d.first_id)
                            AND (w.id < d.end_id OR d.end_id IS NULL AND d.dropped_at >= saga.id_time(w.id)))
                    ELSE s.key IS NULL OR s.key <> w.key AND EXISTS (
                        SELECT FROM saga.key k WHERE k.key = s.key AND k.saga_id = s.id)
                    END
                ORDER BY w.place
                """, [.uuidArray(ids), .textArray(names)])
            {
                let (id, key) = (SagaID(try row.decode(0, as: PostgresUUID.self)), try row.decode(1, as: String.self))
                if try row.decode(2) {
                    let own = try row.decode(3, as: String?.self)
                    tally.note(
                        .keyDiffers, id, "saga.key has the key \(key) for it, and its row has \(own ?? "none")")
                } else {
                    try await noteDangling(key, id, database, &tally)
                }
            }
            if keys.count < size { return }
        }
    }

    /// What to do depends on what else there is; beyond the examples it isn't asked for.
    private static func noteDangling(
        _ key: String, _ id: SagaID, _ database: DoctorDatabase, _ tally: inout HistoryTally
    ) async throws(PostgresError) {
        let name = "the key \(key)"
        guard tally.wantsExample(of: .keyDangling) else { return tally.note(.keyDangling, id, name) }
        let row = try await database.row(
            """
            SELECT (SELECT s.id FROM saga.state s WHERE s.key = $1 ORDER BY s.id LIMIT 1),
                EXISTS (SELECT FROM saga.event e WHERE e.saga_id = $2)
            """, [.text(key), .uuid(id.uuid)])
        if let holder = try row.decode(0, as: PostgresUUID?.self) {
            let other = SagaID(holder)
            let text = "\(name), and saga \(other) has it in its row"
            return tally.note(.keyDangling, id, text, advice: leading(key, to: other))
        }
        if try row.decode(1) {
            return tally.note(
                .keyDangling, id, "\(name), and the saga's events are there", advice: restoring(key, id))
        }
        tally.note(.keyDangling, id, name, advice: freeing(key))
    }

    private static func leading(_ key: String, to id: SagaID) -> String {
        """
        somebody wrote into the tables; don't delete the key, or a start with it runs a second time; as the schema's \
        owner: UPDATE saga.key SET saga_id = '\(id)' WHERE key = \(DoctorText.literal(key));
        """
    }

    private static func restoring(_ key: String, _ id: SagaID) -> String {
        """
        don't delete the key: a start with it would do again what the events tell was done. Restore the row from a \
        backup, or, as the schema's owner, with the id in saga.definition of what it ran on for DEFINITION: INSERT INTO \
        saga.state (id, started_at, due_at, definition_id, status, key) SELECT saga_id, at, now(), DEFINITION, 2, \
        \(DoctorText.literal(key)) FROM saga.event WHERE saga_id = '\(id)' AND sequence = 1;
        """
    }

    private static func freeing(_ key: String) -> String {
        """
        a start with that key is answered with a saga that never runs: restore the saga from a backup, or, where what it \
        may have done is known not to matter, let the key be used anew, as the schema's owner: DELETE FROM saga.key \
        WHERE key = \(DoctorText.literal(key));
        """
    }
}

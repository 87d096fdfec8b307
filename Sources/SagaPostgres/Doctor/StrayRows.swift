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
                    tally.note(.keyDangling, id, "the key \(key)", advice: advice(key))
                }
            }
            if keys.count < size { return }
        }
    }

    private static func advice(_ key: String) -> String {
        """
        a start with that key is answered with a saga that never runs: restore the saga from a backup, or let the key \
        be used anew, as the schema's owner: DELETE FROM saga.key WHERE key = \(DoctorText.literal(key));
        """
    }
}

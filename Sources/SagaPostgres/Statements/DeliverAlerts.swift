import PostgresClient
import SagaCore
import SagaEngine

/// The outbox of alerts. A claim is a time in its row: no transaction stays open while it is posted.
extension PostgresStore: AlertStore {
    public func claimAlerts(limit: Int, leaseLength: TimeSpan) async throws(StoreError) -> [DueAlert] {
        do throws(PostgresError) {
            let result = try await pool.query(
                """
                WITH due AS (
                    SELECT id FROM saga.alert WHERE due_at <= statement_timestamp()
                    ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED
                )
                UPDATE saga.alert a SET attempts = a.attempts + 1,
                    due_at = clock_timestamp() + $2 * interval '1 us'
                FROM due WHERE a.id = due.id
                RETURNING a.id, a.attempts, a.event
                """, [.int8(Int64(limit)), .int8(leaseLength.microseconds)], timeout: timeout)
            var alerts: [DueAlert] = []
            for row in result.rows {
                alerts.append(
                    DueAlert(
                        number: try row.decode(0), attempt: Int(try row.decode(1, as: Int32.self)),
                        event: try row.decode(2)))
            }
            return alerts.sorted { $0.number < $1.number }
        } catch {
            throw StoreError(error)
        }
    }

    /// Whoever has claimed it meanwhile finds it gone, which is right: it was taken.
    public func remove(_ alert: DueAlert) async throws(StoreError) {
        try await change("DELETE FROM saga.alert WHERE id = $1", [.int8(alert.number)])
    }

    public func postpone(_ alert: DueAlert, by delay: TimeSpan) async throws(StoreError) {
        try await change(
            """
            UPDATE saga.alert SET due_at = clock_timestamp() + $3 * interval '1 us' WHERE id = $1 AND attempts = $2
            """,
            [.int8(alert.number), .int4(Int32(clamping: alert.attempt)), .int8(delay.microseconds)])
    }

    public func dropAlerts(olderThan age: TimeSpan) async throws(StoreError) -> DroppedAlerts {
        do throws(PostgresError) {
            let result = try await pool.query(
                """
                WITH dropped AS (
                    DELETE FROM saga.alert WHERE created_at < statement_timestamp() - $1 * interval '1 us'
                    RETURNING attempts
                )
                SELECT count(*), count(*) FILTER (WHERE attempts > 0) FROM dropped
                """, [.int8(age.microseconds)], timeout: timeout)
            guard let row = result.rows.first else { return DroppedAlerts(count: 0, attempted: 0) }
            return DroppedAlerts(
                count: Int(try row.decode(0, as: Int64.self)), attempted: Int(try row.decode(1, as: Int64.self)))
        } catch {
            throw StoreError(error)
        }
    }

    private func change(_ sql: String, _ parameters: [PostgresValue]) async throws(StoreError) {
        do throws(PostgresError) {
            _ = try await pool.query(sql, parameters, timeout: timeout)
        } catch {
            throw StoreError(error)
        }
    }
}

import JSON
import PostgresClient

/// Tells customers that their order is on its way, and if need be that it isn't after all.
struct NotificationService: ParticipantService {
    let name = ServiceName.notification

    let installation = """
        CREATE SCHEMA IF NOT EXISTS notification;
        CREATE TABLE IF NOT EXISTS notification.confirmations (
            id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            action_key      text NOT NULL UNIQUE,
            order_id        text NOT NULL,
            customer        text NOT NULL,
            tracking_number text,
            sent_at         timestamptz NOT NULL DEFAULT clock_timestamp(),
            cancelled_at    timestamptz
        );
        COMMENT ON COLUMN notification.confirmations.cancelled_at IS
            'When the customer was told that the confirmation no longer holds';
        """

    var endpoints: [Endpoint] {
        [
            Endpoint(path: "/confirmations") { call, database in try await confirm(call, database) },
            Endpoint(path: "/cancellations") { call, database in try await cancel(call, database) },
        ]
    }

    let booksQuery = """
        WITH orders AS (
            SELECT order_id,
                   count(*) FILTER (WHERE cancelled_at IS NULL) AS held,
                   count(*) FILTER (WHERE cancelled_at IS NOT NULL) AS undone
              FROM notification.confirmations
             GROUP BY order_id
        )
        SELECT json_build_object(
            'service', 'notification',
            'orders', (SELECT coalesce(json_agg(json_build_object(
                         'orderId', order_id, 'held', held, 'undone', undone) ORDER BY order_id), '[]')
                         FROM orders),
            'totals', (SELECT json_build_object(
                         'held', coalesce(sum(held), 0), 'undone', coalesce(sum(undone), 0))
                         FROM orders)
        )::text
        """

    private func confirm(_ call: ServiceCall, _ database: GuardedDatabase) async throws -> Answer {
        let orderID = try call.fields.text("orderId")
        let customer = try call.fields.text("customer")
        let trackingNumber = try call.fields.optionalText("trackingNumber")
        return try await database.action(key: call.key) { connection in
            let sent = try await connection.query(
                """
                INSERT INTO notification.confirmations (action_key, order_id, customer, tracking_number)
                VALUES ($1, $2, $3, $4) RETURNING id
                """,
                [.text(call.key), .text(orderID), .text(customer), .text(trackingNumber)]
            )
            return Answer(
                status: 201,
                ["confirmationId": .string(RecordID.text(try sent.id(), prefix: "n"))]
            )
        }
    }

    private func cancel(_ call: ServiceCall, _ database: GuardedDatabase) async throws -> Answer {
        let compensates = try await call.actionKey(
            idField: "confirmationId",
            prefix: "n",
            query: "SELECT action_key FROM notification.confirmations WHERE id = $1",
            in: database
        )
        return try await database.compensation(key: call.key, compensates: compensates) { connection in
            let cancelled = try await connection.query(
                """
                UPDATE notification.confirmations SET cancelled_at = clock_timestamp()
                 WHERE action_key = $1 AND cancelled_at IS NULL RETURNING id
                """,
                [.text(compensates)]
            )
            let confirmationID = RecordID.text(try cancelled.id(), prefix: "n")
            try call.confirm(idField: "confirmationId", is: confirmationID)
            return Answer(status: 200, ["confirmationId": .string(confirmationID), "undone": true])
        }
    }
}

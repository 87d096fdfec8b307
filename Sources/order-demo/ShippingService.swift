import JSON
import PostgresClient

/// Ships orders, except to the country `ZZ`, where no carrier goes.
struct ShippingService: ParticipantService {
    let name = ServiceName.shipping

    let installation = """
        CREATE SCHEMA IF NOT EXISTS shipping;
        CREATE TABLE IF NOT EXISTS shipping.shipments (
            id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            action_key     text NOT NULL UNIQUE,
            order_id       text NOT NULL,
            reservation_id text,
            country        text NOT NULL,
            created_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
            cancelled_at   timestamptz
        );
        """

    var endpoints: [Endpoint] {
        [
            Endpoint(path: "/shipments") { call, database in try await create(call, database) },
            Endpoint(path: "/shipments/cancel") { call, database in try await cancel(call, database) },
        ]
    }

    let booksQuery = """
        WITH orders AS (
            SELECT order_id,
                   count(*) FILTER (WHERE cancelled_at IS NULL) AS held,
                   count(*) FILTER (WHERE cancelled_at IS NOT NULL) AS undone
              FROM shipping.shipments
             GROUP BY order_id
        )
        SELECT json_build_object(
            'service', 'shipping',
            'orders', (SELECT coalesce(json_agg(json_build_object(
                         'orderId', order_id, 'held', held, 'undone', undone) ORDER BY order_id), '[]')
                         FROM orders),
            'totals', (SELECT json_build_object(
                         'held', coalesce(sum(held), 0), 'undone', coalesce(sum(undone), 0))
                         FROM orders)
        )::text
        """

    private func create(_ call: ServiceCall, _ database: GuardedDatabase) async throws -> Answer {
        let orderID = try call.fields.text("orderId")
        let country = try call.fields.text("country")
        let reservationID = try call.fields.optionalText("reservationId")
        return try await database.action(key: call.key) { connection in
            guard country != "ZZ" else {
                throw ServiceError(422, "NoCarrier", "no carrier goes to \(country)")
            }
            let created = try await connection.query(
                """
                INSERT INTO shipping.shipments (action_key, order_id, reservation_id, country)
                VALUES ($1, $2, $3, $4) RETURNING id
                """,
                [.text(call.key), .text(orderID), .text(reservationID), .text(country)]
            )
            let id = try created.id()
            return Answer(
                status: 201,
                [
                    "shipmentId": .string(RecordID.text(id, prefix: "s")),
                    "trackingNumber": .string("\(country)\(1_000_000 + id)"),
                ]
            )
        }
    }

    private func cancel(_ call: ServiceCall, _ database: GuardedDatabase) async throws -> Answer {
        let compensates = try await call.actionKey(
            idField: "shipmentId",
            prefix: "s",
            query: "SELECT action_key FROM shipping.shipments WHERE id = $1",
            in: database
        )
        return try await database.compensation(key: call.key, compensates: compensates) { connection in
            let cancelled = try await connection.query(
                """
                UPDATE shipping.shipments SET cancelled_at = clock_timestamp()
                 WHERE action_key = $1 AND cancelled_at IS NULL RETURNING id
                """,
                [.text(compensates)]
            )
            let shipmentID = RecordID.text(try cancelled.id(), prefix: "s")
            try call.confirm(idField: "shipmentId", is: shipmentID)
            return Answer(status: 200, ["shipmentId": .string(shipmentID), "undone": true])
        }
    }
}

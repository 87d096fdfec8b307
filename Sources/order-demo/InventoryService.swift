import JSON
import PostgresClient

/// Keeps stock, and reserves it for orders.
struct InventoryService: ParticipantService {
    /// The units on hand of every SKU but `sold-out`, which never has any.
    let initialStock: Int64

    let name = ServiceName.inventory

    let installation = """
        CREATE SCHEMA IF NOT EXISTS inventory;
        CREATE TABLE IF NOT EXISTS inventory.stock (
            sku      text PRIMARY KEY,
            on_hand  bigint NOT NULL,
            reserved bigint NOT NULL DEFAULT 0,
            CONSTRAINT stock_covers_reservations CHECK (reserved BETWEEN 0 AND on_hand)
        );
        CREATE TABLE IF NOT EXISTS inventory.reservations (
            id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            action_key  text NOT NULL UNIQUE,
            order_id    text NOT NULL,
            reserved_at timestamptz NOT NULL DEFAULT clock_timestamp(),
            released_at timestamptz
        );
        CREATE TABLE IF NOT EXISTS inventory.reserved_items (
            reservation_id bigint NOT NULL REFERENCES inventory.reservations,
            sku            text NOT NULL REFERENCES inventory.stock,
            quantity       bigint NOT NULL CONSTRAINT quantity_is_positive CHECK (quantity > 0),
            PRIMARY KEY (reservation_id, sku)
        );
        """

    var endpoints: [Endpoint] {
        [
            Endpoint(path: "/reservations") { call, database in try await reserve(call, database) },
            Endpoint(path: "/reservations/release") { call, database in try await release(call, database) },
        ]
    }

    let booksQuery = """
        WITH reservation AS (
            SELECT r.order_id, r.released_at IS NULL AS held, sum(i.quantity)::bigint AS units
              FROM inventory.reservations AS r
              JOIN inventory.reserved_items AS i ON i.reservation_id = r.id
             GROUP BY r.id
        ), orders AS (
            SELECT order_id, count(*) FILTER (WHERE held) AS held, count(*) FILTER (WHERE NOT held) AS undone,
                   coalesce(sum(units) FILTER (WHERE held), 0)::bigint AS units
              FROM reservation
             GROUP BY order_id
        )
        SELECT json_build_object(
            'service', 'inventory',
            'stock', (SELECT coalesce(json_agg(json_build_object(
                         'sku', sku, 'onHand', on_hand, 'reserved', reserved) ORDER BY sku), '[]')
                        FROM inventory.stock),
            'orders', (SELECT coalesce(json_agg(json_build_object(
                         'orderId', order_id, 'held', held, 'undone', undone, 'units', units) ORDER BY order_id), '[]')
                         FROM orders),
            'totals', (SELECT json_build_object(
                         'held', coalesce(sum(held), 0), 'undone', coalesce(sum(undone), 0),
                         'units', coalesce(sum(units), 0))
                         FROM orders)
        )::text
        """

    private func reserve(_ call: ServiceCall, _ database: GuardedDatabase) async throws -> Answer {
        let orderID = try call.fields.text("orderId")
        let wanted = try quantities(call.fields)
        return try await database.action(key: call.key) { connection in
            try await lockStock(wanted, connection)
            let quantities = wanted.map(\.quantity)
            let reserved = try await connection.query(
                """
                WITH wanted AS (SELECT * FROM unnest($3::text[], $4::int8[]) AS w (sku, quantity)),
                taken AS (
                    UPDATE inventory.stock AS s SET reserved = s.reserved + w.quantity
                      FROM wanted AS w WHERE s.sku = w.sku
                ),
                reservation AS (
                    INSERT INTO inventory.reservations (action_key, order_id) VALUES ($1, $2) RETURNING id
                ),
                items AS (
                    INSERT INTO inventory.reserved_items (reservation_id, sku, quantity)
                    SELECT reservation.id, wanted.sku, wanted.quantity FROM reservation, wanted
                )
                SELECT id FROM reservation
                """,
                [.text(call.key), .text(orderID), .textArray(wanted.map(\.sku)), .int8Array(quantities)]
            )
            return Answer(
                status: 201,
                ["reservationId": .string(RecordID.text(try reserved.id(), prefix: "r"))]
            )
        }
    }

    /// The units wanted of each SKU, in the SKUs' order.
    private func quantities(_ fields: RequestFields) throws(ServiceError) -> [(sku: String, quantity: Int64)] {
        var quantities: [String: Int64] = [:]
        for item in try fields.objects("items") {
            // At most 100 items of a million each: the sum can't overflow.
            quantities[try item.text("sku"), default: 0] += try item.integer("quantity", in: 1...1_000_000)
        }
        return quantities.sorted { $0.key < $1.key }.map { (sku: $0.key, quantity: $0.value) }
    }

    /// Locks the stock of what is wanted, in the order of the SKUs' bytes, as every call does: so none can deadlock.
    ///
    /// A SKU never heard of before is stocked like the others, so that any order can be tried.
    ///
    /// - Throws: A 409 `ServiceError` named `OutOfStock` when there isn't enough of something.
    private func lockStock(
        _ wanted: [(sku: String, quantity: Int64)],
        _ connection: PostgresConnection
    ) async throws {
        let skus = PostgresValue.textArray(wanted.map(\.sku))
        let stock = try await connection.pipeline([
            PostgresStatement(
                """
                INSERT INTO inventory.stock (sku, on_hand)
                SELECT sku, CASE sku WHEN 'sold-out' THEN 0 ELSE $2 END
                  FROM unnest($1::text[]) AS wanted (sku) ORDER BY sku COLLATE "C"
                ON CONFLICT DO NOTHING
                """,
                [skus, .int8(initialStock)]
            ),
            PostgresStatement(
                """
                SELECT s.sku, s.on_hand - s.reserved
                  FROM inventory.stock AS s WHERE s.sku = ANY ($1) ORDER BY s.sku COLLATE "C" FOR UPDATE
                """,
                [skus]
            ),
        ])
        var available: [String: Int64] = [:]
        for row in stock.last?.rows ?? [] {
            available[try row.decode(0, as: String.self)] = try row.decode(1, as: Int64.self)
        }
        for (sku, quantity) in wanted {
            let left = available[sku] ?? 0
            guard quantity <= left else {
                throw ServiceError(409, "OutOfStock", "\(quantity) of \(sku) wanted, \(left) available")
            }
        }
    }

    private func release(_ call: ServiceCall, _ database: GuardedDatabase) async throws -> Answer {
        let compensates = try await call.actionKey(
            idField: "reservationId",
            prefix: "r",
            query: "SELECT action_key FROM inventory.reservations WHERE id = $1",
            in: database
        )
        return try await database.compensation(key: call.key, compensates: compensates) { connection in
            let released = try await connection.query(
                """
                UPDATE inventory.reservations SET released_at = clock_timestamp()
                 WHERE action_key = $1 AND released_at IS NULL RETURNING id
                """,
                [.text(compensates)]
            )
            let id = try released.id()
            let reservationID = RecordID.text(id, prefix: "r")
            try call.confirm(idField: "reservationId", is: reservationID)
            // Locked in the order in which reservations take their locks, and only then given back.
            _ = try await connection.pipeline([
                PostgresStatement(
                    """
                    SELECT FROM inventory.stock AS s JOIN inventory.reserved_items AS i USING (sku)
                     WHERE i.reservation_id = $1 ORDER BY s.sku COLLATE "C" FOR UPDATE OF s
                    """,
                    [.int8(id)]
                ),
                PostgresStatement(
                    """
                    UPDATE inventory.stock AS s SET reserved = s.reserved - i.quantity
                      FROM inventory.reserved_items AS i WHERE i.reservation_id = $1 AND s.sku = i.sku
                    """,
                    [.int8(id)]
                ),
            ])
            return Answer(status: 200, ["reservationId": .string(reservationID), "undone": true])
        }
    }
}

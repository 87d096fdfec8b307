import JSON
import PostgresClient

/// Charges cards, and refunds what it charged.
///
/// The card's name scripts what happens: `declined` is refused with 402; the answer of `lost-answer` is lost on every
/// attempt; that of `slow` takes its time; the first refund of `refund-fails-first` is answered 503.
struct PaymentService: ParticipantService {
    let name = ServiceName.payment

    let installation = """
        CREATE SCHEMA IF NOT EXISTS payment;
        CREATE TABLE IF NOT EXISTS payment.charges (
            id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            action_key      text NOT NULL UNIQUE,
            order_id        text NOT NULL,
            card            text NOT NULL,
            amount_cents    bigint NOT NULL CONSTRAINT amount_is_positive CHECK (amount_cents > 0),
            currency        text NOT NULL,
            charged_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
            refunded_at     timestamptz,
            refused_refunds int NOT NULL DEFAULT 0
        );
        COMMENT ON COLUMN payment.charges.refused_refunds IS
            'Of the card refund-fails-first: how many refunds were turned away so far';
        """

    var endpoints: [Endpoint] {
        [
            Endpoint(path: "/charges") { call, database in try await charge(call, database) },
            Endpoint(path: "/refunds") { call, database in try await refund(call, database) },
        ]
    }

    let booksQuery = """
        WITH orders AS (
            SELECT order_id,
                   count(*) FILTER (WHERE refunded_at IS NULL) AS held,
                   count(*) FILTER (WHERE refunded_at IS NOT NULL) AS undone,
                   coalesce(sum(amount_cents) FILTER (WHERE refunded_at IS NULL), 0) AS held_cents
              FROM payment.charges
             GROUP BY order_id
        )
        SELECT json_build_object(
            'service', 'payment',
            'orders', (SELECT coalesce(json_agg(json_build_object(
                         'orderId', order_id, 'held', held, 'undone', undone, 'heldCents', held_cents)
                         ORDER BY order_id), '[]')
                         FROM orders),
            'totals', (SELECT json_build_object(
                         'held', coalesce(sum(held), 0), 'undone', coalesce(sum(undone), 0),
                         'heldCents', coalesce(sum(held_cents), 0))
                         FROM orders)
        )::text
        """

    private func charge(_ call: ServiceCall, _ database: GuardedDatabase) async throws -> Answer {
        let orderID = try call.fields.text("orderId")
        let card = try call.fields.text("card")
        let amount = try call.fields.integer("amountCents", in: 1...100_000_000_000)
        let currency = try call.fields.optionalText("currency") ?? "EUR"
        let answer = try await database.action(key: call.key) { connection in
            guard card != "declined" else {
                throw ServiceError(402, "CardDeclined", "the card was declined")
            }
            let charged = try await connection.query(
                """
                INSERT INTO payment.charges (action_key, order_id, card, amount_cents, currency)
                VALUES ($1, $2, $3, $4, $5) RETURNING id
                """,
                [.text(call.key), .text(orderID), .text(card), .int8(amount), .text(currency)]
            )
            return Answer(
                status: 201,
                [
                    "chargeId": .string(RecordID.text(try charged.id(), prefix: "c")),
                    "amountCents": .number(JSONNumber(amount)),
                ]
            )
        }
        switch card {
        case "lost-answer": return answer.delivered(.lost)
        case "slow": return answer.delivered(.slow)
        default: return answer
        }
    }

    private func refund(_ call: ServiceCall, _ database: GuardedDatabase) async throws -> Answer {
        let compensates = try await call.actionKey(
            idField: "chargeId",
            prefix: "c",
            query: "SELECT action_key FROM payment.charges WHERE id = $1",
            in: database
        )
        // A transaction of its own: that a refund was turned away has to outlive the refusal.
        let turnedAway = try await database.pool.query(
            """
            UPDATE payment.charges SET refused_refunds = refused_refunds + 1
             WHERE action_key = $1 AND card = 'refund-fails-first' AND refused_refunds = 0
            """,
            [.text(compensates)]
        )
        guard turnedAway.affectedRows == 0 else {
            throw ServiceError.unavailable("refunds are down for a moment")
        }
        return try await database.compensation(key: call.key, compensates: compensates) { connection in
            let refunded = try await connection.query(
                """
                UPDATE payment.charges SET refunded_at = clock_timestamp()
                 WHERE action_key = $1 AND refunded_at IS NULL RETURNING id
                """,
                [.text(compensates)]
            )
            let chargeID = RecordID.text(try refunded.id(), prefix: "c")
            try call.confirm(idField: "chargeId", is: chargeID)
            return Answer(status: 200, ["chargeId": .string(chargeID), "undone": true])
        }
    }
}
